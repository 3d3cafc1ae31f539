//! Real programs that tests run: found, skipped with a word about it, or demanded by `REQUIRE`.

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The program `name`, from `target/tools/bin` or `PATH`.
///
/// A test that gets none ends at once: the skip is noted in the file that `SKIPS` names, which
/// `scripts/test` prints last. When `REQUIRE` (a comma separated list) names the program, its
/// absence is a failure instead.
pub(crate) fn part(name: &str) -> Option<PathBuf> {
    part_of(name, name)
}

/// The program of a part that is named otherwise.
pub(crate) fn part_of(name: &str, program: &str) -> Option<PathBuf> {
    let found = folders().map(|folder| folder.join(program)).find(|file| is_program(file));
    if found.is_none() {
        skip(name, "not installed");
    }
    found
}

/// Says that the part `name` cannot be had here.
///
/// # Panics
///
/// When `REQUIRE` names it.
pub(crate) fn skip(name: &str, reason: &str) {
    let required = env::var("REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|part| part.trim() == name),
        "{name} is {reason}, and REQUIRE names it"
    );
    eprintln!("skipped: {name} is {reason}");
    if let Some(file) = env::var_os("SKIPS") {
        let mut file = OpenOptions::new().append(true).create(true).open(file).unwrap();
        file.write_all(format!("{name}: {reason}\n").as_bytes()).unwrap();
    }
}

/// GitHub's OpenAPI description, as `scripts/test` installs it.
///
/// Without it, tests run and their requests are held against nothing; that is noted as a skip.
pub(crate) fn github_description() -> Option<PathBuf> {
    let installed = "tools/node_modules/@octokit/openapi/generated/api.github.com.json";
    let named = env::var_os("GITHUB_OPENAPI").map(PathBuf::from);
    let file = named.unwrap_or_else(|| target().join(installed));
    if file.is_file() {
        return Some(file);
    }
    skip("github-openapi", "not installed");
    None
}

/// The folder that cargo builds into: the test binary is `target/<profile>/deps/<name>`.
fn target() -> PathBuf {
    let test = env::current_exe().ok();
    test.and_then(|test| test.ancestors().nth(3).map(Path::to_path_buf)).unwrap_or_default()
}

/// What `scripts/tools.sh` installs is in here.
pub(crate) fn tools() -> PathBuf {
    target().join("tools")
}

fn folders() -> impl Iterator<Item = PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    std::iter::once(tools().join("bin")).chain(env::split_paths(&path).collect::<Vec<_>>())
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Public test data, from the folder that `TEST_DATA` names.
pub(crate) fn data(name: &str) -> Option<String> {
    let folder = env::var_os("TEST_DATA").map(PathBuf::from).unwrap_or_default();
    let text = std::fs::read_to_string(folder.join(name)).ok();
    if text.is_none() {
        skip(name, "not in the folder that TEST_DATA names");
    }
    text
}
