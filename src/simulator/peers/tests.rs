//! Each carrier's peer against the room it verifies: what one writes, the other reads, and the two
//! were written apart.

use http::{HeaderMap, Method};

use super::*;
use crate::{
    carriers::{self, Answer, CarrierId, Endpoint, Event, Request},
    domain::{Ani, ByteOrder, CallStatus, Direction, E164, InboundCall, MediaFormat},
    simulator::{
        audio,
        leg::Facts,
        verb::{Dial, Stream},
    },
    telemetry::clock,
};

/// With what a room adds, that a carrier may bring it back.
const RESUME: &str = "https://edge.example.com/carriers/main/resume?call=1&attempt=0&leg=1";
const STATUS: &str = "https://edge.example.com/carriers/main/status";
const MEDIA: &str = "wss://edge.example.com/media/7f3a";

/// Every carrier that is played and answered with documents.
fn documented() -> impl Iterator<Item = (CarrierId, &'static dyn Peer, Account)> {
    CarrierId::ALL.iter().filter_map(|kind| {
        let peer = peer(*kind).filter(|_| *kind != CarrierId::Telnyx)?;
        Some((*kind, peer, peer.account("main").0))
    })
}

/// What the peer reads from what the room writes.
#[track_caller]
fn read(kind: CarrierId, peer: &dyn Peer, account: &Account, answer: &Answer<'_>) -> Vec<Verb> {
    let leg = carriers::Leg {
        account,
        carrier_call_id: "1",
        event_id: None,
        direction: Direction::Inbound,
        is_answered: false,
        call: InboundCall::UNKNOWN,
    };
    let mut body = Vec::new();
    let reply = carriers::room(kind).answer(answer, &leg, &mut body);
    let carriers::Reply::Document(content_type) = reply else { panic!("{kind}: no document") };
    peer.read(content_type, &body).unwrap_or_else(|problem| panic!("{kind}: {problem}"))
}

/// Whom a step asks; carriers that bring a text along have it there.
fn asks(step: &Step) -> bool {
    // TeXML's URLs have a token besides.
    step.url.split("&fetch=").next().is_some_and(|url| url.starts_with(RESUME))
        || step.brings == RESUME
}

#[test]
fn what_a_room_writes_is_understood() {
    let number = E164::parse("+14155550117").unwrap();
    for (kind, peer, account) in documented() {
        let check = |answer: Answer<'_>| read(kind, peer, &account, &answer);
        let dial = |callee: &str, verbs: &[Verb]| {
            let Some(Verb::Dial(Dial { callee: found, action })) = verbs.first() else {
                panic!("{kind}: {verbs:?}")
            };
            assert_eq!(found, callee, "{kind}");
            assert!(action.as_ref().is_some_and(asks), "{kind}: {verbs:?}");
        };
        dial("+14155550117", &check(Answer::DialNumber { number, resume_url: RESUME }));
        let address = "desk@pbx.example.com";
        let verbs = check(Answer::DialSip { address, resume_url: RESUME });
        dial("sip:desk@pbx.example.com", &verbs);
        let text = "a < b";
        let verbs = check(Answer::Say { text, resume_url: RESUME });
        assert_eq!(verbs.first(), Some(&Verb::Say(text.to_owned())), "{kind}");
        // Some can only reject, by what would hang up; Vonage can only hang up.
        let is_plain = kind == CarrierId::Bandwidth;
        let can_refuse = kind != CarrierId::Vonage;
        let refusal = |is_busy| if can_refuse { Verb::Reject { is_busy } } else { Verb::HangUp };
        assert_eq!(check(Answer::Busy).first(), Some(&refusal(!is_plain)), "{kind}");
        assert_eq!(check(Answer::Reject).first(), Some(&refusal(false)), "{kind}");
        let end = if is_plain { Verb::Reject { is_busy: false } } else { Verb::HangUp };
        assert_eq!(check(Answer::HangUp).first(), Some(&end), "{kind}");
    }
}

