//! `each`: one check for several paths, as a check for each of them.

use super::CheckSpec;
use super::values::NonEmpty;

impl CheckSpec {
    /// The checks that it stands for: itself, or one for each path of `each`, which is put behind its
    /// `url`, or is its `path`. What is contradictory is left as it is, and refused where it is built.
    pub fn expanded(&self) -> Vec<Self> {
        let fits = |paths: &&NonEmpty<String>| {
            let is_base = |url: &String| !url.contains(['?', '#']);
            self.path.is_none()
                && self.url.as_ref().is_none_or(is_base)
                && paths.0.iter().all(|path| path.starts_with('/'))
        };
        let Some(paths) = self.each.as_ref().filter(fits) else {
            return vec![self.clone()];
        };
        let one = |path: &String| {
            let url = self.url.as_ref().map(|url| format!("{}{path}", url.trim_end_matches('/')));
            Self {
                name: Some(match &self.name {
                    Some(name) => format!("{name}: {path}"),
                    None => url.clone().unwrap_or_else(|| path.clone()),
                }),
                path: url.is_none().then(|| path.clone()),
                url,
                each: None,
                ..self.clone()
            }
        };
        paths.0.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p6_each_path_is_a_check_of_its_own() {
        let each = |path: Option<&str>, url: Option<&str>, name: Option<&str>| CheckSpec {
            each: Some(NonEmpty(vec!["/a".into(), "/b?c".into()])),
            path: path.map(str::to_owned),
            url: url.map(str::to_owned),
            name: name.map(str::to_owned),
            ..CheckSpec::default()
        };
        let told = |spec: CheckSpec| -> Vec<[Option<String>; 3]> {
            spec.expanded().into_iter().map(|one| [one.name, one.path, one.url]).collect()
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            told(each(None, None, None)),
            [[some("/a"), some("/a"), None], [some("/b?c"), some("/b?c"), None]]
        );
        assert_eq!(
            told(each(None, Some("https://x/"), Some("pages")))[1],
            [some("pages: /b?c"), None, some("https://x/b?c")]
        );
        // The builder says what is wrong with it.
        assert_eq!(each(Some("/c"), None, None).expanded().len(), 1);
        assert_eq!(each(None, Some("https://x/?c=1"), None).expanded().len(), 1);
    }
}
