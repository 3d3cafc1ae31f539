//! PostgreSQL: a real one, and what says other things.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rcgen::generate_simple_self_signed;
use tempfile::TempDir;

use crate::harness::{Program, closed_port, serve};
use crate::parts::{skip, tools};
use crate::services::{Running, check, says, start, unpacked, wait};

/// As whom it runs where the tests are root: it refuses to be that.
const NOBODY: u32 = 65534;

const RULES: &str = "local all all trust
host all shop all scram-sha-256
host all old all md5
host all odd all scram-sha-256
host all open all trust
host all plain all password
host all far all reject
";

const WORLD: &str = "CREATE ROLE open LOGIN
CREATE ROLE plain LOGIN PASSWORD 'pencil-x'
CREATE ROLE far LOGIN
CREATE ROLE odd LOGIN PASSWORD 'o\u{fb01}x'
SET password_encryption = md5
CREATE ROLE old LOGIN PASSWORD 'pencil-x'
CREATE DATABASE shop
";

const TABLES: &str = "CREATE TABLE orders (id int8, total numeric, paid bool, note text)
INSERT INTO orders VALUES (1, 9.5, true, NULL), (2, 3, false, 'late')
CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY, version varchar(50), description varchar(200) NOT NULL, type varchar(20) NOT NULL, script varchar(1000) NOT NULL, checksum int, installed_by varchar(100) NOT NULL, installed_on timestamp NOT NULL DEFAULT now(), execution_time int NOT NULL, success bool NOT NULL)
INSERT INTO flyway_schema_history VALUES (1, '4', '<< Flyway Baseline >>', 'BASELINE', '<< Flyway Baseline >>', NULL, 'shop', now(), 0, true), (2, '5', 'orders', 'SQL', 'V5__orders.sql', 17, 'shop', now(), 4, true), (3, NULL, 'views', 'SQL', 'R__views.sql', 18, 'shop', now(), 4, true)
GRANT ALL ON flyway_schema_history TO open
CREATE TABLE alembic_version (version_num text)
INSERT INTO alembic_version VALUES ('abc123')
GRANT ALL ON orders TO PUBLIC
";

/// A server with databases and tables.
pub(crate) struct World {
    folder: TempDir,
    pub(crate) port: u16,
    _server: Running,
}

fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(tools().join("unpacked/usr/lib/postgresql")).ok();
    let found = versions.and_then(|mut all| all.next()?.ok()).map(|entry| entry.path().join("bin"));
    if found.is_none() {
        skip("postgres", "not installed");
    }
    found
}

/// As whom the server may run.
fn demoted(mut command: Command) -> Command {
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// With these databases besides, each with what its statements make.
pub(crate) fn world(databases: &[(&str, &str)]) -> Option<World> {
    World::new(closed_port(), "pencil-x", &[&[("shop", TABLES)], databases].concat())
}

impl World {
    /// The user `shop` has this password, and these databases, `shop` among them, are as their
    /// statements make them; none where PostgreSQL is not installed.
    pub(crate) fn new(port: u16, password: &str, databases: &[(&str, &str)]) -> Option<Self> {
        let programs = programs()?;
        let folder = TempDir::new().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            if fs::metadata("/proc/self").unwrap().uid() == 0 {
                chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
                chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
            }
            path.to_str().unwrap().to_owned()
        };
        let certified = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let certificate = file("server.pem", &certified.cert.pem());
        let key = file("server.key", &certified.signing_key.serialize_pem());
        let secret = file("password", &format!("{password}\n"));
        let rules = file("rules", RULES);
        let data = folder.path().join("data").to_str().unwrap().to_owned();
        let base = ["--pgdata", &data, "--username", "shop", "--no-sync", "--locale", "C"];
        let mut made = unpacked(&programs.join("initdb"), &base);
        made.args(["--auth", "trust", "--encoding", "UTF8", "--pwfile", &secret]);
        assert!(demoted(made).status().unwrap().success());
        let others = databases.iter().filter(|(name, _)| *name != "shop");
        let named = others.map(|(name, _)| format!("CREATE DATABASE {name}\n"));
        alone(&programs, &data, "postgres", &(WORLD.to_owned() + &named.collect::<String>()));
        for (name, tables) in databases {
            alone(&programs, &data, name, tables);
        }
        let mut server = unpacked(&programs.join("postgres"), &["-D", &data, "-h", "127.0.0.1"]);
        server.args(["-p", &port.to_string(), "-k", folder.path().to_str().unwrap()]);
        for (name, value) in [
            ("hba_file", rules.as_str()),
            ("ssl", "on"),
            ("ssl_cert_file", &certificate),
            ("ssl_key_file", &key),
            ("fsync", "off"),
        ] {
            server.args(["-c", &format!("{name}={value}")]);
        }
        let _server = start(demoted(server));
        Some(World { folder, port, _server })
    }
}

