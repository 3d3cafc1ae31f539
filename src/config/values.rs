//! Small values with their units: durations, shares, secrets, commands.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Implements `Deserialize` by reading a scalar as text and parsing it.
macro_rules! read_as_text {
    ($type:ty) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

/// Describes a text value in the schema.
macro_rules! text_schema {
    ($type:ty, $name:literal, $description:literal, $pattern:literal) => {
        #[cfg(test)]
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string", "description": $description, "pattern": $pattern
                })
            }
        }
    };
}

/// A length of time with its unit: `500ms`, `30s`, `2m`, `1h 30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

read_as_text!(Period);
text_schema!(
    Period,
    "Duration",
    "a length of time with its unit: 500ms, 30s, 2m, 1h 30m",
    "^([0-9.]+ *[a-zµ]+ *)+$|\\$\\{"
);

/// Longer than any deployment: what is beyond is a slip of the keyboard.
const LONGEST: Duration = Duration::from_secs(31 * 24 * 3600);

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const WANTED: &str = "write a number with its unit, like 500ms, 30s, 2m or 1h";
        let trimmed = text.trim();
        if !trimmed.is_empty() && trimmed.chars().all(|c| c.is_ascii_digit() || c == '.') {
            return Err(format!("`{trimmed}` has no unit; {WANTED}"));
        }
        // `M` would be months there, and nobody who waits for a port means months.
        if trimmed.contains('M') || trimmed.contains("mon") || trimmed.contains('y') {
            return Err(format!("`{trimmed}` is not a duration; {WANTED}"));
        }
        match humantime::parse_duration(trimmed) {
            Ok(period) if period > LONGEST => {
                Err(format!("`{trimmed}` is longer than 31 days; {WANTED}"))
            }
            Ok(period) => Ok(Self(period)),
            Err(_) => Err(format!("`{trimmed}` is not a duration; {WANTED}")),
        }
    }
}

impl Period {
    /// Of a flag that other deployment tools take in plain seconds: `600` is ten minutes, and so is
    /// `10m`. In `waveoff.yml` a number without a unit stays a mistake.
    ///
    /// # Errors
    /// When it is neither.
    pub fn or_seconds(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        if !trimmed.is_empty() && trimmed.chars().all(|c| c.is_ascii_digit()) {
            return format!("{trimmed}s").parse();
        }
        trimmed.parse()
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

/// A share of a whole, written `90%`; kept as a fraction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(pub f64);

read_as_text!(Share);
text_schema!(Share, "Share", "a percentage: 90%", "^[0-9]+(\\.[0-9]+)? *%$|\\$\\{");

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a percentage; write it like 90%");
        let number = text.trim().strip_suffix('%').ok_or_else(wrong)?;
        match number.trim().parse::<f64>() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Self(percent / 100.0)),
            _ => Err(wrong()),
        }
    }
}

/// How much more something may be than it was, written `50%`; kept as a fraction. Twice as much is
/// 100%, and there may be more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Increase(pub f64);

read_as_text!(Increase);
text_schema!(Increase, "Increase", "a percentage: 50%, 200%", "^[0-9]+(\\.[0-9]+)? *%$|\\$\\{");

impl FromStr for Increase {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.trim().strip_suffix('%').map(|number| number.trim().parse::<f64>());
        match number {
            Some(Ok(percent)) if percent.is_finite() && percent >= 0.0 => Ok(Self(percent / 100.0)),
            _ => Err(format!("`{text}` is not a percentage; write it like 50% or 200%")),
        }
    }
}

/// A text that must never be shown: it has no `Display`, and `Debug` prints `***`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text from being shown.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl FromStr for Secret {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a secret is empty; leave the key out, or give it a value".into());
        }
        Ok(Self::new(text))
    }
}

read_as_text!(Secret);
text_schema!(Secret, "Secret", "a text that is never shown", "");

/// A program with its arguments, never a shell string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argv(pub Vec<String>);

