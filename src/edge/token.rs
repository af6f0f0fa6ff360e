//! The ticket in a media socket's URL: which call, whose rung, until when. Signed, and good once.

use std::time::Duration;

use moka::sync::Cache;
use uuid::Uuid;

use crate::calls::seal::{self, Broken, Purpose};
use crate::domain::{AccountId, AgentId, CallId, MediaKey, RuntimeMedia, UnixMillis, spelled};

/// From our answer to the carrier's upgrade. Twilio connects within a second or two.
const LIFE_SECONDS: u64 = 60;

/// The same.
pub const LIFE: Duration = Duration::from_secs(LIFE_SECONDS);

/// Three ids, a place, a format, a time.
const BODY_LEN: usize = 3 * 16 + 2 + 1 + 4;

/// What a ticket says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Claims {
    /// The call.
    pub call: CallId,
    /// The carrier account it came by: whose proof the upgrade must bear.
    pub account: AccountId,
    /// Whose target is tried, where it is an agent's: what the call can be carried on from when
    /// its process is gone.
    pub agent: Option<AgentId>,
    /// The target's place in the ladder.
    pub place: u16,
    /// What the target speaks, by which the carrier was asked for its format.
    pub spoken: RuntimeMedia,
    expires_at: u32,
}

spelled! {
    /// Why a ticket is not taken.
    pub enum Refusal {
        /// Not our form.
        Malformed = "malformed",
        /// Signed with a key that is not valid any more.
        UnknownKey = "unknown_key",
        /// Not signed by us.
        Forged = "forged",
        /// Too old.
        Expired = "expired",
        /// It has been used.
        Used = "used",
    }
}

impl Claims {
    /// A ticket for the target at `place`, good from now.
    #[must_use]
    pub fn new(
        (call, account): (CallId, AccountId),
        agent: Option<AgentId>,
        (place, spoken): (usize, RuntimeMedia),
        now: UnixMillis,
    ) -> Self {
        let place = u16::try_from(place).unwrap_or(u16::MAX);
        let expires_at = u32::try_from(now.seconds().0 + LIFE_SECONDS).unwrap_or(u32::MAX);
        Self { call, account, agent, place, spoken, expires_at }
    }
}

/// Appends the ticket. It may stand in a path.
pub fn write_into(out: &mut String, key: &MediaKey, claims: &Claims) {
    let agent = claims.agent.map_or(Uuid::nil(), |agent| agent.0);
    let spoken = RuntimeMedia::ALL.iter().position(|spoken| *spoken == claims.spoken);
    let spoken = spoken.and_then(|place| u8::try_from(place).ok()).unwrap_or_default();
    let mut body = [0_u8; BODY_LEN];
    let mut rest = body.as_mut_slice();
    put(&mut rest, claims.call.0.into_bytes());
    put(&mut rest, claims.account.0.into_bytes());
    put(&mut rest, agent.into_bytes());
    put(&mut rest, claims.place.to_be_bytes());
    put(&mut rest, [spoken]);
    put(&mut rest, claims.expires_at.to_be_bytes());
    seal::seal(Purpose::Media, key, &body, out);
}

/// Writes a part, whose length is among those that make [`BODY_LEN`].
fn put<const N: usize>(rest: &mut &mut [u8], part: [u8; N]) {
    if let Some((to, after)) = std::mem::take(rest).split_first_chunk_mut() {
        *to = part;
        *rest = after;
    }
}

/// Reads a ticket that is signed with one of the keys and not too old.
///
/// # Errors
/// See [`Refusal`].
pub fn read(ticket: &str, keys: &[MediaKey], now: UnixMillis) -> Result<Claims, Refusal> {
    let body: [u8; BODY_LEN] =
        seal::open(Purpose::Media, keys, ticket).map_err(|broken| match broken {
            Broken::Malformed | Broken::Expired => Refusal::Malformed,
            Broken::UnknownKey => Refusal::UnknownKey,
            Broken::Forged => Refusal::Forged,
        })?;
    let mut rest = body.as_slice();
    let claims = Claims {
        call: CallId(Uuid::from_bytes(taken(&mut rest)?)),
        account: AccountId(Uuid::from_bytes(taken(&mut rest)?)),
        agent: Some(Uuid::from_bytes(taken(&mut rest)?)).filter(|id| !id.is_nil()).map(AgentId),
        place: u16::from_be_bytes(taken(&mut rest)?),
        spoken: spoken(taken(&mut rest)?)?,
        expires_at: u32::from_be_bytes(taken(&mut rest)?),
    };
    if u64::from(claims.expires_at) < now.seconds().0 {
        return Err(Refusal::Expired);
    }
    Ok(claims)
}

