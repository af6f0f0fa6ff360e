//! What operations are called, and the groups that they are shown in.

use std::collections::BTreeSet;

use utoipa::openapi::{
    Tag,
    path::{Operation, Paths},
};

use super::operations;
use crate::control::guard::Dialect;

/// What a group is about, by the word its handlers are tagged with.
const ABOUT: &[(&str, &str)] = &[
    ("agents", "Whoever answers or calls."),
    ("callbacks", "Who answers when somebody calls back, and for whom."),
    ("calls", "Calls in both directions, those in progress included."),
    ("campaigns", "What is called for, as it was described, and its calls."),
    ("carrier-accounts", "Accounts at carriers. Their secrets come in and never go out."),
    ("configuration", "Everything a tenant has configured, as one document; its history."),
    ("contacts", "People who were called, and what is remembered of them."),
    ("installation", "What a daemon says of itself."),
    ("keys", "Who may do what."),
    ("numbers", "Numbers, and which agents they belong to."),
    ("routing", "What would become of a call, and why."),
    ("settings", "What holds for a whole tenant."),
    ("tenants", "Owners of agents, numbers and calls: the operator's."),
    ("touches", "Outbound calls, remembered so that their return finds its agent."),
    ("webhooks", "Who is told what happens to calls, and what became of telling them."),
];

/// Gives an operation its id, its headline and its group. The surface is part of id and group, as
/// the same word means something else in another one.
pub(super) fn name(dialect: Dialect, path: &str, operation: &mut Operation) {
    let surface = dialect.as_str();
    let verb = operation.operation_id.take().unwrap_or_default();
    operation.operation_id = Some(id(surface, path, &verb));
    if operation.summary.is_none() {
        let first = operation.description.iter().flat_map(|text| text.split_inclusive(". ")).next();
        operation.summary = first.map(|first| first.trim_end().to_owned());
    }
    let tag = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
    operation.tags = Some(vec![format!("{surface}: {tag}")]);
}

/// The surface, the words of the path, and what is done there, unless the path ends by saying so.
fn id(surface: &str, path: &str, verb: &str) -> String {
    let words = path.split('/').filter(|word| !word.is_empty() && !word.starts_with('{'));
    let mut parts: Vec<_> = std::iter::once(surface).chain(words).map(snake).collect();
    let bare = |word: &str| word.replace('_', "");
    if parts.last().is_none_or(|last| bare(last) != bare(verb)) {
        parts.push(verb.to_owned());
    }
    parts.join("_")
}

fn snake(word: &str) -> String {
    word.replace('-', "_")
}

/// The groups that there are, with what they are about.
pub(super) fn told(paths: &mut Paths) -> Vec<Tag> {
    let operations = paths.paths.values_mut().flat_map(operations);
    let used: BTreeSet<String> =
        operations.flat_map(|(_, operation)| operation.tags.iter().flatten().cloned()).collect();
    let tag = |name: String| {
        let word = name.split_once(": ").map_or("", |(_, word)| word);
        let about = ABOUT.iter().find(|(known, _)| *known == word);
        let mut tag = Tag::new(&name);
        tag.description = about.map(|(_, about)| (*about).to_owned());
        tag
    };
    used.into_iter().map(tag).collect()
}
