//! A model of a disk, for tests: it knows what is kept and what is only in memory, stops at any
//! step, and loses at a crash what was not synced.
//!
//! What it takes for granted: a file's unsynced changes reach the disk in their order, the last of
//! them torn at any byte, as where data is written before the length that shows it (ext4 in its
//! default mode, XFS, Btrfs); changes of names reach it in any order, each of them whole.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::disk::Disk;

/// What a file or folder is known by, whatever its name.
type Id = usize;
/// The root folder.
const ROOT: Id = 0;

#[derive(Clone)]
enum Change {
    Write(Vec<u8>),
    Length(usize),
}

/// Names of a folder that change together: to what they are given, or that they are taken away.
type Renaming = Vec<(String, Option<Id>)>;

#[derive(Clone)]
enum Node {
    File { memory: Vec<u8>, kept: Vec<u8>, changes: Vec<Change> },
    Folder { memory: BTreeMap<String, Id>, kept: BTreeMap<String, Id>, changes: Vec<Renaming> },
}

struct Inner {
    nodes: Vec<Node>,
    /// Steps that are left before the process stops.
    left: usize,
    stopped: bool,
    /// How many bytes of the write at which it stops are still written.
    torn: usize,
    /// A kind of sync that does nothing.
    skipped: Option<Sync>,
}

/// A kind of sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sync {
    /// Of a file.
    File,
    /// Of the folder that the file is in.
    Folder,
    /// Of the folders above.
    Above,
}

/// The model.
pub(crate) struct Model(RefCell<Inner>);

impl Model {
    pub(crate) fn new() -> Self {
        let root =
            Node::Folder { memory: BTreeMap::new(), kept: BTreeMap::new(), changes: Vec::new() };
        let inner =
            Inner { nodes: vec![root], left: usize::MAX, stopped: false, torn: 0, skipped: None };
        Self(RefCell::new(inner))
    }

    /// One that forgets a kind of sync: what a test would not notice is not tested.
    pub(crate) fn without(sync: Sync) -> Self {
        let model = Self::new();
        model.0.borrow_mut().skipped = Some(sync);
        model
    }

    /// The next process does so many steps; of a write at which it stops, so many bytes are done.
    pub(crate) fn begin(&self, steps: usize, torn: usize) {
        let mut inner = self.0.borrow_mut();
        (inner.left, inner.torn, inner.stopped) = (steps, torn, false);
    }

    /// Whether the process has come to say that it is done: one that was stopped says nothing,
    /// though it would have taken the step that it did not do for one that it need not do.
    pub(crate) fn acknowledges(&self, done: &io::Result<()>) -> bool {
        done.is_ok() && !self.0.borrow().stopped
    }

    /// What a file has in it now.
    pub(crate) fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let inner = self.0.borrow();
        match &inner.nodes[inner.find(path)?] {
            Node::File { memory, .. } => Some(memory.clone()),
            Node::Folder { .. } => None,
        }
    }

    /// The power fails: everything that was not synced is lost as `choose` says, which gives a
    /// number below another one.
    pub(crate) fn crash(&self, mut choose: impl FnMut(usize) -> usize) {
        for node in &mut self.0.borrow_mut().nodes {
            match node {
                Node::File { memory, kept, changes } => {
                    let whole = choose(changes.len() + 1);
                    let mut done = changes[..whole].to_vec();
                    if let Some(Change::Write(bytes)) = changes.get(whole) {
                        done.push(Change::Write(bytes[..choose(bytes.len() + 1)].to_vec()));
                    }
                    done.iter().for_each(|change| apply(kept, change));
                    memory.clone_from(kept);
                    changes.clear();
                }
                Node::Folder { memory, kept, changes } => {
                    for change in std::mem::take(changes) {
                        if choose(2) == 1 {
                            rename(kept, change);
                        }
                    }
                    memory.clone_from(kept);
                }
            }
        }
    }
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write(bytes) => content.extend(bytes),
        Change::Length(length) => content.resize(*length, 0),
    }
}

fn rename(names: &mut BTreeMap<String, Id>, change: Renaming) {
    for (name, id) in change {
        match id {
            Some(id) => names.insert(name, id),
            None => names.remove(&name),
        };
    }
}

impl Inner {
    fn find(&self, path: &Path) -> Option<Id> {
        path.components().try_fold(ROOT, |id, part| match (&self.nodes[id], part) {
            (_, Component::RootDir | Component::CurDir) => Some(id),
            (Node::Folder { memory, .. }, part) => memory.get(part.as_os_str().to_str()?).copied(),
            _ => None,
        })
    }

