//! Predicates on a value: `equals`, `contains`, `matches`, …, written as YAML maps.

use std::collections::BTreeMap;
use std::fmt;

use regex::Regex;
use serde_json::Value;

use super::template;

/// A condition on a value. Several keys of one map must all hold ([`Predicate::All`]).
#[derive(Debug, Clone)]
pub enum Predicate {
    /// The value is there.
    Exists(bool),
    /// The value equals this one; numbers compare as numbers.
    Equals(Value),
    /// The value is one of these.
    In(Vec<Value>),
    /// A string contains this text, or a list this element.
    Contains(Value),
    /// A string starts with this text.
    StartsWith(String),
    /// A string ends with this text.
    EndsWith(String),
    /// A regular expression is found in the string.
    Matches(Regex),
    /// A number lies in the bounds.
    Compare(Comparison, f64),
    /// The number of elements meets the condition.
    Count(Box<Predicate>),
    /// The value is of this JSON type.
    IsType(JsonType),
    /// The condition does not hold. An absent value meets no condition, not even a negated one.
    Not(Box<Predicate>),
    /// At least one holds.
    Any(Vec<Predicate>),
    /// All hold.
    All(Vec<Predicate>),
}

/// A numeric comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Less than.
    Lt,
    /// Less than or equal.
    Lte,
    /// Greater than.
    Gt,
    /// Greater than or equal.
    Gte,
}

/// How much of what is meant a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// All of it.
    Whole,
    /// A list of several values, where one may be meant.
    Several,
    /// A text of which a part could not be read: what is not found in it may be there.
    Part,
}

/// A JSON type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum JsonType {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// Any number.
    Number,
    /// A number without a fraction.
    Integer,
    /// A string.
    String,
    /// A list.
    List,
    /// An object.
    Object,
}

impl Predicate {
    /// Whether the condition holds for `value`; `None` is a value that is not there.
    pub fn holds(&self, value: Option<&Value>) -> bool {
        self.tells(value, Scope::Whole) == Some(true)
    }

    /// The same, or nothing where it cannot be told: what is no number is neither less than 3 nor not
    /// less than 3 (Kleene's logic).
    pub(super) fn tells(&self, value: Option<&Value>, scope: Scope) -> Option<bool> {
        match self {
            Predicate::Exists(wanted) => Some(value.is_some() == *wanted),
            Predicate::All(all) => {
                // The least of no, unknown and yes.
                let all = all.iter().map(|one| one.tells(value, scope));
                all.min_by_key(|told| rank(*told)).unwrap_or(Some(true))
            }
            Predicate::Any(any) => {
                let any = any.iter().map(|one| one.tells(value, scope));
                any.max_by_key(|told| rank(*told)).unwrap_or(Some(false))
            }
            // An absent value meets nothing but its absence.
            Predicate::Not(inner) if value.is_some() || matches!(**inner, Predicate::Exists(_)) => {
                inner.tells(value, scope).map(|told| !told)
            }
            _ => match scope {
                Scope::Whole => self.tells_of(value?),
                Scope::Several if self.takes_lists() => self.tells_of(value?),
                Scope::Several => None,
                Scope::Part => self.tells_of(value?).filter(|yes| *yes),
            },
        }
    }

    /// Whether a value that is not there answers it: whether it, or its opposite, holds of nothing.
    pub(super) fn is_clear_of_nothing(&self) -> bool {
        self.holds(None) || Predicate::Not(Box::new(self.clone())).holds(None)
    }

    /// Whether it means one value, and no list of them.
    pub(super) fn means_one(&self) -> bool {
        match self {
            Predicate::Compare(..)
            | Predicate::StartsWith(_)
            | Predicate::EndsWith(_)
            | Predicate::Matches(_) => true,
            Predicate::Equals(wanted) => !wanted.is_array(),
            Predicate::In(wanted) => !wanted.iter().all(Value::is_array),
            Predicate::Not(inner) => inner.means_one(),
            Predicate::Any(all) | Predicate::All(all) => all.iter().any(Predicate::means_one),
            _ => false,
        }
    }

