//! Puts numbers back to what they were before they were pointed here.

use std::collections::BTreeSet;

use super::{WORKS_FOR, point::Trouble, survey::Survey};
use crate::{
    carriers::{HeldApplication, HeldNumber},
    control::Api,
    dialects::{
        Problem,
        own::{ChangeBody, PointedAppBody, PointedBody, StepBody, UnpointFields},
    },
    domain::{
        CarrierFields, E164, PointCause, PointNote, PointStep, PointedApplication, PointedNumber,
        Refusal, unlike,
    },
    telemetry::clock,
};

/// What came of it.
pub(super) struct Done {
    /// The numbers that are as they were.
    pub(super) ended: Vec<E164>,
    /// The application that is as it was.
    pub(super) application: Option<String>,
    pub(super) body: PointedBody,
}

/// Puts them back, or only says what that would be.
pub(super) async fn carry_out(
    api: &Api,
    survey: &Survey,
    fields: &UnpointFields,
) -> Result<Done, Problem> {
    let begun = clock::instant();
    let count = fields.count.and_then(|count| usize::try_from(count).ok());
    let chosen: BTreeSet<E164> = {
        let pointed = fields.numbers.iter().filter(|number| row(survey, **number).is_some());
        pointed.take(count.unwrap_or(usize::MAX)).copied().collect()
    };
    let mut done = Done {
        ended: Vec::new(),
        application: None,
        body: PointedBody { dry_run: fields.is_dry_run, numbers: Vec::new(), application: None },
    };
    for &number in &fields.numbers {
        let shown = match row(survey, number) {
            None => StepBody::new(number, PointStep::Refused).refused(PointCause::NotPointed),
            Some(_) if !chosen.contains(&number) || begun.elapsed() > WORKS_FOR => {
                StepBody::new(number, PointStep::Waits)
            }
            Some(row) => {
                let (shown, is_back) = one(api, survey, row, &chosen, fields).await;
                done.ended.extend(is_back.then_some(number));
                shown
            }
        };
        done.body.numbers.push(shown);
    }
    put_applications_back(api, survey, fields, &mut done).await?;
    Ok(done)
}

/// What is known of a number that was pointed, where who asks may be told.
fn row(survey: &Survey, number: E164) -> Option<&PointedNumber> {
    survey.pointed.get(&number).filter(|_| survey.may_see(number))
}

/// One number; whether it is as it was. In a dry run, whether it would be.
async fn one(
    api: &Api,
    survey: &Survey,
    row: &PointedNumber,
    chosen: &BTreeSet<E164>,
    how: &UnpointFields,
) -> (StepBody, bool) {
    let shown = StepBody::new(row.e164, PointStep::ToUnpoint);
    let shown =
        StepBody { passthrough: row.passthrough.as_ref().map(ToString::to_string), ..shown };
    // A number that was on the application from the first is put back by putting that back.
    let was_on_it = row.application.is_some() && row.previous == row.pointed;
    if was_on_it && others_on(survey, row).any(|other| !chosen.contains(&other.e164)) {
        return (shown.refused(PointCause::ApplicationShared), false);
    }
    let read = api.dispatch.read_number(&survey.account, row.e164, &row.carrier_number_id).await;
    let held = match read {
        Ok(Some(held)) => held,
        Ok(None) => {
            let outcome = ended(how.is_dry_run);
            return (StepBody { outcome, ..shown.noting(&[PointNote::Gone]) }, true);
        }
        Err((why, said)) => return (shown.failed(why, &said), false),
    };
    let back = unlike(&held.fields, &row.previous);
    let shown = StepBody { changes: ChangeBody::of(&held.fields, &back), ..shown };
    if is_changed_since(&held.fields, &row.pointed, &row.previous) && !how.is_forced {
        let changes = ChangeBody::of(&held.fields, &unlike(&held.fields, &row.pointed));
        return (StepBody { changes, ..shown.refused(PointCause::ChangedSince) }, false);
    }
    if how.is_dry_run || back.is_empty() {
        return (StepBody { outcome: ended(how.is_dry_run), ..shown }, true);
    }
    match restore(api, survey, &held, &back).await {
        Ok(()) => (StepBody { outcome: ended(false), ..shown }, true),
        Err(trouble) => (trouble.shown(shown), false),
    }
}

