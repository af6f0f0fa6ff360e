//! What the URL of a step says of its call: where it stands on the ladder, and for carriers whose
//! later events do not name them, the parties.

use crate::carriers::Endpoint;
use crate::domain::{Ani, E164, InboundCall};

/// The step that a URL of ours stands for.
pub(super) fn of(url: &str) -> Option<(Endpoint, &str)> {
    let from = url.find("/carriers/")?;
    let target = url.get(from..)?;
    let path = target.split('?').next()?;
    let (_, endpoint) = path.rsplit_once('/')?;
    Some((Endpoint::named(endpoint)?, target))
}

/// Appends the parties to a URL that has a query.
pub(super) fn write_parties(url: &mut String, call: &InboundCall) {
    let digits = |number: E164| number.as_u64().to_string();
    let caller = match call.ani {
        Ani::Number(number) => digits(number),
        Ani::Withheld => "withheld".to_owned(),
        Ani::Unusable => String::new(),
    };
    let mut put = |name: &str, value: &str| {
        if !value.is_empty() {
            url.push('&');
            url.push_str(name);
            url.push('=');
            url.push_str(value);
        }
    };
    put("to", &call.dnis.map(digits).unwrap_or_default());
    put("from", &caller);
    put("via", &call.forwarded_from.map(digits).unwrap_or_default());
    put("attested", call.attestation.as_str());
}

/// A parameter of a target's query, as it stands there.
pub(super) fn parameter<'t>(target: &'t str, name: &str) -> Option<&'t str> {
    let (_, query) = target.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// Which place of the ladder a step is about.
pub(super) fn attempt(target: &str) -> usize {
    parameter(target, "attempt").and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// The parties that a step's URL has; what it has not is as the request says.
pub(super) fn parties(url: &str, told: InboundCall) -> InboundCall {
    let value = |name: &str| parameter(url, name);
    let number = |name: &str| value(name).and_then(E164::from_digits);
    let ani = match value("from") {
        Some("withheld") => Some(Ani::Withheld),
        Some(_) => number("from").map(Ani::Number),
        None => None,
    };
    InboundCall {
        account: told.account,
        dnis: told.dnis.or(number("to")),
        ani: match told.ani {
            Ani::Unusable => ani.unwrap_or(Ani::Unusable),
            Ani::Number(_) | Ani::Withheld => told.ani,
        },
        forwarded_from: told.forwarded_from.or(number("via")),
        attestation: match value("attested").and_then(|word| word.parse().ok()) {
            Some(attested) => told.attestation.max(attested),
            None => told.attestation,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AccountId, Attestation};

    fn call(ani: Ani, dnis: Option<E164>, attestation: Attestation) -> InboundCall {
        let account = Some(AccountId::of_name("main"));
        InboundCall { account, dnis, ani, forwarded_from: None, attestation }
    }

    #[test]
    fn who_calls_whom_comes_back() {
        let (ours, theirs) = (E164::parse("+12125550142"), E164::parse("+14155550117").unwrap());
        for ani in [Ani::Number(theirs), Ani::Withheld, Ani::Unusable] {
            let told = call(ani, ours, Attestation::A);
            let mut url = "https://edge.example.com/carriers/main/resume?call=1".to_owned();
            write_parties(&mut url, &told);
            let nothing = call(Ani::Unusable, None, Attestation::None);
            assert_eq!(parties(&url, nothing), told, "{url}");
            // What the request says itself goes first.
            let itself = call(Ani::Withheld, E164::parse("+12125550143"), Attestation::B);
            let both = InboundCall { attestation: Attestation::A, ..itself };
            assert_eq!(parties(&url, itself), both);
        }
        let bare = call(Ani::Unusable, None, Attestation::None);
        assert_eq!(parties("/carriers/main/resume", bare), bare);
    }
}
