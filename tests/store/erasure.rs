//! Persons who are erased: from rows, from the log, from the files, and against what comes late.

use std::{fs, thread, time::Duration};

use switchback::{
    domain::{
        AgentId, CallBrief, CallId, CallPatch, CallResult, CallStatus, ContactRefusal, DialFailure,
        Direction, E164, Erased, Outcome, Refusal, Revised, Segment, TargetTried, TenantId, Thing,
        TouchId, TraceStep, UnixMillis,
    },
    replica::log::Stream,
    store::{CallerId, DialFate, NewCall, Paging, SettingsPatch},
};
use uuid::Uuid;

use crate::support::{Arrange, Fixture, Followed, account, path, phone, touch};

const OWN: u64 = 9_000;
/// A time of which everything is before any erasure.
const LONG_AGO: u64 = 1_700_000_000;
/// After so long without a write the store does what can wait.
const IDLE: Duration = Duration::from_millis(50);
const CANARY: &str = "canary-of-the-erased";

struct Scene {
    fixture: Fixture,
    tenant: TenantId,
    agent: AgentId,
}

/// A tenant with an outbound agent that has a number to show.
fn scene() -> Scene {
    let mut fixture = Fixture::open_with(|settings| {
        settings.idle = IDLE;
        // What calls that name no agent need.
        settings.has_default_target = true;
    });
    fixture.feed = None;
    scene_in(fixture)
}

fn scene_in(fixture: Fixture) -> Scene {
    let (tenant, agent) = fixture.done(|tx| {
        let tenant = tx.create_tenant("acme")?.tenant.id;
        tx.reconcile_accounts(vec![account("main", None)])?;
        let agent = tx.live(tenant, Direction::Outbound, "Sales").agent.id;
        let number = tx.line(tenant, phone(OWN));
        tx.attach(tenant, agent, number);
        Ok((tenant, agent))
    });
    Scene { fixture, tenant, agent }
}

impl Scene {
    fn erase(&self, contact: E164) -> Erased {
        let tenant = self.tenant;
        self.fixture.done(move |tx| tx.erase_contact(tenant, contact, Erased::default()))
    }

