//! Every GET of the OpenAPI document, by the document itself: plain, with each of its filters, and
//! deep in its list.

use serde_json::Value;

use crate::scene::Scene;

/// Paths that ask somebody else, or of which there is nothing here.
const LEFT_OUT: &[&str] = &["/v1/numbers/available", "/switchback/v1/upstreams/{upstream}/shadow"];

/// Filters together, as people use them. The status is a rare one.
const TOGETHER: &[(&str, &[(&str, Given)])] = &[
    ("/v1/calls", &[("agent_id", Given::Id), ("status", Given::Word("busy"))]),
    ("/v1/calls", &[("from", Given::Id), ("status", Given::Word("busy"))]),
    ("/v1/calls", &[("direction", Given::Word("inbound")), ("status", Given::Word("busy"))]),
    ("/v1/calls", &[("date_to", Given::Id), ("status", Given::Word("busy"))]),
    ("/v1/calls", &[("agent_id", Given::Id), ("starting_after", Given::Id)]),
    ("/v1/webhook_deliveries", &[("endpoint_id", Given::Id), ("status", Given::Word("exhausted"))]),
    ("/switchback/v1/audit", &[("action", Given::Word("callback.set")), ("since", Given::Id)]),
    ("/switchback/v1/audit", &[("subject", Given::Id), ("since", Given::Id)]),
    ("/api/v1/calls", &[("agent_id", Given::Id), ("status", Given::Word("busy"))]),
];

/// What a query's parameter is.
#[derive(Clone, Copy)]
enum Given {
    /// An id, a date, a number of the store that is asked.
    Id,
    /// The list's last page.
    LastPage,
    /// A whole number; part of one; part of a name.
    WholeNumber,
    PartOfNumber,
    PartOfName,
    Word(&'static str),
}

/// A path and a query, to be filled in for each store.
pub(crate) struct Probe {
    path: String,
    query: Vec<(String, Given)>,
}

impl Probe {
    /// What it is called.
    pub(crate) fn name(&self) -> String {
        let told = |(name, given): &(String, Given)| match given {
            Given::Word(word) => format!("{name}={word}"),
            Given::PartOfNumber => format!("{name}=part of a number"),
            Given::PartOfName => format!("{name}=part of a name"),
            Given::LastPage => format!("{name}=last"),
            Given::Id | Given::WholeNumber => format!("{name}=.."),
        };
        let query: Vec<_> = self.query.iter().map(told).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("GET {}{mark}{}", self.path, query.join("&"))
    }

    /// The target of a request; `None` where a store has nothing to ask for.
    pub(crate) fn target(&self, scene: &Scene, round: usize, last_page: u64) -> Option<String> {
        let mut parts = Vec::new();
        for part in self.path.split('/') {
            let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
            parts.push(match name {
                Some(name) => escaped(scene.in_path(&self.path, name, round)?),
                None => part.to_owned(),
            });
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, given) in &self.query {
            let number = scene.one("contact", round);
            let value = match given {
                Given::Id => scene.in_query(&self.path, name, round)?,
                Given::LastPage => last_page.to_string(),
                Given::WholeNumber => number.to_owned(),
                Given::PartOfNumber => number[4..10].to_owned(),
                Given::PartOfName => "Desk 1".to_owned(),
                Given::Word(word) => (*word).to_owned(),
            };
            query.append_pair(name, &value);
        }
        let query = query.finish();
        let mark = if query.is_empty() { "" } else { "?" };
        Some(format!("{}{mark}{query}", parts.join("/")))
    }

    /// Whether it asks for a list's last page.
    pub(crate) fn wants_last_page(&self) -> bool {
        self.query.iter().any(|(_, given)| matches!(given, Given::LastPage))
    }

    /// The same without the page.
    pub(crate) fn first_page(&self) -> Self {
        let query = self.query.iter().filter(|(_, given)| !matches!(given, Given::LastPage));
        Self { path: self.path.clone(), query: query.cloned().collect() }
    }
}

fn escaped(text: &str) -> String {
    text.replace('+', "%2B")
}

/// Every probe that the document gives.
pub(crate) fn probes(document: &Value) -> Vec<Probe> {
    let mut probes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let operation = &item["get"];
        if operation.is_null() || LEFT_OUT.contains(&path.as_str()) {
            continue;
        }
        let parameters = operation["parameters"].as_array();
        let query: Vec<(&str, &Value)> = parameters
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| (parameter["name"].as_str().unwrap(), parameter))
            .collect();
        let required = query.iter().filter(|(_, parameter)| parameter["required"] == true);
        let required: Vec<_> = required.map(|(name, _)| ((*name).to_owned(), Given::Id)).collect();
        probes.push(Probe { path: path.clone(), query: required.clone() });
        for (name, _) in query.iter().filter(|(_, parameter)| parameter["required"] != true) {
            for given in values(path, name) {
                let mut query = required.clone();
                query.push(((*name).to_owned(), *given));
                probes.push(Probe { path: path.clone(), query });
            }
        }
    }
    for (path, query) in TOGETHER {
        let query = query.iter().map(|(name, given)| ((*name).to_owned(), *given)).collect();
        probes.push(Probe { path: (*path).to_owned(), query });
    }
    probes
}

/// What a parameter is tried with.
fn values(path: &str, name: &str) -> &'static [Given] {
    match name {
        "status" if path.ends_with("/calls") => &[
            Given::Word("completed"),
            Given::Word("failed"),
            Given::Word("busy"),
            Given::Word("canceled"),
        ],
        "status" if path.ends_with("/agents") => &[Given::Word("draft"), Given::Word("published")],
        "status" if path.ends_with("/campaigns") => &[Given::Word("draft"), Given::Word("active")],
        "status" if path.ends_with("_deliveries") => {
            &[Given::Word("delivered"), Given::Word("exhausted"), Given::Word("pending")]
        }
        "direction" => &[Given::Word("inbound"), Given::Word("outbound")],
        "type" if path.starts_with("/v1/") => &[Given::Word("inbound"), Given::Word("outbound")],
        "search" if path.ends_with("/agents") || path.ends_with("/campaigns") => {
            &[Given::PartOfName]
        }
        "search" => &[Given::WholeNumber, Given::PartOfNumber],
        "page" => &[Given::LastPage],
        "limit" | "per_page" | "format" | "at" | "attestation" | "forwarded_from" | "account"
        | "min_rev" => &[],
        _ => &[Given::Id],
    }
}
