//! What benches share: a seeded source of numbers, an installation made from it, and the yardsticks
//! of this machine.

#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a bench's own data is in bounds"
)]

use std::hint::black_box;

use switchback::domain::{
    AccountId, Agent, AgentId, AgentState, Ani, Attestation, Callback, Direction, E164,
    InboundCall, Number, NumberId, Outcome, OutcomeSet, Owner, Target, Tenant, TenantId,
    TenantSettings, Touch, TouchId, UnixSeconds,
};
use switchback::index::Delta;
use switchback::telemetry::clock;
use uuid::Uuid;

/// Calls come now.
pub(crate) const NOW: u64 = 1_700_000_000;
const TENANTS: u64 = 10;
/// Each tenant's: a third are callback agents, the rest their sources.
const AGENTS: u64 = 150;
const CALLBACK_AGENTS: u64 = 50;
const NUMBERS: u64 = 1000;
/// The one account that every number is at.
pub(crate) const ACCOUNT: AccountId = AccountId(Uuid::from_u128(1));

/// Splitmix64: the same numbers from the same seed, everywhere.
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

fn tenant(n: u64) -> TenantId {
    TenantId(Uuid::from_u128(0x1_0000 + u128::from(n)))
}

fn agent(tenant: u64, n: u64) -> AgentId {
    AgentId(Uuid::from_u128(0x2_0000 + u128::from(tenant * AGENTS + n)))
}

fn e164(value: u64) -> E164 {
    E164::from_u64(value).unwrap()
}

/// A tenant's `n`th number; its owner is callback agent `n % CALLBACK_AGENTS`.
fn number(tenant: u64, n: u64) -> E164 {
    e164(18_000_000_000 + tenant * NUMBERS + n)
}

/// The `n`th person, spread over the numbering plan as people are.
pub(crate) fn person(n: u64) -> E164 {
    e164(12_000_000_000 + n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 5_000_000_000)
}

/// Tenants, agents, numbers.
pub(crate) fn installation() -> Vec<Delta> {
    let mut deltas = Vec::new();
    for t in 0..TENANTS {
        let (id, name) = (tenant(t), format!("tenant {t}"));
        deltas.push(Delta::Tenant(Tenant { id, name, settings: TenantSettings::default() }));
        for n in 0..AGENTS {
            let is_callback = n < CALLBACK_AGENTS;
            let callback = is_callback.then(|| Callback {
                sources: vec![agent(t, n + CALLBACK_AGENTS), agent(t, n + 2 * CALLBACK_AGENTS)],
                window_days: None,
                trigger_outcomes: OutcomeSet::ALL,
                since: n,
            });
            let inbound = if is_callback { Direction::Inbound } else { Direction::Outbound };
            deltas.push(Delta::Agent(Agent {
                id: agent(t, n),
                tenant: tenant(t),
                name: format!("agent {n}"),
                direction: inbound,
                state: AgentState::Live,
                targets: vec![Target::Runtime("wss://bot.example.com/{agent_id}".to_owned())],
                callback,
                runtime_parameters: vec![],
                first_audio_timeout_ms: None,
                min_attestation: None,
                context_min_attestation: None,
                runtime_media: None,
            }));
        }
        for n in 0..NUMBERS {
            deltas.push(Delta::Number(Number {
                id: NumberId(Uuid::from_u128(0x3_0000 + u128::from(t * NUMBERS + n))),
                tenant: tenant(t),
                account: Some(ACCOUNT),
                e164: number(t, n),
                passthrough: None,
                owners: vec![Owner {
                    agent: agent(t, n % CALLBACK_AGENTS),
                    attached: n,
                    claim: None,
                }],
            }));
        }
    }
    deltas
}

/// What the `n`th person was called by: seven in ten once, the others two to four times, by the
/// sources of the agent that owns the number which was shown.
pub(crate) fn touches(n: u64) -> Vec<Touch> {
    let mut seeded = Seeded(n);
    let count = [1, 1, 1, 1, 1, 1, 1, 2, 2, 4][seeded.below(10) as usize];
    let t = n % TENANTS;
    (0..count)
        .map(|_| {
            let shown = seeded.below(NUMBERS);
            let source = shown % CALLBACK_AGENTS + CALLBACK_AGENTS * (1 + seeded.below(2));
            Touch {
                id: TouchId(Uuid::from_u128(
                    u128::from(seeded.next()) << 64 | u128::from(seeded.next()),
                )),
                tenant: tenant(t),
                contact: person(n),
                agent: agent(t, source),
                caller_id: number(t, shown),
                at: UnixSeconds(NOW - seeded.below(20 * 86_400)),
                outcome: Outcome::NoAnswer,
            }
        })
        .collect()
}

