use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::config::tree;

fn read<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, String> {
    let tree = tree::read(text).map_err(shown)?;
    T::deserialize(&tree).map_err(|wrong| shown(wrong.or_at(tree.at)))
}

fn shown(wrong: Wrong) -> String {
    let (line, column) = wrong.at.unwrap_or_default();
    format!("{line}:{column}: {wrong}")
}

#[test]
fn p6_a_scalar_without_quotes_is_what_yaml_says() {
    for (text, value) in [
        ("~", json!(null)),
        ("Null", json!(null)),
        ("'null'", json!("null")),
        ("yes", json!(true)),
        ("OFF", json!(false)),
        ("5", json!(5)),
        ("+5", json!(5)),
        ("-5", json!(-5)),
        ("\"5\"", json!("5")),
        ("0x1f", json!(31)),
        ("1_000", json!(1000)),
        ("1__0", json!("1__0")),
        ("012", json!(12.0)),
        ("1.50", json!(1.5)),
        ("1e3", json!(1000.0)),
        ("18446744073709551615", json!(u64::MAX)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("inf", json!("inf")),
        ("2 words", json!("2 words")),
        ("!!str 5", json!("5")),
        ("! 5", json!("5")),
        ("!!int \"5\"", json!(5)),
        ("|\n  5\n", json!("5\n")),
        ("[1, {a: b}]", json!([1, { "a": "b" }])),
    ] {
        assert_eq!(read::<Value>(text), Ok(value), "{text}");
    }
    for text in [".inf", "-.NAN", "1e999"] {
        assert_eq!(read::<Value>(text).unwrap_err(), "1:1: this is not a number", "{text}");
    }
}

#[test]
fn p6_a_text_stays_as_it_was_written() {
    let text = "a: 1.10\nb: yes\nc: ' x '\n? d\n: 0x1f\n";
    let read = read::<BTreeMap<String, String>>(text).unwrap();
    assert_eq!(read.into_values().collect::<Vec<_>>(), ["1.10", "yes", " x ", "0x1f"]);
}

#[test]
fn p6_numbers_stay_within_their_limits() {
    assert_eq!(read::<Vec<u16>>("[0, 65535, '8']"), Ok(vec![0, 65535, 8]));
    for text in ["[65536]", "[-1]", "[-0]", "[1.0]", "[x]", "[010]"] {
        assert!(
            read::<Vec<u16>>(text).unwrap_err().contains("whole number of 0 or more"),
            "{text}"
        );
    }
    assert_eq!(read::<i32>("-2147483648"), Ok(i32::MIN));
    assert!(read::<i32>("2147483648").unwrap_err().contains("whole number"));
    assert_eq!(read::<Vec<f64>>("[1, -1.5, '2']"), Ok(vec![1.0, -1.5, 2.0]));
    assert!(read::<f64>("nan").unwrap_err().contains("not a number"));
}

#[test]
fn p6_what_is_repeated_by_name_is_read_as_if_it_stood_there() {
    let text =
        "base: &b {a: 1, b: 2}\nlist: &l [&x {c: 3}]\nall: {<<: [*b, *x], a: 5}\nagain: *l\n";
    let read = read::<Value>(text).unwrap();
    assert_eq!(read["all"], json!({ "a": 5, "b": 2, "c": 3 }));
    assert_eq!(read["again"], json!([{ "c": 3 }]));
    let placed = self::read::<Vec<Placed<String>>>("- &a x\n- y\n- *a\n").unwrap();
    assert_eq!(placed[2], Placed { line: 3, value: "x".into() });
}

#[test]
fn p6_what_would_not_end_or_not_fit_is_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let inside = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += &format!("a{level}: &a{level} [{inside}]\n");
    }
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    // Few values, of which each is long; lists that are deep only by what aliases mean; anchors around
    // anchors, each of which keeps all that is in it.
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 1000].join(", "));
    let mut deeper = "a0: &a0 [x]\n".to_owned();
    for level in 1..5 {
        let (open, close) = ("[".repeat(20), "]".repeat(20));
        deeper += &format!("a{level}: &a{level} {open}*a{}{close}\n", level - 1);
    }
    let around: String = (0..20).map(|level| format!("&n{level} [")).collect();
    let around = format!("{around}{}{}", vec!["x"; 20_000].join(", "), "]".repeat(20));
    for (text, words) in [
        (&*bomb, "more than 250,000 values"),
        (&long, "more than 250,000 values"),
        (&deeper, "too deep"),
        (&around, "more than 250,000 values"),
        (&deep, "too deep"),
        ("a: &a [*a]\n", "within what it means"),
        ("a: *b\n", "1:4: "),
        ("a: {<<: 5}\n", "takes a map"),
        ("a: 1\nb: 2\na: 3\n", "3:1: the key `a` stands twice"),
        ("a: !secret b\n", "1:12: the tag `!secret` is not known"),
        ("[x]: 1\n", "1:1: this is not a text"),
        ("a: 1\n--- b\n", "2:5: another document"),
        ("# nothing\n", "begin with `version: 1`"),
        ("a: 'b\n", "quoted scalar"),
    ] {
        let error = read::<Value>(text).unwrap_err();
        assert!(error.contains(words), "{words:?}: {error}");
    }
}
