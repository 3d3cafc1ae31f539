//! `scripts/release-ci`, with a GitHub of files; and what a release needs of a machine that has nothing yet.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::bootstrap_world::{stderr, stdout};
use crate::parts::part;
use crate::release::{Checkout, can_pack};

/// A cargo that builds only for targets that were added, and programs that say who they are.
const CARGO: &str = r#"#!/bin/sh
set -eu
names=''
case $1 in
  metadata | run) echo '{}' && exit ;;
  zigbuild) wanted=aarch64-unknown-linux-musl ;;
  *) wanted=x86_64-unknown-linux-musl ;;
esac
while [ $# -gt 0 ]; do
  case $1 in
    --target) target=$2 ;;
    --target-dir) folder=$2/$target/release ;;
    --bin) names="$names $2" ;;
  esac
  shift
done
[ "$target" = "$wanted" ] || [ "$(uname -m)" = aarch64 ]
grep -q "target add.* $target" "$ADDED"
mkdir -p "$folder"
for name in $names; do
  printf '#!/bin/sh\n# %s\necho %s 1.2.3\n' "$target" "$name" >"$folder/$name"
  chmod +x "$folder/$name"
done
"#;

#[test]
fn c4_a_machine_that_has_only_rustup_can_try_a_release() {
    if !can_pack() || part("git").is_none() {
        return;
    }
    let checkout = Checkout::new();
    checkout.write("Cargo.toml", "version = \"1.2.3\"\n");
    checkout.write(
        "scripts/tools.sh",
        "tools=/none\nwant() { :; }\nskip() { :; }\nhave() { [ \"$1\" = rustup ]; }\n",
    );
    for (name, text) in [("cargo", CARGO), ("rustup", "#!/bin/sh\necho \"$*\" >>\"$ADDED\"\n")] {
        checkout.write(&format!("bin/{name}"), text);
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(checkout.path(&format!("bin/{name}")), mode).unwrap();
    }
    checkout.commit_all();
    let mut command = Command::new(checkout.path("scripts/release"));
    let path = std::env::var("PATH").unwrap();
    command.arg("--dry-run").env("PATH", format!("{}:{path}", checkout.path("bin").display()));
    command.env("ADDED", checkout.path("added")).env_remove("WAVEOFF_BIN_DIR");
    let output = command.output().unwrap();
    assert!(stdout(&output).contains("  waveoff-x86_64-unknown-linux-musl.xz"), "{output:?}");
}

/// Where there is no Debian 12, as on GitHub's runners.
#[test]
fn c4_what_cannot_be_taken_from_debian_is_built_by_go() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (name, text) in [
        ("apt-get", "exit 0"),
        ("sudo", "exit 0"),
        (
            "go",
            "mkdir -p \"$GOBIN\"; name=${2%@*}; echo \"$2\" >\"$GOBIN/$(basename \"${name%/v8}\")\"; chmod +x \"$GOBIN\"/*",
        ),
    ] {
        fs::create_dir_all(path("bin")).unwrap();
        fs::write(path("bin").join(name), format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(path("bin").join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new("sh");
    command.args(["-euc", ". scripts/tools.sh; want cosign cosign3 gitleaks"]);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("SKIPS");
    command.env("CARGO_TARGET_DIR", folder.path());
    command.env("PATH", format!("{}:/usr/bin:/bin", path("bin").display()));
    let output = command.output().unwrap();
    let built = |name: &str| fs::read_to_string(path("tools/bin").join(name)).unwrap_or_default();
    for (name, module) in [
        ("cosign", "github.com/sigstore/cosign/v2/cmd/cosign@v2."),
        ("cosign3", "github.com/sigstore/cosign/v3/cmd/cosign@v3."),
        ("gitleaks", "github.com/zricethezav/gitleaks/v8@v8."),
    ] {
        assert!(built(name).starts_with(module), "{name}: {}: {output:?}", built(name));
    }
}

/// `gh`, whose releases are in a file, as GitHub's answers have them.
const GH: &str = r#"#!/bin/sh
set -eu
state=$GITHUB_STATE
echo "$*" >>"$state/calls"
change() {
  jq "$@" "$state/releases" >"$state/new" && mv "$state/new" "$state/releases"
}
case "$1 $2" in
  "api --paginate") jq -r "$5" "$state/releases" ;;
  "api --method") change --argjson id "${4##*/}" 'map(select(.id != $id))' ;;
  "api repos/"*) jq ".[] | select(.tag_name == \"${2##*/}\" and .draft == false)" "$state/releases" | jq -r "$4" ;;
  "release create")
    change --arg tag "$3" --arg at "$8" --argjson id "$(wc -l <"$state/calls")" \
      '. + [{$id, tag_name: $tag, target_commitish: $at, draft: true, immutable: false}]'
    shift 12
    mkdir -p "$state/files" && cp "$@" "$state/files"
    ;;
  "release download") mkdir -p "$7" && cp "$state/files"/* "$7" ;;
  "release edit")
    commit=$(jq -r ".[] | select(.tag_name == \"$3\") | .target_commitish" "$state/releases")
    change --arg tag "$3" 'map(if .tag_name == $tag then .draft = false else . end)'
    git -C "$state/hub.git" tag "$3" "$commit"
    ;;
esac
"#;

/// Answers by the name of the file, as if it were GitHub's.
const CURL: &str = r#"#!/bin/sh
for url; do :; done
case $url in
  https://github.com/somebody/fork/releases/download/v1.2.3/*) cat "$GITHUB_STATE/files/${url##*/}" && exit ;;
