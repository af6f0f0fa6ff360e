//! The daemon as it says itself that it is: clock, URLs, agents, what is kept and what is mirrored.

use std::net::IpAddr;

use reqwest::Method;
use serde_json::Value;

use super::finding::{Finding, Health};
use crate::{
    cli::client::{Client, list, text},
    domain::UnixMillis,
    telemetry::clock,
};

/// Past this, tokens that live a minute and carriers' time windows begin to suffer.
const CLOCK_OFF_SECONDS_MAX: i64 = 5;
/// What is too old is deleted daily; past this it was not.
const PURGED_SECONDS_MAX: i64 = 2 * 24 * 3600;

/// What the daemon says of itself.
pub(super) fn examine(client: &Client<'_>, status: &Value, findings: &mut Vec<Finding>) {
    let version = text(status, "version");
    findings.push(Finding::well("daemon", format!("version {version} answers")));
    let theirs = status.get("now").and_then(Value::as_i64).unwrap_or(0);
    findings.push(clock_finding("clock", "the daemon's", theirs));
    let public_url = text(status, "public_url");
    let media_url = text(status, "media_url");
    findings.push(usable_url("public_url", public_url, "https://"));
    findings.push(usable_url("media_url", media_url, "wss://"));
    let silent = status.get("agents_without_target").and_then(Value::as_u64).unwrap_or(0);
    if silent > 0 {
        findings.push(Finding {
            check: "agents",
            health: Health::Doubtful,
            detail: format!("{silent} live agents have no target and are passed over"),
            remedy: "give them `targets`, or set runtime.default_target",
        });
    }
    look_at_upstreams(client, findings);
    if let Ok(kept) = client.ask(Method::GET, "/switchback/v1/retention", &[], None) {
        findings.push(retention(&kept, clock::now()));
    }
    // An operator's key opens no tenant, and so no coverage.
    if let Ok(uncovered) = client.ask(Method::GET, "/switchback/v1/coverage", &[], None) {
        findings.push(coverage(&uncovered));
    }
}

/// Whether people who ring back a number that they were shown reach who knows why.
fn coverage(uncovered: &Value) -> Finding {
    let rows = list(uncovered);
    if rows.is_empty() {
        return Finding::well("coverage", "every caller ID of a source agent is owned".to_owned());
    }
    let more = uncovered.get("has_more") == Some(&Value::Bool(true));
    let numbers: Vec<_> = rows.iter().map(|row| text(row, "caller_id")).take(5).collect();
    let rest = if more || rows.len() > numbers.len() { ", ..." } else { "" };
    Finding {
        check: "coverage",
        health: Health::Doubtful,
        detail: format!(
            "return calls to {}{rest} do not reach a callback agent",
            numbers.join(", ")
        ),
        remedy: "attach them to the callback agent of who shows them; \
                 GET /switchback/v1/coverage lists all",
    }
}

/// How the hosted control APIs stand that are mirrored or shadowed.
fn look_at_upstreams(client: &Client<'_>, findings: &mut Vec<Finding>) {
    let Ok(answer) = client.ask(Method::GET, "/switchback/v1/upstreams", &[], None) else {
        return;
    };
    for upstream in answer.get("data").and_then(Value::as_array).into_iter().flatten() {
        let (name, mode) = (text(upstream, "name"), text(upstream, "mode"));
        let lag = upstream.get("lag_seconds").and_then(Value::as_u64);
        let pulled = match lag {
            Some(seconds) => format!("{name} ({mode}) was pulled whole {seconds} s ago"),
            None => format!("{name} ({mode}) has not been pulled whole yet"),
        };
        findings.push(match upstream.get("last_error").and_then(Value::as_str) {
            None => Finding::well("upstream", pulled),
            Some(error) => Finding {
                check: "upstream",
                health: Health::Doubtful,
                detail: format!("{pulled}: {error}"),
                remedy: "calls go on by what is mirrored; check its key, its URL and its health",
            },
        });
        let silent = upstream.get("agents_without_target").and_then(Value::as_u64).unwrap_or(0);
        if silent > 0 {
            findings.push(Finding {
                check: "upstream",
                health: Health::Doubtful,
                detail: format!("{silent} live agents of {name} have no target here"),
                remedy: "their runtimes are yours to name: give each of them `targets`",
            });
        }
    }
}

