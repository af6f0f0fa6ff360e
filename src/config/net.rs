//! Values with a shape of their own: URLs, spans of days, secrets.

use std::{fs, path::Path, time::Duration};

use super::{ConfigError, Env, raw::RawSecret};
use crate::domain::Secret;

/// Reads a base URL and drops its trailing slashes: paths are appended to it as the carrier sends
/// them.
pub(super) fn base_url(key: &str, text: &str, schemes: &[&str]) -> Result<String, ConfigError> {
    let known = schemes.join(":// or ");
    let refuse = |problem: String| Err(ConfigError::value(key, text, problem));
    let Some((scheme, rest)) = text.split_once("://") else {
        return refuse(format!("does not begin with {known}://"));
    };
    if !schemes.contains(&scheme) {
        return refuse(format!("does not begin with {known}://"));
    }
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() || rest.contains(['?', '#']) || rest.contains(char::is_whitespace) {
        return refuse("has no host, or a query, a fragment or blanks".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// A hundred years: past that somebody has mistaken the unit.
const DAYS_MAX: u32 = 36_500;

/// Reads `400d`.
pub(super) fn days(key: &str, text: &str) -> Result<u32, ConfigError> {
    let days = text.strip_suffix('d').and_then(|n| n.parse().ok());
    match days.filter(|n| (1..=DAYS_MAX).contains(n)) {
        Some(days) => Ok(days),
        None => Err(ConfigError::value(key, text, format!("is no span from 1d to {DAYS_MAX}d"))),
    }
}

/// The shortest span between two questions to somebody else's service.
const SPAN_MIN: Duration = Duration::from_secs(1);
/// A day: past that somebody has mistaken the unit.
const SPAN_MAX: Duration = Duration::from_secs(24 * 3600);

/// Reads `30s`, `5m` or `1h`.
pub(super) fn span(key: &str, text: &str) -> Result<Duration, ConfigError> {
    let units = [('s', 1), ('m', 60), ('h', 3600)];
    let read = units.iter().find_map(|(unit, seconds)| {
        let count: u64 = text.strip_suffix(*unit)?.parse().ok()?;
        Some(Duration::from_secs(count.saturating_mul(*seconds)))
    });
    match read.filter(|span| (SPAN_MIN..=SPAN_MAX).contains(span)) {
        Some(span) => Ok(span),
        None => Err(ConfigError::value(key, text, "is no span from 1s to 24h, such as 30s or 5m")),
    }
}

/// Fetches a secret from where it is said to be.
pub(super) fn secret(
    key: &str,
    raw: &RawSecret,
    data_dir: &Path,
    env: Env<'_>,
) -> Result<Secret, ConfigError> {
    let refuse = |problem: String| Err(ConfigError::Secret { key: key.to_owned(), problem });
    let text = match raw {
        RawSecret::Text(text) => text.clone(),
        RawSecret::File { file } => match fs::read_to_string(data_dir.join(file)) {
            Ok(text) => text.trim().to_owned(),
            Err(error) => return refuse(format!("cannot read {file}: {error}")),
        },
        RawSecret::Env { env: name } => match env(name) {
            Some(text) => text,
            None => return refuse(format!("the environment has no {name}")),
        },
    };
    if text.is_empty() { refuse("is empty".to_owned()) } else { Ok(Secret::new(text)) }
}
