//! What would be changed so that numbers are answered here.

use std::collections::BTreeSet;

use super::{describe, survey::Survey};
use crate::{
    carriers::{self, Answerer, AskedUrl, HeldNumber, PointTo},
    control::Api,
    dialects::{
        Problem,
        own::{ChangeBody, PointFields, PointedAppBody, PointedBody, StepBody},
    },
    domain::{
        CarrierFields, E164, PointCause, PointNote, PointStep, PointedApplication, PointedNumber,
        Target, TenantId, as_held, unlike,
    },
    telemetry::clock,
};

/// A plan for the numbers of a request.
pub(super) struct Plan {
    pub(super) numbers: Vec<Planned>,
    /// What the account's application is to hold, where that is to change.
    pub(super) application: Option<PointedApplication>,
}

/// What becomes of one number.
pub(super) struct Planned {
    pub(super) number: E164,
    pub(super) fate: Fate,
    notes: Vec<PointNote>,
}

pub(super) enum Fate {
    /// It is pointed.
    Point(Box<Change>),
    Already,
    Waits,
    Refused(PointCause),
}

/// A number that is to be pointed: what is written down of it, and what it then is to hold.
pub(super) struct Change {
    pub(super) tenant: TenantId,
    pub(super) row: PointedNumber,
    asked: Option<AskedUrl>,
}

impl Plan {
    /// Finds out what is to be done. It asks the carrier, and changes nothing.
    pub(super) async fn of(
        api: &Api,
        survey: &mut Survey,
        fields: &PointFields,
    ) -> Result<Self, Problem> {
        let answering = fields.numbers.iter().filter_map(|number| {
            match &survey.held.get(number).filter(|_| survey.may_see(*number))?.answerer {
                Answerer::Application { id, .. } => Some(id.clone()),
                Answerer::Nobody
                | Answerer::Url(_)
                | Answerer::Trunk { .. }
                | Answerer::Unknown => None,
            }
        });
        let mut ids: BTreeSet<String> = answering.collect();
        let own = Some(&survey.account.application_id).filter(|id| !id.is_empty());
        ids.extend(own.filter(|_| survey.pointing.is_by_application()).cloned());
        survey.read_applications(api, ids).await?;
        let count = fields.count.and_then(|count| usize::try_from(count).ok());
        let (mut left, mut numbers) = (count.unwrap_or(usize::MAX), Vec::new());
        for &number in &fields.numbers {
            let mut planned = planned(survey, number, fields.hands_back);
            if let Fate::Point(_) = planned.fate {
                match left.checked_sub(1) {
                    Some(rest) => left = rest,
                    None => planned.fate = Fate::Waits,
                }
            }
            numbers.push(planned);
        }
        let mut plan = Self { numbers, application: None };
        if survey.pointing.is_by_application() {
            plan.plan_application(survey, fields.hands_back);
        }
        Ok(plan)
    }

    /// The numbers that are to be pointed.
    pub(super) fn changes(&self) -> impl Iterator<Item = &Change> {
        self.numbers.iter().filter_map(|planned| match &planned.fate {
            Fate::Point(change) => Some(&**change),
            Fate::Already | Fate::Waits | Fate::Refused(_) => None,
        })
    }

    /// What the account's application is to hold, so that it answers them here. One that answers
    /// others elsewhere is left alone, and so are they.
    fn plan_application(&mut self, survey: &Survey, hands_back: bool) {
        let (Some(own), true) = (survey.own_application(), self.changes().next().is_some()) else {
            return;
        };
        let chosen: BTreeSet<E164> = self.changes().map(|change| change.row.e164).collect();
        let is_ours = own.asked.as_ref().is_some_and(|asked| survey.is_ours(asked));
        let is_on_it = |held: &&HeldNumber| match &held.answerer {
            Answerer::Application { id, .. } => *id == own.id,
            Answerer::Nobody | Answerer::Url(_) | Answerer::Trunk { .. } | Answerer::Unknown => {
                false
            }
        };
        let others = survey.held.values().filter(is_on_it).filter(|held| {
            !chosen.contains(&held.number) && !survey.pointed.contains_key(&held.number)
        });
        if !is_ours && own.asked.is_some() && others.count() > 0 {
            for planned in &mut self.numbers {
                if let Fate::Point(_) = planned.fate {
                    planned.fate = Fate::Refused(PointCause::ApplicationInUse);
                }
            }
            return;
        }
        let fallback = self.common_fallback(survey, &own.id);
        if fallback.is_none() {
            for planned in &mut self.numbers {
                if let Fate::Point(change) = &planned.fate
                    && change.asked.is_some()
                {
                    planned.notes.push(PointNote::NoCommonFallback);
                }
            }
        }
        let before = survey.changed_applications.iter().find(|row| row.application == own.id);
        // How it is asked was written with the URL, and is not known here any more.
        let held = own.asked.as_ref().and_then(|asked| asked.fallback_url.as_ref());
        let stays = is_ours && held == fallback.as_ref().map(|asked| &asked.url);
        let to = PointTo {
            account: &survey.account,
            voice_url: &survey.voice_url,
            status_url: &survey.status_url,
            fallback: fallback.as_ref().filter(|_| !stays),
            keeps_status: hands_back && !is_ours && own.asked.is_some(),
        };
        let mut wanted = survey.pointing.application(own, &to);
        // What we put there for other numbers, and is not wanted any more, goes back.
        let rest = before.map(|row| if stays { &row.pointed } else { &row.previous });
        for (name, value) in rest.into_iter().flatten() {
            wanted.entry(name.clone()).or_insert_with(|| value.clone());
        }
        if !unlike(&own.fields, &wanted).is_empty() {
            let previous =
                merged(&own.fields, before.map(|row| (&row.previous, &row.pointed)), &wanted);
            self.application = Some(PointedApplication {
                account: survey.account.id,
                application: own.id.clone(),
                previous,
                pointed: wanted,
                at: clock::now(),
            });
        }
    }