#[test]
fn a_media_socket_is_asked_for_in_its_format() {
    let wanted = [MediaFormat::PCMU_8000, MediaFormat::L16_16000, MediaFormat::L16_24000];
    for (kind, peer, account) in documented() {
        for wanted in wanted {
            let format = carriers::room(kind).media_format(wanted);
            let verbs = read(
                kind,
                peer,
                &account,
                &Answer::Media {
                    url: MEDIA,
                    status_url: STATUS,
                    resume_url: RESUME,
                    format,
                    parameters: &[("note", "abc")],
                },
            );
            // What is heard beside the socket is not simulated.
            let beside = |verb: &&Verb| !matches!(verb, Verb::Other(_));
            let verbs: Vec<_> = verbs.iter().filter(beside).collect();
            let [Verb::Connect(Stream { url, format: found, .. }), Verb::Redirect(step)] =
                verbs[..]
            else {
                panic!("{kind}: {verbs:?}")
            };
            // Where messages name what they are, the document names what comes.
            let is_named = kind != CarrierId::Bandwidth;
            let format = if is_named { format } else { MediaFormat::PCMU_8000 };
            assert_eq!((url.as_str(), *found), (MEDIA, format), "{kind}");
            assert!(asks(step), "{kind}: {step:?}");
        }
    }
}

fn leg(peer: &dyn Peer, account: &Account, direction: Direction) -> Leg {
    let facts = Facts {
        sid: peer.call_id(),
        account_sid: account.account_id.clone(),
        application_id: account.application_id.clone(),
        from: "+14155550117".to_owned(),
        to: "+12125550142".to_owned(),
        direction,
        created_at: clock::now(),
        started: clock::instant(),
        stir_verstat: None,
        forwarded_from: None,
    };
    Leg::new(facts, CallStatus::Ringing)
}

