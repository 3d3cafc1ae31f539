//! A YAML text as a tree with places.
//!
//! Types are read from the tree ([`super::reader`]), so that the parser is in the program once and
//! not once for each type.

use std::collections::{BTreeMap, BTreeSet};

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

/// Line and column, from 1.
pub(super) type Spot = (u64, u64);

/// So many values a file may have, with those that aliases repeat.
const MOST: usize = 250_000;
/// So deep lists and maps may stand in each other.
const DEEPEST: usize = 64;
/// So many bytes of a text count as one more value.
const HEAVY: usize = 64;
const TOO_MANY: &str = "the file has more than 250,000 values";
const TOO_DEEP: &str = "this stands too deep; 64 lists and maps may be around it";

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Where it begins.
    pub at: Spot,
    /// What it is.
    pub kind: Kind,
    /// How many values it is, with those in it; a long text counts as several.
    weight: usize,
    /// How many lists and maps stand in each other in it.
    depth: usize,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// A text, and whether it may be another thing than a text: it has no quotes.
    Scalar { text: String, is_plain: bool },
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file; each key is a scalar that stands once.
    Map(Vec<(Node, Node)>),
}

/// What is wrong, and where.
#[derive(Debug)]
pub(super) struct Wrong {
    /// Where; the reader of what is around it fills it in.
    pub at: Option<Spot>,
    /// What.
    pub what: What,
}

/// What is wrong.
#[derive(Debug)]
pub(super) enum What {
    /// A key that is not known, and those that are.
    Key(String, &'static [&'static str]),
    /// A word that is not known, and those that are.
    Word(String, &'static [&'static str]),
    /// A key that stands twice.
    Twice(String),
    /// A key that is not there.
    Missing(&'static str),
    /// Anything else, in words.
    Says(String),
}

impl Wrong {
    /// Something that is wrong at a place, in words.
    pub(super) fn says(at: Spot, words: &str) -> Self {
        Self { at: Some(at), what: What::Says(words.into()) }
    }

    /// With a place, if it has none.
    pub(super) fn or_at(mut self, at: Spot) -> Self {
        self.at.get_or_insert(at);
        self
    }
}

/// A list or a map that is being read, with its anchor.
struct Open {
    at: Spot,
    anchor: usize,
    weight: usize,
    depth: usize,
    inside: Inside,
}

enum Inside {
    List(Vec<Node>),
    Map { pairs: Vec<(Node, Node)>, key: Option<Node>, keys: BTreeSet<String> },
}

/// What has been read so far.
#[derive(Default)]
struct Reading {
    open: Vec<Open>,
    /// What aliases mean, by the numbers of their anchors.
    anchors: BTreeMap<usize, Node>,
    /// The weight of all of them.
    anchored: usize,
    root: Option<Node>,
}

/// The tree of a text.
///
/// # Errors
/// When it is no YAML, has more than one document or none, or a key stands twice.
pub(super) fn read(text: &str) -> Result<Node, Wrong> {
    let mut reading = Reading::default();
    let mut at = (1, 1);
    for next in Parser::new_from_str(text) {
        let (event, span) = next.map_err(|error| refused(&error))?;
        at = (span.start.line() as u64, span.start.col() as u64 + 1);
        reading.take(event, at)?;
    }
    reading.root.ok_or_else(|| Wrong::says(at, "the file is empty; begin with `version: 1`"))
}

fn refused(error: &ScanError) -> Wrong {
    let at = (error.marker().line() as u64, error.marker().col() as u64 + 1);
    Wrong::says(at, &error.info())
}

