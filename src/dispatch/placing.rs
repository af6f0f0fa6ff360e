//! A call from its turn in line to its fate, every step committed before the next.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};
use uuid::Uuid;

use super::{Placing, Shared, Steered, Verdict, client::Sent, orders::AGAIN_AFTER, url};
use crate::{
    calls::{Event, LiveCall},
    carriers::{self, ApiError, Command, CommandOutcome, Dial, FoundCall},
    domain::{Account, CallId, CallPatch, CallStatus, DialFailure, DialRecord, UnixMillis},
    store::{Actor, DialFate, Heads, WriteError},
    telemetry::{
        clock,
        metrics::{self, CommandFate},
        redact,
    },
};

/// The first pause before a command is sent again; it doubles, give or take a half.
const RETRY_FIRST: Duration = Duration::from_millis(500);
/// The longest such pause.
const RETRY_MAX: Duration = Duration::from_secs(8);

/// How far the carrier's clock may be from ours, and a request may have been under way.
const FIT_MS: u64 = 60 * 1000;

impl Shared {
    /// Places a call.
    pub(super) async fn place(&self, placing: &Placing, verdict: oneshot::Sender<Verdict>) {
        let Placing { dial, account } = placing;
        let call = dial.call;
        let actor = Actor { key: None, tenant: Some(dial.tenant) };
        // Committed before the command leaves: whatever happens from here on, the call is found.
        let begun = self.store.write(actor, move |tx| tx.begin_dial(call)).await;
        match begun {
            Ok(written) if written.value => {}
            // Nobody wants it any more.
            Ok(_) => return,
            Err(error) => {
                tracing::error!(
                    %call, trace_id = %call.trace_id(), %error,
                    "a call is not placed: its row cannot be written"
                );
                self.live.fail(call, DialFailure::NotSent.as_str(), clock::now());
                drop(verdict.send(Verdict::Refused(DialFailure::NotSent, String::new())));
                return;
            }
        }
        let voice_url = url(&self.settings, account, "voice", call);
        let status_url = url(&self.settings, account, "status", call);
        let command = Command::Dial(Dial {
            from: dial.caller_id,
            to: dial.contact,
            voice_url: &voice_url,
            status_url: &status_url,
            ring_seconds: self.settings.ring_seconds,
            detects_machine: dial.detects_machine,
            awaits_recording: dial.detects_machine && !dial.hangs_up_on_machine,
        });
        match self.send(account, &command).await {
            Ok(CommandOutcome::Accepted { carrier_call_id }) => {
                metrics::dispatched(account.carrier, CommandFate::Accepted);
                let fate = DialFate::Accepted(carrier_call_id.clone());
                let heads = self.settle(dial, fate).await;
                self.begin(call, account, &carrier_call_id).await;
                drop(verdict.send(Verdict::Taken(heads)));
            }
            Ok(CommandOutcome::Refused(error)) => {
                metrics::dispatched(account.carrier, CommandFate::Refused);
                self.refuse(dial, error.cause, words(error), verdict).await;
            }
            Ok(_) => {
                metrics::dispatched(account.carrier, CommandFate::Unclear);
                tracing::warn!(
                    %call, trace_id = %call.trace_id(), account = account.name,
                    "the fate of a call is not known"
                );
                let heads = self.settle(dial, DialFate::Unknown).await;
                drop(verdict.send(Verdict::Taken(heads)));
            }
            Err(cause) => {
                metrics::dispatched(account.carrier, CommandFate::Refused);
                self.refuse(dial, cause, String::new(), verdict).await;
            }
        }
    }

    /// The carrier has the call, under this id. Who does not want it any more is heard now.
    async fn begin(
        &self,
        call: CallId,
        account: &Account,
        carrier_call_id: &str,
    ) -> Option<Arc<LiveCall>> {
        let live = self.live.begin(call, account.id, carrier_call_id, None, clock::now())?;
        if live.state().hang_up.is_some() {
            drop(self.steer(account, &Command::HangUp { carrier_call_id }).await);
        }
        Some(live)
    }

