use super::*;
use serde_json::json;

fn equals(value: Value) -> Predicate {
    Predicate::Equals(value)
}

#[test]
fn numbers_compare_as_numbers_and_text_is_no_number() {
    assert!(equals(json!(1)).holds(Some(&json!(1.0))));
    assert!(!equals(json!("1")).holds(Some(&json!(1))));
    assert!(Predicate::Compare(Comparison::Gte, 3.0).holds(Some(&json!("3"))));
    for potato in [json!("potato"), json!("NaN"), json!("inf"), json!(null), json!([9])] {
        assert!(!Predicate::Compare(Comparison::Gt, 0.0).holds(Some(&potato)), "{potato}");
        assert!(!Predicate::Compare(Comparison::Lte, 0.0).holds(Some(&potato)), "{potato}");
    }
}

#[test]
fn an_absent_value_meets_nothing_but_its_absence() {
    let not = |inner| Predicate::Not(Box::new(inner));
    assert!(!equals(json!("x")).holds(None));
    assert!(!not(equals(json!("x"))).holds(None));
    assert!(Predicate::Exists(false).holds(None));
    assert!(not(Predicate::Exists(true)).holds(None));
    assert!(!not(Predicate::Exists(false)).holds(None));
}

#[test]
fn what_cannot_be_compared_is_neither_less_nor_not_less() {
    let not = |inner| Predicate::Not(Box::new(inner));
    let above = || Predicate::Compare(Comparison::Gt, 100.0);
    for value in [json!([5000, 5000]), json!("many"), json!(null)] {
        assert_eq!(above().tells(Some(&value), Scope::Whole), None, "{value}");
        for wrong in [above(), not(above()), not(not(above()))] {
            assert!(!wrong.holds(Some(&value)), "{wrong}: {value}");
        }
        // What is certain whatever the unknown is, is certain.
        let all = Predicate::All(vec![above(), Predicate::Exists(false)]);
        assert!(not(all).holds(Some(&value)) && !not(not(above())).holds(Some(&value)));
        let any = Predicate::Any(vec![above(), Predicate::Exists(true)]);
        assert!(any.holds(Some(&value)));
    }
    assert!(not(above()).holds(Some(&json!(3))));
    let count = not(Predicate::Count(Box::new(equals(json!(2)))));
    assert!(count.holds(Some(&json!([1]))) && !count.holds(Some(&json!(7))));
}

#[test]
fn p8_text_is_asked_of_texts_only() {
    let texts = [
        Predicate::Matches(Regex::new("^5|failed").unwrap()),
        Predicate::StartsWith("5".into()),
        Predicate::EndsWith("0".into()),
    ];
    let not = |inner: &Predicate| Predicate::Not(Box::new(inner.clone()));
    let object = json!({ "m": "failed" });
    for text in &texts {
        for value in [&json!(500), &object, &json!(["failed: x"]), &json!(null)] {
            assert!(!text.holds(Some(value)) && !not(text).holds(Some(value)), "{text} {value}");
        }
        assert!(not(text).holds(Some(&json!("fine"))), "{text}");
    }
    let part = Predicate::Contains(json!("failed"));
    for value in [&json!(500), &object, &json!(true)] {
        assert!(!part.holds(Some(value)) && !not(&part).holds(Some(value)), "{value}");
    }
    assert!(!not(&Predicate::Contains(json!("m"))).holds(Some(&object)));
    assert!(not(&part).holds(Some(&json!(["fine"]))) && not(&part).holds(Some(&json!("ok"))));
}

