//! Points numbers here: written down, then changed at the carrier, one after another.

use super::{
    WORKS_FOR,
    plan::{Change, Fate, Plan},
    survey::Survey,
};
use crate::{
    control::{Api, auth::Anybody},
    dialects::{
        Problem,
        own::{PointedBody, StepBody},
    },
    dispatch::NotDone,
    domain::{DialFailure, E164, PointCause, PointStep, unlike},
    store::Tx,
    telemetry::clock,
};

/// What came of it.
pub(super) struct Done {
    /// The numbers that the carrier has as they are wanted.
    pub(super) confirmed: Vec<E164>,
    pub(super) body: PointedBody,
}

pub(super) async fn carry_out(
    api: &Api,
    who: Anybody,
    survey: &Survey,
    plan: Plan,
) -> Result<Done, Problem> {
    let mut body = plan.body(survey, false);
    let rows: Vec<_> = plan.changes().map(|change| (change.tenant, change.row.clone())).collect();
    if rows.is_empty() {
        return Ok(Done { confirmed: Vec::new(), body });
    }
    // Known here, and routed by, before the first call can come.
    let (account, application) = (survey.account.id, plan.application.clone());
    let begin = move |tx: &mut Tx<'_>| tx.begin_pointing(account, rows, application);
    api.write(who.actor(), begin).await?;
    let begun = clock::instant();
    let application = set_application(api, survey, &plan).await;
    let mut confirmed = Vec::new();
    for (planned, shown) in plan.numbers.iter().zip(&mut body.numbers) {
        let Fate::Point(change) = &planned.fate else { continue };
        let done = match &application {
            Err(not_done) => Err(Trouble::Carrier(not_done.clone())),
            Ok(()) if begun.elapsed() > WORKS_FOR => {
                shown.outcome = PointStep::Waits.as_str();
                continue;
            }
            Ok(()) => set_number(api, survey, change).await,
        };
        match done {
            Ok(()) => {
                confirmed.push(planned.number);
                shown.outcome = PointStep::Pointed.as_str();
            }
            Err(trouble) => *shown = trouble.shown(planned.body(survey)),
        }
    }
    Ok(Done { confirmed, body })
}

/// Why a number was not changed.
#[derive(Clone)]
pub(super) enum Trouble {
    /// The carrier did not do it.
    Carrier(NotDone),
    /// It is not as it was when that was planned.
    Cause(PointCause),
}

impl From<NotDone> for Trouble {
    fn from(not_done: NotDone) -> Self {
        Self::Carrier(not_done)
    }
}

impl Trouble {
    pub(super) fn shown(self, shown: StepBody) -> StepBody {
        match self {
            Self::Carrier((why, said)) => shown.failed(why, &said),
            Self::Cause(cause) => shown.refused(cause),
        }
    }
}

/// The application first: a number that is put to it is answered here at once.
async fn set_application(api: &Api, survey: &Survey, plan: &Plan) -> Result<(), NotDone> {
    let Some(row) = &plan.application else { return Ok(()) };
    let held = survey.own_application();
    let now = api.dispatch.read_application(&survey.account, &row.application).await?;
    let is_as_planned = now.as_ref().map(|now| &now.fields) == held.map(|held| &held.fields);
    let Some(now) = now.filter(|_| is_as_planned) else {
        let said = "the application was changed while this was planned".to_owned();
        return Err((DialFailure::Refused, said));
    };
    let fields = unlike(&now.fields, &row.pointed);
    api.dispatch.set_application(&survey.account, &now, &fields).await
}

async fn set_number(api: &Api, survey: &Survey, change: &Change) -> Result<(), Trouble> {
    let row = &change.row;
    let planned = survey.held.get(&row.e164);
    let read = api.dispatch.read_number(&survey.account, row.e164, &row.carrier_number_id).await?;
    let held = read.ok_or(Trouble::Cause(PointCause::NotAtAccount))?;
    if planned.map(|planned| &planned.fields) != Some(&held.fields) {
        return Err(Trouble::Cause(PointCause::ChangedSince));
    }
    let fields = unlike(&held.fields, &row.pointed);
    if fields.is_empty() {
        return Ok(());
    }
    Ok(api.dispatch.set_number(&survey.account, &held, &fields).await?)
}
