//! A private folder for what `ssh` reads from files, which goes away with the process that made it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::process::{self, Started};
use super::{env, files, pid};

/// A private folder for what `ssh` reads from files: its options, a key, keys of hosts. Its name
/// says whose it is, so that what was left by a process that was killed is found and removed.
#[derive(Debug)]
pub struct Kit {
    folder: PathBuf,
}

impl Kit {
    /// Makes one, after removing those whose process is gone.
    ///
    /// # Errors
    /// When it cannot be made, or is somebody else's.
    pub fn new() -> io::Result<Self> {
        let base = base();
        private_folder(&base)?;
        remove_orphans(&base);
        let Started { pid, ticks } = pid::this();
        let ticks = ticks.map_or("-".to_owned(), |ticks| ticks.to_string());
        let prefix = format!("{pid}.{ticks}.");
        let mut builder = tempfile::Builder::new();
        let folder = only_ours(builder.prefix(&prefix)).tempdir_in(&base)?;
        Ok(Self { folder: folder.keep() })
    }

    /// Where a file of that name is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file that only its owner may read.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        owner_only(&mut options);
        options.open(self.path(name))?.write_all(text.as_bytes())
    }
}

impl Drop for Kit {
    fn drop(&mut self) {
        // The next one removes what cannot be removed now.
        files::remove_folder(&self.folder).unwrap_or_default();
    }
}

/// The folder of all kits: in memory where the system has such a place. `ssh` hands the names of
/// these files to a shell when it goes through another machine, so that they must be plain.
fn base() -> PathBuf {
    let is_plain = |path: &PathBuf| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        path.is_absolute() && path.to_string_lossy().chars().all(plain)
    };
    let runtime = env::var("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_dir());
    let state = env::var("XDG_STATE_HOME").map(PathBuf::from);
    let home = env::var("HOME").map(|home| Path::new(&home).join(".local/state"));
    let found = [runtime, state, home].into_iter().flatten().find(is_plain);
    match found {
        Some(folder) => folder.join("waveoff-ssh"),
        None => PathBuf::from(format!("/tmp/waveoff-ssh-{}", user())),
    }
}

#[cfg(unix)]
fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Elsewhere temporary folders are the user's own.
#[cfg(not(unix))]
fn user() -> u32 {
    0
}

/// Makes a folder that is only ours, or makes sure of that.
#[cfg(unix)]
fn private_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(path)?;
    if !found.is_dir() || found.uid() != user() || found.mode() & 0o077 != 0 {
        let why = format!("{} is not a folder that is only yours", path.display());
        return Err(io::Error::other(why));
    }
    Ok(())
}

#[cfg(not(unix))]
fn private_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// The same, not as the umask says.
#[cfg(unix)]
fn only_ours<'a, 'b, 'c>(
    builder: &'c mut tempfile::Builder<'a, 'b>,
) -> &'c mut tempfile::Builder<'a, 'b> {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn only_ours<'a, 'b, 'c>(
    builder: &'c mut tempfile::Builder<'a, 'b>,
) -> &'c mut tempfile::Builder<'a, 'b> {
    builder
}

#[cfg(unix)]
fn owner_only(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn owner_only(_: &mut OpenOptions) {}

/// Removes the kits whose process is gone.
fn remove_orphans(base: &Path) {
    for name in files::names(base).unwrap_or_default() {
        let mut words = name.split('.');
        let pid = words.next().and_then(|pid| pid.parse().ok());
        let ticks = words.next().and_then(|ticks| ticks.parse().ok());
        let owner = pid.map(|pid| Started { pid, ticks });
        if owner.is_some_and(|owner| !process::is_alive(owner)) {
            files::remove_folder(base.join(name)).unwrap_or_default();
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn d11_a_kit_is_private_and_goes_with_its_process() {
        use std::os::unix::fs::PermissionsExt;
        let base = base();
        private_folder(&base).unwrap();
        // A process that has surely gone: ids end far below.
        let orphan = base.join("4194999.1.abc");
        fs::create_dir_all(&orphan).unwrap();
        let kit = Kit::new().unwrap();
        assert!(!orphan.exists(), "what a killed one left is removed");
        kit.write("key", "text").unwrap();
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(kit.path("key")), mode(kit.folder.clone())), (0o600, 0o700));
        let folder = kit.folder.clone();
        drop(Kit::new().unwrap());
        assert!(folder.exists(), "a living process keeps its own");
        drop(kit);
        assert!(!folder.exists());
    }

    #[test]
    fn d11_a_folder_that_others_can_enter_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kits");
        private_folder(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(private_folder(&path).is_err());
        std::os::unix::fs::symlink("/", folder.path().join("link")).unwrap();
        assert!(private_folder(&folder.path().join("link")).is_err());
    }
}
