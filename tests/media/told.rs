//! What a runtime is told: over TLS, and of the call that is being returned.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use switchback::domain::{
    Agent, AgentId, Attestation, CallStatus, CallSummary, E164, Outcome, Segment, TenantId, Touch,
    TouchId, UnixSeconds,
};
use switchback::edge::session::Wiring;
use switchback::media::messages::{Message as Said, parse, write_audio};
use switchback::runtime::{ContextSource, Dialer, Settings, Sources, TranscriptSource};
use switchback::telemetry::clock;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use uuid::Uuid;

use crate::stage::{
    CALL, Carrier, STREAM, agent, bot, facts, hear, listen, payload, send, sources, wiring,
};

const TLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls");

/// A runtime on `wss://localhost`, its certificate by a root that nobody else trusts; it speaks one
/// frame.
fn tls_bot() -> String {
    let chain = CertificateDer::pem_file_iter(format!("{TLS}/localhost.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(format!("{TLS}/localhost.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.map(Result::unwrap).collect(), key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (listener, address) = listen();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let mut socket = accept_async(stream).await.unwrap();
                let mut text = String::new();
                write_audio(&mut text, STREAM, &payload(1));
                socket.send(Message::Text(text.into())).await.unwrap();
                tokio::time::sleep(Duration::from_secs(5)).await;
            });
        }
    });
    format!("wss://localhost:{}/", address.port())
}

#[tokio::test]
async fn a_runtime_behind_tls_is_reached_where_its_root_is_trusted() {
    let url = tls_bot();
    let ca_file = Some(format!("{TLS}/ca.pem").into());
    let dialer = Dialer::new(&Settings { allow_private: true, ca_file }).unwrap();
    let trusting = Wiring { dialer, ..wiring() };
    let facts = facts(agent(2, &[url]), CALL);
    let mut carrier = Carrier::call_facts(trusting, facts.clone()).await;
    assert_eq!(carrier.hear().await, Some(Said::Media(payload(1))));
    carrier.report().await;

    let mut carrier = Carrier::call_facts(wiring(), facts).await;
    assert_eq!(carrier.closed().await.0, Some(1000));
    assert_eq!(carrier.report().await.tried.first().unwrap().outcome, "tls");
}

fn touch() -> Touch {
    Touch {
        id: TouchId(Uuid::from_u128(7)),
        tenant: TenantId(Uuid::from_u128(1)),
        contact: E164::parse("+14155550117").unwrap(),
        agent: AgentId(Uuid::from_u128(9)),
        caller_id: E164::parse("+14155550100").unwrap(),
        at: UnixSeconds(1_700_000_000),
        outcome: Outcome::NoAnswer,
    }
}

/// The `return_context` that a runtime is told, and how long after `start` it was.
async fn told(wiring: Wiring, attestation: Attestation) -> (serde_json::Value, Duration) {
    told_by(wiring, attestation, None).await
}

/// The same where the agent asks for an attestation of its own.
async fn told_by(
    wiring: Wiring,
    attestation: Attestation,
    least: Option<Attestation>,
) -> (serde_json::Value, Duration) {
    let url = bot(|mut socket, start| async move {
        let context = start.parameters.iter().find(|(name, _)| name == "return_context");
        let context = context.map_or("", |(_, value)| value).to_owned();
        send(&mut socket, |out| write_audio(out, STREAM, &context.replace('"', "'"))).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    })
    .await;
    let agent = Agent { context_min_attestation: least, ..agent(2, &[url]) };
    let mut facts = facts(agent, CALL);
    facts.touch = Some(touch());
    facts.call.attestation = attestation;
    facts.context_min_attestation = Attestation::B;
    let mut carrier = Carrier::call_facts(wiring, facts).await;
    let Some(Said::Media(context)) = carrier.hear().await else { panic!("no context") };
    let took = carrier.started.elapsed();
    carrier.report().await;
    (serde_json::from_str(&context.replace('\'', "\"")).unwrap(), took)
}

