//! Types from a tree of YAML, by way of serde. What is not generic is kept out of what is: each
//! type that is read has a copy of the rest.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::scalar::{NO_VALUE, NO_WHOLE, Plain, truth};
use super::tree::{Kind, Node, Spot, What, Wrong};

const NO_ENTRY: &str = "the value of a key is missing; write `key: value`";

/// A value with the line on which it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed<T> {
    /// The line, from 1.
    pub line: u64,
    /// The value.
    pub value: T,
}

/// The name by which [`Placed`] asks for its line.
const PLACED: &str = "\0placed";

impl<'de, T: de::Deserialize<'de>> de::Deserialize<'de> for Placed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Both<T>(std::marker::PhantomData<T>);
        impl<'de, T: de::Deserialize<'de>> Visitor<'de> for Both<T> {
            type Value = Placed<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with its place")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Placed<T>, A::Error> {
                let line = map.next_key()?.unwrap_or_default();
                Ok(Placed { line, value: map.next_value()? })
            }
        }
        deserializer.deserialize_newtype_struct(PLACED, Both(std::marker::PhantomData))
    }
}

/// The line, then the value.
struct Place<'a>(&'a Node);

impl<'de> de::MapAccess<'de> for Place<'de> {
    type Error = Wrong;
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, k: K) -> Result<Option<K::Value>, Wrong> {
        k.deserialize(self.0.at.0.into_deserializer()).map(Some)
    }
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        seed.deserialize(self.0)
    }
}

impl std::error::Error for Wrong {}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Key(key, _) => write!(f, "the key `{key}` is not known here"),
            What::Word(word, _) => write!(f, "`{word}` is not known here"),
            What::Twice(key) => write!(f, "the key `{key}` stands twice"),
            What::Missing(key) => write!(f, "the key `{key}` is missing"),
            What::Says(words) => f.write_str(words),
        }
    }
}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(words: T) -> Self {
        Self { at: None, what: What::Says(words.to_string()) }
    }
    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self { at: None, what: What::Key(field.into(), known) }
    }
    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        Self { at: None, what: What::Word(variant.into(), known) }
    }
    fn missing_field(field: &'static str) -> Self {
        Self { at: None, what: What::Missing(field) }
    }
    fn duplicate_field(field: &'static str) -> Self {
        Self { at: None, what: What::Twice(field.into()) }
    }
}