fn spoken([place]: [u8; 1]) -> Result<RuntimeMedia, Refusal> {
    RuntimeMedia::ALL.get(usize::from(place)).copied().ok_or(Refusal::Malformed)
}

fn taken<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Refusal> {
    let (taken, after) = rest.split_first_chunk::<N>().ok_or(Refusal::Malformed)?;
    *rest = after;
    Ok(*taken)
}

/// The tickets this process has taken.
#[derive(Clone, Debug)]
pub struct Used(Cache<Claims, ()>);

impl Used {
    /// None yet. It needs no bound: only tickets that we signed get here, each as long as it lives.
    #[must_use]
    pub fn new() -> Self {
        Self(Cache::builder().time_to_live(2 * LIFE).build())
    }

    /// Takes a ticket.
    ///
    /// # Errors
    /// It has been taken before.
    pub fn take(&self, claims: &Claims) -> Result<(), Refusal> {
        let entry = self.0.entry_by_ref(claims).or_insert(());
        if entry.is_fresh() { Ok(()) } else { Err(Refusal::Used) }
    }
}

impl Default for Used {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    fn keys() -> [MediaKey; 2] {
        [MediaKey { id: 7, secret: [7; 32] }, MediaKey { id: 6, secret: [6; 32] }]
    }

    fn call() -> (CallId, AccountId) {
        (CallId(Uuid::from_u128(1)), AccountId::of_name("main"))
    }

    fn ticket(claims: &Claims, key: &MediaKey) -> String {
        let mut out = String::new();
        write_into(&mut out, key, claims);
        out
    }

    #[test]
    fn a_ticket_is_good_once_and_for_a_minute() {
        let agent = Some(AgentId(Uuid::from_u128(2)));
        for agent in [agent, None] {
            let claims = Claims::new(call(), agent, (3, RuntimeMedia::L16At16), NOW);
            for key in keys() {
                let ticket = ticket(&claims, &key);
                assert!(ticket.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
                assert_eq!(read(&ticket, &keys(), NOW), Ok(claims));
                let late = UnixMillis(NOW.0 + 61_000);
                assert_eq!(read(&ticket, &keys(), late), Err(Refusal::Expired));
            }
            let used = Used::new();
            assert_eq!(used.take(&claims), Ok(()));
            assert_eq!(used.take(&claims), Err(Refusal::Used));
        }
    }

    #[test]
    fn other_peoples_tickets_are_refused() {
        let claims = Claims::new(call(), None, (0, RuntimeMedia::Pcmu), NOW);
        let stranger = MediaKey { id: 7, secret: [9; 32] };
        assert_eq!(read(&ticket(&claims, &stranger), &keys(), NOW), Err(Refusal::Forged));
        let retired = MediaKey { id: 5, secret: [5; 32] };
        assert_eq!(read(&ticket(&claims, &retired), &keys(), NOW), Err(Refusal::UnknownKey));
        let call_token = seal::call_token(&keys()[0], claims.call, NOW);
        for text in ["", "x", "../..", call_token.as_str(), &"A".repeat(1000)] {
            assert_eq!(read(text, &keys(), NOW), Err(Refusal::Malformed), "{text}");
        }
    }

    /// `SWITCHBACK_FORGED=10000000 cargo test --release --lib forged` tries so many.
    #[test]
    fn no_forged_ticket_is_taken() {
        let count: u64 = option_env!("SWITCHBACK_FORGED").unwrap_or("20000").parse().unwrap();
        let mut random = StdRng::seed_from_u64(1);
        let used = Used::new();
        for n in 0..count {
            let call = CallId(Uuid::from_u64_pair(n, random.random()));
            let claims =
                Claims::new((call, AccountId::of_name("main")), None, (0, RuntimeMedia::Pcmu), NOW);
            let good = ticket(&claims, &keys()[0]);
            let (shown, at) = match random.random_range(0..4) {
                0 => (ticket(&claims, &MediaKey { id: 7, secret: random.random() }), NOW),
                1 => (good.clone(), UnixMillis(NOW.0 + random.random_range(61_000..1_000_000))),
                2 => {
                    // The last letter may hold bits that stand for nothing.
                    let at = random.random_range(0..good.len() - 1);
                    let letter = if good.as_bytes()[at] == b'A' { "B" } else { "A" };
                    let mut changed = good.clone();
                    changed.replace_range(at..=at, letter);
                    (changed, NOW)
                }
                _ => (good[..random.random_range(0..good.len())].to_owned(), NOW),
            };
            assert!(read(&shown, &keys(), at).is_err(), "{shown} for {good}");
            assert_eq!(read(&good, &keys(), NOW), Ok(claims));
            assert_eq!((used.take(&claims), used.take(&claims)), (Ok(()), Err(Refusal::Used)));
        }
        println!("{count} forged tickets and as many shown twice, none taken");
    }
}
