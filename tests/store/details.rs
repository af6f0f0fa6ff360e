//! What is kept of calls beside their rows: agents as they were, results, transcripts.

use switchback::{
    domain::{
        AgentId, CallId, CallPatch, CallResult, CallStatus, Direction, Refusal, Segment, TenantId,
        UnixMillis,
    },
    store::{AgentPatch, MergedSegments, Tx},
};
use uuid::Uuid;

use crate::support::{Arrange, Fixture};

fn call(tx: &mut Tx<'_>, tenant: TenantId, agent: AgentId, n: u128) -> CallId {
    let id = CallId(Uuid::from_u128(n));
    let now = tx.now();
    let patch = CallPatch {
        agent: Some(agent),
        status: Some(CallStatus::Ringing),
        ..CallPatch::new(id, tenant, now)
    };
    tx.upsert_call(&patch).unwrap();
    id
}

fn scene(fixture: &Fixture) -> (TenantId, AgentId) {
    fixture.done(|tx| {
        let tenant = tx.create_tenant("acme").unwrap().tenant.id;
        Ok((tenant, tx.live(tenant, Direction::Inbound, "Desk").agent.id))
    })
}

fn profile(text: &str) -> AgentPatch {
    AgentPatch { profile: Some(text.to_owned()), ..AgentPatch::default() }
}

#[test]
fn calls_of_an_unchanged_agent_share_what_it_was() {
    let fixture = Fixture::new();
    let (tenant, agent) = scene(&fixture);
    let versions = fixture.done(move |tx| {
        let mut versions = Vec::new();
        for (n, text) in [(1, "{}"), (2, "{}"), (3, r#"{"voice":"a"}"#), (4, "{}")] {
            tx.update_agent(tenant, agent, profile(text))?;
            let id = call(tx, tenant, agent, n);
            versions.push(tx.call(tenant, id)?.unwrap().version.unwrap());
            // More is told of it; it keeps what it began with.
            tx.update_agent(tenant, agent, profile(r#"{"voice":"later"}"#))?;
            let again = call(tx, tenant, agent, n);
            assert_eq!(tx.call(tenant, again)?.unwrap().version, versions.last().copied());
        }
        let found = tx.agent_version(tenant, versions[2])?.unwrap();
        assert_eq!((found.name.as_str(), found.profile.as_str()), ("Desk", r#"{"voice":"a"}"#));
        let stranger = tx.create_tenant("other")?.tenant.id;
        assert_eq!(tx.agent_version(stranger, versions[2])?, None);
        Ok(versions)
    });
    assert_eq!(versions[0], versions[1]);
    assert_eq!(versions[0], versions[3]);
    assert_ne!(versions[0], versions[2]);
}

#[test]
fn the_last_word_on_a_result_counts() {
    let fixture = Fixture::new();
    let (tenant, agent) = scene(&fixture);
    let id = fixture.done(move |tx| Ok(call(tx, tenant, agent, 1)));
    // Listeners are told after who wrote; by the next commit they have been.
    fixture.done(|_| Ok(()));
    let mut changes = fixture.store.call_changes();
    for (result, is_news) in [
        (CallResult::Completed("{}".to_owned()), true),
        (CallResult::Completed("{}".to_owned()), false),
        (CallResult::Failed("why".to_owned()), true),
    ] {
        let said = result.clone();
        let placed = fixture.done(move |tx| tx.set_result(tenant, id, &said));
        assert_eq!(placed.result, Some(result));
        fixture.done(|_| Ok(()));
        assert_eq!(changes.try_recv().is_ok(), is_news);
    }
    let stranger = TenantId(Uuid::from_u128(99));
    let result = CallResult::Failed(String::new());
    let refused = fixture.refused(move |tx| tx.set_result(stranger, id, &result));
    assert_eq!(refused, Refusal::CallNotFound);
}

fn segment(sequence_no: u32, text: String) -> Segment {
    let (started_at, ended_at) = (Some(UnixMillis(1)), None);
    Segment { sequence_no, role: "agent".to_owned(), text, started_at, ended_at, source: None }
}

#[test]
fn a_transcript_is_bounded_and_goes_with_its_call() {
    let fixture = Fixture::new();
    let (tenant, agent) = scene(&fixture);
    let id = fixture.done(move |tx| Ok(call(tx, tenant, agent, 1)));
    let long = |from: u32, count: u32| -> Vec<_> {
        (from..from + count).map(|n| segment(n, "x".repeat(16 * 1024))).collect()
    };
    let add = |segments: Vec<Segment>| {
        fixture.write(move |tx| tx.add_segments(tenant, id, &segments)).map(|done| done.value)
    };
    let merged = |accepted, duplicates| MergedSegments { accepted, duplicates };
    assert_eq!(add(long(0, 128)).unwrap(), merged(128, 0));
    assert_eq!(add(long(0, 128)).unwrap(), merged(0, 128), "told again it takes no room");
    assert!(add(long(128, 1)).is_err());
    // What is corrected gives back its room.
    assert_eq!(add(vec![segment(0, "y".to_owned())]).unwrap(), merged(1, 0));
    assert_eq!(add(vec![segment(500, "z".to_owned())]).unwrap(), merged(1, 0));
    let read = fixture.read(move |rows| rows.transcript(tenant, id));
    assert_eq!(read.len(), 129);
    assert!(read.is_sorted_by_key(|segment| segment.sequence_no));
    let short = (1000..11_000).map(|n| segment(n, "s".to_owned())).collect();
    assert!(add(short).is_err(), "ten thousand in all");
    let stranger = TenantId(Uuid::from_u128(99));
    assert_eq!(fixture.read(move |rows| rows.transcript(stranger, id)), []);
}
