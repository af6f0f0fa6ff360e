//! What a check found, and what is to be done about it.

use serde_json::json;

use super::super::out;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Well,
    Doubtful,
    Ill,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) health: Health,
    pub(super) detail: String,
    pub(super) remedy: &'static str,
}

impl Finding {
    /// Nothing is to be done.
    pub(super) fn well(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, health: Health::Well, detail: detail.into(), remedy: "" }
    }

    /// It goes, and perhaps not as it is meant to.
    pub(super) fn doubtful(
        check: &'static str,
        detail: impl Into<String>,
        remedy: &'static str,
    ) -> Self {
        Self { check, health: Health::Doubtful, detail: detail.into(), remedy }
    }

    /// It does not go.
    pub(super) fn ill(
        check: &'static str,
        detail: impl Into<String>,
        remedy: &'static str,
    ) -> Self {
        Self { check, health: Health::Ill, detail: detail.into(), remedy }
    }
}

/// Some of many names, for a line.
pub(super) fn some(names: &[String]) -> String {
    let shown = names.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len() {
        0..=5 => shown,
        all => format!("{shown} and {} more", all - 5),
    }
}

/// Prints them.
pub(super) fn report(findings: &[Finding], as_json: bool) {
    let word = |health: Health| match health {
        Health::Well => "ok",
        Health::Doubtful => "warning",
        Health::Ill => "error",
    };
    if as_json {
        let rows = findings.iter().map(|f| {
            json!({
                "check": f.check, "result": word(f.health), "detail": f.detail, "remedy": f.remedy
            })
        });
        out::json(&rows.collect());
        return;
    }
    for finding in findings {
        out::line(&format!("{:<8} {}: {}", word(finding.health), finding.check, finding.detail));
        if !finding.remedy.is_empty() {
            out::line(&format!("         -> {}", finding.remedy));
        }
    }
}
