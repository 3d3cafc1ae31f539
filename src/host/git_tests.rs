use std::path::Path;
use std::process::Command;

use super::*;

/// A repository with the commits `a` ← `b` ← `c`, and `side` on `a`.
struct Repository {
    folder: tempfile::TempDir,
    commits: [String; 4],
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "gc.auto=0"]);
    let output = command.args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Repository {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        git(at, &["init", "-q", "-b", "main"]);
        let commit = |message: &str| {
            git(at, &["commit", "-q", "--allow-empty", "-m", message]);
            git(at, &["rev-parse", "HEAD"])
        };
        let [a, b, c] = ["a", "b", "c"].map(commit);
        git(at, &["checkout", "-q", "-b", "side", &a]);
        let side = commit("side");
        git(at, &["checkout", "-q", "main"]);
        Self { folder, commits: [a, b, c, side] }
    }

    fn clone(&self, options: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let from = format!("file://{}", self.folder.path().display());
        git(folder.path(), &[&["clone", "-q"], options, &[&from, "."]].concat());
        folder
    }
}

fn ask(folder: &Path, wanted: &str, live: &str) -> Ancestry {
    ancestry(folder.to_str(), wanted, live, &Cancel::default())
}

#[test]
fn d13_git_says_which_commit_came_first() {
    let repository = Repository::new();
    let [a, b, c, side] = &repository.commits;
    let at = repository.folder.path();
    assert_eq!(ask(at, a, c), Ancestry::Older);
    assert_eq!(ask(at, c, a), Ancestry::Newer);
    assert_eq!(ask(at, b, b), Ancestry::Same);
    assert_eq!(ask(at, side, c), Ancestry::Unrelated);
    assert_eq!(ask(at, &a[..10], &c.to_uppercase()), Ancestry::Older);
    assert_eq!(ask(at, &b[..12], b), Ancestry::Same);
}

#[test]
fn what_git_cannot_say_is_unknown() {
    let repository = Repository::new();
    let [a, _, c, _] = &repository.commits;
    let at = repository.folder.path();
    let nobody = "0123456789012345678901234567890123456789";
    for other in [nobody, "", "main", "HEAD", "--all", "-h", "abcdef", &format!("{a}0"), "a\nb"] {
        assert_eq!(ask(at, other, c), Ancestry::Unknown, "{other:?}");
        assert_eq!(ask(at, a, other), Ancestry::Unknown, "{other:?}");
    }
    let tree = git(at, &["rev-parse", "HEAD^{tree}"]);
    assert_eq!(ask(at, &tree, c), Ancestry::Unknown);
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(ask(empty.path(), a, c), Ancestry::Unknown, "no repository");
    assert_eq!(ask(&empty.path().join("none"), a, c), Ancestry::Unknown, "no folder");
    let cancel = Cancel::default();
    cancel.set("SIGTERM");
    assert_eq!(ancestry(at.to_str(), a, c, &cancel), Ancestry::Unknown);
}

#[test]
fn a_branch_that_is_called_like_a_commit_is_none() {
    let repository = Repository::new();
    let [a, _, c, side] = &repository.commits;
    let at = repository.folder.path();
    git(at, &["branch", &a[..8], side]);
    assert_eq!(ask(at, &a[..8], c), Ancestry::Unknown);
    assert_eq!(ask(at, a, c), Ancestry::Older);
}

#[test]
fn a_replaced_commit_keeps_its_ancestors() {
    let repository = Repository::new();
    let [a, _, c, side] = &repository.commits;
    let at = repository.folder.path();
    git(at, &["replace", "--graft", c]);
    assert_eq!(ask(at, a, c), Ancestry::Older);
    assert_eq!(ask(at, side, c), Ancestry::Unrelated);
}

#[test]
fn a_shallow_clone_never_says_that_commits_are_unrelated() {
    let repository = Repository::new();
    let [a, b, c, side] = &repository.commits;
    let deep = repository.clone(&["--no-single-branch", "--depth", "2"]);
    assert_eq!(ask(deep.path(), b, c), Ancestry::Older, "both are there, and one on the other");
    assert_eq!(ask(deep.path(), a, a), Ancestry::Same, "the side's parent is there");
    // Truly unrelated, and related beyond the edge, look alike.
    assert_eq!(ask(deep.path(), side, c), Ancestry::Unknown);
    assert_eq!(ask(deep.path(), a, c), Ancestry::Unknown);
    let one = repository.clone(&["--depth", "1"]);
    assert_eq!(ask(one.path(), b, c), Ancestry::Unknown, "it is not there");
}

#[test]
fn a_partial_clone_fetches_nothing() {
    let repository = Repository::new();
    let [_, _, c, _] = &repository.commits;
    git(repository.folder.path(), &["config", "uploadpack.allowFilter", "true"]);
    git(repository.folder.path(), &["config", "uploadpack.allowAnySHA1InWant", "true"]);
    let partial = repository.clone(&["--filter=tree:0", "--no-checkout", "--single-branch"]);
    git(repository.folder.path(), &["commit", "-q", "--allow-empty", "-m", "later"]);
    let later = git(repository.folder.path(), &["rev-parse", "HEAD"]);
    assert_eq!(ask(partial.path(), c, &later), Ancestry::Unknown);
    let has = Command::new("git")
        .args(["rev-list", "-1", &later])
        .env("GIT_ALLOW_PROTOCOL", "none")
        .current_dir(partial.path())
        .output();
    assert!(!has.unwrap().status.success(), "it was fetched");
}

#[test]
fn nothing_of_the_repository_is_run() {
    use std::os::unix::fs::PermissionsExt;
    let repository = Repository::new();
    let [a, _, c, _] = &repository.commits;
    let at = repository.folder.path();
    let (trap, sprung) = (at.join("trap"), at.join("sprung"));
    std::fs::write(&trap, format!("#!/bin/sh\necho \"$@\" >> {}\n", sprung.display())).unwrap();
    std::fs::set_permissions(&trap, std::fs::Permissions::from_mode(0o755)).unwrap();
    let trap = trap.to_str().unwrap();
    for key in ["core.fsmonitor", "core.pager", "core.askPass", "core.sshCommand", "core.editor"] {
        git(at, &["config", key, trap]);
    }
    git(at, &["config", "alias.merge-base", &format!("!{trap}")]);
    assert_eq!(ask(at, a, c), Ancestry::Older);
    assert!(!sprung.exists(), "{}", std::fs::read_to_string(&sprung).unwrap());
}
