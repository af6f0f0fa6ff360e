//! Random documents: what is exported says all of what was applied, and nothing that changes it.
//!
//! Each is applied to an empty tenant in JSON. Its export must change nothing there, and make the
//! same of an empty tenant of another daemon: the same document again and the same decisions.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use proptest::{prelude::*, test_runner::Config};
use serde_json::{Value, json};
use switchback::{dialects::rfc3339, domain::UnixMillis, telemetry::clock};

use crate::daemon::{Caller, Daemon, Got};

/// Texts that YAML, people or this API's own words take for something else.
const ODD: &[&str] = &[
    "no",
    "NO",
    "y",
    "off",
    "true",
    "null",
    "~",
    "0x1f",
    "0o17",
    "1e3",
    "007",
    "-1",
    "1_000",
    ".inf",
    ".nan",
    "12:30",
    "2026-01-02",
    "+14155550100",
    "- a",
    "a: b",
    "a:",
    ": a",
    "a #b",
    "#a",
    "&a",
    "*a",
    "!a",
    "|",
    ">-",
    "%a",
    "@a",
    "`a`",
    "'",
    "\"",
    "it's",
    "\\",
    "[a",
    "{a}",
    "a, b",
    "---",
    "...",
    "<<",
    "=",
    "a\nb",
    "a\n\n b",
    "a\r\nb",
    "a\tb",
    "a\u{85}b",
    "a\u{2028}b",
    "\u{feff}a",
    "\u{7}a",
    "Zoë",
    "Zoe\u{308}",
    "日本語",
    "🦀",
    "\u{202e}abc",
    "reject",
    "as_withheld",
    "agent:a",
    "agents",
    "tel:+14155550100",
    "018f4a9e-0000-7000-8000-000000000001",
    "018f4a9e000070008000000000000002",
];
/// Numbers of one case, and people who call.
const NUMBERS: u64 = 4;
const PEOPLE: u64 = 6;
const DIRECTIONS: &[&str] = &["inbound", "outbound"];
const STATES: &[&str] = &["live", "live", "live", "draft", "archived"];
const ATTESTATIONS: &[&str] = &["A", "B", "C", "none"];
const OUTCOMES: &[&str] = &["answered", "no-answer", "busy", "voicemail"];

fn words() -> impl Strategy<Value = String> {
    let odd = prop_oneof![
        4 => prop::sample::select(ODD).prop_map(str::to_owned),
        1 => "[-?:,\\[\\]{}#&*!|>'\"%@`~\\\\ \\n\\tnoYE01xe.+=<_]{0,12}",
        1 => "\\PC{0,12}",
    ];
    let blanks = || prop::sample::select(vec!["", "", "", " ", "\n", "\t "]);
    // Nothing may be named by blanks alone.
    (blanks(), odd, blanks()).prop_map(|(before, odd, after)| match odd.trim() {
        "" => format!("{before}{odd}x{after}"),
        _ => format!("{before}{odd}{after}"),
    })
}

/// A document, as far as it can be said before the numbers are known. Small numbers pick among
/// agents and numbers.
#[derive(Clone, Debug)]
struct Plan {
    agents: Vec<AgentPlan>,
    numbers: Vec<NumberPlan>,
    settings: Value,
    fallback: Option<usize>,
    below_min: Option<usize>,
    blocked: Vec<u64>,
    touches: Vec<(usize, u64, u64)>,
}

#[derive(Clone, Debug)]
struct AgentPlan {
    name: String,
    direction: &'static str,
    state: &'static str,
    numbers: Vec<usize>,
    primary: usize,
    targets: Vec<TargetPlan>,
    sources: Vec<usize>,
    rest: Value,
}

#[derive(Clone, Debug)]
enum TargetPlan {
    Plain(String),
    Agent(usize),
}

#[derive(Clone, Debug)]
struct NumberPlan {
    account: &'static str,
    friendly_name: Option<String>,
    passthrough: Option<TargetPlan>,
    default: Option<usize>,
}

fn target() -> impl Strategy<Value = TargetPlan> {
    let plain = prop_oneof![
        words().prop_map(|text| format!("say:{text}")),
        prop::sample::select(vec![
            "builtin:echo",
            "busy",
            "reject",
            "tel:+14155550199",
            "sip:desk@pbx.example.com;transport=tls",
            "wss://bot.example.com/ws/{agent_id}?call={call_id}&x=%20",
            "redirect:https://example.com/voice?a=1&b=:",
        ])
        .prop_map(str::to_owned),
    ];
    prop_oneof![
        2 => plain.prop_map(TargetPlan::Plain),
        1 => (0..8_usize).prop_map(TargetPlan::Agent),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        words().prop_map(Value::from),
        words().prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(words(), inner, 0..3)
                .prop_map(|object| Value::Object(object.into_iter().collect())),
        ]
    })
}