esac
echo "error: 404" >&2
exit 22
"#;

/// A checkout whose repository is `somebody/fork`.
struct Hub {
    checkout: Checkout,
    base: String,
}

impl Hub {
    /// With packed programs; nothing where a tool is missing.
    fn new() -> Option<Self> {
        if !can_pack() || part("git").is_none() || part("jq").is_none() {
            return None;
        }
        let checkout = Checkout::new();
        for (name, text) in
            [("bin/gh", GH), ("bin/curl", CURL), ("state/releases", "[]"), ("state/calls", "")]
        {
            checkout.write(name, text);
            fs::set_permissions(checkout.path(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let from = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/release-ci");
        fs::copy(from, checkout.path("scripts/release-ci")).unwrap();
        checkout.write("Cargo.toml", "version = \"1.2.3\"\n");
        checkout.write("CHANGELOG.md", "# Changelog\n\n## 1.2.3\n\n- this\n\n## 1.2.2\n");
        checkout.write(".gitignore", "state\nbin\ndist\noutput\n");
        checkout.commit_all();
        stdout(&checkout.release(&["pack", "dist"]));
        let hub = Self { base: String::new(), checkout };
        hub.git("git init -q --bare state/hub.git");
        Some(Self { base: hub.git("git rev-parse HEAD"), ..hub })
    }

    /// In the checkout, by a shell; what it prints.
    fn git(&self, line: &str) -> String {
        let mut command = Command::new("sh");
        stdout(&command.args(["-euc", line]).current_dir(self.checkout.path("")).output().unwrap())
    }

    fn ci(&self, step: &str, version: &str) -> Output {
        let path = std::env::var("PATH").unwrap();
        let hub = self.checkout.path("state/hub.git").display().to_string();
        let mut command = Command::new(self.checkout.path("scripts/release-ci"));
        command.args([step, version, "somebody/fork"]);
        command.env("PATH", format!("{}:{path}", self.checkout.path("bin").display()));
        command.env("GITHUB_STATE", self.checkout.path("state")).env("GH_TOKEN", "t");
        command.env("GITHUB_OUTPUT", self.checkout.path("output"));
        command.env("GITHUB_REF", "refs/heads/main").env("WAVEOFF_RELEASE_PAUSE", "0");
        command.env("RUNNER_OS", "Linux").env("RUNNER_ARCH", "X64");
        command
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_VALUE_0", "https://github.com/somebody/fork.git");
        command.env("GIT_CONFIG_KEY_0", format!("url.{hub}.insteadOf"));
        command.output().unwrap()
    }

    /// What the hub has under this name; nothing when there is none.
    fn at(&self, name: &str) -> String {
        self.git(&format!("git -C state/hub.git rev-parse -q --verify '{name}' || :"))
    }

    /// A draft from where the release is made, as a job has it; its commit.
    fn draft(&self, version: &str) -> String {
        self.git(&format!("git reset -q --hard {}", self.base));
        // Another time makes another commit.
        self.checkout.write("bootstrap/VERSION", &format!("{version} {}\n", self.calls().len()));
        self.git("git -c user.name=a -c user.email=a@b.c commit -qam next");
        stdout(&self.ci("draft", version));
        self.git("git rev-parse HEAD")
    }

    fn calls(&self) -> String {
        self.checkout.read("state/calls")
    }

    fn releases(&self) -> String {
        self.git("jq -c '.[] | [.tag_name, .draft, .target_commitish]' state/releases")
    }
}

#[track_caller]
fn refused(output: &Output, reason: &str) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stderr(output).contains("::error title=release::"), "{output:?}");
    assert!(stderr(output).contains(reason), "{reason} is not in: {}", stderr(output));
}

#[test]
fn c4_a_draft_takes_the_place_of_the_one_before() {
    let Some(hub) = Hub::new() else { return };
    let first = hub.draft("1.2.3");
    assert_eq!(hub.at("refs/heads/releases/v1.2.3"), first);
    let second = hub.draft("1.2.3");
    assert_ne!(first, second);
    assert_eq!(hub.at("refs/heads/releases/v1.2.3"), second);
    assert_eq!(hub.releases(), format!("[\"v1.2.3\",true,\"{second}\"]"));

    // The one that was tested before is not what would be published.
    hub.git(&format!("git reset -q --hard {first}"));
    refused(&hub.ci("publish", "1.2.3"), "no draft of the commit that was tested");
    hub.git(&format!("git reset -q --hard {second}; echo changed >>state/files/MANIFEST"));
    refused(&hub.ci("publish", "1.2.3"), "not what was tested");
}

#[test]
fn c4_what_is_published_stays_and_every_step_can_be_run_again() {
    let Some(hub) = Hub::new() else { return };
    let commit = hub.draft("1.2.3");
    for _ in 0..2 {
        stdout(&hub.ci("publish", "1.2.3"));
        assert_eq!(hub.at("refs/tags/v1.2.3"), commit);
        assert_eq!(hub.at("refs/heads/releases/v1.2.3"), "");
    }
    assert_eq!(hub.calls().matches("--latest=true").count(), 1);
    for _ in 0..2 {
        stdout(&hub.ci("move", "1.2.3"));
        assert_eq!(hub.at("refs/tags/v1"), commit);
    }
    let before = hub.calls();
    refused(&hub.ci("draft", "1.2.3"), "1.2.3 is released already");
    assert!(!hub.calls()[before.len()..].contains("DELETE"));

    // Without its release, the tag would be taken for the next one's.
    hub.checkout.write("state/releases", "[]");
    refused(&hub.ci("draft", "1.2.3"), "a tag v1.2.3 without a release");
}

#[test]
fn c4_a_mend_of_an_old_version_is_not_what_people_get_first() {
    let Some(hub) = Hub::new() else { return };
    // 10 is above 9, and nothing else that looks like one is a version.
    hub.git("git push -q state/hub.git HEAD:refs/tags/v1.10.0 HEAD:refs/tags/v1 HEAD:refs/tags/v2.0.0-x");
    let commit = hub.draft("1.9.9");
    stdout(&hub.ci("publish", "1.9.9"));
    assert!(hub.calls().contains("--latest=false"), "{}", hub.calls());
    let said = stdout(&hub.ci("move", "1.9.9"));
    assert!(said.contains("v1 stays where it is: 1.10.0 is released"), "{said}");
    assert_eq!(hub.at("refs/tags/v1"), hub.base);

    // Of another major it is the highest, and the latest is another one.
    let old = hub.draft("0.9.0");
    stdout(&hub.ci("publish", "0.9.0"));
    stdout(&hub.ci("move", "0.9.0"));
    assert_eq!((hub.at("refs/tags/v0"), hub.calls().contains("--latest=true")), (old, false));
    assert_eq!(hub.at("refs/tags/v1.9.9"), commit);
}

#[test]
fn c4_a_tag_that_may_not_be_moved_is_told_with_what_to_do_by_hand() {
    let Some(hub) = Hub::new() else { return };
    let commit = hub.draft("1.2.3");
    stdout(&hub.ci("publish", "1.2.3"));
    let hook = "refusing to allow a GitHub App to create or update workflow";
    hub.checkout
        .write("state/hub.git/hooks/pre-receive", &format!("#!/bin/sh\necho {hook}\nexit 1\n"));
    hub.git("chmod +x state/hub.git/hooks/pre-receive");
    let remedy = "git push --force origin v1.2.3^{commit}:refs/tags/v1";
    refused(&hub.ci("move", "1.2.3"), remedy);
    // Somebody does it, and the job is run again.
    hub.git(&format!("git -C state/hub.git tag v1 {commit}"));
    stdout(&hub.ci("move", "1.2.3"));
}

#[test]
fn c4_what_was_published_never_changes_and_can_be_installed() {
    let Some(hub) = Hub::new() else { return };
    hub.draft("1.2.3");
    stdout(&hub.ci("publish", "1.2.3"));
    refused(&hub.ci("look", "1.2.3"), "Enable release immutability");
    hub.git("sed -i 's/\"immutable\": false/\"immutable\": true/' state/releases");
    stdout(&hub.ci("look", "1.2.3"));
    let assets = hub.checkout.path("state/files");
    fs::rename(&assets, hub.checkout.path("state/gone")).unwrap();
    let output = hub.ci("look", "1.2.3");
    refused(&output, "cannot be installed");
    assert_eq!(stderr(&output).matches("downloads https://github.com/somebody/fork").count(), 10);
}

#[test]
fn c4_a_release_is_made_of_main_only() {
    let Some(hub) = Hub::new() else { return };
    for (from, to) in [(".github/workflows", "x.yml"), ("examples", "x.yml"), ("docs", "x.md")] {
        hub.checkout.write(&format!("{from}/{to}"), "");
    }
    hub.checkout.write("README.md", "uses: somebody/fork@v1\n");
    hub.checkout.write("src/commands/init/deploy.yml", "");
    stdout(&hub.ci("begin", "1.2.3"));
    hub.git("sed -i 's,refs/heads/main,refs/heads/another,' scripts/release-ci");
    refused(&hub.ci("begin", "1.2.3"), "and not of refs/heads/main");
}