#[tokio::test]
async fn a_runtime_is_told_where_its_briefing_is() {
    let url = bot(|mut socket, start| async move {
        let told = start.parameters.iter().find(|(name, _)| name == "briefing_url");
        let told = told.map_or("nowhere", |(_, value)| value).to_owned();
        send(&mut socket, |out| write_audio(out, STREAM, &told)).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    })
    .await;
    let facts = || facts(agent(2, std::slice::from_ref(&url)), CALL);
    let at = format!("https://api.example.com/sb/switchback/v1/calls/{}/briefing", facts().id);
    for (base, expected) in [(Some("https://api.example.com/sb"), &*at), (None, "nowhere")] {
        let wiring = Wiring { control_url: base.map(Into::into), ..wiring() };
        let mut carrier = Carrier::call_facts(wiring, facts()).await;
        let Some(Said::Media(told)) = carrier.hear().await else { panic!("not told") };
        assert_eq!(told, expected);
        carrier.report().await;
    }
}

#[tokio::test]
async fn a_return_call_comes_with_its_context() {
    let known = || {
        let context: ContextSource = Arc::new(|_, id| {
            assert_eq!(id, touch().id);
            Box::pin(async {
                Some(CallSummary {
                    source_agent: Some((touch().agent, "Sales".to_owned())),
                    touch: touch(),
                    variables: Some(r#"{"first_name":"Ann"}"#.to_owned()),
                    echo: None,
                    result: None,
                })
            })
        });
        Wiring { sources: Sources { context, ..sources() }, ..wiring() }
    };
    let (context, _) = told(known(), Attestation::A).await;
    assert_eq!(context["touch"]["source_agent"]["name"], "Sales");
    assert_eq!(context["touch"]["at"], "2023-11-14T22:13:20.000Z");
    assert_eq!(context["call"]["variables"]["first_name"], "Ann");
    assert_eq!(context["caller_verified"], true);
    assert_eq!(context["partial"], false);
    let (context, _) = told(known(), Attestation::C).await;
    assert_eq!(context["touch"]["outcome"], "no_answer");
    assert!(context.get("call").is_none() && context["touch"].get("caller_id").is_none());
    assert_eq!(context["caller_verified"], false);
    // The agent's own word goes before the tenant's, either way.
    let (context, _) = told_by(known(), Attestation::C, Some(Attestation::C)).await;
    assert_eq!(context["call"]["variables"]["first_name"], "Ann");
    let (context, _) = told_by(known(), Attestation::B, Some(Attestation::A)).await;
    assert!(context.get("call").is_none());
}

#[tokio::test]
async fn a_context_that_is_late_is_left_out() {
    let context: ContextSource = Arc::new(|_, _| Box::pin(std::future::pending()));
    let slow = Wiring { sources: Sources { context, ..sources() }, ..wiring() };
    let (context, took) = told(slow, Attestation::A).await;
    assert_eq!(context["partial"], true);
    assert!((290..500).contains(&took.as_millis()), "{took:?}");
}

/// A first runtime that leaves, and a second one that says what it was told.
async fn told_next(transcript: TranscriptSource) -> (String, String) {
    let first = bot(|mut socket, start| async move {
        assert!(start.parameters.iter().all(|(name, _)| name != "transcript"));
        let frame = CloseFrame { code: 1012.into(), reason: "".into() };
        socket.close(Some(frame)).await.unwrap();
        while hear(&mut socket).await.is_some() {}
    })
    .await;
    let second = bot(|mut socket, start| async move {
        let told = |named| start.parameters.iter().find(|(name, _)| name == named);
        for name in ["attempt", "transcript"] {
            let value = told(name).map_or("nothing", |(_, value)| value).replace('"', "'");
            send(&mut socket, |out| write_audio(out, STREAM, &value)).await;
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    })
    .await;
    let wiring = Wiring { sources: Sources { transcript, ..sources() }, ..wiring() };
    let mut carrier = Carrier::call_facts(wiring, facts(agent(2, &[first, second]), CALL)).await;
    let mut heard = Vec::new();
    while heard.len() < 2 {
        match carrier.hear().await {
            Some(Said::Media(told)) => heard.push(told.replace('\'', "\"")),
            Some(_) => {}
            None => panic!("no second runtime"),
        }
    }
    carrier.report().await;
    (heard.remove(0), heard.remove(0))
}

#[tokio::test]
async fn the_next_runtime_is_told_what_was_said_before() {
    let segment = |sequence_no, role: &str, text: &str| Segment {
        sequence_no,
        role: role.to_owned(),
        text: text.to_owned(),
        started_at: None,
        ended_at: None,
        source: None,
    };
    let said = vec![segment(1, "agent", "Hello."), segment(2, "person", "Who is it?")];
    let known: TranscriptSource = Arc::new(move |tenant, call, _| {
        assert_eq!((tenant, call), (TenantId(Uuid::from_u128(1)), facts(agent(2, &[]), CALL).id));
        let said = said.clone();
        Box::pin(async { Some(said) })
    });
    let (attempt, transcript) = told_next(known).await;
    assert_eq!(attempt, "1");
    let transcript: serde_json::Value = serde_json::from_str(&transcript).unwrap();
    assert_eq!(transcript["segments"][1]["text"], "Who is it?");
    assert_eq!(transcript["segments"][0]["role"], "agent");
    assert_eq!(transcript["partial"], false);

    let nothing: TranscriptSource = Arc::new(|_, _, _| Box::pin(async { Some(Vec::new()) }));
    assert_eq!(told_next(nothing).await.1, "nothing");
    let late: TranscriptSource = Arc::new(|_, _, _| Box::pin(std::future::pending()));
    let (_, transcript) = told_next(late).await;
    let transcript: serde_json::Value = serde_json::from_str(&transcript).unwrap();
    assert_eq!(transcript, serde_json::json!({ "segments": [], "partial": true }));
}

/// A runtime that is to leave a message is told when it is recorded; one that comes later, at once.
#[tokio::test]
async fn a_runtime_is_told_of_a_machine_that_records() {
    let url = bot(|mut socket, start| async move {
        let told = start.parameters.iter().find(|(name, _)| name == "answered_by");
        let told = told.map_or("person", |(_, value)| value).to_owned();
        send(&mut socket, |out| write_audio(out, STREAM, &told)).await;
        while let Some(Ok(message)) = socket.next().await {
            if message.to_text().is_ok_and(|text| text.contains(r#""event":"voicemail""#)) {
                send(&mut socket, |out| write_audio(out, STREAM, "message")).await;
            }
        }
    })
    .await;
    for is_known in [false, true] {
        let wiring = wiring();
        let facts = facts(agent(2, std::slice::from_ref(&url)), CALL);
        let call = wiring.live.open(facts.clone(), CallStatus::Ringing, clock::now());
        if is_known {
            call.answered_by_machine(true);
            call.told_of_machine();
        }
        let mut carrier = Carrier::call_facts(wiring, facts).await;
        let first = if is_known { "machine_recording" } else { "person" };
        assert_eq!(carrier.hear().await, Some(Said::Media(first.to_owned())));
        if !is_known {
            assert!(!carrier.call.answered_by_machine(false), "it may still be greeting");
            assert!(carrier.call.answered_by_machine(true));
            assert!(!carrier.call.answered_by_machine(true), "once");
            assert_eq!(carrier.hear().await, Some(Said::Media("message".to_owned())));
        }
        carrier.report().await;
    }
}

/// The text is one that any JSON reader takes.
#[test]
fn a_context_within_a_start_is_escaped() {
    let text = r#"{"event":"start","start":{"customParameters":{"a":"{\"b\":1}"}}}"#;
    let Said::Start(start) = parse(text).unwrap().message else { panic!("no start") };
    assert_eq!(start.parameters, [("a".to_owned(), "{\"b\":1}".to_owned())]);
}