    /// Ends a live call at the carrier, or takes it elsewhere.
    pub(super) async fn steer(&self, account: &Account, command: &Command<'_>) -> Steered {
        let (fate, steered) = match self.send(account, command).await {
            Ok(CommandOutcome::Done) => (CommandFate::Done, Steered::Done),
            Ok(CommandOutcome::Refused(error)) => {
                let message = redact::scrub(&error.message);
                tracing::warn!(
                    account = account.name, code = ?error.code, message,
                    "the carrier does not end or move a call"
                );
                (CommandFate::Refused, Steered::Refused(error.cause, words(error)))
            }
            // Doing it twice does no harm, but whoever asked can do that as well.
            Ok(_) => (CommandFate::Unclear, Steered::Unclear),
            Err(cause) => (CommandFate::Refused, Steered::Refused(cause, String::new())),
        };
        metrics::dispatched(account.carrier, fate);
        steered
    }

    /// Sends a question: what the carrier answers, or why it does not, in its words.
    pub(super) async fn ask(
        &self,
        account: &Account,
        command: &Command<'_>,
    ) -> Result<CommandOutcome, (DialFailure, String)> {
        let (fate, answer) = match self.send(account, command).await {
            Ok(CommandOutcome::Refused(error)) => {
                (CommandFate::Refused, Err((error.cause, error.message)))
            }
            Ok(CommandOutcome::Unclear) => {
                (CommandFate::Unclear, Err((DialFailure::CarrierUnreachable, String::new())))
            }
            Ok(answer) => (CommandFate::Done, Ok(answer)),
            Err(cause) => (CommandFate::Refused, Err((cause, String::new()))),
        };
        metrics::dispatched(account.carrier, fate);
        answer
    }

    /// Sends a command, and again for a while where it was not processed; then why it was not.
    async fn send(
        &self,
        account: &Account,
        command: &Command<'_>,
    ) -> Result<CommandOutcome, DialFailure> {
        let started = clock::instant();
        let mut pause = RETRY_FIRST;
        let nonce = Uuid::now_v7();
        let again_after = self.again_after(account, command);
        loop {
            let sent = self.client.send(account, command, nonce);
            let (after, cause) = match timeout(again_after, sent).await {
                Ok(Sent::Outcome(outcome)) => return Ok(outcome),
                Ok(Sent::Later(after)) => (after.unwrap_or_default(), DialFailure::Busy),
                Ok(Sent::Unreachable) => (Duration::ZERO, DialFailure::CarrierUnreachable),
                Err(_) if started.elapsed() > self.settings.answer_wait => {
                    return Ok(CommandOutcome::Unclear);
                }
                Err(_) => {
                    metrics::dispatched(account.carrier, CommandFate::Retried);
                    continue;
                }
            };
            // Not before the carrier says, and not all at once.
            let wait = after.max(pause.mul_f64(0.5 + rand::random::<f64>()));
            if started.elapsed() + wait > self.settings.retry_for || *self.stopped.borrow() {
                return Err(cause);
            }
            metrics::dispatched(account.carrier, CommandFate::Retried);
            sleep(wait).await;
            pause = (pause * 2).min(RETRY_MAX);
        }
    }

    /// How long a reply is waited for before the same command is sent again. What is not done once
    /// however often it comes is sent again only where it is known not to have been done; then the
    /// client's own limit is the shorter one.
    fn again_after(&self, account: &Account, command: &Command<'_>) -> Duration {
        let is_steering = matches!(command, Command::HangUp { .. } | Command::Redirect { .. });
        if is_steering && carriers::room(account.carrier).does_once() {
            AGAIN_AFTER
        } else {
            2 * self.settings.answer_wait
        }
    }

    /// A call that was not placed.
    pub(super) async fn refuse(
        &self,
        dial: &DialRecord,
        cause: DialFailure,
        message: String,
        verdict: oneshot::Sender<Verdict>,
    ) {
        self.settle(dial, DialFate::Refused(cause, message.clone())).await;
        self.live.fail(dial.call, cause.as_str(), clock::now());
        drop(verdict.send(Verdict::Refused(cause, message)));
    }

