//! Files: read whole within bounds, replaced whole, appended and synced.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::disk::{self, Readers, Real};

/// Larger files are refused: nothing that we read is larger.
const LARGEST: u64 = 64 << 20;

/// Reads a text of at most 64 MiB.
///
/// # Errors
/// When it cannot be read, is larger, or is not UTF-8.
pub fn read_text(path: impl AsRef<Path>) -> io::Result<String> {
    let bytes = read(path)?;
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the file is not UTF-8 text"))
}

/// Reads at most 64 MiB.
///
/// # Errors
/// When it cannot be read or is larger.
pub fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file is larger than 64 MiB"));
    }
    Ok(bytes)
}

/// The SHA-256 of a file of any size, in lower-case hexadecimal.
///
/// # Errors
/// When it cannot be read.
pub fn digest(path: impl AsRef<Path>) -> io::Result<String> {
    let mut digest = Digester::default();
    io::copy(&mut File::open(path)?, &mut digest)?;
    Ok(digest.hex())
}

/// Takes bytes, and gives their SHA-256.
#[derive(Debug, Default)]
pub struct Digester(Sha256);

impl Digester {
    /// The digest, in lower-case hexadecimal.
    pub fn hex(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Write for Digester {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens a file to be read, and tells its size. What is no file is not opened: a folder has no
/// content, and a pipe waits for whoever writes into it.
///
/// # Errors
/// When it is something else, or cannot be opened.
pub fn open_regular(path: impl AsRef<Path>) -> io::Result<(File, u64)> {
    let kind = fs::metadata(&path)?.file_type();
    if !kind.is_file() {
        let what = if kind.is_dir() { "it is a folder, and no file" } else { "it is no file" };
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    open(path)
}

/// Opens a file to be read, and tells its size.
///
/// # Errors
/// When it cannot be opened.
pub fn open(path: impl AsRef<Path>) -> io::Result<(File, u64)> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

/// Replaces a file whole: temporary file beside it, sync, rename, sync of the folder. Missing
/// folders are made. A link is followed, and into what is no file, a pipe or a device, is written:
/// to replace `/dev/null` would break the machine.
///
/// # Errors
/// When any of the steps fails; the old file is then as it was.
pub fn replace(path: impl AsRef<Path>, content: &[u8]) -> io::Result<()> {
    let path = path.as_ref();
    let path = match path.canonicalize() {
        Ok(real) if real.is_file() => real,
        Ok(other) => return OpenOptions::new().write(true).open(other)?.write_all(content),
        Err(_) => path.to_owned(),
    };
    disk::replace(&Real, &path, content, Readers::All)
}

/// Replaces a file as [`replace`] does; only its owner may read it.
///
/// # Errors
/// When any of the steps fails; the old file is then as it was.
pub fn replace_private(path: impl AsRef<Path>, content: &[u8]) -> io::Result<()> {
    disk::replace(&Real, path.as_ref(), content, Readers::Owner)
}

/// Replaces a file as [`replace`] does, when nobody else does so at the same time: what is left of
/// a replacement that was interrupted is removed.
///
/// # Errors
/// When any of the steps fails; the old file is then as it was.
pub fn replace_alone(path: impl AsRef<Path>, content: &[u8]) -> io::Result<()> {
    let path = path.as_ref();
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let before = disk::unfinished(&real);
    for name in names(disk::folder_of(&real))?.iter().filter(|name| name.starts_with(&before)) {
        remove(disk::folder_of(&real).join(name))?;
    }
    replace(path, content)
}

/// The files in a folder, and in those below it that are wanted, that were to replace others and
/// are left over where nobody is replacing any. A folder that is not there has none.
///
/// # Errors
/// When a folder is there and cannot be read.
pub fn leftovers(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for name in names(folder)? {
        let path = folder.join(&name);
        if path.is_dir() && !path.is_symlink() {
            if wanted(&path) {
                found.extend(leftovers(&path, wanted)?);
            }
        } else if name.starts_with(disk::UNFINISHED) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Appends and syncs; the file and missing folders are made.
///
/// # Errors
/// When any of the steps fails.
pub fn append(path: impl AsRef<Path>, content: &[u8]) -> io::Result<()> {
    disk::append(&Real, path.as_ref(), content)
}

/// Appends behind the first `whole` bytes, and syncs: what was torn behind them is cut off before,
/// and what could not be kept is cut off again. The file and missing folders are made.
///
/// # Errors
/// When any of the steps fails.
pub fn extend(path: impl AsRef<Path>, whole: u64, content: &[u8]) -> io::Result<()> {
    disk::extend(&Real, path.as_ref(), whole, content)
}

/// Makes a file of that many bytes, which take up their room: no file system makes them smaller.
///
/// # Errors
/// When the file cannot be made, or there is no room for it.
pub fn fill(path: impl AsRef<Path>, size: usize) -> io::Result<()> {
    let mut state = 1_u64;
    let mut next = || {
        // Marsaglia's xorshift: neither zeros nor a pattern.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let bytes: Vec<u8> = std::iter::repeat_with(&mut next).take(size / 8).flatten().collect();
    let file = File::create(path)?;
    (&file).write_all(&bytes)?;
    // Some file systems only look for room now.
    file.sync_data()
}

/// Opens a log for a child's output, appending.
///
/// # Errors
/// When it cannot be opened.
pub fn open_log(path: impl AsRef<Path>) -> io::Result<File> {
    if let Some(folder) = path.as_ref().parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

/// The last `count` lines of a file, reading at most its last 256 KiB.
///
/// # Errors
/// When it cannot be read.
pub fn last_lines(path: impl AsRef<Path>, count: usize) -> io::Result<Vec<String>> {
    let (bytes, _) = tail(path, 256 << 10)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(count)..].iter().map(|line| (*line).to_owned()).collect())
}

/// The last bytes of a file, at most `most`, and whether there are more before them.
///
/// # Errors
/// When it cannot be read.
pub fn tail(path: impl AsRef<Path>, most: u64) -> io::Result<(Vec<u8>, bool)> {
    use std::io::{Seek, SeekFrom};
    let mut file = File::open(path)?;
    let before = file.metadata()?.len().saturating_sub(most);
    file.seek(SeekFrom::Start(before))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok((bytes, before > 0))
}

/// The names of what is in a folder, sorted; names that are no text are left out. A folder that is
/// not there has nothing in it.
///
/// # Errors
/// When it is there and cannot be read.
pub fn names(folder: impl AsRef<Path>) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

/// Removes a file; one that is not there is no error.
///
/// # Errors
/// When it is there and cannot be removed.
pub fn remove(path: impl AsRef<Path>) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Whether there is such a folder, and files can be put into it.
pub fn can_write_into(folder: impl AsRef<Path>) -> bool {
    folder.as_ref().is_dir() && is_writable(folder.as_ref())
}

#[cfg(unix)]
fn is_writable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok()
}

/// Elsewhere only trying tells.
#[cfg(not(unix))]
fn is_writable(_: &Path) -> bool {
    true
}

/// Whether there is such a file or folder.
pub fn exists(path: impl AsRef<Path>) -> bool {
    path.as_ref().exists()
}

/// A path as seen from the root; as it is where there is no working folder.
pub fn absolute(path: impl AsRef<Path>) -> std::path::PathBuf {
    std::path::absolute(&path).unwrap_or_else(|_| path.as_ref().to_owned())
}

/// A path without links and dots, absolute, as far as it exists; the rest is as it was given.
///
/// # Errors
/// When there is no working folder, or the path cannot be looked at.
pub fn real_path(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    let whole = std::path::absolute(path)?;
    let mut missing = Vec::new();
    let mut existing = whole.as_path();
    loop {
        match existing.canonicalize() {
            Ok(real) => return Ok(missing.iter().rev().fold(real, |path, part| path.join(part))),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(error) => match (existing.parent(), existing.file_name()) {
                (Some(above), Some(name)) => {
                    missing.push(name.to_owned());
                    existing = above;
                }
                _ => return Err(error),
            },
        }
    }
}

/// Makes a folder that only its owner may enter; one that is there already stays as it is.
///
/// # Errors
/// When it cannot be made.
pub fn private_folder(folder: impl AsRef<Path>) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Removes a folder with everything in it.
///
/// # Errors
/// When that is not possible.
pub fn remove_folder(folder: impl AsRef<Path>) -> io::Result<()> {
    fs::remove_dir_all(folder)
}

/// What a file has from `offset` on, 1 MiB at most; nothing when it is not there.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read_from(path: impl AsRef<Path>, offset: u64) -> io::Result<Vec<u8>> {
    use std::io::{Seek, SeekFrom};
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(1 << 20).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn d2_only_a_file_is_opened_as_one_and_nobody_waits_at_a_pipe() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let folder = tempfile::tempdir().unwrap();
        let (pipe, file) = (folder.path().join("pipe"), folder.path().join("file"));
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
        fs::write(&file, "abc").unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let folder = folder.path().to_owned();
        std::thread::spawn(move || {
            let kind = |path: &Path| open_regular(path).map(|(_, size)| size).map_err(|e| e.kind());
            let all = [&folder, &pipe, &file, &folder.join("none")].map(|path| kind(path));
            let _ = tell.send(all);
        });
        let all = told.recv_timeout(std::time::Duration::from_secs(20)).expect("it waits");
        let wrong = Err(io::ErrorKind::InvalidInput);
        assert_eq!(all, [wrong, wrong, Ok(3), Err(io::ErrorKind::NotFound)]);
    }
}
