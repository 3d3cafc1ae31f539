//! The environment.

/// A variable's value; an empty one is as good as none, since action inputs that nobody gave are
/// empty. A value that is not UTF-8 is none.
pub fn var(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// All variables that are UTF-8.
pub fn all() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// The arguments of the program, the program's name first.
pub fn args() -> Vec<std::ffi::OsString> {
    std::env::args_os().collect()
}

/// Ends the process at once. For panics only: everything else returns its exit code.
#[expect(clippy::exit, reason = "a panic hook cannot return an exit code")]
pub fn exit(code: crate::exit::Exit) -> ! {
    std::process::exit(i32::from(code.code()))
}
