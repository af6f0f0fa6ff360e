//! A million numbers: what finding one costs, beside an unsynchronised map of as many.

use std::hint::black_box;

use rustc_hash::FxHashMap;
use switchback::domain::{E164, Number, NumberId, TenantId};
use switchback::index::{Delta, Index, View};
use uuid::Uuid;

use crate::Report;
use crate::common::{ACCOUNT, Seeded};
use crate::medians;

const NUMBERS: u64 = 1_000_000;
const BATCHES: usize = 2000;
/// Keys in the order they are asked for.
const ASKED: usize = 1 << 20;

pub(crate) fn measure(report: &mut Report) {
    let (index, mut writer) = Index::new(None);
    for first in (0..NUMBERS).step_by(50_000) {
        writer.apply(&(first..first + 50_000).map(number).collect::<Vec<_>>());
    }
    type Map = FxHashMap<(u128, u64), [u64; 4]>;
    let account = ACCOUNT.0.as_u128();
    let plain: Map = (0..NUMBERS).map(|n| ((account, e164(n).as_u64()), [n; 4])).collect();
    let mut seeded = Seeded(6);
    let keys: Vec<_> = (0..ASKED).map(|_| e164(seeded.below(NUMBERS))).collect();
    // Each look-up begins where the one before ended: the misses do not overlap.
    let key_after = |at: &mut usize, found: u64| {
        *at = at.wrapping_add(1 + (found & 1) as usize);
        *keys.get(*at % ASKED).unwrap()
    };
    let hot = *keys.first().unwrap();
    let view = index.view();
    // What a decision wants of it, and nothing else that is held beside it.
    let found = |e164| {
        view.seen()
            .number_entry(Some(ACCOUNT), e164)
            .map_or(1, |entry| entry.callback_agents.len() as u64)
    };
    let (mut ours, mut theirs) = (0, 0);
    let hot_viewed = || tenant_of(&index.view(), hot);
    let hot_found = || tenant_of(&view, hot);
    let hot_plain =
        || _ = black_box(plain.get(&(account, black_box(hot).as_u64())).map(|[n, ..]| *n));
    let runs: [&mut dyn FnMut(); 3] = [&mut { hot_viewed }, &mut { hot_found }, &mut { hot_plain }];
    let [hot_viewed, hot_found, hot_plain] = medians(runs, BATCHES);
    let (mut last, mut other) = (0, 0);
    let any_found = || last = found(key_after(&mut ours, last));
    let any_plain = || {
        let key = (account, key_after(&mut theirs, other).as_u64());
        other = plain.get(&key).map_or(0, |[n, ..]| *n);
    };
    let runs: [&mut dyn FnMut(); 2] = [&mut { any_found }, &mut { any_plain }];
    let [any_found, any_plain] = medians(runs, BATCHES);
    black_box((last, other));
    let (of_hot, of_any) = (hot_found / hot_plain, any_found / any_plain);
    let viewed = hot_viewed / hot_plain;
    println!(
        "\n{NUMBERS} numbers: one of them at random found in {any_found:.1} ns, in an unsynchronised \
         map in {any_plain:.1} ns: {of_any:.2} x"
    );
    println!(
        "  the same one again in {hot_found:.1} ns, with a view of its own in {hot_viewed:.1} ns; in \
         the map in {hot_plain:.1} ns: {of_hot:.2} x, {viewed:.2} x"
    );
    report.put("number_random_ns", any_found);
    report.put("number_random_unsynchronised_ns", any_plain);
    report.put("number_random_ratio", of_any);
    report.put("number_hot_ns", hot_found);
    report.put("number_hot_with_view_ns", hot_viewed);
    report.put("number_hot_unsynchronised_ns", hot_plain);
    report.put("number_hot_ratio", of_hot);
    report.put("number_hot_with_view_ratio", viewed);
}

fn e164(n: u64) -> E164 {
    E164::from_u64(18_000_000_000 + n * 7).unwrap()
}

fn number(n: u64) -> Delta {
    Delta::Number(Number {
        id: NumberId(Uuid::from_u128(0x5_0000_0000 + u128::from(n))),
        tenant: TenantId(Uuid::from_u128(u128::from(n % 100))),
        account: Some(ACCOUNT),
        e164: e164(n),
        passthrough: None,
        owners: vec![],
    })
}

fn tenant_of(view: &View<'_>, e164: E164) {
    let entry = view.seen().number_entry(Some(ACCOUNT), black_box(e164));
    black_box(entry.map(|entry| entry.tenant));
}