/// Fields of an agent that name nobody, each there or not.
fn rest() -> impl Strategy<Value = Value> {
    let some = |strategy: BoxedStrategy<Value>| prop::option::weighted(0.3, strategy);
    let number = |low: u32, high: u32| some((low..=high).prop_map(Value::from).boxed());
    let word = |words: &'static [&'static str]| {
        some(prop::sample::select(words).prop_map(Value::from).boxed())
    };
    let text = || some(words().prop_map(Value::from).boxed());
    let parameters =
        prop::collection::btree_map(words(), words(), 0..3).prop_map(|object| json!(object));
    let profile = prop::collection::btree_map("[a-z ~:#]{1,6}", value(), 0..3)
        .prop_map(|object| json!(object));
    let first = (text(), some(parameters.boxed()), number(100, 60_000), word(ATTESTATIONS));
    let second = (word(ATTESTATIONS), text(), text(), text());
    let third = (
        some((0.0..2.0_f64).prop_map(Value::from).boxed()),
        some(profile.boxed()),
        number(0, 300),
        some(prop::sample::subsequence(OUTCOMES, 1..4).prop_map(Value::from).boxed()),
    );
    const NAMES: [&str; 12] = [
        "label",
        "runtime_parameters",
        "first_audio_timeout_ms",
        "min_attestation",
        "context_min_attestation",
        "persona",
        "instructions",
        "initial_message",
        "llm_temperature",
        "profile",
        "window_days",
        "trigger_outcomes",
    ];
    (first, second, third).prop_map(|(a, b, c)| {
        let values = [a.0, a.1, a.2, a.3, b.0, b.1, b.2, b.3, c.0, c.1, c.2, c.3];
        let fields = NAMES.into_iter().zip(values);
        let fields = fields.filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(fields.collect())
    })
}

fn agent() -> impl Strategy<Value = AgentPlan> {
    let few = || prop::collection::vec(0..8_usize, 0..3);
    let targets = prop::collection::vec(target(), 0..4);
    let who = (words(), prop::sample::select(DIRECTIONS), prop::sample::select(STATES));
    (who, few(), 0..4_usize, targets, few(), rest()).prop_map(
        |((name, direction, state), numbers, primary, targets, sources, rest)| AgentPlan {
            name,
            direction,
            state,
            numbers,
            primary,
            targets,
            sources,
            rest,
        },
    )
}

fn number() -> impl Strategy<Value = NumberPlan> {
    let account = prop::sample::select(vec!["first", "second"]);
    let name = prop::option::of(words());
    let passthrough = prop::option::weighted(0.2, target());
    (account, name, passthrough, prop::option::of(0..8_usize)).prop_map(
        |(account, friendly_name, passthrough, default)| NumberPlan {
            account,
            friendly_name,
            passthrough,
            default,
        },
    )
}

fn settings() -> impl Strategy<Value = Value> {
    let word = |words: &'static [&'static str]| prop::sample::select(words);
    let last = (words(), words());
    let whole = (1..80_u32, 300..400_u32, word(ATTESTATIONS), word(ATTESTATIONS), last);
    prop::option::of(whole).prop_map(|whole| match whole {
        None => json!({ "touch_retention_days": 300 }),
        Some((window, kept, least, context, (last, block))) => json!({
            "window_days": window, "touch_retention_days": kept, "min_attestation": least,
            "context_min_attestation": context, "last_resort": format!("say:{last}"),
            "block_target": format!("say:{block}"),
        }),
    })
}

fn plan() -> impl Strategy<Value = Plan> {
    let who = || prop::option::of(0..8_usize);
    let touch = (0..8_usize, 0..PEOPLE, 0..NUMBERS);
    (
        prop::collection::vec(agent(), 0..6),
        prop::collection::vec(number(), 1..=4),
        settings(),
        (who(), who()),
        prop::collection::vec(0..PEOPLE, 0..2),
        prop::collection::vec(touch, 0..6),
    )
        .prop_map(|(agents, numbers, settings, (fallback, below_min), blocked, touches)| {
            Plan { agents, numbers, settings, fallback, below_min, blocked, touches }
        })
}

/// The case's numbers differ from any other's: at an account a number is one tenant's.
fn own(case: u64, n: u64) -> String {
    format!("+1415{:07}", 2_000_000 + case * 10 + n)
}

fn person(n: u64) -> String {
    format!("+1212555010{n}")
}

