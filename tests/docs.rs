//! Holds what people copy from the documents and `deploy/` to what the code reads and counts.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use switchback::config::Config;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README.md and the pages of `docs/`.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![root().join("README.md")];
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "md") {
            pages.push(path);
        }
    }
    pages
}

/// The fenced blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}");
    let mut lines = text.lines();
    let mut found = Vec::new();
    while lines.any(|line| line.trim() == opening) {
        let inside = lines.by_ref().take_while(|line| line.trim() != "```");
        found.push(inside.collect::<Vec<_>>().join("\n"));
    }
    found
}

#[test]
fn settings_in_the_documents_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("switchback.toml");
    let mut read = 0;
    for page in pages() {
        for block in blocks(&fs::read_to_string(&page).unwrap(), "toml") {
            fs::write(&file, &block).unwrap();
            let loaded = Config::load(Some(&file), folder.path(), &|_| None);
            assert!(loaded.is_ok(), "{}: {}\n{block}", page.display(), loaded.unwrap_err());
            read += 1;
        }
    }
    assert!(read > 0, "no block of settings was found");
}

#[test]
fn alerts_are_on_metrics_that_exist() {
    let alerts = fs::read_to_string(root().join("deploy/prometheus-alerts.yml")).unwrap();
    let sources = fs::read_dir(root().join("src/telemetry/metrics")).unwrap();
    let metrics: String =
        sources.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    let mut named = 0;
    for (at, _) in alerts.match_indices("switchback_") {
        let rest = &alerts[at..];
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
        let name = rest[..end].trim_end_matches("_bucket");
        assert!(metrics.contains(&format!("\"{name}\"")), "{name} is no metric");
        named += 1;
    }
    assert!(named > 0, "no metric was found");
}

/// `section.key` in backquotes, where the section is one of the configuration's.
#[test]
fn documents_name_settings_that_exist() {
    let reference = fs::read_to_string(root().join("config/switchback.toml")).unwrap();
    let reference: toml::Table = toml::from_str(&reference).unwrap();
    let mut named = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for word in text.split('`') {
            let Some((section, key)) = word.split_once('.') else { continue };
            let Some(section) = reference.get(section) else { continue };
            let key: String =
                key.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            assert!(section.get(&key).is_some(), "{}: there is no {word}", page.display());
            named += 1;
        }
    }
    assert!(named > 0, "no setting was found");
}

/// Variables that set a key: SWITCHBACK_SECTION__KEY.
#[test]
fn the_container_sets_keys_that_exist() {
    let reference = fs::read_to_string(root().join("config/switchback.toml")).unwrap();
    let reference: toml::Table = toml::from_str(&reference).unwrap();
    let file = fs::read_to_string(root().join("deploy/Dockerfile")).unwrap();
    let words = file.split(|c: char| !c.is_ascii_uppercase() && c != '_');
    let mut set = 0;
    for name in words.filter_map(|word| word.strip_prefix("SWITCHBACK_")) {
        let key = name.to_lowercase();
        let known =
            key.split_once("__").and_then(|(section, key)| reference.get(section)?.get(key));
        assert!(known.is_some(), "SWITCHBACK_{name} sets nothing");
        set += 1;
    }
    assert!(set > 0, "no variable was found");
}
