//! Metrics and health, for machines. It asks for no key, so it says nothing of anybody.

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{index::Index, telemetry::metrics};

#[derive(Clone)]
struct Admin {
    index: Index,
    draining: watch::Receiver<bool>,
}

pub(super) fn router(index: Index, draining: watch::Receiver<bool>) -> Router {
    Router::new()
        .route("/metrics", get(async || metrics::render()))
        .route("/livez", get(async || "ok"))
        .route("/readyz", get(readyz))
        .route("/debug/index", get(debug_index))
        .with_state(Admin { index, draining })
}

/// Whether this edge can answer calls. A database or a control plane that is away is no reason.
async fn readyz(State(admin): State<Admin>) -> (StatusCode, &'static str) {
    if *admin.draining.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining");
    }
    (StatusCode::OK, "ok")
}

async fn debug_index(State(admin): State<Admin>) -> Json<Value> {
    let counts = admin.index.view().counts();
    Json(json!({
        "tenants": counts.tenants,
        "accounts": counts.accounts,
        "agents": counts.agents,
        "numbers": counts.numbers,
        "contacts": counts.contacts,
        "contact_bytes": admin.index.contact_bytes(),
        "touches_evicted": admin.index.touches_evicted(),
    }))
}