const fn ended(dry_run: bool) -> &'static str {
    if dry_run { PointStep::ToUnpoint.as_str() } else { PointStep::Unpointed.as_str() }
}

async fn restore(
    api: &Api,
    survey: &Survey,
    held: &HeldNumber,
    back: &CarrierFields,
) -> Result<(), Trouble> {
    Ok(api.dispatch.set_number(&survey.account, held, back).await?)
}

/// Whether a field holds neither what was put there nor what was there before: a change of which
/// nobody can tell how far it came is no other's.
fn is_changed_since(
    held: &CarrierFields,
    pointed: &CarrierFields,
    previous: &CarrierFields,
) -> bool {
    let not_before = unlike(held, previous);
    unlike(held, pointed).keys().any(|name| not_before.contains_key(name))
}

/// The other numbers that are answered here by the same application.
fn others_on<'s>(
    survey: &'s Survey,
    row: &'s PointedNumber,
) -> impl Iterator<Item = &'s PointedNumber> {
    survey
        .pointed
        .values()
        .filter(move |other| other.application == row.application && other.e164 != row.e164)
}

/// Puts an application back with the last of its numbers. Where it cannot be, numbers that were on
/// it from the first are not back either.
async fn put_applications_back(
    api: &Api,
    survey: &Survey,
    how: &UnpointFields,
    done: &mut Done,
) -> Result<(), Problem> {
    for row in &survey.changed_applications {
        let on_it =
            |pointed: &&PointedNumber| pointed.application.as_ref() == Some(&row.application);
        let mut left =
            survey.pointed.values().filter(on_it).filter(|row| !done.ended.contains(&row.e164));
        if left.next().is_some() || !survey.pointed.values().any(|pointed| on_it(&pointed)) {
            continue;
        }
        let read = api.dispatch.read_application(&survey.account, &row.application).await;
        let held = read.map_err(|(why, said)| Refusal::CarrierRefused(why, said))?;
        let Some(held) = held else {
            done.application = Some(row.application.clone());
            continue;
        };
        match put_back(api, survey, row, &held, how, &mut done.body).await {
            Ok(()) => done.application = Some(row.application.clone()),
            Err(trouble) => unend(survey, row, done, &trouble),
        }
    }
    Ok(())
}

async fn put_back(
    api: &Api,
    survey: &Survey,
    row: &PointedApplication,
    held: &HeldApplication,
    how: &UnpointFields,
    body: &mut PointedBody,
) -> Result<(), Trouble> {
    let back = unlike(&held.fields, &row.previous);
    body.application = Some(PointedAppBody {
        id: row.application.clone(),
        name: held.name.clone(),
        changes: ChangeBody::of(&held.fields, &back),
    });
    if is_changed_since(&held.fields, &row.pointed, &row.previous) && !how.is_forced {
        return Err(Trouble::Cause(PointCause::ChangedSince));
    }
    if how.is_dry_run || back.is_empty() {
        return Ok(());
    }
    Ok(api.dispatch.set_application(&survey.account, held, &back).await?)
}

/// The application is not back: neither are the numbers that it answered from the first.
fn unend(survey: &Survey, row: &PointedApplication, done: &mut Done, trouble: &Trouble) {
    let is_back = |number: &E164| {
        survey.pointed.get(number).is_none_or(|pointed| {
            pointed.application.as_ref() != Some(&row.application)
                || pointed.previous != pointed.pointed
        })
    };
    for (number, shown) in done.ended.iter().map(|number| (number, number.to_string())) {
        let at = done.body.numbers.iter().position(|step| step.e164 == shown);
        if let Some(step) = at.and_then(|at| done.body.numbers.get_mut(at))
            && !is_back(number)
        {
            let plain = StepBody::new(*number, PointStep::Failed);
            *step = trouble.clone().shown(plain);
        }
    }
    done.ended.retain(is_back);
}
