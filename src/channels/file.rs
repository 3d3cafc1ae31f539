//! A Markdown file for each incident: what there is without any account anywhere.

use std::path::PathBuf;

use super::{Channel, Context, Told};
use crate::decide::incident::{Incident, Recovery};
use crate::decide::incident_text;
use crate::exit::Fault;
use crate::host::files;

/// A file.
#[derive(Debug)]
pub(super) struct File;

impl Channel for File {
    fn name(&self) -> &'static str {
        "file"
    }

    fn tell(&self, incident: &Incident, context: &Context) -> anyhow::Result<Told> {
        let path = path(context, &incident.key);
        let Some(known) = read(&path)? else {
            write(&path, &whole(incident, context))?;
            return Ok(told(&path, false));
        };
        if !has_line(&known, &incident.facts()) {
            write(&path, &format!("{known}\n---\n\n{}", incident_text::changed(incident)))?;
        }
        Ok(told(&path, true))
    }

    fn resolve(&self, recovery: &Recovery, context: &Context) -> anyhow::Result<Told> {
        let path = path(context, &recovery.key);
        let Some(known) = read(&path)? else { return Ok(Told::nothing()) };
        let (text, line) = incident_text::recovered(recovery);
        let was_known = has_line(&known, &line);
        if !was_known {
            write(&path, &format!("{known}\n---\n\n{text}"))?;
        }
        Ok(told(&path, was_known))
    }

    fn preview(&self, incident: &Incident, context: &Context) -> anyhow::Result<String> {
        let path = path(context, &incident.key);
        Ok(format!("{}:\n{}", path.display(), whole(incident, context)))
    }
}

/// The key is letters and digits in the name too, whoever gave it.
fn path(context: &Context, key: &str) -> PathBuf {
    let key: String = key.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    context.folder.join(format!("{key}.md"))
}

fn whole(incident: &Incident, context: &Context) -> String {
    let title = crate::report::markdown::escape(&incident.title());
    let body = incident_text::body(incident, &context.wording);
    format!("# {title}\n\n{body}")
}

fn has_line(text: &str, line: &str) -> bool {
    text.lines().any(|found| found.trim() == line)
}

fn read(path: &PathBuf) -> anyhow::Result<Option<String>> {
    if !files::exists(path) {
        return Ok(None);
    }
    let text = files::read_text(path).map_err(|error| {
        Fault::error(format!("cannot read the incident {}: {error}", path.display()))
    })?;
    Ok(Some(text))
}

fn write(path: &PathBuf, text: &str) -> anyhow::Result<()> {
    files::replace(path, text.as_bytes()).map_err(|error| {
        Fault::error(format!("cannot write the incident {}: {error}", path.display())).into()
    })
}

fn told(path: &std::path::Path, was_known: bool) -> Told {
    let location = path.display().to_string();
    Told { location, number: None, was_known, note: None }
}
