//! Says why a request's signature does not verify: what Twilio signs, taken apart.

mod candidate;
mod readings;

use self::{candidate::Candidate, readings::RULES};
use super::{media, signature};
use crate::{
    carriers::{
        Refused, Request,
        shared::{
            diagnosis::{self, Diagnosis, Evidence},
            request::RawRequest,
        },
    },
    domain::Account,
};

/// Says whether a request verifies under one of the public URLs Twilio may have been given, and if
/// not, which reading would.
#[must_use]
pub fn diagnose(request: &RawRequest, urls: &[&str], account: &Account) -> Diagnosis {
    let evidence = Evidence { request, account };
    let verify = |url: &str| verify(url, request, account);
    let candidate =
        |reading: &_, fragment: &str| Candidate::new(reading, fragment, request, account);
    diagnosis::diagnose(&evidence, urls, verify, candidate, RULES)
}

/// The room's own verdict.
fn verify(url: &str, raw: &RawRequest, account: &Account) -> Result<(), Refused> {
    let request = as_request(raw, url);
    if url.starts_with("ws://") || url.starts_with("wss://") {
        media::verify_upgrade(&request, account)
    } else {
        signature::verify(&request, account).map(drop)
    }
}

fn as_request<'a>(raw: &'a RawRequest, url: &'a str) -> Request<'a> {
    Request { method: &raw.method, url, headers: &raw.headers, body: &raw.body }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::{
        super::tests::{Case, TOKEN, account},
        *,
    };
    use crate::carriers::shared::diagnosis::Reading;

    /// What a proxy or a framework leaves behind, beside what the case itself holds.
    fn raw(case: &Case) -> RawRequest {
        let (_, rest) = case.url.split_once("://").unwrap();
        let mut target = rest.find('/').map_or("/", |at| &rest[at..]).to_owned();
        let mut headers = case.headers.clone();
        let mut header = |name, value: &'static str| {
            headers.insert(name, HeaderValue::from_static(value));
        };
        match case.id.as_str() {
            "host-internal" => header("x-forwarded-host", "edge.example.com, proxy.example.com"),
            "path-prefix-stripped" => header("x-forwarded-prefix", "/twilio/"),
            "userinfo-missing" => header("authorization", "Basic aG9vazpzM2NyZXQ="),
            "port-8443-signed-443" => target = "/twilio/voice".to_owned(),
            _ => {}
        }
        RawRequest { method: case.method.clone(), target, headers, body: case.body.clone() }
    }

    fn names(readings: &[Reading]) -> Vec<String> {
        readings.iter().map(Reading::name).collect()
    }

    #[test]
    fn a_verdict_is_the_rooms_own() {
        for case in Case::all() {
            let diagnosis = diagnose(&raw(&case), &[&case.url], &case.account);
            // The fragment is dropped here; the room is never given one.
            let is_valid =
                case.is_valid || case.retries_with_slash || case.id == "fragment-left-in";
            let found = matches!(&diagnosis, Diagnosis::Valid(_));
            assert_eq!(found, is_valid, "{}: {diagnosis:?}", case.id);
        }
    }

    #[test]
    fn what_went_wrong_is_named_where_it_can_be_told() {
        let expected = [
            ("form-blank-dropped-by-signer", "blank parameters dropped"),
            ("form-multi-last-only", "only the last of repeated parameters"),
            ("query-reordered", "the query in another order"),
            ("query-decoded", "%2B for a plus in the query"),
            ("get-params-appended", "the query's parameters appended"),
            ("port-8443-signed-443", "port 443"),
            ("scheme-http-behind-tls-proxy", "https instead of the URL's scheme"),
            ("host-internal", "the X-Forwarded-Host header's host"),
            ("path-prefix-stripped", "the X-Forwarded-Prefix header in front of the path"),
            ("path-trailing-slash", "no slash behind the path"),
            ("userinfo-missing", "user and password of the Authorization header"),
            ("json-body-tampered", "the body not signed"),
            ("json-body-reserialised", "the JSON without blanks"),
            ("json-hash-uppercase", "bodySHA256 in other letter case"),
            ("ws-upgrade-as-https", "wss instead of the URL's scheme"),
            ("signature-truncated", "the signature with its padding"),
            ("signature-space", "the signature without blanks around it"),
            ("signature-hex", "the signature in hexadecimal"),
            ("signature-flip", "the signature in other letter case"),
            ("sha256-but-sha1-sent", "a shared key with SHA-1"),
            ("sha256-signed-auth-token", "an auth token with SHA-256"),
            ("unknown-algorithm", "a shared key with SHA-1"),
        ];
        // Nothing of the request says what was signed here, or nobody signed it.
        let lost = [
            "form-utf8-nfd",
            "form-trimmed",
            "form-unknown-param-dropped",
            "json-hash-swapped",
            "tampered-value",
            "tampered-extra",
            "wrong-token",
            "signature-empty",
        ];
        for case in Case::all() {
            let diagnosis = diagnose(&raw(&case), &[&case.url], &case.account);
            let Diagnosis::Invalid { would_match, .. } = diagnosis else { continue };
            let names = names(&would_match);
            match expected.iter().find(|(id, _)| *id == case.id) {
                Some((id, name)) => assert!(names.iter().any(|n| n == name), "{id}: {names:?}"),
                None => {
                    assert!(lost.contains(&&*case.id) && names.is_empty(), "{}: {names:?}", case.id)
                }
            }
            assert!(would_match.iter().all(|reading| reading.remedies().count() > 0));
        }
    }

    /// Diagnoses a form that was signed for one URL and checked by another.
    #[track_caller]
    fn check(signed: &str, given: &str, edit: fn(&mut RawRequest), expected: &[&str]) {
        let mut raw = RawRequest::parse(
            b"POST /voice HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n\nA=1&B=+x+",
        )
        .unwrap();
        let account = account(&[TOKEN]);
        raw.headers.extend(signature::sign(&as_request(&raw, signed), &account));
        edit(&mut raw);
        let Diagnosis::Invalid { would_match, .. } = diagnose(&raw, &[given], &account) else {
            panic!("valid");
        };
        assert_eq!(names(&would_match), expected);
    }

    #[test]
    fn several_things_may_be_wrong_at_once() {
        check(
            "https://edge.example.com/a/voice",
            "http://10.0.0.7:8080/voice",
            |raw| {
                raw.headers
                    .insert("x-forwarded-host", HeaderValue::from_static("edge.example.com"));
                raw.headers.insert("x-forwarded-prefix", HeaderValue::from_static("/a"));
            },
            &["https instead of the URL's scheme, the X-Forwarded-Host header's host, \
               the X-Forwarded-Prefix header in front of the path"],
        );
        check("https://h/voice", "https://h/a/b/v", |_| {}, &["the request line's path"]);
        check("https://h/c", "https://h/a/b", |_| {}, &[]);
        check(
            "https://h/voice",
            "https://h/a/b/voice",
            |_| {},
            &["the request line's path", "leading segments taken from the path"],
        );
        check("https://h/voice", "https://h/voice?x=1", |_| {}, &["no query"]);
        check(
            "https://h/voice",
            "https://h/voice",
            |raw| raw.body.push(b'\n'),
            &["without the body's last line end"],
        );
        check("https://h/voice#rc=2", "https://h/voice#rc=2", |_| {}, &["the fragment signed"]);
        check(
            "https://h/voice",
            "https://h/voice",
            |raw| {
                raw.headers.remove("content-type");
            },
            &["the body as a form"],
        );
    }

    #[test]
    fn a_configured_secret_may_have_a_line_end() {
        let raw = raw(Case::all().iter().find(|case| case.id == "form-simple").unwrap());
        let url = "https://edge.example.com/twilio/voice";
        let Diagnosis::Invalid { cause, would_match } =
            diagnose(&raw, &[url], &account(&[&format!("\"{TOKEN}\"\n")]))
        else {
            panic!("valid");
        };
        assert_eq!(cause, Refused::WrongSignature);
        assert_eq!(names(&would_match), ["the secret without blanks or quotes around it"]);
    }

    #[test]
    fn parameters_that_the_carrier_added_to_the_url_are_found() {
        let case = Case::all().into_iter().find(|case| case.id == "json-body").unwrap();
        let (bare, _) = case.url.split_once('?').unwrap();
        let diagnosis = diagnose(&raw(&case), &["https://other.example.com/", bare], &case.account);
        let Diagnosis::Valid(reading) = diagnosis else { panic!("{diagnosis:?}") };
        assert_eq!(
            (reading.url.as_str(), reading.name()),
            (case.url.as_str(), "with the request line's query".to_owned(),)
        );
        let diagnosis = diagnose(&raw(&case), &[], &case.account);
        assert!(matches!(diagnosis, Diagnosis::Invalid { cause: Refused::Malformed(_), .. }));
    }
}
