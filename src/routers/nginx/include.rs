//! The file that nginx includes: an upstream for each component of one slot.

use std::collections::BTreeMap;

use crate::decide::naming::Name;
use crate::decide::plan::Slot;

/// How the first line begins.
const MARK: &str = "# waveoff: slot ";
/// Connections to the service that a worker keeps open when idle.
const KEEPALIVE: u32 = 32;

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Include {
    /// The slot.
    pub(super) slot: String,
    /// The port behind each upstream.
    pub(super) upstreams: BTreeMap<String, u16>,
}

impl Include {
    /// For a slot: one upstream of this name, or one for each component.
    pub(super) fn of(slot: &Slot, upstream: &Name) -> Self {
        let name = |component: &String| match slot.ports.len() {
            1 => upstream.to_string(),
            _ => format!("{upstream}-{component}"),
        };
        let upstreams = slot.ports.iter().map(|(component, port)| (name(component), *port));
        Self { slot: slot.name.clone(), upstreams: upstreams.collect() }
    }

    /// The text of the file.
    pub(super) fn render(&self) -> String {
        let head = format!("{MARK}{}; written at each switch, edits are lost\n", self.slot);
        let upstreams = self.upstreams.iter().map(|(name, port)| {
            format!(
                "upstream {name} {{\n    server 127.0.0.1:{port};\n    keepalive {KEEPALIVE};\n}}\n"
            )
        });
        std::iter::once(head).chain(upstreams).collect()
    }

    /// Reads what [`render`](Include::render) wrote; anything else is nothing.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let slot = text.lines().next()?.strip_prefix(MARK)?.split_once(';')?.0.to_owned();
        let mut upstreams = BTreeMap::new();
        let mut lines = text.lines().skip(1);
        while let Some(line) = lines.next() {
            let name = line.strip_prefix("upstream ")?.strip_suffix(" {")?;
            let server = lines.next()?.trim().strip_prefix("server 127.0.0.1:")?;
            let port = server.strip_suffix(';')?.parse().ok()?;
            let keepalive = lines.next()?.trim().strip_prefix("keepalive ")?;
            keepalive.strip_suffix(';')?.parse::<u32>().ok()?;
            if lines.next()? != "}" || upstreams.insert(name.to_owned(), port).is_some() {
                return None;
            }
        }
        (!upstreams.is_empty()).then_some(Self { slot, upstreams })
    }

    /// Its upstreams on one line.
    pub(super) fn show(&self) -> String {
        let all = self.upstreams.iter();
        let all = all.map(|(name, port)| format!("upstream {name} is 127.0.0.1:{port}"));
        all.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slot(ports: &[(&str, u16)]) -> Slot {
        let ports = ports.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect();
        Slot { name: "green".into(), ports }
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn d12_one_component_is_the_upstream_itself() {
        let text = Include::of(&slot(&[("web", 8082)]), &name("shop")).render();
        assert_eq!(
            text,
            "# waveoff: slot green; written at each switch, edits are lost\n\
             upstream shop {\n    server 127.0.0.1:8082;\n    keepalive 32;\n}\n"
        );
    }

    #[test]
    fn d12_of_several_components_each_has_its_own_upstream() {
        let include = Include::of(&slot(&[("api", 9001), ("web", 9002)]), &name("shop"));
        assert_eq!(
            include.show(),
            "upstream shop-api is 127.0.0.1:9001, upstream shop-web is 127.0.0.1:9002"
        );
    }

    #[test]
    fn d12_what_was_not_written_by_us_is_not_read() {
        let ours = Include::of(&slot(&[("web", 8082)]), &name("shop")).render();
        let wrong = [
            String::new(),
            "upstream shop { server 127.0.0.1:8082; }\n".into(),
            ours.replace("# waveoff", "# somebody"),
            ours.replace("127.0.0.1", "10.0.0.1"),
            ours.replace("8082", "80820"),
            ours.replace("    keepalive", "    server 127.0.0.1:1;\n    keepalive"),
            format!("{ours}server {{ listen 80; }}\n"),
            ours.replace("\n}\n", "\n"),
            ours.lines().next().unwrap().to_owned(),
            format!("{ours}{}", ours.split_once('\n').unwrap().1),
        ];
        for text in wrong {
            assert_eq!(Include::parse(&text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn d12_what_is_rendered_is_read_as_it_was(
            slot in "[A-Za-z0-9][A-Za-z0-9._-]{0,20}",
            upstreams in proptest::collection::btree_map(
                "[A-Za-z0-9][A-Za-z0-9._-]{0,20}", any::<u16>(), 1..5
            ),
        ) {
            let include = Include { slot, upstreams };
            prop_assert_eq!(Include::parse(&include.render()), Some(include));
        }

        #[test]
        fn d12_no_text_makes_the_reader_stumble(text in "\\PC*") {
            let _ = Include::parse(&text);
            let _ = Include::parse(&format!("{MARK}a; x\n{text}"));
        }
    }
}
