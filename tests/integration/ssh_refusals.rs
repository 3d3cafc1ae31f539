//! Hosts that cannot be reached, or are not who they should be: nothing is begun, and it is said why.

use crate::harness::closed_port;
use crate::ssh_world::{FILE, Far, SSH, address};

#[test]
fn d11_who_is_not_let_in_or_not_certain_stops_before_anything() {
    let Some(mut far) = Far::new(FILE) else { return };
    far.deploy("v1").run().expect_code(0);
    let refused = |far: &Far, words: &str| {
        let ran = far.deploy("v2").run().expect_code(12);
        assert!(ran.stderr.contains(words) && ran.stderr.contains("hint: "), "{}", ran.stderr);
        assert!(far.kits().is_empty() && far.live() == "v1");
    };
    far.host.refuse_key(true);
    refused(&far, "it refuses the key");
    far.host.refuse_key(false);

    let before = far.host.known_hosts(far.line.port);
    far.host.change_host_key();
    let ran = far.deploy("v2").env("HOST_KEYS", before.trim_end()).run().expect_code(12);
    assert!(ran.stderr.contains("its host key is not the one that is known"), "{}", ran.stderr);
    assert!(ran.stderr.contains("somebody may be in between"), "{}", ran.stderr);
    let other = before.replace("[127.0.0.1]", "[127.0.0.2]");
    let ran = far.deploy("v2").env("HOST_KEYS", other.trim_end()).run().expect_code(12);
    assert!(ran.stderr.contains("its host key is not known"), "{}", ran.stderr);

    let ran = far.deploy("v2").env("DEPLOY_KEY", "no key at all").run().expect_code(12);
    assert!(ran.stderr.contains("the key cannot be read"), "{}", ran.stderr);
    let ran = far.from(closed_port(), &["status"]).run().expect_code(12);
    assert!(ran.stderr.contains("it refuses the connection"), "{}", ran.stderr);

    // Without keys of its own, only the user's known_hosts count, and nothing is added to them.
    let text = format!("{FILE}{}", SSH.replace("  known-hosts: \"${HOST_KEYS}\"\n", ""));
    far.world.write("waveoff.yml", &text);
    refused(&far, "its host key is not known");
    far.world.write("waveoff.yml", &text.replace("127.0.0.1:${LINE}", "nowhere.invalid"));
    refused(&far, "there is no such name");
}

#[test]
fn d11_names_that_ssh_or_a_shell_could_take_for_more_are_refused() {
    let Some(far) = Far::new(FILE) else { return };
    for host in ["-oProxyCommand=touch${IFS}x", "a;id", "$(id)", "a b", "a\\nb", "`id`", ""] {
        let text = format!("{FILE}host: \"{}\"\n", address(host).replace("${", "$${"));
        far.world.write("waveoff.yml", &text);
        let ran = far.deploy("v1").run().expect_code(2);
        assert!(ran.stderr.contains("ssh://deploy@vm.example.com"), "{host}: {}", ran.stderr);
    }
    for (more, words) in [
        ("host: ssh://vm\nledger: github\n", "the ledger is the host's own"),
        ("ssh: { key: x }\n", "there is no `host`"),
        ("host: ssh://vm\nssh: { known-hosts: no-such-file }\n", "cannot read no-such-file"),
    ] {
        far.world.write("waveoff.yml", &format!("{FILE}{more}"));
        let ran = far.deploy("v1").run().expect_code(2);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
    let outside = FILE.replace("[ship.sh]", "[../ship.sh]");
    far.world.write("waveoff.yml", &format!("{outside}{SSH}"));
    let ran = far.deploy("v1").run().expect_code(2);
    assert!(ran.stderr.contains("not below the folder"), "{}", ran.stderr);
    assert!(!far.state().exists() && far.host.log().matches("Accepted").count() == 0);
}
