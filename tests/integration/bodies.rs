//! What the body of an answer can be asked, and expectations that are made of others.

use crate::harness::{Program, Ran, Server};

/// Runs a suite whose `BASE` is the server's address.
fn suite(server: &Server, checks: &str) -> Ran {
    Program::new("smoke-test")
        .file("waveoff.yml", &format!("version: 1\npublic: ${{BASE}}\nchecks:\n{checks}"))
        .env("BASE", server.url("").trim_end_matches('/'))
        .args(["--attempts", "1", "--timeout", "5s", "--json"])
        .run()
}

/// The verdicts with their reasons, in order.
fn verdicts(ran: &Ran) -> Vec<(String, String)> {
    let report = ran.report();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let checks = report["checks"].as_array().unwrap().iter();
    checks.map(|check| (text(&check["verdict"]), text(&check["reason"]))).collect()
}

fn answer(status: u16, kind: &str, body: &str) -> (u16, String, String) {
    (status, format!("Content-Type: {kind}\r\n"), body.into())
}

#[test]
fn p6_expectations_are_combined_and_what_is_unreadable_passes_none() {
    let server = Server::new(|request, _| match request.path() {
        "/gone" => answer(404, "text/html", "<h1>gone</h1>"),
        "/moved" => (301, "Location: /new\r\n".into(), String::new()),
        _ => answer(200, "text/html", "<h1>here</h1>"),
    });
    let either =
        "expect: [{ any-of: [{ status: 404 }, { header: { name: location, exists: true } }] }]";
    let checks = format!(
        "  - {{ name: a, path: /gone, {either} }}
  - {{ name: b, path: /moved, {either} }}
  - {{ name: c, path: /, {either} }}
  - {{ name: d, path: /, expect: [{{ not: {{ jsonpath: {{ path: $.error, exists: true }} }} }}] }}
  - {{ name: e, path: /gone, expect: [{{ not: {{ body: {{ contains: nothing }} }} }}] }}\n"
    );
    let ran = suite(&server, &checks).expect_code(10);
    let all = verdicts(&ran);
    let words: Vec<&str> = all.iter().map(|(verdict, _)| verdict.as_str()).collect();
    assert_eq!(words, ["pass", "pass", "fail", "fail", "fail"], "{all:?}");
    for (index, part) in [
        (2, "status 200; header location the header is not there, wanted status 404 or header"),
        (3, "the body is not JSON"),
        (4, "status is 404, wanted 2xx"),
    ] {
        assert!(all[index].1.contains(part), "{all:?}");
    }
}