    /// The one URL that everybody was answered by who is answered by the application now. Its calls
    /// must not fall back to somebody else's.
    fn common_fallback(&self, survey: &Survey, application: &str) -> Option<AskedUrl> {
        let chosen: BTreeSet<E164> = self.changes().map(|change| change.row.e164).collect();
        let rows = survey.pointed.values().filter(|row| {
            row.application.as_deref() == Some(application) && !chosen.contains(&row.e164)
        });
        let before = rows.map(|row| row.asked_before.clone());
        let now = self.changes().map(|change| change.row.asked_before.clone());
        let urls: BTreeSet<Option<String>> = before.chain(now).collect();
        let mut changes = self.changes();
        let asked = changes.find_map(|change| change.asked.clone());
        asked.filter(|_| urls.len() == 1)
    }

    /// The plan as it is shown.
    pub(super) fn body(&self, survey: &Survey, dry_run: bool) -> PointedBody {
        let application = self.application.as_ref().map(|row| {
            let held = survey.own_application();
            let nothing = CarrierFields::new();
            let fields = held.map_or(&nothing, |held| &held.fields);
            PointedAppBody {
                id: row.application.clone(),
                name: held.and_then(|held| held.name.clone()),
                changes: ChangeBody::of(fields, &unlike(fields, &row.pointed)),
            }
        });
        let numbers = self.numbers.iter().map(|planned| planned.body(survey)).collect();
        PointedBody { dry_run, numbers, application }
    }
}

impl Planned {
    /// One number of the plan as it is shown.
    pub(super) fn body(&self, survey: &Survey) -> StepBody {
        let held = survey.held.get(&self.number).filter(|_| survey.may_see(self.number));
        let shown = |step| {
            let answered_by = held.map(|held| describe::answerer(survey, held));
            StepBody { answered_by, ..StepBody::new(self.number, step).noting(&self.notes) }
        };
        match (&self.fate, held) {
            (Fate::Point(change), Some(held)) => {
                let wanted = unlike(&held.fields, &change.row.pointed);
                StepBody {
                    passthrough: change.row.passthrough.as_ref().map(ToString::to_string),
                    changes: ChangeBody::of(&held.fields, &wanted),
                    ..shown(PointStep::ToPoint)
                }
            }
            (Fate::Point(_) | Fate::Waits, _) => shown(PointStep::Waits),
            (Fate::Already, _) => shown(PointStep::Already),
            (Fate::Refused(cause), _) => shown(PointStep::Refused).refused(*cause),
        }
    }
}

fn planned(survey: &Survey, number: E164, hands_back: bool) -> Planned {
    let mut notes = Vec::new();
    let fate = match considered(survey, number, hands_back, &mut notes) {
        Ok(fate) => fate,
        Err(cause) => Fate::Refused(cause),
    };
    Planned { number, fate, notes }
}

