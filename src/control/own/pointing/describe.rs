//! How the numbers of a carrier are shown.

use super::survey::Survey;
use crate::{
    carriers::{Answerer, HeldNumber},
    dialects::own::{AnswererBody, AtCarrierBody},
    domain::{PointState, unlike},
};

/// A number, as a list shows it.
pub(super) fn at_carrier(survey: &Survey, held: &HeldNumber) -> AtCarrierBody {
    AtCarrierBody {
        e164: held.number.to_string(),
        carrier_number_id: held.id.clone(),
        name: held.name.clone(),
        takes_calls: held.takes_calls,
        answered_by: answerer(survey, held),
        number_id: survey.here.get(&held.number).map(|number| number.id.to_string()),
        state: state(survey, held).as_str(),
    }
}

/// Who answers it.
pub(super) fn answerer(survey: &Survey, held: &HeldNumber) -> AnswererBody {
    let asked = survey.asked(held);
    let (kind, id, name) = match &held.answerer {
        Answerer::Nobody => ("nobody", None, None),
        Answerer::Url(_) => ("url", None, None),
        Answerer::Application { id, name } => {
            let read = survey.applications.get(id).and_then(Option::as_ref);
            let name = read.and_then(|read| read.name.clone()).or_else(|| name.clone());
            ("application", Some(id.clone()), name)
        }
        Answerer::Trunk { id } => ("trunk", Some(id.clone()), None),
        Answerer::Unknown => ("unknown", None, None),
    };
    AnswererBody {
        kind,
        url: asked.map(|asked| asked.url.clone()),
        method: asked.map(|asked| if asked.is_get { "GET" } else { "POST" }),
        fallback_url: asked.and_then(|asked| asked.fallback_url.clone()),
        id,
        name,
    }
}

/// How it stands.
pub(super) fn state(survey: &Survey, held: &HeldNumber) -> PointState {
    let comes_here = survey.comes_here(held);
    let Some(row) = survey.pointed.get(&held.number) else {
        let is_told = !matches!(held.answerer, Answerer::Unknown);
        let elsewhere = if is_told { PointState::Elsewhere } else { PointState::Unknown };
        return if comes_here { PointState::Here } else { elsewhere };
    };
    if !row.is_confirmed {
        return PointState::Unconfirmed;
    }
    let application = row.application.as_deref().and_then(|id| {
        survey.changed_applications.iter().find(|changed| changed.application == id)
    });
    let read = row.application.as_ref().and_then(|id| survey.applications.get(id)?.as_ref());
    let app_is_changed = application
        .zip(read)
        .is_some_and(|(row, read)| !unlike(&read.fields, &row.pointed).is_empty());
    match unlike(&held.fields, &row.pointed).is_empty() && !app_is_changed {
        true if comes_here => PointState::Pointed,
        true => PointState::Outdated,
        false => PointState::Changed,
    }
}
