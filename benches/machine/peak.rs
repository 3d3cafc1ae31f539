//! The most memory that processes had which nobody here started: an engine leaves its caller.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often it is looked. The kernel keeps the peak itself, so that only what a process comes to
/// within its last moment could be missed.
const TICK: Duration = Duration::from_millis(2);

/// Watches the processes of a program until it is asked.
pub(crate) struct Peaks {
    stop: Arc<AtomicBool>,
    watcher: JoinHandle<BTreeMap<u32, (String, u64)>>,
}

impl Peaks {
    /// Of the processes whose program is in this folder, also on a host that is reached over ssh.
    pub(crate) fn below(folder: &Path) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (folder, stopped) = (folder.to_owned(), stop.clone());
        let watcher = std::thread::spawn(move || {
            let mut peaks = BTreeMap::new();
            while !stopped.load(Ordering::SeqCst) {
                look(&folder, &mut peaks);
                std::thread::park_timeout(TICK);
            }
            peaks
        });
        Self { stop, watcher }
    }

    /// The most that one process had that was started with each of these first arguments, in
    /// bytes; none where there was no such process.
    pub(crate) fn of<const N: usize>(self, words: [&str; N]) -> Option<[f64; N]> {
        self.stop.store(true, Ordering::SeqCst);
        let peaks = self.watcher.join().ok()?;
        let of = |word: &str| {
            let own = peaks.values().filter(|(known, _)| known == word).map(|(_, peak)| *peak);
            own.max().unwrap_or_default() as f64
        };
        let found = words.map(of);
        found.iter().all(|peak| *peak > 0.0).then_some(found)
    }
}

fn look(folder: &Path, peaks: &mut BTreeMap<u32, (String, u64)>) {
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some((word, peak)) = seen(&entry.path(), folder) {
            peaks
                .entry(pid)
                .and_modify(|(_, known)| *known = peak.max(*known))
                .or_insert((word, peak));
        }
    }
}

/// Its first argument and its peak, of a process whose program is in the folder.
fn seen(process: &Path, folder: &Path) -> Option<(String, u64)> {
    let program: PathBuf = fs::read_link(process.join("exe")).ok()?;
    if !program.starts_with(folder) {
        return None;
    }
    let line = fs::read(process.join("cmdline")).ok()?;
    let word = line.split(|byte| *byte == 0).nth(1)?;
    let status = fs::read_to_string(process.join("status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = peak.trim().strip_suffix(" kB")?.parse().ok()?;
    Some((String::from_utf8_lossy(word).into_owned(), kibibytes * 1024))
}
