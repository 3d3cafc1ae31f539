//! Disks that are full, and journals and ledgers that are torn or damaged.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::crash_kills::Victim as _;
use crate::crash_world::{Platform, Shop};
use crate::parts::skip;

/// A small file system, for as long as this is kept.
pub(crate) struct Small(PathBuf);

impl Small {
    /// Of 1 MiB; none where only root may make one.
    fn at(path: &Path) -> Option<Self> {
        Self::of(path, "size=1m")
    }

    /// Of a size as mount(8) has it.
    pub(crate) fn of(path: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let mount = ["-t", "tmpfs", "-o", size, "tmpfs"];
        let done = Command::new("mount").args(mount).arg(path).output();
        if done.is_ok_and(|done| done.status.success()) {
            return Some(Self(path.to_owned()));
        }
        skip("tmpfs", "only for root");
        None
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // What still runs there may hold it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn t064_a_disk_that_fills_up_on_the_way_leaves_the_old_release_in_charge() {
    for at in ["before", "after"] {
        let shop = Shop::rolling(Platform::Command);
        let Some(_disk) = Small::at(&shop.folder().join("state")) else { return };
        shop.deploy("v1").run().expect_code(0);
        let fill = "if [ \"$WAVEOFF_VERSION\" != v1 ]; then cat /dev/zero >\"$SHOP_DIR/state/full\" || true; fi";
        shop.script("ship.sh", at, fill);
        // It is bad besides, so that there must be a way back.
        let ran = shop.deploy("v2").run().expect_code(20);
        assert!(ran.stdout.contains("v1 is back and verified"), "{}", ran.stdout);
        assert_eq!(shop.answers(shop.public).as_deref(), Some("v1"), "{ran:?}");
        assert_eq!(shop.schema(), "v1");
        std::fs::remove_file(shop.folder().join("state/full")).unwrap();
        assert_eq!(shop.recovered(), "v1");
        assert_eq!(shop.world.events()[3..], ["started", "mutating", "failed", "rolled-back"]);
        // A good one is all there, or not at all.
        let ran = shop.deploy("v3").run();
        assert!(matches!(ran.code, Some(0 | 20)), "{ran:?}");
        std::fs::remove_file(shop.folder().join("state/full")).unwrap();
        assert_eq!(shop.recovered(), if ran.code == Some(0) { "v3" } else { "v1" });
        shop.script("ship.sh", at, "");
        shop.deploy("v5").run().expect_code(0);
        assert_eq!(shop.proven(), "v5");
    }
}

#[test]
fn t064_a_disk_that_is_full_already_is_noticed_before_anything_is_touched() {
    let shop = Shop::rolling(Platform::Command);
    let Some(_disk) = Small::at(&shop.folder().join("state")) else { return };
    shop.deploy("v1").run().expect_code(0);
    let full = shop.folder().join("state/full");
    std::fs::write(&full, vec![1; 900 << 10]).unwrap();
    let ran = shop.deploy("v3").run().expect_code(12);
    assert!(format!("{ran:?}").contains("nothing was touched"), "{ran:?}");
    assert_eq!(shop.answers(shop.public).as_deref(), Some("v1"));
    std::fs::remove_file(full).unwrap();
    assert_eq!(shop.recovered(), "v1");
    shop.deploy("v3").run().expect_code(0);
    assert_eq!(shop.proven(), "v3");
}

#[test]
fn r5_a_rollback_by_hand_has_the_room_that_was_set_aside_for_it() {
    let shop = Shop::rolling(Platform::Command);
    let state = shop.folder().join("state");
    let Some(_disk) = Small::at(&state) else { return };
    for version in ["v1", "v3"] {
        shop.deploy(version).run().expect_code(0);
    }
    // As much is left as is set aside, and a little for its beginning: evidence takes the rest.
    let told = Command::new("df").args(["--output=avail", "-B1"]).arg(&state).output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    let left: usize = told.lines().last().unwrap().trim().parse().unwrap();
    std::fs::write(state.join("full"), vec![1; left - (256 << 10) - (24 << 10)]).unwrap();
    let ran = shop.waveoff(&["rollback"]).run().expect_code(0);
    assert_eq!(shop.answers(shop.public).as_deref(), Some("v1"), "{ran:?}");
    std::fs::remove_file(state.join("full")).unwrap();
    assert_eq!(shop.proven(), "v1");
}

/// A deployment of v3 over v1 that was killed with its caller in the middle.
fn interrupted() -> (Shop, PathBuf) {
    let shop = Shop::rolling(Platform::Command);
    shop.deploy("v1").run().expect_code(0);
    let both = "if [ \"$WAVEOFF_DIRECTION\" = forward ]; then read -r _ _ _ caller _ </proc/$PPID/stat; \
                kill -KILL \"$caller\"; kill -KILL $PPID; fi";
    shop.script("ship.sh", "after", both);
    assert_eq!(shop.deploy("v3").run().code, None);
    shop.script("ship.sh", "after", "");
    shop.quiet();
    let journal = shop.runs().pop().unwrap().join("journal.jsonl");
    (shop, journal)
}

#[test]
fn t064_a_torn_last_line_is_as_if_it_had_not_been_written() {
    let (shop, journal) = interrupted();
    for file in [journal, shop.world.ledger_file()] {
        let whole = std::fs::read(&file).unwrap();
        let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
        // Half of what comes next, and half of what was there.
        let half = &whole[last..last + (whole.len() - last) / 2];
        std::fs::write(&file, [&whole[..], half].concat()).unwrap();
    }
    assert_eq!(shop.recovered(), "v1");
    shop.deploy("v3").run().expect_code(0);
    assert_eq!(shop.proven(), "v3");
}

#[test]
fn t064_a_journal_whose_last_line_was_cut_is_gone_on_with_from_the_one_before() {
    let (shop, journal) = interrupted();
    let whole = std::fs::read(&journal).unwrap();
    std::fs::write(&journal, &whole[..whole.len() - 7]).unwrap();
    assert_eq!(shop.recovered(), "v1");
}

#[test]
fn t064_a_damaged_journal_stops_everything_and_nothing_is_touched() {
    let (shop, journal) = interrupted();
    let whole = std::fs::read(&journal).unwrap();
    // One bit, in the first line.
    let mut damaged = whole.clone();
    damaged[whole.len() / 10] ^= 1;
    std::fs::write(&journal, &damaged).unwrap();
    let serves = shop.answers(shop.public);
    for arguments in [&["recover"][..], &["deploy", "--version", "v5"], &["rollback"]] {
        let ledger = std::fs::read(shop.world.ledger_file()).unwrap();
        let ran = shop.waveoff(arguments).run().expect_code(12);
        assert!(ran.stderr.contains("the journal is damaged"), "{}", ran.stderr);
        assert!(ran.stderr.contains("hint: nothing was touched"), "{}", ran.stderr);
        assert_eq!(std::fs::read(&journal).unwrap(), damaged);
        assert_eq!(std::fs::read(shop.world.ledger_file()).unwrap(), ledger);
        assert_eq!(shop.answers(shop.public), serves);
    }
    // Once it is mended, the story goes on.
    std::fs::write(&journal, whole).unwrap();
    assert_eq!(shop.recovered(), "v1");
}
