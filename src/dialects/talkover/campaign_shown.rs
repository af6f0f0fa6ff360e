//! Talkover's campaigns as they are shown, and their calls.

use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    AgentOfCall,
    call_list::word,
    campaign::{object, time_of_day},
};
use crate::{
    dialects::rfc3339,
    domain::{CampaignCall, CampaignCounts, CampaignRecord},
};

/// A campaign.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::Campaign)]
pub struct CampaignBody {
    id: Uuid,
    name: String,
    description: Option<String>,
    status: &'static str,
    campaign_type: String,
    agent_id: Uuid,
    /// Null where the agent has been deleted.
    agent: Option<AgentOfCall>,
    stats: CampaignStats,
    created_at: String,
    updated_at: String,
    /// Its schedule, retries, cooldowns and do-not-call settings, as Create Campaign takes them.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    rest: Map<String, Value>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::CampaignStats)]
struct CampaignStats {
    total_calls: u64,
    completed_calls: u64,
    failed_calls: u64,
    /// Per cent of those that are over.
    success_rate: f64,
    /// Seconds.
    average_duration: u64,
}

impl From<CampaignCounts> for CampaignStats {
    fn from(counts: CampaignCounts) -> Self {
        let over = counts.completed + counts.failed;
        // In tenths of a per cent, so that what is shown is what was meant.
        let tenths = (counts.completed * 1000).checked_div(over).unwrap_or(0);
        Self {
            total_calls: counts.calls,
            completed_calls: counts.completed,
            failed_calls: counts.failed,
            success_rate: f64::from(u32::try_from(tenths).unwrap_or(u32::MAX)) / 10.0,
            average_duration: (counts.lasted_ms / 1000).checked_div(counts.completed).unwrap_or(0),
        }
    }
}

impl CampaignBody {
    /// A campaign with its agent.
    #[must_use]
    pub fn new(record: &CampaignRecord, agent: Option<AgentOfCall>) -> Self {
        Self {
            id: record.id.0,
            name: record.name.clone(),
            description: Some(record.description.clone()).filter(|text| !text.is_empty()),
            status: record.status.as_str(),
            campaign_type: record.kind.clone(),
            agent_id: record.agent.0,
            agent,
            stats: CampaignStats::from(record.counts),
            created_at: rfc3339(record.created_at),
            updated_at: rfc3339(record.updated_at),
            rest: shown(&record.fields),
        }
    }
}

/// What is kept, over what Talkover's pages give as defaults, in both generations of its fields.
fn shown(kept: &str) -> Map<String, Value> {
    let kept = object(kept);
    let mut shown = json!({
        "start_date": null, "end_date": null, "days_of_week": [], "timezone": null,
        "call_time_ranges": [], "earliest_call_time": null, "latest_call_time": null,
        "initial_call_delay": 0, "max_retries": 3, "retry_cooldown_hours": 24,
        "enable_post_completion_cooldown": true, "post_completion_cooldown_hours": 168,
        "success_cooldown_hours": 168, "voicemail_cooldown_hours": 24,
        "no_answer_cooldown_hours": 24, "busy_cooldown_hours": 24, "failed_cooldown_hours": 24,
        "do_not_call_enabled": false, "do_not_call_list_source": "environment",
        "auto_add_to_dnc_enabled": true,
        "auto_dnc_trigger_statuses": ["completed", "voicemail"],
        "auto_dnc_trigger_errors": ["invalid_number", "disconnected"],
    });
    let Some(shown) = shown.as_object_mut() else { return kept };
    let mut shown = std::mem::take(shown);
    let ranges = kept.get("call_time_ranges").and_then(Value::as_array);
    for (end, old, is_best) in [
        ("start", "earliest_call_time", String::lt as fn(&String, &String) -> bool),
        ("end", "latest_call_time", String::gt),
    ] {
        let times = ranges.into_iter().flatten().filter_map(|range| range.get(end));
        let best = times
            .filter_map(|time| time_of_day(time).ok())
            .reduce(|best, next| if is_best(&next, &best) { next } else { best });
        shown.extend(best.map(|time| (old.to_owned(), Value::String(time))));
    }
    shown.extend(kept);
    shown
}

/// A campaign with its latest calls.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::CampaignDetail)]
pub struct CampaignWhole {
    #[serde(flatten)]
    campaign: CampaignBody,
    /// The latest hundred.
    calls: Vec<CallOfCampaign>,
    // Lists of contacts are not taken here; clients expect the list of them.
    #[schema(value_type = Vec<Object>)]
    files: [(); 0],
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::CallOfCampaign)]
struct CallOfCampaign {
    id: Uuid,
    to: String,
    status: &'static str,
    retries: u32,
    created_at: String,
}

impl CampaignWhole {
    /// A campaign with its agent and its latest calls.
    #[must_use]
    pub fn new(
        record: &CampaignRecord,
        agent: Option<AgentOfCall>,
        calls: &[CampaignCall],
    ) -> Self {
        let calls = calls.iter().map(|call| CallOfCampaign {
            id: call.call.0,
            to: call.to.to_string(),
            status: word(call.status),
            retries: 0,
            created_at: rfc3339(call.created_at),
        });
        Self { campaign: CampaignBody::new(record, agent), calls: calls.collect(), files: [] }
    }
}

/// A call of a campaign's.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::CampaignCall)]
pub struct CampaignCallBody {
    id: Uuid,
    campaign_id: Uuid,
    to: String,
    status: &'static str,
    scheduled_at: String,
    created_at: String,
}

impl From<&CampaignCall> for CampaignCallBody {
    fn from(call: &CampaignCall) -> Self {
        Self {
            id: call.call.0,
            campaign_id: call.campaign.0,
            to: call.to.to_string(),
            // Their word for a call that has only been asked for.
            status: "queued",
            scheduled_at: rfc3339(call.created_at),
            created_at: rfc3339(call.created_at),
        }
    }
}

/// Make Campaign Call's answer, which alone has no envelope.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::CampaignCalled)]
pub struct CampaignCalled {
    campaign_call: CampaignCallBody,
    campaign: CampaignNamed,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = talkover::CampaignNamed)]
struct CampaignNamed {
    id: Uuid,
    name: String,
    status: &'static str,
}

impl CampaignCalled {
    /// A call of that campaign.
    #[must_use]
    pub fn new(call: &CampaignCall, campaign: &CampaignRecord) -> Self {
        Self {
            campaign_call: CampaignCallBody::from(call),
            campaign: CampaignNamed {
                id: campaign.id.0,
                name: campaign.name.clone(),
                status: campaign.status.as_str(),
            },
        }
    }
}
