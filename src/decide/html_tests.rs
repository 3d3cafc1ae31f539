use super::*;
use proptest::prelude::*;

const PAGE: &str = r#"<!DOCTYPE html>
<html lang=en>
<head>
  <title>Shop &amp; more</title>
  <meta name="description" content='All "things" &#8364;'>
  <meta property=og:title content=Shop>
  <style>p > b { color: red }</style>
  <script>document.write("<h1>wrong</h1>")</script>
</head>
<body data-x="a > b">
  <!-- <h1>not this one</h1> --->
  <h1 class='big'>Welcome,
    <em>you</em>!</h1>
  <p>One<b>two</b> &lt;three&gt;<br>four&nbsp;five &unknown; AT&T</p>
  <template><p>unseen</p></template><noscript>No script</noscript>
  <div id="app"><div>in</div>ner <script>var x = "</div>";</script></div>
  <p id=last>last<p>behind
  <input id="field"><textarea id=area>a < b</textarea>
  <script id="data" type="application/json">{"a":"&amp;"}</script>
</body>
</html>
"#;

fn at(place: Place) -> Option<String> {
    find(PAGE, &place)
}

#[test]
fn p6_a_page_is_read_as_it_is_seen() {
    assert_eq!(at(Place::Title).as_deref(), Some("Shop & more"));
    assert_eq!(at(Place::Heading).as_deref(), Some("Welcome, you!"));
    assert_eq!(
        at(Place::Text).as_deref(),
        Some("Welcome, you! Onetwo <three> four five &unknown; AT&T in ner last behind a < b")
    );
    for (name, wanted) in
        [("description", Some("All \"things\" €")), ("OG:title", Some("Shop")), ("robots", None)]
    {
        assert_eq!(at(Place::Meta(name.into())).as_deref(), wanted, "{name}");
    }
    for (id, wanted) in [
        ("app", Some("in ner")),
        ("last", Some("last")),
        ("field", Some("")),
        ("area", Some("a < b")),
        ("data", Some("{\"a\":\"&amp;\"}")),
        ("APP", None),
    ] {
        assert_eq!(at(Place::Id(id.into())).as_deref(), wanted, "{id}");
    }
}

#[test]
fn p6_what_is_not_there_is_nothing() {
    for page in ["", "<script>x</script>", "<!-- x", "<div", "<template>x", "<!doctype html>"] {
        for place in [Place::Title, Place::Heading, Place::Text, Place::Id("x".into())] {
            assert_eq!(find(page, &place), None, "{page} {place:?}");
        }
    }
    assert_eq!(find("<title></title>", &Place::Title).as_deref(), Some(""));
}

#[test]
fn p6_marks_of_comments_and_tags_end_where_browsers_end_them() {
    for (page, text) in [
        ("a<!-->b", "a b"),
        ("a<!--->b", "a b"),
        ("a<!-- --!>b", "a b"),
        ("a<!-- -- > -->b", "a b"),
        ("a<?php echo 1 ?>b", "a b"),
        ("a</>b< c > <3", "a b< c > <3"),
        ("<p title='>'>x</p>", "x"),
        ("<p title=don't>x</p>", "x"),
        ("<SCRIPT>x</scripty></SCRIPT >y", "y"),
        (
            "&#x41;&#65;&#0;&#xD800;&#99999999999;&lt &amp;lt;",
            "AA\u{fffd}\u{fffd}&#99999999999;&lt &lt;",
        ),
    ] {
        let found = find(page, &Place::Text).unwrap_or_default();
        assert_eq!(found.replace(' ', ""), text.replace(' ', ""), "{page}");
    }
}

#[test]
fn p6_a_hostile_page_takes_one_pass() {
    // Each of these would take minutes if it were looked at again from each place.
    for piece in
        ["<!--x--", "<a b=\"", "<script></scrip", "&amp", "<p id=x>", "<template>", "</", "<"]
    {
        let page = piece.repeat(200_000);
        for place in [Place::Text, Place::Id("y".into()), Place::Meta("z".into())] {
            find(&page, &place);
        }
    }
}

proptest! {
    #[test]
    fn p6_no_page_makes_it_panic(
        page in "(<|</|>|<!--|-->|script|title|h1|template|id=|\"|'|&#x|&amp;|;|=| |[a-zé]|\\PC){0,30}",
    ) {
        for place in [Place::Title, Place::Heading, Place::Text, Place::Id("a".into()), Place::Meta("b".into())] {
            let _ = find(&page, &place);
        }
    }

    #[test]
    fn p6_text_without_marks_is_itself(text in "[^<&]{0,60}") {
        let collapsed = text.split_whitespace().collect::<Vec<_>>().join(" ");
        prop_assert_eq!(find(&text, &Place::Text).unwrap_or_default(), collapsed);
    }
}
