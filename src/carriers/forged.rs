//! Requests that nobody's carrier sent, by the thousand: changed, swapped, stale, signed by others.
//! None is received. `SWITCHBACK_FORGED=10000000 cargo test --release --lib forged` tries so many.

use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    conformance::{NOW, Peer, URL, account, headers, peer, post},
    *,
};

/// Tried in every run of the tests.
const FORGED: &str = "2000";

/// As good as this one, none is forged.
const HONEST_EVERY: u64 = 100;

/// One who can hear everything that is said and sign nothing.
struct Forger(StdRng);

impl Forger {
    fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end)
    }

    /// A person, of ten digits' worth.
    fn caller(&mut self) -> String {
        format!("+1415{:07}", self.below(10_000_000))
    }

    /// The text with one letter of it another, behind any scheme's name. The last letters of
    /// base64 may hold bits that stand for nothing, so they stay.
    fn changed(&mut self, text: &str) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let first = text.find(' ').map_or(0, |space| space + 1);
        let mut bytes = text.as_bytes().to_vec();
        let open: Vec<usize> = (first..bytes.len().saturating_sub(3)).collect();
        let at = open[self.below(open.len())];
        let old = bytes[at];
        while bytes[at] == old {
            bytes[at] = LETTERS[self.below(LETTERS.len())];
        }
        String::from_utf8(bytes).unwrap()
    }
}

/// Signs a call of that caller's.
fn signed(carrier: CarrierId, body: &str, secret: &str) -> HeaderMap {
    room(carrier).sign(&post(&headers(carrier), body), &account(carrier, &[secret]), NOW)
}

/// Has one request received that its carrier did not send; what was done to it.
fn forge(forger: &mut Forger, carrier: CarrierId) -> (&'static str, bool) {
    let Peer { account_id, call, signs_body, signs_url, .. } = peer(carrier);
    let ours = account(carrier, &["ours"]);
    let caller = forger.caller();
    let body = call(account_id, &caller);
    let mut proof = signed(carrier, &body, "ours");
    let (mut received, mut url, mut now) = (Cow::Borrowed(&body), URL, NOW);
    let what = match forger.below(6) {
        0 if signs_body => {
            let mut another = forger.caller();
            while another == caller {
                another = forger.caller();
            }
            received = Cow::Owned(call(account_id, &another));
            "another body"
        }
        1 if signs_url => {
            url = "https://edge.example.com/carriers/other/voice";
            "another URL"
        }
        2 => {
            proof = signed(carrier, &body, "theirs");
            "another secret"
        }
        3 => {
            proof.clear();
            "no proof"
        }
        4 if matches!(carrier, CarrierId::Telnyx | CarrierId::TelnyxTexml | CarrierId::Vonage) => {
            now = UnixMillis(NOW.0 + 3_600_000);
            "an hour later"
        }
        // Where there are two signatures, one is proof enough.
        _ => {
            for value in proof.values_mut() {
                let changed = forger.changed(value.to_str().unwrap());
                *value = HeaderValue::from_str(&changed).unwrap();
            }
            "a changed proof"
        }
    };
    proof.insert(CONTENT_TYPE, HeaderValue::from_static(peer(carrier).media_type));
    let request = Request { url, ..post(&proof, &received) };
    (what, room(carrier).receive(Endpoint::Voice, &request, &ours, now).is_ok())
}

#[test]
fn nothing_forged_is_received() {
    let count: u64 = option_env!("SWITCHBACK_FORGED").unwrap_or(FORGED).parse().unwrap();
    let mut forger = Forger(StdRng::seed_from_u64(1));
    for n in 0..count {
        let carrier = CarrierId::ALL[forger.below(CarrierId::ALL.len())];
        let (what, is_received) = forge(&mut forger, carrier);
        assert!(!is_received, "{carrier}: {what}, after {n}");
        if n % HONEST_EVERY == 0 {
            let body = (peer(carrier).call)(peer(carrier).account_id, &forger.caller());
            let mut proof = signed(carrier, &body, "ours");
            proof.extend(headers(carrier));
            let ours = account(carrier, &["ours"]);
            let received = room(carrier).receive(Endpoint::Voice, &post(&proof, &body), &ours, NOW);
            assert!(received.is_ok(), "{carrier}: {received:?}");
        }
    }
    println!("{count} forged requests, none received");
}