    /// Places a call with something to tell in it.
    fn place(&self, to: E164) -> CallId {
        let (tenant, agent) = (self.tenant, self.agent);
        self.fixture.done(move |tx| {
            let text = |what: &str| Some(format!(r#"{{"{what}":"{CANARY} {to}"}}"#));
            let brief = CallBrief {
                instructions: Some(format!("Say {CANARY}.")),
                variables: text("variables"),
                echo: text("echo"),
                webhook_url: None,
            };
            let caller_id = CallerId::Primary;
            let new = NewCall {
                hangs_up_on_machine: false,
                voicemail_message: None,
                delay_seconds: 0,
                agent,
                to,
                caller_id,
                profile: None,
                is_test: false,
                detects_machine: false,
                campaign: None,
                brief,
            };
            Ok(tx.place_call(tenant, new)?.call.id)
        })
    }

    /// Places a call that names no agent and says itself what one would.
    fn place_in_words(&self, to: E164, words: &str) -> CallId {
        let (tenant, words) = (self.tenant, format!(r#"{{"instructions":"{words}"}}"#));
        self.fixture.done(move |tx| {
            let new = NewCall {
                hangs_up_on_machine: false,
                voicemail_message: None,
                delay_seconds: 0,
                agent: tx.caller_without_name(tenant)?,
                to,
                caller_id: CallerId::Any(Some(phone(OWN))),
                profile: Some(words),
                is_test: false,
                detects_machine: false,
                campaign: None,
                brief: CallBrief::default(),
            };
            Ok(tx.place_call(tenant, new)?.call.id)
        })
    }

    fn block(&self, list: &[E164]) {
        let (tenant, block_list) = (self.tenant, Some(list.to_vec()));
        let patch = SettingsPatch { block_list, ..SettingsPatch::default() };
        self.fixture.done(move |tx| tx.update_settings(tenant, patch));
    }

    fn blocked(&self) -> Vec<E164> {
        let tenant = self.tenant;
        let record = self.fixture.read(move |rows| rows.tenant(tenant)).unwrap();
        record.tenant.settings.block_list
    }

    fn dial(&self, to: E164) -> CallId {
        let (tenant, call) = (self.tenant, self.place(to));
        self.fixture.done(move |tx| {
            assert!(tx.begin_dial(call)?);
            tx.end_dial(call, DialFate::Accepted(format!("CA{call}")))?;
            let result = CallResult::Completed(format!(r#"{{"said":"{CANARY} {to}"}}"#));
            tx.set_result(tenant, call, &result)?;
            let segment = Segment {
                sequence_no: 1,
                role: "user".to_owned(),
                text: format!("I am {CANARY} {to}"),
                started_at: None,
                ended_at: None,
                source: None,
            };
            tx.add_segments(tenant, call, &[segment])
        });
        call
    }

    /// What becomes known of a call from them.
    fn inbound(&self, n: u128, from: E164) -> CallPatch {
        let detail = format!("nobody here has called {from}");
        let trace = vec![TraceStep { step: "callback", result: "no_touch", detail }];
        CallPatch {
            carrier_call_id: Some(format!("CA-in-{n}")),
            direction: Some(Direction::Inbound),
            status: Some(CallStatus::InProgress),
            ani: Some(from),
            dnis: Some(phone(OWN)),
            trace: Some(trace),
            targets_tried: vec![TargetTried {
                attempt: 0,
                agent: None,
                target: format!("tel:{from}"),
                at: UnixMillis(1),
                outcome: "answered".to_owned(),
                close_code: None,
            }],
            ..CallPatch::new(CallId(Uuid::from_u128(n)), self.tenant, UnixMillis(1))
        }
    }

    fn hear(&self, patch: CallPatch) {
        self.fixture.done(move |tx| tx.upsert_call(&patch));
    }

    fn import(&self, id: u128, contact: E164, at: u64) -> (u64, usize) {
        let touch = touch(self.tenant, id, contact, self.agent, phone(OWN), at, Outcome::Busy);
        let tenant = self.tenant;
        let merged = self.fixture.done(move |tx| tx.merge_touches(tenant, vec![touch]));
        (merged.accepted, merged.erased.len())
    }

    /// What the files hold, each byte as a character: a text is searched fast.
    fn files(&self) -> String {
        let database = path(&self.fixture.folder);
        let entries = fs::read_dir(database.parent().unwrap()).unwrap();
        let read = entries.flat_map(|entry| fs::read(entry.unwrap().path()).unwrap());
        read.map(char::from).collect()
    }
}

/// Which forms of a person there are.
fn found(files: &str, contact: E164) -> Vec<&'static str> {
    let number = contact.as_u64();
    let forms = [
        ("text", number.to_string()),
        // SQLite keeps an integer in as few bytes as it needs, the highest first.
        ("integer", number.to_be_bytes()[2..].iter().copied().map(char::from).collect()),
        ("canary", format!("{CANARY} {contact}")),
    ];
    forms.into_iter().filter(|(_, form)| files.contains(form)).map(|(name, _)| name).collect()
}

#[test]
fn an_erased_person_is_in_no_file() {
    let scene = scene();
    let people = 400;
    for n in 0..people {
        let contact = phone(n);
        for at in 0..3 {
            scene.import(u128::from(n * 10 + at), contact, LONG_AGO + at);
        }
        scene.hear(scene.inbound(u128::from(1_000_000 + n), contact));
        if n % 4 == 0 {
            scene.dial(contact);
        }
    }
    // Rows move between pages as others come and go, so that many are erased, and far apart.
    let erased: Vec<_> = (0..people).step_by(4).map(phone).collect();
    // Each of them is blocked for some time, beside somebody who is not erased.
    for contact in &erased {
        scene.block(&[phone(1), *contact]);
    }
    scene.block(&[phone(1), erased[0], erased[1]]);
    for contact in &erased[..3] {
        scene.place_in_words(*contact, &format!("Ask for {CANARY} {contact}."));
    }
    assert_eq!(found(&scene.files(), erased[0]), ["text", "integer", "canary"]);
    for (n, contact) in erased.iter().enumerate() {
        let gone = scene.erase(*contact);
        let own_words = usize::from(n < 3);
        assert_eq!((gone.touches, gone.calls), (4, 2 + own_words));
        assert_eq!((gone.briefs, gone.results, gone.segments), (1 + own_words, 1, 1));
        assert_eq!((gone.words, gone.blocks), (own_words, usize::from(n < 2)));
        assert!((1..=3).contains(&gone.revisions), "{gone:?}");
    }
    assert_eq!(scene.blocked(), [phone(1)]);
    // Words are gone at once, and all of it once nobody has written for a while.
    let files = scene.files();
    assert!(erased.iter().all(|contact| !found(&files, *contact).contains(&"canary")));
    let is_in = |files: &str| erased.iter().any(|contact| !found(files, *contact).is_empty());
    let mut files = scene.files();
    for _ in 0..200 {
        if !is_in(&files) {
            break;
        }
        thread::sleep(IDLE);
        files = scene.files();
    }
    for contact in &erased {
        assert_eq!(found(&files, *contact), [] as [&str; 0], "{contact}");
    }
    assert_eq!(found(&files, phone(1)), ["text", "integer"]);
    let wal = path(&scene.fixture.folder).with_file_name("switchback.db-wal");
    assert_eq!(fs::metadata(wal).map_or(0, |wal| wal.len()), 0);
}

#[test]
fn an_erased_person_is_nobody_and_their_calls_remain() {
    let scene = scene_in(Fixture::followed());
    let (contact, other) = (phone(1), phone(2));
    scene.import(1, contact, LONG_AGO);
    scene.import(2, other, LONG_AGO);
    let call = scene.dial(contact);
    let inbound = scene.inbound(7, contact);
    scene.hear(inbound.clone());
    let erased = scene.erase(contact);
    assert_eq!((erased.touches, erased.calls, erased.briefs), (2, 2, 1));
    assert!(erased.canceled.is_empty() && erased.tombstone_until > UnixMillis(LONG_AGO * 1000));
    let again = scene.erase(contact);
    assert_eq!(again, Erased { tombstone_until: erased.tombstone_until, ..Erased::default() });

    // Nobody tells of what was said any more, and late news of both calls names
    // nobody and ends them as it should.
    scene.hear(CallPatch {
        status: Some(CallStatus::Completed),
        targets_tried: Vec::new(),
        ..inbound
    });
    scene.hear(CallPatch {
        status: Some(CallStatus::NoAnswer),
        dnis: Some(contact),
        by_machine: true,
        ..CallPatch::new(call, scene.tenant, UnixMillis(2))
    });
    let tenant = scene.tenant;
    let result = CallResult::Failed("late".to_owned());
    let late = scene.fixture.refused(move |tx| tx.set_result(tenant, call, &result));
    assert_eq!(late, Refusal::Contact(ContactRefusal::Erased));
    let late = scene.fixture.refused(move |tx| tx.add_segments(tenant, call, &[]));
    assert_eq!(late, Refusal::Contact(ContactRefusal::Erased));
    let (placed, taken, touches, calls) = scene.fixture.read(move |rows| {
        let taken = rows.call(tenant, CallId(Uuid::from_u128(7)))?;
        let calls = rows.calls_with(tenant, contact, &Paging::first(10))?;
        let placed = rows.placed(rows.call(tenant, call)?.unwrap())?;
        Ok((placed, taken.unwrap(), rows.contact(tenant, contact)?, calls))
    });
    assert_eq!((touches, calls.rows, placed.dial), (vec![], vec![], None));
    assert_eq!((placed.call.status, placed.call.dnis), (CallStatus::NoAnswer, None));
    assert_eq!(placed.call.carrier_call_id, format!("CA{call}"));
    assert_eq!(placed.call.ani, Some(phone(OWN)));
    assert_eq!((taken.status, taken.ani), (CallStatus::Completed, None));
    assert_eq!((taken.dnis, taken.is_erased), (Some(phone(OWN)), true));
    assert!(!format!("{taken:?}").contains("14155550001"), "{taken:?}");

    // Whoever follows forgets as well, and who was away starts from a snapshot without them.
    let mut fixture = scene.fixture;
    let heads = fixture.read(|rows| rows.heads());
    let mut followed = Followed::new();
    followed.until(fixture.feed.as_mut().unwrap(), heads);
    assert!(followed.view().contact(tenant, contact).is_empty());
    assert_eq!(followed.view().contact(tenant, other).len(), 1);
    let entries = fixture.read(|rows| rows.entries(Stream::Touches, 0, 100));
    assert!(entries.is_empty(), "{entries:?}");
}

#[test]
fn what_comes_late_is_refused_and_what_is_new_is_not() {
    let scene = scene();
    let contact = phone(1);
    assert_eq!(scene.import(1, contact, LONG_AGO), (1, 0));
    scene.erase(contact);
    let now = scene.fixture.done(|tx| Ok(tx.now().seconds().0));
    for at in [LONG_AGO, now, now + 200] {
        assert_eq!(scene.import(1, contact, at), (0, 1), "{at}");
        assert_eq!(scene.import(2, contact, at), (0, 1), "{at}");
    }
    assert_eq!(scene.import(3, phone(2), LONG_AGO), (1, 0));
    assert_eq!(scene.import(4, contact, now + 400), (1, 0));
    // More becomes known of it, whatever was erased before.
    let touch = touch(scene.tenant, 4, contact, scene.agent, phone(OWN), now, Outcome::Answered);
    let tenant = scene.tenant;
    assert_eq!(scene.fixture.done(move |tx| tx.merge_touches(tenant, vec![touch])).accepted, 1);

    // A call placed now is a new relation, and remembered at once.
    let call = scene.dial(contact);
    let touch = scene.fixture.read(move |rows| rows.touch(tenant, TouchId(call.0)));
    assert_eq!(touch.unwrap().touch.contact, contact);
    // Another tenant's person of the same number is another person.
    let other = scene.fixture.done(|tx| Ok(tx.create_tenant("other")?.tenant.id));
    let theirs =
        crate::support::touch(other, 9, contact, scene.agent, phone(OWN), LONG_AGO, Outcome::Busy);
    let merged = scene.fixture.done(move |tx| tx.merge_touches(other, vec![theirs]));
    assert_eq!((merged.accepted, merged.erased.len()), (1, 0));
}

#[test]
fn calls_on_their_way_out_end_without_their_person() {
    let scene = scene();
    let contact = phone(1);
    let (queued, leaving) = (scene.place(contact), scene.place(contact));
    scene.fixture.done(move |tx| tx.begin_dial(leaving));
    let erased = scene.erase(contact);
    assert_eq!(erased.canceled, [queued]);
    assert!(!scene.fixture.done(move |tx| tx.begin_dial(queued)));
    scene.fixture.done(move |tx| tx.end_dial(leaving, DialFate::Accepted("CA1".to_owned())));
    let tenant = scene.tenant;
    let [first, second] = [queued, leaving]
        .map(|call| scene.fixture.read(move |rows| rows.call(tenant, call)).unwrap());
    assert_eq!(
        (first.status, first.error_code.as_deref()),
        (CallStatus::Failed, Some("contact_erased"))
    );
    assert_eq!((second.status, second.carrier_call_id.as_str()), (CallStatus::Initiated, "CA1"));
    assert_eq!((first.dnis, second.dnis), (None, None));
    let refused = DialFate::Refused(DialFailure::Busy, "no".to_owned());
    scene.fixture.done(move |tx| tx.end_dial(leaving, refused));
    scene.fixture.done(move |tx| tx.end_dial(leaving, DialFate::Unknown));
    assert!(scene.fixture.done(|tx| tx.settle_dials()).is_empty());
}

#[test]
fn history_goes_on_without_the_erased() {
    let scene = scene_in(Fixture::followed());
    let (contact, other) = (phone(1), phone(2));
    let (tenant, mut lists) = (scene.tenant, Vec::new());
    // More lines of history than one write takes, and numbers that hold the other's digits.
    let longer = E164::from_u64(contact.as_u64() * 10).unwrap();
    for n in 0..60 {
        let list: Vec<_> = [contact, longer, other].into_iter().skip(n % 2).collect();
        scene.block(&list);
        lists.push(list);
    }
    scene.block(&[contact, longer]);
    let lines = move |rows: &switchback::store::Rows<'_>| {
        let mut listed = rows.revisions(tenant, &Paging::first(100))?.rows;
        listed.reverse();
        let changes = listed.iter().map(|line| rows.revised(line));
        changes.collect::<Result<Vec<_>, _>>()
    };
    let before = scene.fixture.read(lines);
    let (mut erased, mut parts) = (Erased::default(), 0);
    loop {
        parts += 1;
        let part = scene.fixture.done(move |tx| {
            let is_more = tx.erase_some(tenant, contact, &mut erased)?;
            Ok((erased, is_more))
        });
        erased = part.0;
        if !part.1 {
            break;
        }
    }
    let erased = scene.fixture.done(move |tx| tx.erase_contact(tenant, contact, erased));
    assert_eq!((erased.revisions, erased.blocks, parts), (61, 1, 2));
    assert_eq!(scene.blocked(), [longer]);
    let after = scene.fixture.read(lines);
    assert_eq!(after.len(), before.len(), "that they left the list is no line of its own");
    let without = |change: &Revised| {
        let of = |thing: &Option<Thing>| {
            let mut thing = thing.clone();
            if let Some(Thing::Settings(settings)) = &mut thing {
                settings.block_list.retain(|blocked| *blocked != contact);
            }
            thing
        };
        Revised { before: of(&change.before), after: of(&change.after), ..change.clone() }
    };
    let expected: Vec<Vec<_>> =
        before.iter().map(|line| line.iter().map(without).collect()).collect();
    assert_eq!(after, expected);

    // Who follows does not block them any more, and who was away starts from a snapshot.
    let mut fixture = scene.fixture;
    let heads = fixture.read(|rows| rows.heads());
    let mut followed = Followed::new();
    followed.until(fixture.feed.as_mut().unwrap(), heads);
    assert_eq!(followed.view().tenant(tenant).unwrap().settings.block_list, [longer]);
    assert!(fixture.read(|rows| rows.entries(Stream::Control, 0, 100)).is_empty());
}

#[test]
fn words_that_others_were_called_with_stay() {
    let scene = scene();
    let (contact, other) = (phone(1), phone(2));
    let said = "Remind them of the appointment.";
    let (first, second) = (scene.place_in_words(contact, said), scene.place_in_words(other, said));
    let tenant = scene.tenant;
    let words = |call: CallId| {
        scene.fixture.read(move |rows| {
            let call = rows.call(tenant, call)?.unwrap();
            Ok(rows.placed(call)?.version.map(|version| version.profile))
        })
    };
    assert!(words(first).unwrap().contains(said));
    assert_eq!(scene.erase(contact).words, 0);
    assert_eq!(words(first), None);
    assert!(words(second).unwrap().contains(said));
    assert_eq!(scene.erase(other).words, 1);
    assert_eq!(words(second), None);
    // An agent's own words are its tenant's, whoever was called.
    let called = scene.place(phone(3));
    assert_eq!(scene.erase(phone(3)).words, 0);
    assert!(words(called).is_some());
}

#[test]
fn a_number_of_ones_own_is_no_person() {
    let scene = scene();
    let tenant = scene.tenant;
    let refused =
        scene.fixture.refused(move |tx| tx.erase_contact(tenant, phone(OWN), Erased::default()));
    assert_eq!(refused, Refusal::Contact(ContactRefusal::OwnNumber));
}

#[test]
fn a_person_with_very_many_calls_is_erased_in_parts() {
    let scene = scene();
    let contact = phone(1);
    for n in 0..1_200 {
        scene.hear(scene.inbound(n, contact));
    }
    let tenant = scene.tenant;
    let mut erased = Erased::default();
    let mut parts = 0;
    loop {
        let part = scene.fixture.done(move |tx| {
            let is_more = tx.erase_some(tenant, contact, &mut erased)?;
            Ok((erased, is_more))
        });
        erased = part.0;
        parts += 1;
        if !part.1 {
            break;
        }
    }
    assert_eq!((erased.calls, parts), (1_200, 3));
    let done = scene.fixture.done(move |tx| tx.erase_contact(tenant, contact, erased));
    assert_eq!(done.calls, 1_200);
}