    /// Whether it can be asked of a list that stands for several values.
    fn takes_lists(&self) -> bool {
        match self {
            Predicate::IsType(wanted) => *wanted == JsonType::List,
            _ => !self.means_one(),
        }
    }

    /// Whether an empty text is looked for in it, which every text has.
    pub(super) fn looks_for_nothing(&self) -> bool {
        match self {
            Predicate::Contains(Value::String(text))
            | Predicate::StartsWith(text)
            | Predicate::EndsWith(text) => text.is_empty(),
            Predicate::Matches(regex) => regex.as_str().is_empty(),
            Predicate::Not(inner) => inner.looks_for_nothing(),
            Predicate::Any(all) | Predicate::All(all) => {
                all.iter().any(Predicate::looks_for_nothing)
            }
            _ => false,
        }
    }

    /// Whether a comparison of numbers is in it.
    pub(super) fn compares(&self) -> bool {
        match self {
            Predicate::Compare(..) => true,
            Predicate::Not(inner) => inner.compares(),
            Predicate::Any(all) | Predicate::All(all) => all.iter().any(Predicate::compares),
            _ => false,
        }
    }

    /// The condition with `{{name}}` replaced in the texts it compares with. A name that was not
    /// captured stays as it is written, and so equals nothing.
    #[must_use]
    pub fn rendered(&self, variables: &BTreeMap<String, String>) -> Predicate {
        let text = |text: &String| template::render_lossy(text, variables);
        let value = |value: &Value| match value {
            Value::String(inner) => Value::String(text(inner)),
            other => other.clone(),
        };
        let each = |all: &[Predicate]| all.iter().map(|one| one.rendered(variables)).collect();
        match self {
            Predicate::Equals(wanted) => Predicate::Equals(value(wanted)),
            Predicate::In(wanted) => Predicate::In(wanted.iter().map(value).collect()),
            Predicate::Contains(part) => Predicate::Contains(value(part)),
            Predicate::StartsWith(start) => Predicate::StartsWith(text(start)),
            Predicate::EndsWith(end) => Predicate::EndsWith(text(end)),
            Predicate::Not(inner) => Predicate::Not(Box::new(inner.rendered(variables))),
            Predicate::Any(any) => Predicate::Any(each(any)),
            Predicate::All(all) => Predicate::All(each(all)),
            other => other.clone(),
        }
    }

    /// The names that the condition takes from earlier checks.
    pub fn names(&self) -> Vec<String> {
        match self {
            Predicate::Equals(Value::String(text))
            | Predicate::Contains(Value::String(text))
            | Predicate::StartsWith(text)
            | Predicate::EndsWith(text) => template::names(text),
            Predicate::In(all) => {
                all.iter().filter_map(Value::as_str).flat_map(template::names).collect()
            }
            Predicate::Not(inner) => inner.names(),
            Predicate::Any(all) | Predicate::All(all) => {
                all.iter().flat_map(Predicate::names).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Texts are asked of texts only: that a number does not match says nothing.
    fn tells_of(&self, value: &Value) -> Option<bool> {
        if self.looks_for_nothing() {
            return None;
        }
        Some(match self {
            Predicate::Equals(wanted) => equal(value, wanted),
            Predicate::In(wanted) => wanted.iter().any(|wanted| equal(value, wanted)),
            Predicate::Contains(part) => return contains(value, part),
            Predicate::StartsWith(start) => value.as_str()?.starts_with(start),
            Predicate::EndsWith(end) => value.as_str()?.ends_with(end),
            Predicate::Matches(regex) => regex.is_match(value.as_str()?),
            Predicate::Compare(comparison, limit) => match (whole(value), whole_of(*limit)) {
                (Some(value), Some(limit)) => comparison.holds(value, limit),
                _ => comparison.holds(number(value)?, *limit),
            },
            Predicate::Count(inner) => {
                return inner.tells(Some(&Value::from(count(value)?)), Scope::Whole);
            }
            Predicate::IsType(wanted) => wanted.is_type_of(value),
            Predicate::Not(_) | Predicate::Exists(_) | Predicate::All(_) | Predicate::Any(_) => {
                return self.tells(Some(value), Scope::Whole);
            }
        })
    }
}

/// No, unknown, yes.
fn rank(told: Option<bool>) -> u8 {
    told.map_or(1, |told| u8::from(told) * 2)
}

impl Comparison {
    /// Whether it does.
    pub(super) fn holds<N: PartialOrd>(self, value: N, limit: N) -> bool {
        match self {
            Comparison::Lt => value < limit,
            Comparison::Lte => value <= limit,
            Comparison::Gt => value > limit,
            Comparison::Gte => value >= limit,
        }
    }

    /// The sign for people.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Comparison::Lt => "<",
            Comparison::Lte => "≤",
            Comparison::Gt => ">",
            Comparison::Gte => "≥",
        }
    }
}

impl JsonType {
    fn is_type_of(self, value: &Value) -> bool {
        match self {
            JsonType::Null => value.is_null(),
            JsonType::Boolean => value.is_boolean(),
            JsonType::Number => value.is_number(),
            JsonType::Integer => {
                value.is_i64()
                    || value.is_u64()
                    || value.as_f64().is_some_and(|v| v.is_finite() && v.fract() == 0.0)
            }
            JsonType::String => value.is_string(),
            JsonType::List => value.is_array(),
            JsonType::Object => value.is_object(),
        }
    }
}

/// Numbers are equal as numbers; anything else as JSON. Text is never equal to a number.
fn equal(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Number(a), Value::Number(b)) => match (whole(value), whole(wanted)) {
            (Some(a), Some(b)) => a == b,
            _ => a == b || a.as_f64() == b.as_f64(),
        },
        _ => value == wanted,
    }
}

