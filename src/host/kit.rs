//! A private folder for what `ssh` reads from files, which goes away with the process that made it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::process::{self, Started};
use super::{env, files, folders, pid, system, tree};

/// How long another machine's kit is left alone: it is used until a host answers.
const FOREIGN: Duration = Duration::from_secs(24 * 3600);

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
        let prefix = format!("{}.{pid}.{ticks}.", machine());
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

/// Removes the kits whose process is gone. Several machines may have one home: whether another one's
/// process is gone only time tells.
fn remove_orphans(base: &Path) {
    let here = machine();
    for name in files::names(base).unwrap_or_default() {
        let path = base.join(&name);
        let mut words = name.split('.');
        let is_gone = if words.next() == Some(&here) {
            let pid = words.next().and_then(|pid| pid.parse().ok());
            let ticks = words.next().and_then(|ticks| ticks.parse().ok());
            pid.is_some_and(|pid| !process::is_alive(Started { pid, ticks }))
        } else {
            tree::age(&path).is_some_and(|age| age >= FOREIGN)
        };
        if is_gone {
            files::remove_folder(path).unwrap_or_default();
        }
    }
}

/// This machine, as far as process ids mean the same: by its name and its namespace of processes.
fn machine() -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let processes = folders::leads_to(Path::new("/proc/self/ns/pid")).ok().flatten();
    let processes = processes.unwrap_or_default().display().to_string();
    let processes: String = processes.chars().filter(char::is_ascii_digit).collect();
    let name: String = system::host_name().chars().take(64).map(plain).collect();
    format!("{name}-{processes}")
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
        let orphan = base.join(format!("{}.4194999.1.abc", machine()));
        // On another machine with the same home, or in another container, it may well live.
        let foreign = base.join("elsewhere-1.4194999.1.abc");
        let old = base.join("elsewhere-1.4194999.1.old");
        for folder in [&orphan, &foreign, &old] {
            fs::create_dir_all(folder).unwrap();
        }
        let long_ago = super::super::clock::wall() - FOREIGN;
        fs::File::open(&old).unwrap().set_modified(long_ago).unwrap();
        let kit = Kit::new().unwrap();
        assert!(!orphan.exists(), "what a killed one left is removed");
        assert!(
            foreign.exists() && !old.exists(),
            "what may be another machine's stays for a while"
        );
        fs::remove_dir(&foreign).unwrap();
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