/// Whether what is too old is deleted.
fn retention(kept: &Value, now: UnixMillis) -> Finding {
    let last = text(kept, "last_run_at");
    let at = last.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_second);
    let since = i64::try_from(now.seconds().0).unwrap_or(i64::MAX).saturating_sub(at);
    if since > PURGED_SECONDS_MAX {
        return Finding {
            check: "retention",
            health: Health::Doubtful,
            detail: "what is too old has not been deleted for two days".to_owned(),
            remedy: "the daemon's log says why \"old rows could not be forgotten\"",
        };
    }
    let kinds = kept.get("kinds").and_then(Value::as_array).into_iter().flatten();
    let number = |kind: &Value, key: &str| kind.get(key).and_then(Value::as_u64).unwrap_or(0);
    let shown: Vec<_> = kinds
        .filter(|kind| ["touches", "calls", "transcripts"].contains(&text(kind, "kind")))
        .map(|kind| {
            let (days, count) = (number(kind, "keep_days"), number(kind, "purged_last_run"));
            format!("{} {days} days ({count} purged)", text(kind, "kind"))
        })
        .collect();
    Finding::well("retention", format!("kept: {}; last run {last}", shown.join(", ")))
}

/// How far a clock is from ours.
pub(super) fn clock_finding(check: &'static str, whose: &str, theirs: i64) -> Finding {
    let ours = i64::try_from(clock::now().seconds().0).unwrap_or(i64::MAX);
    let off = theirs - ours;
    if off.abs() <= CLOCK_OFF_SECONDS_MAX {
        return Finding::well(check, format!("within {CLOCK_OFF_SECONDS_MAX} s of {whose}"));
    }
    Finding {
        check,
        health: Health::Ill,
        detail: format!("{off} s away from {whose}"),
        remedy: "run a time service (chrony, systemd-timesyncd) on both machines",
    }
}

/// Whether a carrier can use the URL at all.
fn usable_url(check: &'static str, url: &str, scheme: &str) -> Finding {
    let Some(rest) = url.strip_prefix(scheme) else {
        return Finding {
            check,
            health: Health::Doubtful,
            detail: format!("{url} does not begin with {scheme}: carriers will not use it"),
            remedy: "set edge.tls, or put a proxy with TLS before the edge or a tunnel on a laptop, and set its URL",
        };
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let bare = host.rsplit_once(':').filter(|(host, _)| !host.ends_with(':'));
    let bare = bare.map_or(host, |(host, _)| host).trim_matches(['[', ']']);
    let private = match bare.parse::<IpAddr>() {
        Ok(IpAddr::V4(v4)) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        Ok(IpAddr::V6(v6)) => v6.is_loopback() || v6.is_unique_local(),
        Err(_) => bare == "localhost" || bare.ends_with(".local") || bare.ends_with(".internal"),
    };
    if private {
        return Finding {
            check,
            health: Health::Doubtful,
            detail: format!("{url} is not on the internet: carriers cannot reach it"),
            remedy: "set the name that carriers can resolve",
        };
    }
    Finding::well(check, format!("{url} is one that carriers can use"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(url: &str, health: Health) {
        assert_eq!(usable_url("public_url", url, "https://").health, health, "{url}");
    }

    #[test]
    fn old_things_that_stay_are_doubtful() {
        let now = UnixMillis(1_700_000_000_000);
        let kinds = json!([{ "kind": "calls", "keep_days": 400, "purged_last_run": 7 }]);
        for (last, health) in [
            (json!("2023-11-14T12:00:00Z"), Health::Well),
            (json!("2023-11-12T12:00:00Z"), Health::Doubtful),
            (Value::Null, Health::Doubtful),
        ] {
            let found = retention(&json!({ "last_run_at": last, "kinds": kinds }), now);
            assert_eq!(found.health, health, "{last}");
            let is_shown = found.detail.contains("calls 400 days (7 purged)");
            assert_eq!(is_shown, health == Health::Well, "{}", found.detail);
        }
    }

    #[test]
    fn a_carrier_can_use_only_public_https() {
        check("https://edge.example.com", Health::Well);
        check("https://edge.example.com:8443/sb", Health::Well);
        check("https://hook:pw@edge.example.com", Health::Well);
        check("http://edge.example.com", Health::Doubtful);
        check("https://localhost", Health::Doubtful);
        check("https://127.0.0.1:8080", Health::Doubtful);
        check("https://10.1.2.3", Health::Doubtful);
        check("https://[::1]:8443", Health::Doubtful);
        check("https://203.0.113.5", Health::Well);
    }
}