/// An object has its keys; what else it does not contain cannot be told.
fn contains(value: &Value, part: &Value) -> Option<bool> {
    match (value, part) {
        (Value::String(text), Value::String(part)) => Some(text.contains(part.as_str())),
        (Value::Array(list), part) => Some(list.iter().any(|element| equal(element, part))),
        (Value::Object(map), Value::String(key)) => map.contains_key(key).then_some(true),
        _ => None,
    }
}

/// A whole number as it is: as a float, a large one becomes its neighbour.
fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => {
            let whole = number.as_i64().map(i128::from);
            whole.or(number.as_u64().map(i128::from)).or(whole_of(number.as_f64()?))
        }
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn whole_of(number: f64) -> Option<i128> {
    /// Beyond, a number of this type does not fit.
    const MOST: f64 = 1e38;
    (number.fract() == 0.0 && number.abs() < MOST).then_some(number as i128)
}

/// A number, or a string that is nothing but one (header values are text).
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

fn count(value: &Value) -> Option<usize> {
    match value {
        Value::Array(list) => Some(list.len()),
        Value::Object(map) => Some(map.len()),
        Value::String(text) => Some(text.chars().count()),
        _ => None,
    }
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, all: &[Predicate], word: &str| {
            for (index, one) in all.iter().enumerate() {
                if index > 0 {
                    write!(f, " {word} ")?;
                }
                write!(f, "{one}")?;
            }
            Ok(())
        };
        match self {
            Predicate::Exists(true) => f.write_str("exists"),
            Predicate::Exists(false) => f.write_str("does not exist"),
            Predicate::Equals(value) => write!(f, "equals {value}"),
            Predicate::In(values) => write!(f, "is one of {}", Value::from(values.clone())),
            Predicate::Contains(value) => write!(f, "contains {value}"),
            Predicate::StartsWith(text) => write!(f, "starts with {text:?}"),
            Predicate::EndsWith(text) => write!(f, "ends with {text:?}"),
            Predicate::Matches(regex) => write!(f, "matches /{regex}/"),
            Predicate::Compare(comparison, limit) => write!(f, "{} {limit}", comparison.sign()),
            Predicate::Count(inner) => write!(f, "count {inner}"),
            Predicate::IsType(wanted) => write!(f, "is of type {wanted:?}"),
            Predicate::Not(inner) => write!(f, "not ({inner})"),
            Predicate::Any(all) => list(f, all, "or"),
            Predicate::All(all) => list(f, all, "and"),
        }
    }
}

#[cfg(test)]
#[path = "predicate_tests.rs"]
mod tests;