impl Reading {
    fn take(&mut self, event: Event<'_>, at: Spot) -> Result<(), Wrong> {
        match event {
            Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..)
                if self.root.is_some() =>
            {
                Err(Wrong::says(at, "another document begins here; a file has one"))
            }
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = is_plain(style, tag.as_deref(), at)?;
                let weight = 1 + text.len() / HEAVY;
                let kind = Kind::Scalar { text: text.into_owned(), is_plain };
                self.close(Node { at, kind, weight, depth: 0 }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                is_plain(ScalarStyle::Plain, tag.as_deref(), at)?;
                self.begin(at, anchor, Inside::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                is_plain(ScalarStyle::Plain, tag.as_deref(), at)?;
                let keys = BTreeSet::new();
                self.begin(at, anchor, Inside::Map { pairs: Vec::new(), key: None, keys })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let kind = match open.inside {
                    Inside::List(list) => Kind::List(list),
                    Inside::Map { pairs, .. } => Kind::Map(merged(pairs)?),
                };
                let Open { at, weight, depth, anchor, .. } = open;
                self.close(Node { at, kind, weight, depth }, anchor)
            }
            Event::Alias(anchor) => {
                let within = "the alias stands within what it means";
                let meant = self.anchors.get(&anchor).cloned();
                let meant = meant.ok_or_else(|| Wrong::says(at, within))?;
                self.close(Node { at, ..meant }, 0)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, at: Spot, anchor: usize, inside: Inside) -> Result<(), Wrong> {
        if self.open.len() == DEEPEST {
            return Err(Wrong::says(at, TOO_DEEP));
        }
        self.open.push(Open { at, anchor, weight: 1, depth: 1, inside });
        Ok(())
    }

    /// A value is complete: it goes where it belongs.
    fn close(&mut self, node: Node, anchor: usize) -> Result<(), Wrong> {
        if anchor != 0 {
            // What is kept for aliases counts, whether they come or not.
            self.anchored += node.weight;
            if self.anchored > MOST {
                return Err(Wrong::says(node.at, TOO_MANY));
            }
            self.anchors.insert(anchor, node.clone());
        }
        let around = self.open.len();
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.weight += node.weight;
        open.depth = open.depth.max(node.depth + 1);
        if open.weight > MOST {
            return Err(Wrong::says(node.at, TOO_MANY));
        }
        if around + node.depth > DEEPEST {
            return Err(Wrong::says(node.at, TOO_DEEP));
        }
        match &mut open.inside {
            Inside::List(list) => list.push(node),
            Inside::Map { pairs, key, keys } => match key.take() {
                Some(key) => pairs.push((key, node)),
                None => {
                    let Kind::Scalar { text, .. } = &node.kind else {
                        return Err(Wrong::says(node.at, "this is not a text"));
                    };
                    if !keys.insert(text.clone()) {
                        return Err(Wrong { at: Some(node.at), what: What::Twice(text.clone()) });
                    }
                    *key = Some(node);
                }
            },
        }
        Ok(())
    }
}

/// Whether a scalar may be another thing than a text (YAML 1.2.2, section 10.3). Tags beyond those
/// of the core schema would change what is meant, and nobody here knows how.
fn is_plain(style: ScalarStyle, tag: Option<&Tag>, at: Spot) -> Result<bool, Wrong> {
    let Some(tag) = tag else { return Ok(style == ScalarStyle::Plain) };
    match tag.core_suffix() {
        Some("str") => Ok(false),
        Some("null" | "bool" | "int" | "float" | "seq" | "map") => Ok(true),
        _ if tag.to_string() == "!" => Ok(false),
        _ => Err(Wrong::says(at, &format!("the tag `{tag}` is not known; take it out"))),
    }
}

/// A map with what its merge key (`<<`) brings: what stands in the map itself comes first.
fn merged(mut pairs: Vec<(Node, Node)>) -> Result<Vec<(Node, Node)>, Wrong> {
    let is_merge = |(key, _): &(Node, Node)| matches!(&key.kind, Kind::Scalar { text, is_plain: true } if text == "<<");
    let Some(index) = pairs.iter().position(is_merge) else { return Ok(pairs) };
    let (_, from) = pairs.remove(index);
    let sources = match from.kind {
        Kind::List(list) => list,
        _ => vec![from],
    };
    let mut known: BTreeSet<String> = pairs.iter().map(|(key, _)| key.text().into()).collect();
    for source in sources {
        let Kind::Map(more) = source.kind else {
            return Err(Wrong::says(source.at, "`<<` takes a map, or a list of maps"));
        };
        pairs.extend(more.into_iter().filter(|(key, _)| known.insert(key.text().into())));
    }
    Ok(pairs)
}

impl Node {
    /// The text of a scalar; nothing of all else.
    pub(super) fn text(&self) -> &str {
        match &self.kind {
            Kind::Scalar { text, .. } => text,
            _ => "",
        }
    }
}
