//! What holds something else at the carrier than Switchback put there.

use std::collections::BTreeSet;

use super::{
    describe::{answerer, state},
    survey::Survey,
};
use crate::{
    dialects::own::{ChangeBody, CheckBody, CheckFields, CheckedBody},
    domain::{E164, PointState, PointedNumber, unlike},
};

/// How the numbers stand that are known here: those that were pointed, and those that are ours.
pub(super) fn compare(survey: &Survey, fields: &CheckFields) -> CheckBody {
    let known = survey.pointed.keys().chain(survey.here.keys()).copied();
    let known: BTreeSet<E164> = known.filter(|number| survey.may_see(*number)).collect();
    let asked = fields.numbers.as_ref();
    let numbers = known.into_iter().filter(|number| asked.is_none_or(|all| all.contains(number)));
    let unknown = asked.into_iter().flatten().filter(|number| {
        let is_known = survey.pointed.contains_key(*number) || survey.here.contains_key(*number);
        !is_known || !survey.may_see(**number)
    });
    let known = numbers.map(|number| checked(survey, number));
    CheckBody::of(known.chain(unknown.map(|number| checked(survey, *number))).collect())
}

fn checked(survey: &Survey, number: E164) -> (PointState, CheckedBody) {
    let held = survey.held.get(&number).filter(|_| survey.may_see(number));
    let state = held.map_or(PointState::Gone, |held| state(survey, held));
    let row = survey.pointed.get(&number);
    let changes = held.zip(row).map(|(held, row)| {
        let mut changes = ChangeBody::of(&held.fields, &unlike(&held.fields, &row.pointed));
        changes.extend(of_application(survey, row));
        changes
    });
    let body = CheckedBody {
        e164: number.to_string(),
        state: state.as_str(),
        answered_by: held.map(|held| answerer(survey, held)),
        changes: changes.unwrap_or_default(),
    };
    (state, body)
}

fn of_application(survey: &Survey, row: &PointedNumber) -> Vec<ChangeBody> {
    let Some(id) = row.application.as_deref() else { return Vec::new() };
    let changed = survey.changed_applications.iter().find(|changed| changed.application == id);
    let held = survey.applications.get(id).and_then(Option::as_ref);
    let changes = changed.zip(held).map(|(changed, held)| {
        ChangeBody::of(&held.fields, &unlike(&held.fields, &changed.pointed))
    });
    changes.unwrap_or_default()
}