impl Node {
    fn list(&self) -> Result<Items<'_>, Wrong> {
        match &self.kind {
            Kind::List(list) => Ok(Items(list.iter())),
            _ if self.is_null() => Err(self.wrong(NO_VALUE)),
            _ => Err(self.wrong("this is not a list; write [a, b], or `- a` lines")),
        }
    }

    fn pairs(&self) -> Result<Pairs<'_>, Wrong> {
        match &self.kind {
            Kind::Map(pairs) => Ok(Pairs { rest: pairs.iter(), value: None, last: self.at }),
            _ if self.is_null() => Err(self.wrong(NO_VALUE)),
            _ => Err(self.wrong("this is not a map; write `key: value`")),
        }
    }

    fn variant(&self) -> Result<Variant<'_>, Wrong> {
        match &self.kind {
            Kind::Scalar { .. } if self.is_null() => Err(self.wrong(NO_VALUE)),
            Kind::Scalar { .. } => Ok(Variant { name: self, value: None, second: None }),
            Kind::List(_) => Err(self.wrong("this is a list, and a word or a map belongs there")),
            Kind::Map(pairs) => match &pairs[..] {
                [] => Err(self.wrong("the map is empty; one key belongs there")),
                [(name, value), rest @ ..] => {
                    let second = rest.first().map(|(key, _)| key.at);
                    Ok(Variant { name, value: Some(value), second })
                }
            },
        }
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.kind {
            Kind::List(list) => visitor.visit_seq(Items(list.iter())),
            Kind::Map(_) => self.deserialize_map(visitor),
            Kind::Scalar { text, is_plain } => match self.plain(text, *is_plain)? {
                Plain::Null => visitor.visit_unit(),
                Plain::Bool(truth) => visitor.visit_bool(truth),
                Plain::Count(count) => visitor.visit_u64(count),
                Plain::Whole(whole) => visitor.visit_i64(whole),
                Plain::Number(number) => visitor.visit_f64(number),
                Plain::Text(text) => visitor.visit_borrowed_str(text),
            },
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let truth = truth(self.scalar()?);
        visitor.visit_bool(truth.ok_or_else(|| self.wrong("this is neither true nor false"))?)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_u64(self.count(u16::MAX.into())?)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_u64(self.count(u32::MAX.into())?)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_u64(self.count(u64::MAX)?)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let whole = i32::try_from(self.whole()?);
        visitor.visit_i32(whole.map_err(|_| self.wrong(NO_WHOLE))?)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_i64(self.whole()?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_f64(self.number()?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_borrowed_str(self.string()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_borrowed_str(self.text())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.is_null() {
            true => visitor.visit_none(),
            false => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match name == PLACED {
            true => visitor.visit_map(Place(self)),
            false => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_seq(self.list()?)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let mut pairs = self.pairs()?;
        let read = visitor.visit_map(&mut pairs);
        read.map_err(|wrong| match wrong.what {
            What::Missing(_) => wrong.or_at(pairs.last),
            _ => wrong,
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_enum(self.variant()?)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i128 u8 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct
    }
}

/// The elements of a list.
struct Items<'a>(std::slice::Iter<'a, Node>);

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = Wrong;
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Wrong> {
        let Some(node) = self.0.next() else { return Ok(None) };
        seed.deserialize(node).map(Some).map_err(|wrong| wrong.or_at(node.at))
    }
    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// The keys of a map with their values.
struct Pairs<'a> {
    rest: std::slice::Iter<'a, (Node, Node)>,
    value: Option<&'a Node>,
    /// The key that was read last, for what is missing behind it.
    last: Spot,
}

impl<'de> de::MapAccess<'de> for &mut Pairs<'de> {
    type Error = Wrong;
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, k: K) -> Result<Option<K::Value>, Wrong> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        (self.value, self.last) = (Some(value), key.at);
        k.deserialize(key).map(Some).map_err(|wrong| wrong.or_at(key.at))
    }
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let node = self.value.take().ok_or_else(|| Wrong::says(self.last, NO_VALUE))?;
        seed.deserialize(node).map_err(|wrong| wrong.or_at(node.at))
    }
}

/// One of several things: a word, or a map of one key.
struct Variant<'a> {
    name: &'a Node,
    value: Option<&'a Node>,
    /// Where a second key stands.
    second: Option<Spot>,
}

impl<'de> de::EnumAccess<'de> for Variant<'de> {
    type Error = Wrong;
    type Variant = Self;
    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Wrong> {
        let name = seed.deserialize(self.name).map_err(|wrong| wrong.or_at(self.name.at))?;
        Ok((name, self))
    }
}

impl Variant<'_> {
    fn stands_alone(&self) -> Result<(), Wrong> {
        let words = "a second key stands in a map of one key; write two maps, or keep one";
        self.second.map_or(Ok(()), |at| Err(Wrong::says(at, words)))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'de> {
    type Error = Wrong;
    fn unit_variant(self) -> Result<(), Wrong> {
        match self.value {
            Some(value) if !value.is_null() => {
                Err(value.wrong("this is a map, and a word belongs there"))
            }
            _ => self.stands_alone(),
        }
    }
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Wrong> {
        let node = self.value.ok_or_else(|| self.name.wrong(NO_ENTRY))?;
        let read = seed.deserialize(node).map_err(|wrong| wrong.or_at(node.at))?;
        self.stands_alone().map(|()| read)
    }
    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Wrong> {
        Err(de::Error::invalid_type(Unexpected::TupleVariant, &visitor))
    }
    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let node = self.value.ok_or_else(|| self.name.wrong(NO_ENTRY))?;
        let read = node.deserialize_map(visitor)?;
        self.stands_alone().map(|()| read)
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