#[test]
fn p6_an_empty_combination_is_refused() {
    let server = Server::new(|_, _| answer(200, "text/plain", ""));
    for (expect, part) in [
        ("{ any-of: [] }", "the list is empty"),
        ("{ all-of: [] }", "the list is empty"),
        ("{ not: {} }", "the map is empty"),
        ("{ not: { body: {} } }", "no predicate"),
        ("{ not: { exit-code: 0 } }", "these kinds have it: command"),
    ] {
        let ran = suite(&server, &format!("  - {{ path: /, expect: [{expect}] }}\n"));
        let ran = ran.expect_code(2);
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
    assert_eq!(server.count(), 0);
}

#[test]
fn p6_a_page_of_metrics_is_asked_for_its_samples() {
    let server = Server::new(|request, _| match request.path() {
        "/metrics" => answer(
            200,
            "text/plain; version=0.0.4",
            "# TYPE hits counter\nhits{s=\"200\"} 12\nhits{s=\"500\"} 1\n",
        ),
        "/cut" => answer(200, "text/plain; version=0.0.4", "hits 12\nhits{s=\"5"),
        _ => answer(200, "text/html", "<h1>no metrics</h1>\n"),
    });
    let ran = suite(
        &server,
        r#"
  - name: good
    path: /metrics
    expect:
      - prometheus: true
      - prometheus: { metric: 'hits{s="200"}', gte: 10, lt: 13 }
      - prometheus: { metric: hits, count: 2 }
      - prometheus: { metric: 'hits{s=~"4.."}', exists: false }
  - { name: too many errors, path: /metrics, expect: [{ prometheus: { metric: 'hits{s="500"}', equals: 0 } }] }
  - { name: several, path: /metrics, expect: [{ prometheus: { metric: hits, gt: 0 } }] }
  - { name: cut, path: /cut, expect: [{ prometheus: { metric: hits, gt: 0 } }] }
  - { name: none, path: /, expect: [{ not: { prometheus: { metric: hits, gt: 0 } } }] }
"#,
    )
    .expect_code(10);
    let all = verdicts(&ran);
    let words: Vec<&str> = all.iter().map(|(verdict, _)| verdict.as_str()).collect();
    assert_eq!(words, ["pass", "fail", "fail", "fail", "fail"], "{all:?}");
    for (index, part) in [
        (1, "prometheus hits{s=\"500\"} is 1, wanted equals 0"),
        (2, "choose one by its labels"),
        (3, "line 2 has no line feed at its end"),
        (4, "no Prometheus page: line 1"),
    ] {
        assert!(all[index].1.contains(part), "{all:?}");
    }
}

#[test]
fn p6_a_description_is_looked_at_as_a_whole() {
    let server = Server::new(|request, _| {
        let path = if request.path() == "/good" { "/a" } else { "a" };
        let paths = format!("{{\"{path}\":{{\"get\":{{}}}}}}");
        let info = r#""info":{"title":"a","version":"1"}"#;
        let body = format!("{{\"openapi\":\"3.1.0\",{info},\"paths\":{paths}}}");
        answer(200, "application/json", &body)
    });
    let ran = suite(
        &server,
        "  - { name: good, path: /good, expect: [{ openapi: true }, { openapi: 3.1 }] }
  - { name: older, path: /good, expect: [{ openapi: \"3.0\" }] }
  - { name: bad, path: /bad, expect: [{ openapi: true }] }\n",
    )
    .expect_code(10);
    let all = verdicts(&ran);
    assert_eq!(all[0].0, "pass", "{all:?}");
    assert!(all[1].1.contains("openapi is OpenAPI 3.1.0, wanted starts with"), "{all:?}");
    assert!(all[2].1.contains("/paths/a: a path begins with /"), "{all:?}");
}

#[test]
fn p6_a_page_is_asked_for_what_a_person_sees() {
    let server = Server::new(|request, _| match request.path() {
        "/data" => answer(200, "application/json", "{}"),
        "/blank" => answer(200, "text/html", "<!doctype html><div id=app></div><script>x</script>"),
        _ => answer(
            200,
            "text/html; charset=utf-8",
            "<!doctype html><title>Shop &amp; more</title><meta name=robots content=noindex>\
             <body><h1>Wel<b>come</b></h1><script>throw 'error'</script><p id=who>me</p>",
        ),
    });
    let ran = suite(
        &server,
        r#"
  - name: good
    path: /
    expect:
      - html: { title: { equals: Shop & more } }
      - html: { heading: { equals: Welcome } }
      - html: { text: { contains: Welcome me, not: { contains: error } } }
      - html: { meta: { name: robots, contains: noindex } }
      - html: { id: { name: who, equals: me } }
  - { name: title, path: /, expect: [{ html: { title: { equals: Shop } } }] }
  - { name: blank, path: /blank, expect: [{ html: { text: { not: { contains: error } } } }] }
  - { name: data, path: /data, expect: [{ html: { text: { not: { contains: error } } } }] }
"#,
    )
    .expect_code(10);
    let all = verdicts(&ran);
    let words: Vec<&str> = all.iter().map(|(verdict, _)| verdict.as_str()).collect();
    assert_eq!(words, ["pass", "fail", "fail", "fail"], "{all:?}");
    let title = "html title is \"Shop & more\", wanted equals \"Shop\"";
    for (index, part) in [(1, title), (2, "not there"), (3, "application/json, not HTML")] {
        assert!(all[index].1.contains(part), "{all:?}");
    }
}

#[test]
fn p11_a_body_is_beside_the_configuration() {
    let server = Server::new(|request, _| {
        let is_well = request.body.contains("<order/>");
        answer(if is_well { 200 } else { 500 }, "text/plain", "")
    });
    let url = server.url("/");
    Program::new("smoke-test")
        .file(
            "sub/waveoff.yml",
            &format!("version: 1\nchecks: [{{ url: \"{url}\", body-file: o.xml, attempts: 1 }}]\n"),
        )
        .file("sub/o.xml", "<order/>")
        .file("o.xml", "<other/>")
        .args(["--config", "sub/waveoff.yml"])
        .run()
        .expect_code(0);
}
