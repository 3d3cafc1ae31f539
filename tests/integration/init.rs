//! `waveoff init` beside a Compose file.

use crate::deploy_world::World;

const COMPOSE: &str = "\
services:
  web:
    image: ghcr.io/acme/shop:1.4.2
    ports: [\"${PORT:-8080}:80\"]
  db:
    image: postgres:16
";

/// A folder with these files, and nothing else.
fn folder(files: &[(&str, &str)]) -> World {
    let world = World::with("");
    std::fs::remove_file(world.folder.path().join("waveoff.yml")).unwrap();
    files.iter().for_each(|(name, text)| world.write(name, text));
    world
}

fn written(world: &World, name: &str) -> String {
    std::fs::read_to_string(world.folder.path().join(name)).unwrap()
}

#[test]
fn init_proposes_how_the_compose_file_of_the_folder_is_deployed() {
    let more = "services:\n  web:\n    ports: ['9001:9001']\n";
    let files = [("docker-compose.yml", COMPOSE), ("docker-compose.override.yml", more)];
    let world = folder(&[&files[..], &[(".env", "PORT=8001\n")]].concat());
    let ran = world.waveoff(&["init", "--router", "haproxy"]).run().expect_code(0);
    assert!(ran.stdout.contains("to do: docker-compose.yml:3: `image: ghcr.io/acme/shop:1.4.2`"));
    let config = written(&world, "waveoff.yml");
    for part in [
        "file: [docker-compose.yml, docker-compose.override.yml]",
        "env-file: .env",
        "- web # answers requests on 80, 9001",
        "- db # postgres has data",
        "slots: { blue: 8002, green: 8003 }",
        "haproxy:",
    ] {
        assert!(config.contains(part), "no {part:?} in {config}");
    }
    let workflow = written(&world, ".github/workflows/deploy.yml");
    assert!(workflow.contains("runs-on: self-hosted"), "{workflow}");
}

#[test]
fn init_reads_the_compose_file_that_is_named_and_writes_nothing_when_it_cannot() {
    let world = folder(&[("deploy/shop.yml", COMPOSE), ("bad.yml", "services: [\n")]);
    let before = world.tree();
    for (arguments, why) in [
        (&["init", "--compose", "bad.yml"][..], "bad.yml:"),
        (&["init", "--compose", "none.yml"], "cannot read none.yml"),
        (&["init", "--router", "nginx"], "there is none here"),
    ] {
        let ran = world.waveoff(arguments).run().expect_code(2);
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
        assert_eq!(world.tree(), before);
    }
    world.waveoff(&["init", "--compose", "deploy/shop.yml"]).run().expect_code(0);
    let config = written(&world, "waveoff.yml");
    assert!(config.contains("file: deploy/shop.yml\n"), "{config}");
}
