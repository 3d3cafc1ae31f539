//! `waveoff init` beside a Compose file, and for an OpenAPI description.

use std::io::BufRead as _;
use std::process::{Child, Command, Stdio};

use crate::deploy_world::{World, sample_service};
use crate::harness::{Program, Server};

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

/// The sample service on a port of this machine, until the test ends.
pub(crate) struct Sample {
    child: Child,
    pub(crate) base: String,
}

impl Sample {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// With these arguments besides.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        let mut child = Command::new(sample_service())
            .args(["--port", "0", "--bind", "127.0.0.1"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap();
        Self { base: format!("http://{address}"), child }
    }

    fn token(&self) -> String {
        let mut answer = ureq::post(format!("{}/login", self.base)).send("{}").unwrap();
        let answer = answer.body_mut().read_to_string().unwrap();
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        answer["token"].as_str().unwrap().to_owned()
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

#[test]
fn p6_what_init_proposes_for_a_description_runs() {
    let sample = Sample::start();
    let world = folder(&[]);
    let address = format!("{}/openapi.json?key=s3cret", sample.base);
    let ran = world.waveoff(&["init", "--openapi", &address]).run().expect_code(0);
    assert!(ran.stdout.contains("to do: set API_TOKEN"), "{}", ran.stdout);
    let config = written(&world, "waveoff.yml");
    for part in [
        "service: sample-service\n",
        &format!("public: {}\n", sample.base),
        "  - path: /health\n    within: 2m",
        "  - path: /ready\n    within: 2m",
        "  - path: /redirect\n    expect: [{ status: 302 }]",
        "  - path: /me\n    auth: { bearer: \"${API_TOKEN:-none}\" }\n    tags: [secured]\n",
        "  - path: /openapi.json\n    expect: [{ openapi: true }]",
        "  # POST /login is left out: it changes something",
    ] {
        assert!(config.contains(part), "no {part:?} in {config}");
    }
    assert!(!config.contains("s3cret"), "{config}");
    let test = |token: &str| {
        let program = Program::within("smoke-test", &world.folder).env("API_TOKEN", token);
        program.args(["--attempts", "1", "--json"]).run()
    };
    let ran = test(&sample.token()).expect_code(0);
    assert_eq!(ran.report()["checks"].as_array().unwrap().len(), 9, "{}", ran.stdout);
    // Without a token the others run all the same.
    let program = Program::within("smoke-test", &world.folder).args(["--skip", "secured"]);
    let ran = program.args(["--attempts", "1", "--json"]).run().expect_code(0);
    assert_eq!(ran.report()["checks"].as_array().unwrap().len(), 8, "{}", ran.stdout);
    let ran = test("nobody").expect_code(10);
    assert!(ran.stderr.contains("status is 401, wanted 200"), "{}", ran.stderr);
}

#[test]
fn p6_what_is_no_description_is_refused_and_nothing_is_written() {
    let server = Server::new(|request, _| match request.path() {
        "/none?key=s3cret" => (404, String::new(), "{}".into()),
        _ => (200, String::new(), "openapi: 3.1.0\n".into()),
    });
    let swagger = "{\"swagger\": \"2.0\"}";
    let world = folder(&[("old.json", swagger), ("openapi.yml", "openapi: 3.1.0\n")]);
    let before = world.tree();
    for (from, code, why) in [
        ("none.json".to_owned(), 2, "cannot read none.json"),
        ("old.json".to_owned(), 2, "old.json is no OpenAPI description: the document is Swagger 2"),
        ("openapi.yml".to_owned(), 2, "openapi.yml is not JSON"),
        (server.url("/none?key=s3cret"), 12, "/none was answered with status 404"),
        (server.url("/yaml"), 2, "/yaml is not JSON"),
        ("http://me:s3cret@127.0.0.1/".to_owned(), 2, "has credentials in it"),
    ] {
        let ran = world.waveoff(&["init", "--openapi", &from]).run();
        assert!(ran.stderr.contains(why) && !ran.stderr.contains("s3cret"), "{}", ran.stderr);
        ran.expect_code(code);
        assert_eq!(world.tree(), before);
    }
}
