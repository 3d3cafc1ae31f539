use super::*;
use proptest::prelude::*;

fn with(source: &str, value: &str) -> Result<String, Mistake> {
    interpolate(source, |name| (name == "X").then(|| value.to_owned())).map(|done| done.text)
}

#[test]
fn replaces_in_every_style_of_quoting() {
    for (source, value, wanted) in [
        ("a: ${X}", "v1.2", "a: v1.2"),
        ("a: [${X}, b]", "1", "a: [1, b]"),
        ("a: \"x ${X}\"", "\"q\"\n", "a: \"x \\\"q\\\"\\n\""),
        ("a: 'x ${X}'", "it's", "a: 'x it''s'"),
        ("a: |\n  t ${X}\n", "b: c", "a: |\n  t b: c\n"),
        ("a: ${X:-d}", "", "a: d"),
        ("a: ${Y:-d-e}", "", "a: d-e"),
        ("a: ${Y:-}", "", "a: "),
        ("a: $${X} $$5 $.b", "v", "a: ${X} $5 $.b"),
        (
            "# ${NOPE} in a comment\na: ${X} # and ${NOPE2}",
            "v",
            "# ${NOPE} in a comment\na: v # and ${NOPE2}",
        ),
        ("${X}: 1", "key", "key: 1"),
    ] {
        assert_eq!(with(source, value).as_deref(), Ok(wanted), "{source:?}");
    }
}

#[test]
fn an_unset_variable_and_a_wrong_reference_name_their_line() {
    let unset = with("a: 1\nb: ${NOPE}\n", "").unwrap_err();
    assert_eq!((unset.line, unset.message.as_str()), (2, "the variable NOPE is not set"));
    for wrong in ["a: ${", "a: ${X", "a: ${1X}", "a: ${X-Y}", "a: ${}", "a: ${X:?err}"] {
        assert_eq!(with(wrong, "v").unwrap_err().line, 1, "{wrong}");
    }
}

#[test]
fn a_value_cannot_change_the_structure() {
    for value in
        ["b\nc: d", "[x]", "{x: y}", "a: b", "# gone", "*a", "&a", "!t", "- x", "x #y", "@x", "b:"]
    {
        let refused = with("a: ${X}", value).unwrap_err();
        assert!(refused.hint.contains("\"${X}\""), "{value:?}: {refused:?}");
    }
}

proptest! {
    #[test]
    fn a_quoted_value_is_read_back_as_it_was(value in any::<String>()) {
        prop_assume!(!value.is_empty() && !value.contains('\u{feff}'));
        let text = with("a: \"${X}\"\nb: 1\n", &value).unwrap();
        let read: std::collections::BTreeMap<String, serde_json::Value> =
            serde_saphyr::from_str(&text).unwrap();
        prop_assert_eq!(read["a"].as_str().unwrap(), value);
        prop_assert_eq!(read.len(), 2);
    }

    #[test]
    fn a_plain_value_is_read_back_as_it_was_or_refused(value in "[ -~\\n]{1,12}") {
        if let Ok(text) = with("a: ${X}\nb: 1\n", &value) {
            let read: std::collections::BTreeMap<String, String> =
                serde_saphyr::from_str(&text).unwrap();
            prop_assert_eq!(&read["a"], &value);
        }
    }

    #[test]
    fn no_text_panics(source in "[a-z${}:\\-# \"'\\n]{0,40}") {
        let _ = with(&source, "v");
    }
}
