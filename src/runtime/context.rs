//! What a return call's runtime is told of the call that is being returned.

use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use futures_util::future::BoxFuture;

use super::fetch::Fetch;
use crate::dialects::own::return_context;
use crate::domain::{CallSummary, TenantId, Touch, TouchId};

/// Where summaries of touches are found: a store, a spool, a control plane.
pub type ContextSource =
    Arc<dyn Fn(TenantId, TouchId) -> BoxFuture<'static, Option<CallSummary>> + Send + Sync>;

/// A return call's context, being fetched.
#[derive(Debug)]
pub struct Context {
    touch: Touch,
    is_verified: bool,
    summary: Fetch<CallSummary>,
}

impl Context {
    /// Starts to fetch it. `is_verified`: the network vouches for the caller in full.
    #[must_use]
    pub fn fetch(source: &ContextSource, touch: Touch, is_verified: bool) -> Self {
        Self { touch, is_verified, summary: Fetch::begin(source(touch.tenant, touch.id)) }
    }

    /// Waits until it is there, or late.
    pub fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        self.summary.poll_ready(cx)
    }

    /// The context as the text of one JSON object, once it is ready; what was late is left out.
    /// `is_full`: the caller is vouched for enough for this runtime to be told everything.
    #[must_use]
    pub fn text(&self, is_full: bool) -> String {
        let summary = self.summary.found();
        return_context(&self.touch, summary, self.is_verified, is_full).to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;
    use crate::domain::{AgentId, E164, Outcome, UnixSeconds};
    use crate::runtime::fetch::FETCH_MAX;

    fn touch() -> Touch {
        Touch {
            id: TouchId(Uuid::from_u128(1)),
            tenant: TenantId(Uuid::from_u128(2)),
            contact: E164::parse("+14155550117").unwrap(),
            agent: AgentId(Uuid::from_u128(3)),
            caller_id: E164::parse("+14155550100").unwrap(),
            at: UnixSeconds(1_700_000_000),
            outcome: Outcome::NoAnswer,
        }
    }

    fn summary() -> CallSummary {
        CallSummary {
            source_agent: Some((AgentId(Uuid::from_u128(3)), "Sales \"A\"".to_owned())),
            touch: touch(),
            variables: Some(r#"{"first_name":"Ann"}"#.to_owned()),
            echo: None,
            result: Some("not json".to_owned()),
        }
    }

    #[track_caller]
    fn check(summary: Option<&CallSummary>, is_full: bool, expected: &Value) {
        let found: Value = return_context(&touch(), summary, false, is_full);
        assert_eq!(&found, expected);
    }

    #[test]
    fn a_runtime_is_told_what_the_caller_is_entitled_to() {
        let id = "00000000-0000-0000-0000-000000000003";
        let at = "2023-11-14T22:13:20.000Z";
        check(
            Some(&summary()),
            true,
            &json!({
                "touch": {
                    "source_agent": {"id": id, "name": "Sales \"A\""}, "at": at,
                    "outcome": "no_answer", "caller_id": "+14155550100",
                },
                "call": {
                    "variables": {"first_name": "Ann"}, "echo": null, "result": "not json",
                },
                "caller_verified": false,
                "partial": false,
            }),
        );
        check(
            Some(&summary()),
            false,
            &json!({
                "touch": {
                    "source_agent": {"id": id, "name": "Sales \"A\""}, "at": at,
                    "outcome": "no_answer",
                },
                "caller_verified": false,
                "partial": false,
            }),
        );
        check(
            None,
            true,
            &json!({
                "touch": {
                    "source_agent": {"id": id, "name": null}, "at": at,
                    "outcome": "no_answer", "caller_id": "+14155550100",
                },
                "caller_verified": false,
                "partial": true,
            }),
        );
    }

    #[tokio::test]
    async fn a_slow_source_is_not_waited_for() {
        let source: ContextSource = Arc::new(|_, _| Box::pin(std::future::pending()));
        let mut context = Context::fetch(&source, touch(), true);
        let ready = std::future::poll_fn(|cx| context.poll_ready(cx));
        tokio::time::timeout(FETCH_MAX * 2, ready).await.unwrap();
        assert!(context.text(true).contains(r#""partial":true"#));
    }
}