impl Plan {
    /// Names that are each one agent's.
    fn with_names_apart(mut self) -> Self {
        let mut seen = BTreeMap::new();
        for (n, agent) in self.agents.iter_mut().enumerate() {
            if seen.insert(agent.name.trim().to_owned(), n).is_some() {
                agent.name = format!("{n}{}", agent.name);
            }
        }
        let mut names: Vec<_> = self.agents.iter().map(|agent| agent.name.trim()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), self.agents.len());
        self
    }

    fn picked(&self, n: usize, direction: &str) -> Option<&AgentPlan> {
        let those: Vec<_> =
            self.agents.iter().filter(|agent| agent.direction == direction).collect();
        those.get(n).copied()
    }

    fn ladder(&self, of: Option<&AgentPlan>, targets: &[TargetPlan]) -> Vec<String> {
        // Down the list only, so that no ladder leads in a circle.
        let place = |agent: &AgentPlan| self.agents.iter().position(|a| a.name == agent.name);
        let below = |agent: &AgentPlan| place(agent) > of.and_then(place);
        let named = targets.iter().filter_map(|target| match target {
            TargetPlan::Plain(text) => Some(text.clone()),
            TargetPlan::Agent(n) => {
                let agent = self.picked(*n, "inbound").filter(|agent| below(agent))?;
                Some(format!("agent:{}", agent.name))
            }
        });
        named.collect()
    }

    /// The number at this place: the first two may be one number at both accounts.
    fn number(&self, case: u64, n: usize) -> Value {
        let n = n % self.numbers.len();
        let account = self.numbers[n].account;
        let twice = n == 1 && self.numbers[0].account != account;
        let e164 = own(case, if twice { 0 } else { n as u64 });
        json!({ "e164": e164, "account": account })
    }

    fn document(&self, case: u64) -> Value {
        let agents: Vec<_> = self.agents.iter().map(|agent| self.agent(case, agent)).collect();
        let numbers: Vec<_> = (0..self.numbers.len()).map(|n| self.whole_number(case, n)).collect();
        let mut settings = self.settings.clone();
        let inbound = |n: Option<usize>| n.and_then(|n| self.picked(n, "inbound"));
        if let Some(agent) = inbound(self.fallback) {
            settings["fallback_agent"] = json!(agent.name);
        }
        if let Some(agent) = inbound(self.below_min) {
            settings["below_min"] = json!(format!("agent:{}", agent.name));
        }
        settings["block_list"] = self.blocked.iter().map(|n| person(*n)).collect();
        json!({ "agents": agents, "numbers": numbers, "settings": settings })
    }

    fn agent(&self, case: u64, plan: &AgentPlan) -> Value {
        let Value::Object(mut agent) = plan.rest.clone() else { unreachable!() };
        let mut say = |name: &str, value: Value| agent.insert(name.to_owned(), value);
        say("name", json!(plan.name));
        say("direction", json!(plan.direction));
        say("state", json!(plan.state));
        let mut numbers: Vec<_> = plan.numbers.iter().map(|n| self.number(case, *n)).collect();
        numbers.dedup();
        if let Some(primary) = numbers.get(plan.primary) {
            say("primary", primary.clone());
        }
        say("numbers", json!(numbers));
        say("targets", json!(self.ladder(Some(plan), &plan.targets)));
        let sources = plan.sources.iter().filter_map(|n| self.picked(*n, "outbound"));
        let sources: Vec<_> = sources.filter(|source| source.state != "draft").collect();
        let mut sources: Vec<_> = sources.iter().map(|source| source.name.as_str()).collect();
        sources.sort_unstable();
        sources.dedup();
        if plan.direction == "inbound" && !sources.is_empty() {
            say("sources", json!(sources));
        } else {
            agent.remove("window_days");
            agent.remove("trigger_outcomes");
        }
        Value::Object(agent)
    }

    fn whole_number(&self, case: u64, n: usize) -> Value {
        let plan = &self.numbers[n];
        let mut number = self.number(case, n);
        if let Some(name) = &plan.friendly_name {
            number["friendly_name"] = json!(name);
        }
        if let Some(target) = &plan.passthrough
            && let Some(target) = self.ladder(None, std::slice::from_ref(target)).pop()
        {
            number["passthrough"] = json!(target);
        }
        let attached = |agent: &&AgentPlan| {
            agent.numbers.iter().any(|other| self.number(case, *other) == self.number(case, n))
        };
        let default = plan.default.and_then(|n| self.picked(n, "inbound")).filter(attached);
        let default = default.filter(|agent| agent.state != "archived");
        if let Some(agent) = default {
            number["default_agent"] = json!(agent.name);
        }
        number
    }
}

/// A tenant of one case.
struct Side {
    caller: Caller,
}

impl Side {
    async fn new(daemon: &Daemon, case: u64) -> Self {
        Self { caller: daemon.tenant(&format!("case-{case}")).await }
    }

    async fn apply(&self, query: &str, text: &str, kind: &str) -> Got {
        let path = format!("/switchback/v1/apply{query}");
        let bearer = format!("Bearer {}", self.caller.key);
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        self.caller.with(reqwest::Method::POST, &path, Some(text.to_owned()), &headers).await
    }