/// What the room makes of a request, once it is signed.
#[track_caller]
fn received<T>(
    endpoint: Endpoint,
    letter: &Letter,
    account: &Account,
    then: impl FnOnce(Event<'_>) -> T,
) -> T {
    let room = carriers::room(account.carrier);
    let Letter { method, url, headers, body } = letter;
    let request = Request { method, url, headers, body: body.as_bytes() };
    let mut headers: HeaderMap = headers.clone();
    headers.extend(room.sign(&request, account, clock::now()));
    let request = Request { headers: &headers, ..request };
    let webhook = room.receive(endpoint, &request, account, clock::now());
    then(webhook.unwrap_or_else(|refused| panic!("{}: {refused:?}", account.carrier)).event)
}

#[test]
fn what_a_peer_tells_is_taken_by_the_room() {
    for (kind, peer, account) in documented() {
        let inbound = leg(peer, &account, Direction::Inbound);
        let voice = "https://edge.example.com/carriers/main/voice";
        let letter = peer.ask(&inbound, &Asking::of(Step::to(voice)));
        received(Endpoint::Voice, &letter, &account, |event| {
            let Event::Voice(voice) = event else { panic!("{kind}: {event:?}") };
            let caller = E164::parse("+14155550117").unwrap();
            assert_eq!(voice.call.ani, Ani::Number(caller), "{kind}");
            assert_eq!(voice.call.dnis, E164::parse("+12125550142"), "{kind}");
            assert_eq!(voice.direction, Direction::Inbound, "{kind}");
        });
        let dialled = Dialled { outcome: CallStatus::NoAnswer, talked: None };
        let asking = Asking { dialled: Some(dialled), ..Asking::of(Step::to(RESUME)) };
        received(Endpoint::Resume, &peer.ask(&inbound, &asking), &account, |event| {
            let Event::Voice(voice) = event else { panic!("{kind}: {event:?}") };
            assert!(voice.dial.is_some(), "{kind}");
        });
        let outbound = leg(peer, &account, Direction::Outbound);
        outbound.change(|state| state.status = CallStatus::Busy);
        let event = StationEvent { station: Station::Completed, sequence: 2, seconds: Some(0) };
        let url = format!("{STATUS}?call=018f4a9e-0000-7000-8000-000000000001");
        received(Endpoint::Status, &peer.station(&outbound, &event, &url), &account, |event| {
            let Event::Progress(progress) = event else { panic!("{kind}: {event:?}") };
            assert_eq!(progress.status, CallStatus::Busy, "{kind}");
            assert!(progress.is_placed && progress.call.is_some(), "{kind}");
        });
        received(Endpoint::Status, &peer.detected(&outbound, Who::Machine, &url), &account, |e| {
            let Event::AnsweredBy(who) = e else { panic!("{kind}: {e:?}") };
            assert!(who.is_machine(), "{kind}");
        });
    }
}

#[test]
fn a_media_socket_speaks_both_ways() {
    use crate::media::framing::{Frame, Heard as Read, Payload, Said};
    use tokio_tungstenite::tungstenite::Message;

    /// A message as the room's framing takes it.
    fn frame(message: &Message) -> Frame<'_> {
        if let Message::Binary(bytes) = message {
            return Frame::Binary(bytes[..].into());
        }
        Frame::Text(message.to_text().unwrap().into())
    }

    for kind in CarrierId::ALL {
        let Some(peer) = peer(*kind) else { continue };
        let account = peer.account("main").0;
        let format = carriers::room(*kind).media_format(MediaFormat::PCMU_8000);
        let headers = vec![("headers".to_owned(), r#"{"call_ref":"1"}"#.to_owned())];
        let (url, attributes) = (MEDIA.to_owned(), headers);
        let stream = Stream { url, format, attributes, ..Stream::default() };
        let Some(framing) = carriers::room(*kind).framing(stream.format, &account) else {
            continue;
        };
        let leg = leg(peer, &account, Direction::Inbound);
        let mut wire = peer.wire(&leg, &stream, &peer.stream_id());
        let began = wire.begins();
        let last = frame(began.last().unwrap());
        let Ok(Read::Began(began)) = framing.read(&last) else { panic!("{kind}: {last:?}") };
        assert_eq!(began.format, stream.format, "{kind}");
        let said = [0x55; 160];
        let carried = audio::carried(&said, format, ByteOrder::Little);
        for message in wire.says(&said) {
            let message = frame(&message);
            let Ok(Read::Audio(audio)) = framing.read(&message) else {
                panic!("{kind}: {message:?}")
            };
            let payload = match audio.payload {
                Payload::Base64(text) => base64_simd::STANDARD.decode_to_vec(&*text).unwrap(),
                Payload::Bytes(bytes) => bytes.into_owned(),
            };
            assert_eq!(payload, carried, "{kind}");
        }
        let key = wire.presses('5');
        // Or by webhook.
        if *kind != CarrierId::Bandwidth {
            assert!(matches!(framing.read(&frame(&key[0])), Ok(Read::Dtmf('5'))), "{kind}");
        }
        let taken =
            |wire: &mut Box<dyn Wire>, said: &Said<'_>| match framing.write(said, &began.stream) {
                Some(Frame::Text(text)) => wire.take(&Message::text(text.into_owned())),
                Some(Frame::Binary(bytes)) => wire.take(&Message::Binary(bytes.to_vec().into())),
                None => panic!("{kind}: nothing is said"),
            };
        use crate::simulator::talk::Heard;
        let sound = Said::Audio(Payload::Bytes(carried[..].into()));
        assert_eq!(taken(&mut wire, &sound), Ok(Heard::Sound(said.to_vec())), "{kind}");
        if framing.has_marks() {
            let heard = taken(&mut wire, &Said::Mark("a"));
            let Ok(Heard::Mark(name)) = heard else { panic!("{kind}: {heard:?}") };
            let back = wire.plays_to(&name);
            assert!(matches!(framing.read(&frame(&back[0])), Ok(Read::Mark(n)) if n == "a"));
        }
        assert_eq!(taken(&mut wire, &Said::Clear), Ok(Heard::Clear), "{kind}");
        assert!(wire.take(&Message::text("{")).is_err(), "{kind}");
    }
}

#[test]
fn nobody_else_is_let_in() {
    for (kind, peer, account) in documented() {
        let leg = leg(peer, &account, Direction::Inbound);
        let letter = peer.ask(&leg, &Asking::of(Step::to(RESUME)));
        let request = Request {
            method: &Method::POST,
            url: RESUME,
            headers: &letter.headers,
            body: letter.body.as_bytes(),
        };
        let room = carriers::room(kind);
        let refused = room.receive(Endpoint::Resume, &request, &account, clock::now());
        assert!(refused.is_err(), "{kind}");
    }
}