/// A return call of the `n`th person.
pub(crate) fn return_call(n: u64) -> InboundCall {
    let shown = touches(n).first().unwrap().caller_id;
    InboundCall {
        account: Some(ACCOUNT),
        dnis: Some(shown),
        ani: Ani::Number(person(n)),
        forwarded_from: None,
        attestation: Attestation::A,
    }
}

/// A call by somebody who was never called, to one of our numbers.
pub(crate) fn strangers_call(seeded: &mut Seeded) -> InboundCall {
    InboundCall {
        account: Some(ACCOUNT),
        dnis: Some(number(seeded.below(TENANTS), seeded.below(NUMBERS))),
        ani: Ani::Number(e164(40_000_000_000 + seeded.below(1_000_000_000))),
        forwarded_from: None,
        attestation: Attestation::A,
    }
}

/// A buffer whose every line says where the next one is, by one random cycle through all of them.
pub(crate) struct Chain {
    lines: Vec<[usize; 8]>,
    at: usize,
}

impl Chain {
    /// Of so many bytes; in huge pages where those are asked for and given.
    pub(crate) fn new(bytes: usize, is_huge: bool) -> Self {
        let count = bytes / 64;
        let mut seeded = Seeded(7);
        // Sattolo's shuffle.
        let mut lines: Vec<[usize; 8]> = Vec::with_capacity(count);
        if is_huge {
            ask_for_huge(&lines);
        }
        lines.extend((0..count).map(|line| [line; 8]));
        for line in (1..count).rev() {
            let other = seeded.below(line as u64) as usize;
            lines.swap(line, other);
        }
        Self { lines, at: 0 }
    }

    /// One miss, which the next one waits for.
    pub(crate) fn miss(&mut self) -> usize {
        self.at = self.lines[self.at][0];
        self.at
    }

    /// Four lines beside each other, which do not wait for one another.
    pub(crate) fn four(&self, place: u64) -> usize {
        let first = (place % (self.lines.len() as u64 / 4) * 4) as usize;
        self.lines[first..first + 4].iter().fold(0, |sum, line| sum ^ line[0])
    }

    /// The median cost of one dependent random miss, in ns.
    pub(crate) fn miss_ns(&mut self) -> f64 {
        const STEPS: usize = 64;
        let samples = (0..20_000)
            .map(|_| {
                let start = clock::instant();
                for _ in 0..STEPS {
                    black_box(self.miss());
                }
                start.elapsed().as_nanos() as f64 / STEPS as f64
            })
            .collect();
        Sample::of(samples).at(0.5)
    }
}

/// The median cost of one dependent random miss over a buffer of so many bytes, in ns; in huge
/// pages where those are asked for and given.
pub(crate) fn dependent_miss_ns(bytes: usize, is_huge: bool) -> f64 {
    Chain::new(bytes, is_huge).miss_ns()
}

/// As the table asks for its own memory.
#[expect(unsafe_code, reason = "advice about memory has no safe function")]
pub(crate) fn ask_for_huge<T>(buffer: &Vec<T>) {
    let start = buffer.as_ptr().addr().next_multiple_of(4096);
    let end = buffer.as_ptr().addr() + buffer.capacity() * size_of::<T>();
    let len = end.saturating_sub(start) & !4095;
    #[cfg(target_os = "linux")]
    // SAFETY: whole pages of the buffer's own memory, and advice changes nothing in them.
    unsafe {
        let first = buffer.as_ptr().with_addr(start).cast_mut().cast();
        libc::madvise(first, len, libc::MADV_HUGEPAGE);
    }
}

/// Measurements, sorted.
pub(crate) struct Sample(Vec<f64>);

impl Sample {
    pub(crate) fn of(mut measured: Vec<f64>) -> Self {
        measured.sort_by(f64::total_cmp);
        Self(measured)
    }

    pub(crate) fn at(&self, share: f64) -> f64 {
        self.0[((self.0.len() - 1) as f64 * share) as usize]
    }
}