    fn found(&self, path: &Path) -> io::Result<Id> {
        self.find(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// One step more, if the process does it.
    fn step(&mut self) -> io::Result<()> {
        self.stopped = self.left == 0;
        self.left = self.left.saturating_sub(1);
        if self.stopped { Err(io::Error::other("it has stopped")) } else { Ok(()) }
    }

    fn add(&mut self, path: &Path, node: Node) -> io::Result<Id> {
        let id = self.nodes.len();
        self.nodes.push(node);
        self.change(path, vec![(name_of(path), Some(id))])?;
        Ok(id)
    }

    /// Changes names in the folder of a path.
    fn change(&mut self, path: &Path, change: Renaming) -> io::Result<()> {
        let folder = self.found(path.parent().unwrap_or(Path::new("/")))?;
        match &mut self.nodes[folder] {
            Node::Folder { memory, changes, .. } => {
                rename(memory, change.clone());
                changes.push(change);
                Ok(())
            }
            Node::File { .. } => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn change_file(&mut self, id: Id, change: Change) {
        if let Node::File { memory, changes, .. } = &mut self.nodes[id] {
            apply(memory, &change);
            changes.push(change);
        }
    }

    fn holds_files(&self, id: Id) -> bool {
        let Node::Folder { memory, .. } = &self.nodes[id] else { return false };
        memory.values().any(|id| matches!(self.nodes[*id], Node::File { .. }))
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

const FILE: Node = Node::File { memory: Vec::new(), kept: Vec::new(), changes: Vec::new() };

impl Disk for Model {
    type File = Id;

    fn length(&self, path: &Path) -> io::Result<Option<u64>> {
        Ok(self.read(path).map(|content| content.len() as u64))
    }

    fn exists(&self, path: &Path) -> bool {
        self.0.borrow().find(path).is_some()
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.0.borrow_mut();
        inner.step()?;
        let (memory, kept) = (BTreeMap::new(), BTreeMap::new());
        inner.add(path, Node::Folder { memory, kept, changes: Vec::new() }).map(|_| ())
    }

    fn create_temporary(&self, target: &Path) -> io::Result<(Id, PathBuf)> {
        let mut inner = self.0.borrow_mut();
        inner.step()?;
        let path = target.with_file_name(format!(".temporary-{}", inner.nodes.len()));
        Ok((inner.add(&path, FILE)?, path))
    }

    fn open_append(&self, path: &Path) -> io::Result<Id> {
        let mut inner = self.0.borrow_mut();
        inner.step()?;
        match inner.find(path) {
            Some(id) => Ok(id),
            None => inner.add(path, FILE),
        }
    }

    fn write(&self, file: &mut Id, content: &[u8]) -> io::Result<()> {
        let mut inner = self.0.borrow_mut();
        let (done, torn) = (inner.step(), inner.torn.min(content.len()));
        let written = if done.is_ok() { content } else { &content[..torn] };
        inner.change_file(*file, Change::Write(written.to_vec()));
        done
    }

    fn set_length(&self, path: &Path, length: u64) -> io::Result<Id> {
        let mut inner = self.0.borrow_mut();
        inner.step()?;
        let id = inner.found(path)?;
        inner.change_file(id, Change::Length(length as usize));
        Ok(id)
    }

    fn open_to_all(&self, _: &Path) -> io::Result<()> {
        self.0.borrow_mut().step()
    }

    fn sync(&self, file: &Id) -> io::Result<()> {
        let mut inner = self.0.borrow_mut();
        inner.step()?;
        let skipped = inner.skipped == Some(Sync::File);
        if let (false, Node::File { memory, kept, changes }) = (skipped, &mut inner.nodes[*file]) {
            kept.clone_from(memory);
            changes.clear();
        }
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut inner = self.0.borrow_mut();
        inner.step()?;
        let id = inner.found(folder)?;
        let kind = if inner.holds_files(id) { Sync::Folder } else { Sync::Above };
        let skipped = inner.skipped == Some(kind);
        if let (false, Node::Folder { memory, kept, changes }) = (skipped, &mut inner.nodes[id]) {
            kept.clone_from(memory);
            changes.clear();
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.0.borrow_mut();
        inner.step()?;
        let id = inner.found(from)?;
        inner.change(to, vec![(name_of(from), None), (name_of(to), Some(id))])
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.0.borrow_mut();
        inner.step()?;
        inner.found(path)?;
        inner.change(path, vec![(name_of(path), None)])
    }
}

/// Numbers for [`Model::crash`], the same for the same seed (SplitMix64).
pub(crate) fn randomly(mut seed: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % below as u64) as usize
    }
}
