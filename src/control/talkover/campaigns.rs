//! Talkover's campaigns: recorded, so that their calls leave touches and nobody is called twice at
//! once. No schedule is kept and nothing is dialled by itself.

use axum::extract::State;
use http::StatusCode;

use crate::{
    control::{
        Api,
        answer::{self, Answer, Reply},
        auth::Caller,
        placing,
        receive::{At, Body, Params},
        whole::current,
    },
    dialects::{
        detects_machine, hangs_up_on_machine,
        talkover::{
            self as dialect, AgentOfCall, CampaignBody, CampaignCallRequest, CampaignCalled,
            CampaignQuery, CampaignRequest, CampaignStatusRequest, CampaignWhole, Envelope,
            Nothing,
        },
        voicemail_message,
    },
    domain::{CampaignCall, CampaignId, CampaignRecord, RecordRefusal, TenantId},
    store::{CallerId, CampaignFilter, NewCall, NewCampaign, Rows, Tx, WriteError},
};

/// Calls that are shown with a campaign.
const CALLS_SHOWN: u32 = 100;

/// List Campaigns: a page of them, newest first.
#[utoipa::path(get, path = "/campaigns", tag = "campaigns", params(CampaignQuery),
    responses((status = 200, body = Envelope<Vec<CampaignBody>>)))]
pub(super) async fn list(State(api): State<Api>, caller: Caller, query: Params) -> Answer {
    let fields = dialect::campaign_list(query.0)?;
    let (page, per_page) = (fields.page, fields.per_page);
    let filter = CampaignFilter {
        status: fields.status,
        kind: fields.kind,
        agent: fields.agent,
        from: fields.from,
        to: fields.to,
        search: fields.search,
    };
    let listed = api
        .read(move |rows| {
            let listed = rows.campaigns(caller.tenant, &filter, page, per_page)?;
            listed.try_map(|record| shown(rows, &record))
        })
        .await?;
    let rows = listed.rows.len();
    Ok(answer::read(Envelope::of(listed.rows).paged(page, per_page, listed.total, rows)))
}

/// Create Campaign: a draft. Its schedule is kept for who asks, and nothing is dialled by it.
#[utoipa::path(post, path = "/campaigns", tag = "campaigns", request_body = CampaignRequest,
    responses((status = 201, body = Envelope<CampaignBody>),
        (status = 404, description = "There is no such agent."),
        (status = 409, description = "There are as many campaigns as are kept.")))]
pub(super) async fn create(State(api): State<Api>, caller: Caller, Body(body): Body) -> Answer {
    let fields = dialect::campaign(body, None)?;
    let create = move |tx: &mut Tx<'_>| {
        let kept = fields.kept("{}");
        let agent = fields.agent.ok_or(crate::domain::Refusal::AgentNotFound)?;
        let new = NewCampaign {
            agent,
            name: fields.name.unwrap_or_default(),
            kind: fields.kind.unwrap_or_default(),
            description: fields.description.unwrap_or_default(),
            fields: kept,
        };
        let record = tx.create_campaign(caller.tenant, new)?;
        shown(tx, &record)
    };
    let reply = |_: &Api, body: CampaignBody, warnings| {
        Reply::created(&Envelope::of(body).says("Campaign created successfully").warns(warnings))
    };
    api.answer(caller.actor(), create, reply).await
}

/// Get Campaign, with its latest calls.
#[utoipa::path(get, path = "/campaigns/{campaign}", tag = "campaigns",
    responses((status = 200, body = Envelope<CampaignWhole>)))]
pub(super) async fn read(State(api): State<Api>, caller: Caller, At(id): At<CampaignId>) -> Answer {
    let body = api
        .read(move |rows| {
            let found = rows.campaign(caller.tenant, id)?;
            let record = found.ok_or(RecordRefusal::CampaignNotFound)?;
            let agent = agent_of(rows, &record)?;
            Ok(CampaignWhole::new(&record, agent, &rows.campaign_calls(id, CALLS_SHOWN)?))
        })
        .await?;
    Ok(answer::read(Envelope::of(body)))
}

/// Update Campaign: what is not said stays. An active one is paused first.
#[utoipa::path(put, path = "/campaigns/{campaign}", tag = "campaigns",
    request_body = Object, responses((status = 200, body = Envelope<CampaignBody>)))]
pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<CampaignId>,
    Body(body): Body,
) -> Answer {
    let update = move |tx: &mut Tx<'_>| {
        let record = tx.update_campaign(caller.tenant, id, |known| {
            let fields = dialect::campaign(body, Some(&known.fields))?;
            known.fields = fields.kept(&known.fields);
            known.agent = fields.agent.unwrap_or(known.agent);
            known.name = fields.name.unwrap_or_else(|| known.name.clone());
            known.kind = fields.kind.unwrap_or_else(|| known.kind.clone());
            known.description = fields.description.unwrap_or_else(|| known.description.clone());
            Ok(())
        })?;
        shown(tx, &record)
    };
    let reply = |_: &Api, body: CampaignBody, warnings| {
        Reply::ok(&Envelope::of(body).says("Campaign updated successfully").warns(warnings))
    };
    api.answer(caller.actor(), update, reply).await
}

/// Update Campaign Status. An active campaign's calls may be asked for; none is dialled by itself.
#[utoipa::path(patch, path = "/campaigns/{campaign}/status", tag = "campaigns",
    request_body = CampaignStatusRequest,
    responses((status = 200, body = Envelope<CampaignBody>),
        (status = 400, description = "It cannot go there from where it stands.")))]
pub(super) async fn status(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<CampaignId>,
    Body(body): Body,
) -> Answer {
    let status = dialect::campaign_status(body)?;
    let update = move |tx: &mut Tx<'_>| {
        let record = tx.set_campaign_status(caller.tenant, id, status)?;
        shown(tx, &record)
    };
    let reply = |_: &Api, body: CampaignBody, warnings| {
        let data = Envelope::of(body);
        Reply::ok(&data.says("Campaign status updated successfully").warns(warnings))
    };
    api.answer(caller.actor(), update, reply).await
}

/// Delete Campaign. Its calls stay: people may ring back.
#[utoipa::path(delete, path = "/campaigns/{campaign}", tag = "campaigns",
    responses((status = 200, body = Envelope<Nothing>),
        (status = 409, description = "It has calls in progress.")))]
pub(super) async fn remove(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<CampaignId>,
) -> Answer {
    let remove = move |tx: &mut Tx<'_>| tx.delete_campaign(caller.tenant, id);
    let reply = |_: &Api, (), warnings| {
        let envelope: Envelope<()> = Envelope::done("Campaign deleted successfully");
        Reply::ok(&envelope.warns(warnings))
    };
    api.answer(caller.actor(), remove, reply).await
}

/// Make Campaign Call. It is placed at once by the campaign's agent, whatever the campaign's
/// schedule, retries and cooldowns say: those are kept for who asks, and not acted upon.
#[utoipa::path(post, path = "/campaigns/{campaign}/call", tag = "campaigns",
    request_body = CampaignCallRequest,
    responses((status = 201, body = CampaignCalled),
        (status = 400, description = "The campaign is not active, or its agent not published."),
        (status = 409, description = "That person is being called by it already, or the agent \
            has no number to show."),
        (status = 502, description = "The carrier refused the call, or cannot be reached.")))]
pub(super) async fn call(
    State(api): State<Api>,
    caller: Caller,
    At(id): At<CampaignId>,
    Body(body): Body,
) -> Answer {
    let fields = dialect::campaign_call(body)?;
    let (tenant, to) = (caller.tenant, fields.to);
    let placed = placing::place(&api, caller, move |tx| {
        let campaign = tx.calling_campaign(tenant, id, to, fields.may_repeat)?;
        let record = current(tx, tenant, campaign.agent)?;
        Ok(NewCall {
            agent: campaign.agent,
            to,
            caller_id: CallerId::Sticky,
            profile: None,
            is_test: fields.is_test,
            detects_machine: detects_machine(&record.profile),
            hangs_up_on_machine: hangs_up_on_machine(&record.profile),
            voicemail_message: voicemail_message(&record.profile),
            delay_seconds: 0,
            campaign: Some(id),
            brief: fields.brief,
        })
    });
    let (placed, heads) = placed.await?;
    let record = api.read(move |rows| rows.campaign(tenant, id)).await?;
    let record = record.ok_or(crate::domain::Refusal::from(RecordRefusal::CampaignNotFound))?;
    let call = CampaignCall {
        call: placed.call.id,
        campaign: id,
        to,
        status: placed.call.status,
        created_at: placed.call.created_at,
    };
    Ok(Reply::json(StatusCode::CREATED, &CampaignCalled::new(&call, &record)).at(heads))
}

fn shown(rows: &Rows<'_>, record: &CampaignRecord) -> Result<CampaignBody, WriteError> {
    Ok(CampaignBody::new(record, agent_of(rows, record)?))
}

fn agent_of(rows: &Rows<'_>, record: &CampaignRecord) -> Result<Option<AgentOfCall>, WriteError> {
    let tenant: TenantId = record.tenant;
    Ok(rows.agent(tenant, record.agent)?.as_ref().map(AgentOfCall::from))
}