#[test]
fn p8_several_values_are_not_one() {
    let not = |inner: &Predicate| Predicate::Not(Box::new(inner.clone()));
    let states = json!(["Running", "Failed"]);
    let failed = json!("Failed");
    for one in [
        equals(failed.clone()),
        Predicate::In(vec![failed.clone()]),
        Predicate::IsType(JsonType::Null),
    ] {
        assert_eq!(one.tells(Some(&states), Scope::Several), None, "{one}");
        assert_eq!(not(&one).tells(Some(&states), Scope::Several), None, "{one}");
        assert_eq!(not(&one).tells(Some(&states), Scope::Whole), Some(true), "{one}");
    }
    for (list, wanted) in [
        (equals(states.clone()), true),
        (equals(json!(["Running"])), false),
        (Predicate::Contains(failed.clone()), true),
        (Predicate::Count(Box::new(equals(json!(2)))), true),
        (Predicate::Any(vec![equals(failed.clone()), Predicate::Contains(failed)]), true),
        (Predicate::Exists(true), true),
    ] {
        assert_eq!(list.tells(Some(&states), Scope::Several), Some(wanted), "{list}");
        assert_eq!(not(&list).tells(Some(&states), Scope::Several), Some(!wanted), "{list}");
    }
}

#[test]
fn p8_whole_numbers_compare_exactly() {
    let (less, more) = (json!(9_007_199_254_740_992_u64), json!(9_007_199_254_740_993_u64));
    assert!(!equals(less.clone()).holds(Some(&more)));
    assert!(!Predicate::In(vec![less.clone()]).holds(Some(&more)));
    assert!(!Predicate::Contains(less.clone()).holds(Some(&json!([more]))));
    let limit = 9_007_199_254_740_992.0;
    for value in [more.clone(), json!(more.to_string())] {
        assert!(Predicate::Compare(Comparison::Gt, limit).holds(Some(&value)), "{value}");
        assert!(!Predicate::Compare(Comparison::Lte, limit).holds(Some(&value)), "{value}");
    }
    assert!(!equals(json!(u64::MAX)).holds(Some(&json!(u64::MAX - 1))));
    assert!(equals(json!(1e300)).holds(Some(&json!(1e300))));
    assert!(
        equals(json!(-2)).holds(Some(&json!(-2.0))) && !equals(json!(2)).holds(Some(&json!(2.5)))
    );
}

#[test]
fn p8_an_empty_text_is_in_nothing() {
    for empty in [
        Predicate::Contains(json!("{{x}}")),
        Predicate::StartsWith("{{x}}".into()),
        Predicate::EndsWith("{{x}}".into()),
    ] {
        let empty = empty.rendered(&[("x".to_owned(), String::new())].into());
        assert!(!empty.holds(Some(&json!("anything"))), "{empty}");
        let not = Predicate::Not(Box::new(empty));
        assert!(!not.holds(Some(&json!("anything"))), "{not}");
    }
}

#[test]
fn text_and_list_predicates() {
    let regex = Predicate::Matches(Regex::new("^v[0-9]+$").unwrap());
    assert!(regex.holds(Some(&json!("v12"))) && !regex.holds(Some(&json!("xv12"))));
    assert!(Predicate::Contains(json!("b")).holds(Some(&json!(["a", "b"]))));
    assert!(!Predicate::Contains(json!("b")).holds(Some(&json!(["ab"]))));
    assert!(Predicate::Contains(json!("b")).holds(Some(&json!("abc"))));
    let count = Predicate::Count(Box::new(Predicate::Compare(Comparison::Gte, 2.0)));
    assert!(count.holds(Some(&json!([1, 2]))) && !count.holds(Some(&json!([1]))));
    assert!(!count.holds(Some(&json!(7))));
    assert!(Predicate::IsType(JsonType::Integer).holds(Some(&json!(2.0))));
    assert!(Predicate::In(vec![json!(1), json!("a")]).holds(Some(&json!("a"))));
}

#[test]
fn conditions_combine_and_read_well() {
    let range = Predicate::All(vec![
        Predicate::Compare(Comparison::Gte, 1.0),
        Predicate::Compare(Comparison::Lt, 5.0),
    ]);
    assert!(range.holds(Some(&json!(4))) && !range.holds(Some(&json!(5))));
    assert_eq!(range.to_string(), "≥ 1 and < 5");
    let any = Predicate::Any(vec![equals(json!("UP")), equals(json!("ok"))]);
    assert!(any.holds(Some(&json!("ok"))));
    assert_eq!(any.to_string(), r#"equals "UP" or equals "ok""#);
}