impl Argv {
    /// The arguments as a person would type them.
    pub fn show(&self) -> String {
        let quoted = self.0.iter().map(|argument| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,{}".contains(c);
            if !argument.is_empty() && argument.chars().all(plain) {
                argument.clone()
            } else {
                format!("'{}'", argument.replace('\'', r"'\''"))
            }
        });
        quoted.collect::<Vec<_>>().join(" ")
    }
}

const ARGV: &str = "write a list like [./ship.sh, --now]; for a shell, [sh, -c, '…']";

impl<'de> Deserialize<'de> for Argv {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Argv;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list: the program, then its arguments")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Argv, E> {
                Err(E::custom(format!("`{text}` is one text, not a command; {ARGV}")))
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Argv, A::Error> {
                let mut argv = Vec::new();
                while let Some(argument) = seq.next_element::<String>()? {
                    argv.push(argument);
                }
                if argv.first().is_none_or(String::is_empty) {
                    return Err(de::Error::custom(format!("the command is empty; {ARGV}")));
                }
                Ok(Argv(argv))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Argv {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Command".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "array", "minItems": 1, "items": { "type": "string" },
            "description": "a program, then its arguments; never a shell string"
        })
    }
}

/// A list that must say something: an empty one is refused.
#[derive(Debug, Clone, PartialEq)]
pub struct NonEmpty<T>(pub Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for NonEmpty<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let list = Vec::<T>::deserialize(deserializer)?;
        if list.is_empty() {
            return Err(de::Error::custom(
                "the list is empty and would assert nothing; fill it, or leave the key out",
            ));
        }
        Ok(Self(list))
    }
}

#[cfg(test)]
impl<T: schemars::JsonSchema> schemars::JsonSchema for NonEmpty<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("ListOf{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "array", "minItems": 1, "items": generator.subschema_for::<T>()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit_and_stay_reasonable() {
        assert_eq!("1h 30m".parse(), Ok(Period(Duration::from_secs(5400))));
        assert_eq!("500ms".parse(), Ok(Period(Duration::from_millis(500))));
        for wrong in ["120", "1.5", "", "2 minuets", "-3s", "1M", "99999d", "1y", "s"] {
            let why = wrong.parse::<Period>().unwrap_err();
            assert!(why.contains("500ms"), "{why}");
        }
        assert!("120".parse::<Period>().unwrap_err().contains("no unit"));
    }

    #[test]
    fn some_flags_take_plain_seconds() {
        let seconds = |text: &str| Period::or_seconds(text).map(|period| period.0.as_secs());
        assert_eq!(seconds("600"), seconds("10m"));
        assert_eq!((seconds(" 60 "), seconds("0")), (Ok(60), Ok(0)));
        for wrong in ["1.5", "", "-3", "ten", "99999999999999999999"] {
            assert!(seconds(wrong).unwrap_err().contains("500ms"), "{wrong}");
        }
    }

    #[test]
    fn shares_need_a_percent_sign() {
        assert_eq!("90%".parse(), Ok(Share(0.9)));
        for wrong in ["90", "0.9", "101%", "-1%", "NaN%", "%"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_increase_may_be_more_than_all() {
        assert_eq!("50%".parse(), Ok(Increase(0.5)));
        assert_eq!("250 %".parse(), Ok(Increase(2.5)));
        for wrong in ["50", "1.5", "-1%", "NaN%", "inf%", "%", ""] {
            assert!(wrong.parse::<Increase>().unwrap_err().contains("50%"), "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_never_shown() {
        assert_eq!(format!("{:?}", Some(Secret::new("hunter2"))), "Some(***)");
    }

    #[test]
    fn commands_are_shown_as_typed() {
        let argv = Argv(["echo", "it's", "", "$(x)"].map(Into::into).into());
        assert_eq!(argv.show(), r"echo 'it'\''s' '' '$(x)'");
    }
}