/// Runs statements, one a line, without a server.
fn alone(programs: &Path, data: &str, database: &str, statements: &str) {
    let mut command =
        unpacked(&programs.join("postgres"), &["--single", "-j", "-D", data, database]);
    command.stdin(Stdio::piped());
    let mut child = demoted(command).spawn().unwrap();
    let statements = statements.replace('\n', ";\n\n");
    child.stdin.take().unwrap().write_all(statements.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn p8_a_real_postgres_takes_clients_and_tells_what_is_in_it() {
    let Some(world) = world(&[]) else { return };
    let port = world.port;
    wait(&format!("postgres: localhost:{port}")).expect_code(0);
    let as_user = |user: &str, more: &str| {
        format!("postgres: {{ address: 'localhost:{port}', database: shop, user: {user}{more} }}")
    };
    let all = ", password: pencil-x, tables: { gte: 3 }, flyway: \"5\", alembic: abc123, \
               query: SELECT * FROM orders ORDER BY id";
    let facts = "\n    expect:\n      - jsonpath: { path: $.value, equals: 1 }\n      - jsonpath: { path: '$.rows', count: 2 }\n      - jsonpath: { path: '$.rows[0].total', equals: 9.5 }\n      - jsonpath: { path: '$.rows[0].paid', equals: true }\n      - jsonpath: { path: '$.rows[0].note', equals: null }\n      - jsonpath: { path: $.standby, equals: false }";
    check(&format!("{}{facts}", as_user("shop", all))).expect_code(0);
    for (user, more) in [
        ("old", ", password: pencil-x, tls: disable"),
        ("odd", ", password: ofix"),
        ("open", ""),
        ("plain", ", password: pencil-x, tls: disable"),
    ] {
        check(&as_user(user, more)).expect_code(0);
    }
    let refused = |check_text: String, told: &str| {
        let ran = check(&check_text).expect_code(10);
        assert!(ran.stdout.contains(told), "{told}: {ran:?}");
        assert!(!ran.stdout.contains("pencil"), "{ran:?}");
    };
    refused(as_user("shop", ", password: wrong-pencil"), "28P01");
    refused(as_user("shop", ""), "wants a password");
    refused(as_user("far", ""), "28000");
    refused(as_user("plain", ", password: pencil-x"), "`tls: require`");
    refused(as_user("old", ", password: pencil-x"), "by MD5, and nothing shows who it is; write");
    refused(as_user("odd", ", password: o\u{fb01}x"), "Unicode's form NFKC");
    refused(as_user("open", ", query: SELECT * FROM nowhere"), "42P01");
    refused(as_user("open", ", query: DELETE FROM orders"), "25006");
    // Nobody ends the transaction and goes on without it.
    refused(as_user("open", ", query: 'COMMIT; CREATE TABLE made (id int)'"), "42601");
    refused(as_user("open", ", query: 'SELECT count(*) FROM made'"), "42P01");
    refused(as_user("open", ", query: 'SELECT * FROM generate_series(1, 5000)'"), "write LIMIT");
    refused(as_user("open", ", query: 'COPY orders TO STDOUT'"), "damaged");
    // The server gives up a little before we do, and says so.
    let limit = "\n    expect: [{ jsonpath: { path: $.value, equals: 4500ms } }]";
    check(&format!("{}{limit}", as_user("open", ", query: SHOW statement_timeout"))).expect_code(0);
    let shop = ", password: pencil-x";
    refused(as_user("shop", &format!("{shop}, flyway: \"6\"")), "jsonpath $.flyway is");
    refused(as_user("shop", &format!("{shop}, tables: {{ gte: 4 }}")), "jsonpath $.tables is");
    refused(as_user("shop", &format!("{shop}, tls: require")), "TLS: ");
    // Who asks for TLS has the server's certificate verified.
    let require = as_user("shop", &format!("{shop}, tls: require"));
    let text = format!("version: 1\nchecks:\n  - {require}\n    ca: ca.pem\n");
    let authority = fs::read_to_string(world.folder.path().join("server.pem")).unwrap();
    Program::new("smoke-test")
        .file("waveoff.yml", &text)
        .file("ca.pem", &authority)
        .run()
        .expect_code(0);
}

/// Each state of Flyway's history in a database of its own.
#[test]
fn p8_flyway_tells_its_newest_version_unless_that_failed() {
    let states = [
        ("baseline", "'4', '', 'BASELINE', true", Ok("4")),
        ("undone", "'4', '', 'SQL', true|'5', '', 'SQL', true|'5', '', 'UNDO_SQL', true", Ok("4")),
        ("again", "'5', '', 'SQL', true|'5', '', 'UNDO_JDBC', true|'5', '', 'SQL', true", Ok("5")),
        ("dropped", "'4', '', 'SQL', true|'5', '', 'SQL', true|'5', '', 'DELETE', true", Ok("4")),
        ("failed", "'5', '', 'SQL', true|'6', '', 'SQL', false", Err("SQL 6 has failed")),
        ("views", "'5', '', 'SQL', true|NULL, 'views', 'SQL', false", Err("SQL views has failed")),
        ("beside", "'6', '', 'SQL', false|NULL, 'views', 'SQL', true", Err("SQL 6 has failed")),
        ("stuck", "'5', '', 'SQL', true|'5', '', 'UNDO_SQL', false", Err("UNDO_SQL 5 has failed")),
        ("mended", "'5', '', 'SQL', true|NULL, 'v', 'SQL', false|NULL, 'v', 'SQL', true", Ok("5")),
    ];
    let head = TABLES.lines().find(|line| line.contains("flyway")).unwrap();
    let tables = states.map(|(_, rows, _)| {
        let row = |(rank, row): (usize, &str)| {
            let [version, description, kind, success] = *row.split(", ").collect::<Vec<_>>() else {
                panic!("{row}")
            };
            format!(
                "INSERT INTO flyway_schema_history VALUES ({rank}, {version}, {description}, \
                 {kind}, 's', 1, 'shop', now(), 4, {success})\n"
            )
        };
        let rows: String = rows.split('|').enumerate().map(row).collect();
        format!("{head}\n{rows}GRANT ALL ON flyway_schema_history TO open\n")
    });
    let databases = states.iter().zip(&tables).map(|((name, ..), tables)| (*name, &**tables));
    let Some(world) = world(&databases.collect::<Vec<_>>()) else { return };
    let port = world.port;
    wait(&format!("postgres: localhost:{port}")).expect_code(0);
    for (name, _, told) in states {
        let version = told.unwrap_or("6");
        let ran = check(&format!(
            "postgres: {{ address: 'localhost:{port}', user: open, database: {name}, flyway: '{version}' }}"
        ));
        match told {
            Ok(_) => drop(ran.expect_code(0)),
            Err(why) => {
                let ran = ran.expect_code(10);
                assert!(ran.stdout.contains(why), "{name}: {ran:?}");
            }
        }
    }
}

#[test]
fn p8_a_server_without_tls_is_not_taken_for_one_that_a_ca_verifies() {
    let authority = crate::tls::Authority::new().pem();
    let run = |check: &str| {
        let text = format!(
            "version: 1\nchecks:\n  - attempts: 1\n    timeout: 5s\n    {check}\n    ca: ca.pem\n"
        );
        let program = Program::new("smoke-test").file("waveoff.yml", &text);
        program.file("ca.pem", &authority).run()
    };
    let port = says(b"NR\0\0\0\x08\0\0\0\0Z\0\0\0\x05I");
    for user in ["", ", user: me, password: hunter2"] {
        let ran = run(&format!("postgres: {{ address: '127.0.0.1:{port}'{user} }}"));
        let ran = ran.expect_code(10);
        assert!(ran.stdout.contains("speaks no TLS"), "{ran:?}");
    }
    let ran = run("postgres: { address: 'a:1', tls: prefer }").expect_code(2);
    assert!(ran.stderr.contains("write `tls: require`"), "{ran:?}");
}

/// Notices and settings may come at any time.
#[test]
fn p8_notices_of_postgres_change_nothing() {
    const NOTICE: &[u8] = b"N\0\0\0\x0eSNOTICE\0\0\0S\0\0\0\x08a\0b\0";
    let port = says([NOTICE, b"R\0\0\0\x08\0\0\0\x03"].concat());
    check(&format!("postgres: 127.0.0.1:{port}")).expect_code(0);
    let port = serve("127.0.0.1:0", |mut stream| {
        let mut heard = [0; 1024];
        let _ = stream.read(&mut heard);
        let sasl = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0";
        let _ = stream.write_all(&[NOTICE, sasl].concat());
        let count = stream.read(&mut heard).unwrap_or_default();
        let first = String::from_utf8_lossy(&heard[..count]).into_owned();
        let nonce = first.rsplit("r=").next().unwrap_or_default();
        let challenge = format!("r={nonce}x,s=W22Z,i=1");
        let size = [0, 0, 0, challenge.len() as u8 + 8];
        let went_on = [&b"R"[..], &size, &[0, 0, 0, 11], challenge.as_bytes()].concat();
        let _ = stream.write_all(&[NOTICE, &went_on].concat());
        let _ = stream.read(&mut heard);
        let _ = stream.write_all(&[NOTICE, b"R\0\0\0\x0c\0\0\0\x0cv=AA"].concat());
        let _ = stream.read(&mut heard);
    });
    let with = "user: me, password: hunter2, tls: disable";
    let ran = check(&format!("postgres: {{ address: '127.0.0.1:{port}', {with} }}"));
    let ran = ran.expect_code(10);
    assert!(ran.stdout.contains("does not prove that it knows the password"), "{ran:?}");
}

#[test]
fn p8_what_is_no_ready_postgres_does_not_pass() {
    let starting = b"E\0\0\0\x3fSFATAL\0C57P03\0Mthe database system is starting up\0\0";
    let mut starting = starting.to_vec();
    starting[4] = (starting.len() - 1) as u8;
    for (port, told) in [
        (says(starting), "57P03 the database system is starting up"),
        (says("HTTP/1.1 400 Bad Request\r\n\r\n"), "a message claims"),
        (says("+OK\r\n"), "not PostgreSQL's"),
        (says("R\0\0\0"), "timed out"),
    ] {
        let ran = check(&format!("postgres: 127.0.0.1:{port}")).expect_code(10);
        assert!(ran.stdout.contains(told), "{told}: {ran:?}");
    }
    // Whoever answers the question for TLS with anything else is told nothing more.
    let port = says(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I");
    let secure = "user: me, password: hunter2, tls: require";
    let ran = check(&format!("postgres: {{ address: '127.0.0.1:{port}', {secure} }}"));
    assert!(ran.expect_code(10).stdout.contains("not PostgreSQL's"));
    for (wrong, why) in [
        ("postgres: { address: 'a:1', query: SELECT 1 }", "needs a user"),
        ("postgres: { address: 'a:1', user: me, query: ' ' }", "query is empty"),
        ("postgres: { address: 'a:1', user: me, tables: {} }", "there is no predicate"),
        ("postgres: { address: 'a:1', tls: maybe }", "maybe"),
        ("postgres: { address: 'a:1', tls: disable }\n    insecure: true", "need TLS"),
    ] {
        let ran = check(wrong).expect_code(2);
        assert!(ran.stderr.contains(why), "{why}: {ran:?}");
    }
}
