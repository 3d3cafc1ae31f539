use super::*;
use crate::decide::observation::HttpResponse;
use proptest::prelude::*;

fn whole_document(path: &JsonPath, document: &[u8]) -> Option<Vec<Value>> {
    let document = serde_json::from_slice(document).ok()?;
    Some(path.query(&document))
}

/// The number of steps, and whether elements are looked at one by one after them.
fn parts(path: &str) -> (usize, Option<bool>) {
    let path = parse(path).unwrap().to_string();
    let (steps, rest) = steps(&path);
    (steps.len(), (!rest.is_empty()).then(|| is_for_each(rest)))
}

#[test]
fn p3_a_byte_order_mark_before_a_document_means_nothing() {
    let document = "\u{feff}{\"a\": [{ \"b\": 1 }]}".as_bytes();
    for path in ["$.a[0].b", "$.a[*].b", "$..b"] {
        let found = select(&super::parse(path).unwrap(), document);
        assert_eq!(found.unwrap(), [Value::from(1)], "{path}");
    }
    let response = HttpResponse { body: document.to_vec(), ..HttpResponse::default() };
    assert_eq!(response.json().unwrap()["a"][0]["b"], 1);
    assert!(super::read("\u{feff}\u{feff}1".as_bytes()).is_err());
}

#[test]
fn a_path_begins_with_the_way_to_a_place() {
    for (path, wanted) in [
        ("$", 0),
        ("$.a", 1),
        ("$['a b']", 1),
        ("$.a.b[3]", 3),
        ("$[\"a\"][0]", 2),
        ("$.checks['db:time'][0].status", 4),
    ] {
        assert_eq!(parts(path), (wanted, None), "{path}");
    }
    for (path, wanted) in [
        ("$.*", (0, true)),
        ("$.a[*]..b", (1, true)),
        ("$.a[?@.b == ',]'].c", (1, true)),
        ("$[?match(@.a, 'x')]", (0, true)),
        ("$[?@.a == $.b]", (0, false)),
        ("$[?@.a, 0]", (0, false)),
        ("$[*, 0]", (0, false)),
        ("$.a..b", (1, false)),
        ("$[-1]", (0, false)),
        ("$[0:2]", (0, false)),
        ("$['a','b']", (0, false)),
        ("$['a\\\\b']", (0, false)),
    ] {
        assert_eq!(parts(path), (wanted.0, Some(wanted.1)), "{path}");
    }
}

#[test]
fn p3_a_path_means_and_shows_what_was_written() {
    let document = br#"{"a'].b['c": 1, "a": {"b": {"c": 2}}, "d": [3], "d ": [4]}"#;
    for (path, wanted) in [
        (r#"$["a'].b['c"]"#, 1),
        (r"$['a\'].b[\'c']", 1),
        ("$ .a .b ['c']", 2),
        ("$.d [0]", 3),
        ("$['d '][0]", 4),
    ] {
        let read = parse(path).unwrap();
        assert_eq!(select(&read, document).unwrap(), [Value::from(wanted)], "{path}");
        assert_eq!(read.to_string(), path);
    }
    assert_eq!(parse("$..c").unwrap().to_string(), "$..c");
}

#[test]
fn p3_a_path_that_is_cut_off_is_refused() {
    let path = r#"$["a\u00e9\uD83D\uDE00", 'b\u00E9'][?@.c == "\uD83D\uDE00"]"#;
    assert!(parse(path).is_ok());
    for end in 2..path.len() - 1 {
        let Some(cut) = path.get(..end).filter(|cut| !cut.ends_with("]")) else { continue };
        assert!(parse(cut).is_err(), "{cut}");
    }
}

#[test]
fn p3_a_path_that_takes_too_long_is_refused() {
    for (path, is_good) in [
        (format!("$[?{}@.a{}]", "(".repeat(9), ")".repeat(9)), true),
        (format!("$[?{}@.a{}]", "(".repeat(90_000), ")".repeat(90_000)), false),
        (format!("${}.a{}", "[?@".repeat(20), "]".repeat(20)), false),
        ("$..a..b..c".into(), true),
        (format!("${}", "..a".repeat(20)), false),
        (format!("${}", "[*,*]".repeat(12)), true),
        (format!("${}", "[*,*]".repeat(13)), false),
        (r#"$['((((((((((((', "\"[[[[[[[[[[[[[[", '....,.,.,...']"#.into(), true),
    ] {
        assert_eq!(parse(&path).is_ok(), is_good, "{}", &path[..path.len().min(100)]);
    }
}

#[test]
fn p3_a_pattern_is_read_once_for_all_elements() {
    let path = parse(r"$[?search(@, '^(\\pL{3}){3}$|^x$') || match(@, 'y')]").unwrap();
    let document = Value::from_iter(["x", "y", "z"].into_iter().cycle().take(30_000));
    let found = select(&path, document.to_string().as_bytes()).unwrap();
    assert_eq!(found.len(), 20_000);
    KNOWN.with_borrow(|known| assert_eq!(known.len(), 2));
}

#[test]
fn what_is_not_json_is_an_error_wherever_it_is() {
    let path = parse("$.a").unwrap();
    for document in ["", "{", "{\"a\":1", "{\"a\":1}x", "{\"b\":[1,}", "{\"a\":1,\"b\":tru}"] {
        assert!(select(&path, document.as_bytes()).is_err(), "{document}");
    }
    assert!(select(&path, b"{\"a\":1,\"b\":\"\xff\"}").is_err());
}

#[test]
fn of_two_members_with_one_name_the_last_counts() {
    let path = parse("$.a.b").unwrap();
    for document in [r#"{"a":{"b":1},"a":{"b":2}}"#, r#"{"a":{"b":1},"a":7}"#] {
        let found = select(&path, document.as_bytes()).unwrap();
        assert_eq!(Some(found), whole_document(&path, document.as_bytes()), "{document}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-c]", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

const RESTS: &[&str] = &[
    "",
    "",
    "",
    "[*]",
    "[*].a",
    "[*][*]",
    ".*.b",
    "[?@.a]",
    "[?@.a == 'b'].a",
    "[?@ > 0]",
    "[?@.a, 0]",
    "[*, 0]",
    "[?@ == $.a]",
    "..a",
    "[-1]",
    "[0:2]",
    "[*]..b",
    "[?@[?@.a]]",
];

proptest! {
    #[test]
    fn what_is_read_on_the_way_is_what_the_whole_document_has(
        document in any_json(),
        start in r"\$(\.[a-c]|\['[a-c]'\]|\[[0-3]\]){0,3}",
        rest in prop::sample::select(RESTS),
    ) {
        let path = parse(&format!("{start}{rest}")).unwrap();
        let text = document.to_string();
        prop_assert_eq!(
            select(&path, text.as_bytes()).ok(),
            whole_document(&path, text.as_bytes())
        );
    }
}