fn considered(
    survey: &Survey,
    number: E164,
    hands_back: bool,
    notes: &mut Vec<PointNote>,
) -> Result<Fate, PointCause> {
    let held = asked_for(survey, number)?;
    let tenant = survey.owner(number).ok_or(PointCause::UnknownHere)?;
    let before = survey.pointed.get(&number);
    let comes_here = survey.comes_here(held);
    if comes_here && before.is_none() {
        notes.push(PointNote::ByHand);
        return Ok(Fate::Already);
    }
    can_be_pointed(survey, held)?;
    let asked = match comes_here {
        true => before.and_then(|row| row.asked_before.clone()).map(|url| AskedUrl {
            is_get: false,
            fallback_url: None,
            url,
        }),
        false => survey.asked(held).cloned(),
    };
    let passthrough = passthrough(survey, held, asked.as_ref(), hands_back, notes)?;
    let to = PointTo {
        account: &survey.account,
        voice_url: &survey.voice_url,
        status_url: &survey.status_url,
        fallback: asked.as_ref(),
        keeps_status: hands_back && asked.is_some(),
    };
    // What was put there was put for who answered before, who cannot be seen any more.
    let known = before.filter(|_| comes_here).map(|row| row.pointed.clone());
    let wanted = known.unwrap_or_else(|| survey.pointing.number(held, &to));
    let is_as_wanted = unlike(&held.fields, &wanted).is_empty();
    if comes_here && is_as_wanted && before.is_some_and(|row| row.is_confirmed) {
        return Ok(Fate::Already);
    }
    let status = held.fields.get("status_callback").and_then(Option::as_deref);
    if status.is_some_and(|url| !url.is_empty()) && !wanted.contains_key("status_callback") {
        notes.push(PointNote::StatusStays);
    }
    let known = before.map(|row| (&row.previous, &row.pointed));
    let row = PointedNumber {
        account: survey.account.id,
        e164: number,
        carrier_number_id: held.id.clone(),
        previous: merged(&held.fields, known, &wanted),
        pointed: wanted,
        asked_before: asked.as_ref().map(|asked| asked.url.clone()),
        application: Some(&survey.account.application_id)
            .filter(|_| survey.pointing.is_by_application())
            .cloned(),
        passthrough,
        is_confirmed: false,
        at: clock::now(),
    };
    Ok(Fate::Point(Box::new(Change { tenant, row, asked })))
}

/// The number as the carrier has it, where who asks may point it.
fn asked_for(survey: &Survey, number: E164) -> Result<&HeldNumber, PointCause> {
    let held = survey.held.get(&number).ok_or(PointCause::NotAtAccount)?;
    if survey.may_see(number) {
        return Ok(held);
    }
    // Who else has it at a shared account is not told.
    let is_known = survey.here.contains_key(&number);
    Err(if is_known { PointCause::Taken } else { PointCause::UnknownHere })
}

fn can_be_pointed(survey: &Survey, held: &HeldNumber) -> Result<(), PointCause> {
    if !held.takes_calls {
        return Err(PointCause::NotForCalls);
    }
    if survey.pointing.is_by_application() {
        if survey.account.application_id.is_empty() {
            return Err(PointCause::NoApplication);
        }
        survey.own_application().ok_or(PointCause::ApplicationNotFound)?;
    }
    survey.pointing.refuses(survey.own_application()).map_or(Ok(()), Err)
}

/// What the number is given as its passthrough, so that who answers goes on answering.
fn passthrough(
    survey: &Survey,
    held: &HeldNumber,
    asked: Option<&AskedUrl>,
    hands_back: bool,
    notes: &mut Vec<PointNote>,
) -> Result<Option<Target>, PointCause> {
    let here = survey.here.get(&held.number);
    let has_agent = here.is_some_and(|number| number.default_agent.is_some());
    if here.is_some_and(|number| number.passthrough.is_some()) {
        notes.push(PointNote::PassthroughKept);
        return Ok(None);
    }
    let is_mute = match &held.answerer {
        Answerer::Nobody => true,
        Answerer::Application { id, .. } => {
            let read = survey.applications.get(id).and_then(Option::as_ref);
            asked.is_none() && read.is_some_and(|read| read.asked.is_none())
        }
        Answerer::Url(_) | Answerer::Trunk { .. } | Answerer::Unknown => false,
    };
    if !hands_back || is_mute {
        if !has_agent {
            notes.push(PointNote::NobodyAnswers);
        }
        return Ok(None);
    }
    let asked = asked.ok_or(PointCause::CannotHandBack)?;
    // What the carrier takes behind a URL is no part of it.
    let url = asked.url.split('#').next().unwrap_or_default();
    let target: Option<Target> = format!("redirect:{url}").parse().ok();
    let room = carriers::room(survey.account.carrier);
    let target = target.filter(|target| room.can(target)).ok_or(PointCause::CannotHandBack)?;
    if asked.is_get {
        notes.push(PointNote::AskedByGet);
    }
    if has_agent {
        notes.push(PointNote::AgentPassedOver);
    }
    Ok(Some(target))
}

/// What is put back one day: what is there now, but for what we put there ourselves before.
fn merged(
    held: &CarrierFields,
    known: Option<(&CarrierFields, &CarrierFields)>,
    wanted: &CarrierFields,
) -> CarrierFields {
    let mut previous = as_held(held, wanted);
    for (name, value) in known.map(|(previous, _)| previous).into_iter().flatten() {
        let ours = known.and_then(|(_, pointed)| pointed.get(name));
        if held.get(name) == ours || !previous.contains_key(name) {
            previous.insert(name.clone(), value.clone());
        }
    }
    previous
}