    /// Writes what became of a call. Where that fails the row still says that it was leaving, and
    /// the next start makes of it that the phone may have rung.
    async fn settle(&self, dial: &DialRecord, fate: DialFate) -> Heads {
        let call = dial.call;
        let actor = Actor { key: None, tenant: Some(dial.tenant) };
        match self.store.write(actor, move |tx| tx.end_dial(call, fate)).await {
            Ok(written) => written.heads,
            Err(error) => {
                tracing::error!(
                    %call, trace_id = %call.trace_id(), %error,
                    "a call's fate cannot be written"
                );
                Heads::default()
            }
        }
    }

    /// Looks for a call whose fate is not known.
    pub(super) async fn look_for(&self, placing: &Placing) {
        let Placing { dial, account } = placing;
        let (call, asked_at) = (dial.call, dial.asked_at.unwrap_or_default());
        let since = UnixMillis(asked_at.0.saturating_sub(FIT_MS));
        let command = Command::FindCalls { from: dial.caller_id, to: dial.contact, since };
        let found = match self.send(account, &command).await {
            Ok(CommandOutcome::Found(found)) => found,
            Ok(_) | Err(_) => {
                metrics::dispatched(account.carrier, CommandFate::Refused);
                tracing::warn!(
                    %call, trace_id = %call.trace_id(), account = account.name,
                    "a call could not be looked for"
                );
                return;
            }
        };
        metrics::dispatched(account.carrier, CommandFate::Done);
        let until = UnixMillis(asked_at.0.saturating_add(FIT_MS + self.waits()));
        let fits = |found: &FoundCall| match found.call {
            Some(named) => named == call,
            None => (since..=until).contains(&found.created_at),
        };
        let fits = found.into_iter().filter(fits).collect();
        if let Err(error) = self.adopt(dial, account, fits).await {
            tracing::error!(
                %call, trace_id = %call.trace_id(), %error,
                "a call that was found cannot be written"
            );
        }
    }

    /// How long after its first attempt a command may still have been sent.
    fn waits(&self) -> u64 {
        let longest = self.settings.retry_for + self.settings.answer_wait;
        u64::try_from(longest.as_millis()).unwrap_or(u64::MAX)
    }

    async fn adopt(
        &self,
        dial: &DialRecord,
        account: &Arc<Account>,
        fits: Vec<FoundCall>,
    ) -> Result<(), WriteError> {
        let (call, tenant) = (dial.call, dial.tenant);
        let actor = Actor { key: None, tenant: Some(tenant) };
        let adopted = self.store.write(actor, move |tx| {
            // Calls that are known for others do not count.
            let mut free = Vec::new();
            for found in fits {
                if tx.call_by_carrier_id(tenant, &found.carrier_call_id)?.is_none() {
                    free.push(found);
                }
            }
            let [found] = free.as_slice() else { return Ok(None) };
            let is_adopted = tx.adopt_dial(call, &found.carrier_call_id)?;
            Ok(is_adopted.then(|| found.clone()))
        });
        let Some(found) = adopted.await?.value else {
            tracing::info!(
                %call, trace_id = %call.trace_id(), account = account.name,
                "no one call at the carrier fits"
            );
            return Ok(());
        };
        let now = clock::now();
        if let Some(live) = self.begin(call, account, &found.carrier_call_id).await {
            if found.answered_by.is_some_and(crate::carriers::AnsweredBy::is_machine) {
                let by_machine =
                    CallPatch { by_machine: true, ..CallPatch::new(call, tenant, now) };
                self.live.record_late(by_machine);
            }
            let status = found.status.max(CallStatus::Initiated);
            self.live.apply(&live, Event::Status { status, at: now }, now);
        }
        Ok(())
    }
}

/// A carrier's refusal as it is told on: its code, and its words.
fn words(error: ApiError) -> String {
    match error.code {
        Some(code) => format!("{code} {}", error.message).trim().to_owned(),
        None => error.message,
    }
}