    async fn export(&self, format: &str) -> String {
        let path = format!("/switchback/v1/export?format={format}");
        let body = self.caller.get(&path).await.is(200);
        body.as_str().map_or_else(|| body.to_string(), str::to_owned)
    }

    /// The place in the log of the newest write.
    async fn rev(&self) -> String {
        self.caller.get("/switchback/v1/settings").await.header("switchback-rev").to_owned()
    }

    /// Agents' ids by their names.
    async fn ids(&self) -> BTreeMap<String, String> {
        let path = "/v1/agents?limit=100&include_archived=true";
        let agents = self.caller.get(path).await.is(200);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let agents = agents["data"].as_array().unwrap().iter();
        agents.map(|agent| (text(&agent["name"]), text(&agent["id"]))).collect()
    }

    /// The plan's touches, of which none is as old as another.
    async fn remember(&self, plan: &Plan, case: u64) {
        let (ids, mut at) = (self.ids().await, clock::now().0);
        for (n, (agent, contact, number)) in plan.touches.iter().enumerate() {
            at -= 3_600_000;
            let agent = plan.picked(*agent, "outbound");
            let Some(id) = agent.and_then(|agent| ids.get(agent.name.trim())) else { continue };
            let touch = json!([{
                "id": format!("touch {n}"), "source_agent_id": id, "contact": person(*contact),
                "caller_id": own(case, *number), "at": rfc3339(UnixMillis(at)),
                "outcome": OUTCOMES[n % OUTCOMES.len()],
            }]);
            self.caller.post("/switchback/v1/touches", touch).await.is(200);
        }
    }

    /// What becomes of calls: everybody calls every number by both accounts, vouched for or not.
    async fn decisions(&self, case: u64) -> Vec<String> {
        let names: Vec<_> =
            self.ids().await.into_iter().map(|(name, id)| (id, format!("<{name}>"))).collect();
        let mut decisions = Vec::new();
        for (n, person) in (0..PEOPLE).map(person).chain(["anonymous".to_owned()]).enumerate() {
            for number in 0..NUMBERS {
                let account = ["first", "second"][n % 2];
                let vouched = ["A", "C", "none"][n % 3];
                let query = format!(
                    "from={}&to=%2B{}&account={account}&attestation={vouched}",
                    person.replace('+', "%2B"),
                    &own(case, number)[1..],
                );
                let path = format!("/switchback/v1/route?{query}");
                let mut decision = self.caller.get(&path).await.is(200)["decision"].take();
                if !decision["touch"].is_null() {
                    decision["touch"]["at"] = Value::Null;
                }
                let mut text = decision.to_string();
                for (id, name) in &names {
                    text = text.replace(id, &json!(name).to_string());
                }
                decisions.push(format!("{query}: {text}"));
            }
        }
        decisions
    }
}

fn changes(got: Got) -> Value {
    got.is(200)["changes"].take()
}

async fn check(plan: Plan, case: u64, here: &Daemon, there: [&Daemon; 2]) {
    let plan = plan.with_names_apart();
    let side = Side::new(here, case).await;
    let document = plan.document(case).to_string();
    side.apply("", &document, "application/json").await.is(200);
    side.remember(&plan, case).await;
    let decided = side.decisions(case).await;
    for (format, there) in ["yaml", "json"].into_iter().zip(there) {
        let kind = format!("application/{format}");
        let text = side.export(format).await;
        for query in ["?plan=true", ""] {
            let before = side.rev().await;
            let changes = changes(side.apply(query, &text, &kind).await);
            assert_eq!(changes, json!([]), "{document}\n{text}");
            assert_eq!(side.rev().await, before, "{document}\n{text}");
        }
        assert_eq!(side.export(format).await, text);

        let other = Side::new(there, case).await;
        other.apply("", &text, &kind).await.is(200);
        assert_eq!(other.export(format).await, text, "{document}");
        assert_eq!(changes(other.apply("", &text, &kind).await), json!([]), "{text}");
        other.remember(&plan, case).await;
        assert_eq!(other.decisions(case).await, decided, "{document}\n{text}");
    }
    // What it says itself is still so.
    let again = changes(side.apply("", &document, "application/json").await);
    assert_eq!(again, json!([]), "{document}");
}

#[test]
fn an_export_says_everything_and_changes_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (here, yaml, json) = runtime
        .block_on(async { (Daemon::start().await, Daemon::start().await, Daemon::start().await) });
    let config =
        Config { cases: 32, max_shrink_iters: 300, failure_persistence: None, ..Config::default() };
    let cases = AtomicU64::new(0);
    proptest!(config, |(plan in plan())| {
        let case = cases.fetch_add(1, Ordering::Relaxed);
        runtime.block_on(check(plan, case, &here, [&yaml, &json]));
    });
}
