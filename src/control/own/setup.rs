//! A tenant's configuration as one document: applied, rehearsed, written out.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, header};
use tokio::task::spawn_blocking;
use utoipa::IntoParams;

use crate::{
    control::{
        Api,
        answer::{self, Answer, Reply},
        auth::Caller,
        receive::{Params, Text},
    },
    dialects::{
        Problem, Reader, WarningBody, member,
        own::{AppliedBody, Document, ExportBody, SetupRequest, apply as how},
    },
    domain::{Names, Refusal, Revised, RevisionId, TenantId},
    store::{Actor, ApplyHow, Tx, WriteError},
};

/// How a document is applied.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it documents what the reader takes")]
pub(super) struct ApplyQuery {
    /// Rehearse it only: the same answer, and nothing of it is kept.
    plan: Option<bool>,
    /// Archive agents and remove numbers that the document does not name, of the kinds it lists.
    prune: Option<bool>,
}

/// What a change came to: what it changed, what that is called, and the revision it left.
pub(super) type Came = (Vec<Revised>, Names, Option<RevisionId>);

/// Makes a document true as one write. What is as it says already is not written: applied again it
/// changes nothing.
#[utoipa::path(post, path = "/apply", tag = "configuration",
    params(ApplyQuery, ("If-Match" = Option<String>, Header,
        description = "The revision that the document was written against, as export tells it.")),
    request_body(description = "The document, in YAML or JSON.",
        content((SetupRequest = "application/json"), (SetupRequest = "application/yaml"))),
    responses((status = 200, body = AppliedBody),
        (status = 412, description = "The configuration has been changed since that revision.")))]
pub(super) async fn apply(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    query: Params,
    text: Text,
) -> Answer {
    let fields = how(query.0)?;
    let expected = expected(&headers)?;
    let document = read(&api, text).await?;
    let (tenant, busy) = (caller.tenant, api.busy_agents(caller.tenant));
    let how = ApplyHow { prune: fields.prune, expected, busy };
    let said = Arc::clone(&document);
    let change = move |tx: &mut Tx<'_>| {
        let changes = tx.apply_setup(tenant, &said.setup, &how)?;
        came(tx, tenant, changes)
    };
    let answered = changed(&api, caller.actor(), fields.plan, change).await;
    answered.map_err(|problem| document.placed(problem))
}

/// Does what changes a configuration, or rehearses it.
pub(super) async fn changed(
    api: &Api,
    actor: Actor,
    plan: bool,
    change: impl FnOnce(&mut Tx<'_>) -> Result<Came, WriteError> + Send + 'static,
) -> Answer {
    let body = |(changes, names, revision): Came, warnings: Vec<WarningBody>| {
        AppliedBody::new(&changes, &names, revision, warnings)
    };
    if plan {
        let done = api.rehearse(actor, change).await?;
        let body = body(done.value, answer::warned(&done.warnings)).planned();
        return Ok(Reply::ok(&body).at(done.heads));
    }
    api.answer(actor, change, move |_, came, warnings| Reply::ok(&body(came, warnings))).await
}

/// What changes are called, and the revision that they leave.
pub(super) fn came(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    changes: Vec<Revised>,
) -> Result<Came, WriteError> {
    let names = tx.names(&changes)?;
    let revision = (!changes.is_empty()).then(|| tx.revision_of(tenant));
    Ok((changes, names, revision))
}

/// Reads a document, which may be large.
pub(super) async fn read(api: &Api, text: Text) -> Result<Arc<Document>, Problem> {
    let private = api.settings.private;
    let read = spawn_blocking(move || Document::read(&text.bytes, text.is_json, private)).await;
    Ok(Arc::new(read.map_err(|_| Problem::Internal)??))
}

/// The revision that the asker knows as the newest; a star is any (RFC 9110 §13.1.1).
fn expected(headers: &HeaderMap) -> Result<Option<RevisionId>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let id = text.trim_start_matches("W/").trim_matches('"').parse();
    id.map(Some).map_err(|_| Refusal::VersionOther.into())
}

/// How the configuration is written out.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it documents what the reader takes")]
pub(super) struct ExportQuery {
    /// `yaml` or `json`; without it what `Accept` asks for, else YAML.
    format: Option<String>,
}

/// The tenant's whole configuration as a document. Applied to the same tenant it changes nothing;
/// applied to another it makes the same decisions.
#[utoipa::path(get, path = "/export", tag = "configuration", params(ExportQuery),
    responses((status = 200, content((SetupRequest = "application/json"),
        (SetupRequest = "application/yaml")))))]
pub(super) async fn export(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    query: Params,
) -> Answer {
    let is_json = wants_json(query.0, &headers)?;
    let whole = api.read(move |rows| rows.configured(caller.tenant)).await?;
    let body = ExportBody::new(&whole.agents, &whole.numbers, &whole.settings, &whole.names);
    let mut response: Response = if is_json {
        answer::read(&body)
    } else {
        let text = body.yaml().ok_or(Problem::Internal)?;
        ([(header::CONTENT_TYPE, "application/yaml")], text).into_response()
    };
    let tag = whole.revision.and_then(|id| HeaderValue::from_str(&format!("\"{id}\"")).ok());
    response.headers_mut().extend(tag.map(|tag| (header::ETAG, tag)));
    Ok(response)
}

fn wants_json(mut query: Reader, headers: &HeaderMap) -> Result<bool, Refusal> {
    let format = query.filter("format", member::<Format>("yaml, json"));
    query.finish()?;
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let accepted = accept.is_some_and(|accept| accept.contains("json") && !accept.contains("yaml"));
    Ok(format.map_or(accepted, |format| format == Format::Json))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Yaml,
    Json,
}

impl std::str::FromStr for Format {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "yaml" => Ok(Self::Yaml),
            "json" => Ok(Self::Json),
            _ => Err(()),
        }
    }
}
