use super::*;
use proptest::prelude::*;

fn samples(page: &str) -> Result<Vec<Sample<'_>>, String> {
    let mut all = Vec::new();
    read(page, false, &mut |sample| all.push(sample)).map(|()| all)
}

#[test]
fn p6_the_page_of_the_specification_is_read() {
    let page = r#"# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9

# Minimalistic line:
metric_without_timestamp_and_labels 12.47

# A weird metric from before the epoch:
something_weird{problem="division by zero"} +Inf -3982045

# A histogram, which has a pretty complex representation in the text format:
# HELP http_request_duration_seconds A histogram of the request duration.
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.05",} 24054
http_request_duration_seconds_bucket { le = "+Inf" } 144320
http_request_duration_seconds_sum 53423
http_request_duration_seconds_count 144320
rpc_duration_seconds{quantile="0.01"} NaN
"#;
    let all = samples(page).unwrap();
    assert_eq!(all.len(), 10);
    assert_eq!(all[0].labels[1], ("code", "200".to_owned()));
    assert_eq!(all[2].labels[0].1, "C:\\DIR\\FILE.TXT");
    assert_eq!(all[2].labels[1].1, "Cannot find file:\n\"FILE.TXT\"");
    assert_eq!(all[4].value, f64::INFINITY);
    assert!(all[9].value.is_nan());
}

#[test]
fn p6_open_metrics_is_read_and_has_an_end() {
    let page = "# TYPE foo_seconds counter\n# UNIT foo_seconds seconds\n\
                foo_seconds_total{a=\"}#,\"} 17.0 1520879607.789 # {trace_id=\"Kp#1\"} 0.67 1.5\n\
                foo_seconds_created 1520872607.123\n";
    let ended = format!("{page}# EOF");
    let all = samples(&ended).unwrap();
    assert_eq!((all[0].value, all[0].labels[0].1.as_str()), (17.0, "}#,"));
    let end = |page: &str| read(page, true, &mut |_| {});
    assert_eq!(end(&ended), Ok(()));
    assert_eq!(end(&format!("{ended}\n")), Ok(()));
    assert!(end(page).unwrap_err().contains("cut"));
    assert!(end("").is_err());
}

#[test]
fn p6_a_page_that_is_none_is_told_with_line_and_reason() {
    for (page, line, part) in [
        ("<!doctype html>\n", 1, "no metric's name"),
        ("a 1\n1b 2\n", 2, "no metric's name"),
        ("a 1\nb", 2, "may be cut"),
        ("a\n", 1, "no value"),
        ("a one\n", 1, "\"one\", which is no number"),
        ("a 1\r\n", 1, "no number"),
        ("a 1 2 3\n", 1, "behind its value"),
        ("a 1 now\n", 1, "timestamp \"now\""),
        ("a{b=\"c\" 1\n", 1, "no comma"),
        ("a{b=\"c} 1\n", 1, "without an end"),
        ("a{b=c} 1\n", 1, "not in quotes"),
        ("a{b} 1\n", 1, "without an end"),
        ("a{b-c=\"\"} 1\n", 1, "label's name"),
        ("a{b=\"\",b=\"\"} 1\n", 1, "twice"),
        ("a{,} 1\n", 1, "labels without an end"),
        ("a{b=\"\\t\"} 1\n", 1, "escape"),
        ("a 1 # {b=\"c\"} x\n", 1, "exemplar"),
        ("# TYPE a speed\n", 1, "none of counter"),
        ("# TYPE a-b gauge\n", 1, "no metric's name"),
        ("# HELP a x\n# HELP a y\n", 2, "second HELP"),
        ("a 1\n\n# TYPE a gauge\n", 3, "behind its samples"),
        ("# EOF\na 1\n", 2, "behind `# EOF`"),
    ] {
        let why = samples(page).unwrap_err();
        assert!(why.starts_with(&format!("line {line} ")) && why.contains(part), "{page:?}: {why}");
    }
    assert_eq!(samples("").map(|all| all.len()), Ok(0));
}

/// A sample as it is written.
fn render(name: &str, labels: &[(String, String)], value: f64) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pair = |(name, value): &(String, String)| format!("{name}=\"{}\"", escaped(value));
    let labels: Vec<String> = labels.iter().map(pair).collect();
    match labels.is_empty() {
        true => format!("{name} {value}\n"),
        false => format!("{name}{{{}}} {value}\n", labels.join(",")),
    }
}

fn any_sample() -> impl Strategy<Value = (String, Vec<(String, String)>, f64)> {
    let labels =
        prop::collection::btree_map("[a-zA-Z_][a-zA-Z0-9_]{0,8}", "\\PC*|[\\s\\S]{0,8}", 0..4);
    ("[a-zA-Z_:][a-zA-Z0-9_:]{0,12}", labels, any::<f64>())
        .prop_map(|(name, labels, value)| (name, labels.into_iter().collect(), value))
}

proptest! {
    #[test]
    fn p6_what_is_written_is_read_back(all in prop::collection::vec(any_sample(), 0..8)) {
        let page: String = all.iter().map(|(name, labels, value)| render(name, labels, *value)).collect();
        let read = samples(&page).unwrap();
        prop_assert_eq!(read.len(), all.len());
        for (read, (name, labels, value)) in read.iter().zip(&all) {
            prop_assert_eq!(read.name, name);
            let own: Vec<(&str, String)> = labels.iter().map(|(n, v)| (n.as_str(), v.clone())).collect();
            prop_assert_eq!(&read.labels, &own);
            prop_assert!(read.value == *value || (read.value.is_nan() && value.is_nan()));
        }
    }

    #[test]
    fn p6_no_page_makes_it_panic(page in "(#? ?[A-Z]{0,4}|[a-z{}=\",\\\\# \\t\\n0-9.é-]){0,40}") {
        let _ = samples(&page);
    }

    #[test]
    fn p6_no_text_at_all_makes_it_panic(page in "[\\s\\S]{0,60}") {
        let _ = samples(&page);
    }
}
