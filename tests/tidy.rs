//! Holds the tree to its own rules: who may import whom, how files begin, how long they may be.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A layer and the layers it may name. `src/lib.rs` explains why.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("index", &["domain"]),
    ("dialects", &["domain"]),
    ("media", &["domain"]),
    ("carriers", &["domain", "media"]),
    ("replica", &["domain", "index"]),
    ("routing", &["domain", "index"]),
    ("telemetry", &["domain"]),
    ("calls", &["domain", "media", "telemetry"]),
    ("store", &["domain", "replica", "telemetry"]),
    (
        "sync",
        &["domain", "index", "replica", "carriers", "dialects", "calls", "store", "telemetry"],
    ),
    ("outbox", &["domain", "dialects", "calls", "store", "telemetry"]),
    ("dispatch", &["domain", "replica", "carriers", "dialects", "calls", "store", "telemetry"]),
    ("runtime", &["domain", "dialects", "media", "telemetry"]),
    ("edge", &["domain", "index", "routing", "carriers", "media", "calls", "runtime", "telemetry"]),
    (
        "control",
        &[
            "domain",
            "index",
            "routing",
            "carriers",
            "dialects",
            "calls",
            "store",
            "sync",
            "outbox",
            "dispatch",
            "telemetry",
        ],
    ),
    ("simulator", &["domain", "carriers", "dialects", "media", "telemetry"]),
];

/// What wires the layers together; nothing else names these.
const WIRING: &[&str] = &["config", "app", "cli", "main", "lib"];

/// The files every carrier's room has, beside its door.
const ROOM: &[&str] = &["webhook.rs", "signature.rs", "answer.rs", "media.rs", "commands.rs"];

/// Lines of a file before its tests.
const LINES_MAX: usize = 500;

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// The layers that a line names: after `crate::`, also in braces.
fn named(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let word = |text: &str| -> String {
        text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let Some(inner) = rest.strip_prefix('{') else {
            found.push(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut fresh = true;
        for (i, c) in inner.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => fresh = true,
                c if depth == 0 && fresh && c.is_ascii_alphabetic() => {
                    found.push(word(&inner[i..]));
                    fresh = false;
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn layers_name_only_what_they_may() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&root).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let layer = first.trim_end_matches(".rs");
        if WIRING.contains(&layer) {
            continue;
        }
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == layer) else {
            wrong.push(format!("{}: {layer} is no layer", inside.display()));
            continue;
        };
        let text = fs::read_to_string(&file).unwrap();
        for name in named(&text) {
            let is_layer = MAY_IMPORT.iter().any(|(layer, _)| *layer == name)
                || WIRING.contains(&name.as_str());
            if is_layer && name != layer && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{}: {layer} may not name {name}", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_say_their_job_and_stay_short() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches"] {
        sources(&root.join(folder), &mut files);
    }
    let mut wrong = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let shown = file.strip_prefix(root).unwrap().display().to_string();
        let is_tests = file.file_name().is_some_and(|name| name == "tests.rs");
        if !text.starts_with("//!") && !is_tests {
            wrong.push(format!("{shown}: does not begin by saying its job (//!)"));
        }
        let before_tests = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let lines = before_tests.lines().count();
        if lines > LINES_MAX && !is_tests && !shown.starts_with("tests") {
            wrong.push(format!("{shown}: {lines} lines before its tests"));
        }
        for (number, line) in text.lines().enumerate() {
            // Code is rustfmt's to break; a table's row cannot be broken.
            let is_prose = line.trim_start().starts_with("//") && !line.contains('|');
            if is_prose && line.chars().count() > 100 {
                wrong.push(format!("{shown}:{}: longer than 100", number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_room_has_the_same_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/carriers");
    for entry in fs::read_dir(root).unwrap() {
        let room = entry.unwrap().path();
        if !room.is_dir() || room.ends_with("shared") {
            continue;
        }
        for file in ROOM {
            assert!(room.join(file).is_file(), "{} lacks {file}", room.display());
        }
        let mut files = Vec::new();
        sources(&room, &mut files);
        let name = room.file_name().unwrap().to_str().unwrap().to_owned();
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            for other in
                text.match_indices("carriers::").map(|(at, found)| &text[at + found.len()..])
            {
                let other: String =
                    other.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                let is_room = Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join("src/carriers")
                    .join(&other)
                    .join("signature.rs")
                    .is_file();
                assert!(!is_room || other == name, "{} names {other}", file.display());
            }
        }
    }
}

#[test]
fn the_import_scanner_sees_every_form() {
    assert_eq!(named("use crate::index::View;"), ["index"]);
    assert_eq!(
        named("use crate::{domain::{A, B}, index, routing::decide};"),
        ["domain", "index", "routing"]
    );
    assert_eq!(named("fn f() -> crate::store::Store"), ["store"], "paths in code count as well");
}
