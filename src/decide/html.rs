//! HTML as a person sees it: the title, the first heading, the visible text, a `meta`, an element by
//! its id. Not a tree but a stream of texts and tags: what no end tag ends, ends with the page.

use super::markup::{Token, attribute, decode, raw, token};

/// What of a page is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The page's title.
    Title,
    /// The first heading of the first rank.
    Heading,
    /// All that is visible.
    Text,
    /// The content of the `meta` of this name, or of this `property`.
    Meta(String),
    /// The text of the element with this id.
    Id(String),
}

/// Elements whose content is text up to their own end.
const RAW: [&str; 8] =
    ["script", "style", "xmp", "iframe", "noembed", "noframes", "textarea", "title"];
/// Elements whose content nobody sees.
const HIDDEN: [&str; 8] =
    ["script", "style", "template", "iframe", "noembed", "noframes", "noscript", "title"];
/// Elements that have no end.
const VOID: [&str; 13] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track",
    "wbr",
];
/// Elements that are never in one of their own: the next one ends them.
const FLAT: [&str; 10] = ["p", "a", "option", "button", "h1", "h2", "h3", "h4", "h5", "h6"];
/// Elements in a line: no white space is between their text and that around them.
const INLINE: [&str; 24] = [
    "a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "em", "font", "i", "kbd", "label",
    "mark", "q", "s", "small", "span", "strong", "sub", "sup", "time", "u", "wbr",
];

impl Place {
    /// The place in words.
    pub(super) fn words(&self) -> String {
        match self {
            Place::Title => "title".into(),
            Place::Heading => "heading".into(),
            Place::Text => "text".into(),
            Place::Meta(name) => format!("meta {name}"),
            Place::Id(id) => format!("id {id}"),
        }
    }
}

/// What stands at a place, white space collapsed; nothing when the place is not there, or has to be
/// visible text and there is none.
pub(super) fn find(page: &str, place: &Place) -> Option<String> {
    let is_text = *place == Place::Text;
    let found = is_text.then(String::new);
    let mut finder = Finder { place, open: None, hidden: None, found };
    let mut rest = page;
    while let Some((token, behind)) = token(rest) {
        rest = behind;
        let is_over = match token {
            Token::Text(text) => finder.text(&decode(text)),
            Token::Start(name, attributes) if RAW.contains(&name.as_str()) => {
                let (inner, behind) = raw(rest, &name);
                rest = behind;
                let is_coded = matches!(name.as_str(), "title" | "textarea");
                let inner = if is_coded { decode(inner) } else { inner.into() };
                finder.whole(&name, attributes, &inner)
            }
            Token::Start(name, attributes) => finder.start(name, attributes),
            Token::End(name) => finder.end(&name),
        };
        if is_over {
            break;
        }
    }
    let found = finder.found?.split_whitespace().collect::<Vec<_>>().join(" ");
    (!is_text || !found.is_empty()).then_some(found)
}

/// Looks for one place while the page goes by. Each step tells whether the place is over.
struct Finder<'a> {
    place: &'a Place,
    /// The element that is the place, and how many of its name are open.
    open: Option<(String, usize)>,
    /// What hides the text, and how many of its name are open.
    hidden: Option<(String, usize)>,
    found: Option<String>,
}

impl Finder<'_> {
    /// Whether the place is an element that begins by this tag.
    fn is_place(&self, name: &str, attributes: &str) -> bool {
        match self.place {
            Place::Title => name == "title",
            Place::Heading => name == "h1",
            Place::Id(id) => attribute(attributes, "id").is_some_and(|own| own == *id),
            Place::Text | Place::Meta(_) => false,
        }
    }

    fn text(&mut self, text: &str) -> bool {
        if let (None, Some(found)) = (&self.hidden, &mut self.found) {
            found.push_str(text);
        }
        false
    }

    /// An element with nothing but text.
    fn whole(&mut self, name: &str, attributes: &str, inner: &str) -> bool {
        if self.found.is_none() && self.is_place(name, attributes) {
            self.found = Some(inner.into());
            return true;
        }
        !HIDDEN.contains(&name) && self.text(&format!(" {inner} "))
    }

    fn start(&mut self, name: String, attributes: &str) -> bool {
        if let (Place::Meta(wanted), "meta") = (self.place, name.as_str()) {
            let is_own =
                |key| attribute(attributes, key).is_some_and(|n| n.eq_ignore_ascii_case(wanted));
            if is_own("name") || is_own("property") {
                self.found = Some(attribute(attributes, "content").unwrap_or_default());
                return true;
            }
        }
        if !INLINE.contains(&name.as_str()) {
            self.text(" ");
        }
        if self.found.is_none() && self.is_place(&name, attributes) {
            self.found = Some(String::new());
            let has_no_end = VOID.contains(&name.as_str());
            self.open = Some((name, 1));
            return has_no_end;
        }
        if let Some((open, depth)) = self.open.as_mut().filter(|(open, _)| *open == name) {
            if FLAT.contains(&open.as_str()) {
                return true;
            }
            *depth += 1;
        }
        match &mut self.hidden {
            Some((hiding, depth)) if *hiding == name => *depth += 1,
            None if HIDDEN.contains(&name.as_str()) => self.hidden = Some((name, 1)),
            _ => {}
        }
        false
    }

    fn end(&mut self, name: &str) -> bool {
        if let Some((_, depth)) = self.hidden.as_mut().filter(|(hiding, _)| hiding == name) {
            *depth -= 1;
            if *depth == 0 {
                self.hidden = None;
            }
        }
        if !INLINE.contains(&name) {
            self.text(" ");
        }
        match self.open.as_mut().filter(|(open, _)| open == name) {
            Some((_, depth)) => {
                *depth -= 1;
                *depth == 0
            }
            None => false,
        }
    }
}

#[cfg(test)]
#[path = "html_tests.rs"]
mod tests;
