//! Carriers: does the account open its API, is its clock ours, and are the numbers still here that
//! were pointed here?

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    daemon::clock_finding,
    finding::{Finding, some},
};
use crate::{
    carriers,
    cli::client::{Client, segment, text},
    dialects::rfc3339,
    domain::{Account, AccountOrigin, CarrierId},
    telemetry::clock,
};

/// Asks about one account.
pub(super) fn look(client: &Client<'_>, account: &Value, findings: &mut Vec<Finding>) {
    let name = text(account, "name");
    let base = format!("/switchback/v1/carrier-accounts/{}", segment(name));
    let asked = match client.answer_to(Method::GET, &format!("{base}/numbers"), None) {
        // Its numbers cannot be asked for; the calls of today can, perhaps.
        Ok((422, _)) => {
            let body = json!({ "since": rfc3339(clock::now()), "dry_run": true });
            client.answer_to(Method::POST, &format!("{base}/import-calls"), Some(&body))
        }
        other => other,
    };
    let kind = text(account, "kind");
    match asked {
        Ok((200, _)) => {
            findings
                .push(Finding::well("carrier", format!("{name}: {kind} takes its credentials")));
            check_numbers(client, &base, name, findings);
        }
        Ok((_, answer)) => findings.push(refused(name, kind, &answer)),
        Err(error) => findings.push(Finding::doubtful("carrier", format!("{name}: {error}"), "")),
    }
    let answered = api_url(account).and_then(|url| client.probe(&url).ok());
    if let Some(date) = answered.as_ref().and_then(date) {
        findings.push(clock_finding("clock", &format!("{kind}'s"), date));
    }
}

fn refused(name: &str, kind: &str, answer: &Value) -> Finding {
    let said = text(answer, "error");
    let detail = format!("{name}: {kind}: {said}");
    match text(answer, "code") {
        "credentials" => Finding::ill(
            "carrier",
            detail,
            "correct the account's id, secret or API key: calls cannot be placed, and where the \
             same secret signs webhooks, none is believed",
        ),
        "carrier_unreachable" => Finding::ill(
            "carrier",
            detail,
            "see that the daemon's machine reaches the carrier's API (name service, firewall, proxy)",
        ),
        _ if said.contains("no such request") => {
            Finding::well("carrier", format!("{name}: {kind} has nothing that could be asked"))
        }
        _ => Finding::doubtful("carrier", detail, "the carrier's own words say what it wants"),
    }
}

/// Numbers that were changed behind our back.
fn check_numbers(client: &Client<'_>, base: &str, name: &str, findings: &mut Vec<Finding>) {
    let checked =
        client.answer_to(Method::POST, &format!("{base}/numbers/check"), Some(&json!({})));
    let Ok((200, checked)) = checked else { return };
    let rows = checked.get("numbers").and_then(Value::as_array);
    let of = |states: &[&str]| -> Vec<String> {
        let those = rows.into_iter().flatten().filter(|row| states.contains(&text(row, "state")));
        those.map(|row| text(row, "e164").to_owned()).collect()
    };
    let amiss = of(&["unconfirmed", "changed", "outdated", "gone"]);
    if !amiss.is_empty() {
        findings.push(Finding::ill(
            "numbers",
            format!("{name}: {} are not as they were pointed", some(&amiss)),
            "`switchback numbers check` says what changed; `point` them again, or `unpoint` them",
        ));
    }
    let elsewhere = of(&["elsewhere"]);
    if !elsewhere.is_empty() {
        findings.push(Finding::doubtful(
            "numbers",
            format!("{name}: calls to {} do not come here", some(&elsewhere)),
            "`switchback numbers list` says who answers them; `numbers point` points them here",
        ));
    }
    if amiss.is_empty() && elsewhere.is_empty() {
        let said = match of(&["unknown"]).is_empty() {
            true => "every number here is answered here",
            false => "the account has every number here; who answers is not told there",
        };
        findings.push(Finding::well("numbers", format!("{name}: {said}")));
    }
}

/// Where the account's API is.
fn api_url(account: &Value) -> Option<String> {
    if let Some(url) = account.get("api_url").and_then(Value::as_str) {
        return Some(url.to_owned());
    }
    let kind: CarrierId = text(account, "kind").parse().ok()?;
    let mut plain = Account::named(text(account, "name").to_owned(), kind, AccountOrigin::Api);
    plain.application_id = text(account, "application_id").to_owned();
    Some(carriers::room(kind).api_url(&plain).into_owned())
}

/// What time an answer says it is, in seconds since 1970.
fn date(response: &reqwest::Response) -> Option<i64> {
    let date = response.headers().get("date")?.to_str().ok()?;
    Some(jiff::fmt::rfc2822::parse(date).ok()?.timestamp().as_second())
}
