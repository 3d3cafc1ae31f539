//! What a scalar is: a text, a number, yes or no, nothing.

use super::tree::{Kind, Node, Wrong};

/// Nothing stands there.
pub(super) const NO_VALUE: &str = "there is no value";
const NO_TEXT: &str = "this is not a text";
const NO_NUMBER: &str = "this is not a number";
/// No whole number, or one beyond the limits of its type.
pub(super) const NO_WHOLE: &str = "this is not a whole number, or too large";
const NO_COUNT: &str = "this is not a whole number of 0 or more, or too large";

/// What a scalar is when nobody asks for a certain type (YAML 1.2.2, section 10.3; words for yes
/// and no as in YAML 1.1).
pub(super) enum Plain<'a> {
    Null,
    Bool(bool),
    Count(u64),
    Whole(i64),
    Number(f64),
    Text(&'a str),
}

impl Node {
    /// What is wrong with it, in words.
    pub(super) fn wrong(&self, words: &str) -> Wrong {
        Wrong::says(self.at, words)
    }

    /// Whether nothing stands there.
    pub(super) fn is_null(&self) -> bool {
        match &self.kind {
            Kind::Scalar { text, is_plain: true } => {
                matches!(&**text, "" | "~") || text.eq_ignore_ascii_case("null")
            }
            _ => false,
        }
    }

    /// The text of a scalar without what stands around it.
    pub(super) fn scalar(&self) -> Result<&str, Wrong> {
        match &self.kind {
            Kind::Scalar { text, .. } => Ok(text.trim_matches([' ', '\t', '\r', '\n'])),
            _ => Err(self.wrong(NO_TEXT)),
        }
    }

    /// The text of a scalar as it was written.
    pub(super) fn string(&self) -> Result<&str, Wrong> {
        match &self.kind {
            Kind::Scalar { .. } if self.is_null() => Err(self.wrong(NO_VALUE)),
            Kind::Scalar { text, .. } => Ok(text),
            _ => Err(self.wrong(NO_TEXT)),
        }
    }

    /// A whole number of 0 or more.
    pub(super) fn count(&self, most: u64) -> Result<u64, Wrong> {
        match integer(self.scalar()?) {
            Some((false, count)) if count <= most => Ok(count),
            _ => Err(self.wrong(NO_COUNT)),
        }
    }

    /// A whole number.
    pub(super) fn whole(&self) -> Result<i64, Wrong> {
        integer(self.scalar()?).and_then(signed).ok_or_else(|| self.wrong(NO_WHOLE))
    }

    /// A number.
    pub(super) fn number(&self) -> Result<f64, Wrong> {
        float(self.scalar()?).ok_or_else(|| self.wrong(NO_NUMBER))
    }

    /// What a scalar is by itself.
    pub(super) fn plain<'a>(&'a self, text: &'a str, is_plain: bool) -> Result<Plain<'a>, Wrong> {
        if !is_plain {
            return Ok(Plain::Text(text));
        }
        if self.is_null() {
            return Ok(Plain::Null);
        }
        let trimmed = self.scalar()?;
        if let Some(truth) = truth(trimmed) {
            return Ok(Plain::Bool(truth));
        }
        match integer(trimmed) {
            Some((false, count)) => return Ok(Plain::Count(count)),
            Some(negative) if signed(negative).is_some() => {
                return Ok(Plain::Whole(signed(negative).unwrap_or_default()));
            }
            _ => {}
        }
        let digits = trimmed.trim_start_matches(['+', '-']);
        let is_number = digits.starts_with(|c: char| c.is_ascii_digit()) || digits.starts_with('.');
        match float(trimmed) {
            Some(number) if number.is_finite() => Ok(Plain::Number(number)),
            Some(_) => Err(self.wrong(NO_NUMBER)),
            None if is_number && trimmed.parse::<f64>().is_ok() => Err(self.wrong(NO_NUMBER)),
            None => Ok(Plain::Text(text)),
        }
    }
}

/// Whether it is true, if it is a word for yes or no.
pub(super) fn truth(text: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    match () {
        () if is(&["true", "yes", "y", "on"]) => Some(true),
        () if is(&["false", "no", "n", "off"]) => Some(false),
        () => None,
    }
}

/// Whether there is a minus, and the number without it. A decimal number does not begin with 0.
fn integer(text: &str) -> Option<(bool, u64)> {
    let negative = text.starts_with('-');
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let prefix = digits.get(..2).unwrap_or_default();
    let (radix, digits) = match prefix {
        "0x" | "0X" => (16, &digits[2..]),
        "0o" | "0O" => (8, &digits[2..]),
        "0b" | "0B" => (2, &digits[2..]),
        _ if digits.len() > 1 && digits.starts_with('0') => return None,
        _ => (10, digits),
    };
    let is_apart = !digits.starts_with('_') && !digits.ends_with('_') && !digits.contains("__");
    if !is_apart || !digits.chars().all(|c| c == '_' || c.is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(&digits.replace('_', ""), radix).ok().map(|number| (negative, number))
}

fn signed((negative, number): (bool, u64)) -> Option<i64> {
    match negative {
        true => 0_i64.checked_sub_unsigned(number),
        false => i64::try_from(number).ok(),
    }
}

/// A number that is written as one: `inf` and `nan` have a dot before them.
fn float(text: &str) -> Option<f64> {
    match &*text.to_ascii_lowercase() {
        ".nan" | "+.nan" | "-.nan" => Some(f64::NAN),
        ".inf" | "+.inf" => Some(f64::INFINITY),
        "-.inf" => Some(f64::NEG_INFINITY),
        _ => text.parse().ok().filter(|number: &f64| number.is_finite()),
    }
}
