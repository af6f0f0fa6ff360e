//! `demo --once --json`, as a script runs it, with each carrier.

use std::process::Command;

use serde_json::Value;
use switchback::{domain::CarrierId, simulator::open_account};

#[test]
fn every_step_does_what_it_should() {
    let is_played = |kind: &&CarrierId| open_account(**kind, "demo").is_some();
    std::thread::scope(|threads| {
        for kind in CarrierId::ALL.iter().filter(is_played) {
            threads.spawn(|| play(*kind));
        }
    });
}

#[track_caller]
fn play(kind: CarrierId) {
    let demo = Command::new(env!("CARGO_BIN_EXE_switchback"))
        .args(["demo", "--once", "--json", "--carrier", kind.as_str()])
        .output()
        .unwrap();
    let text = String::from_utf8(demo.stdout).unwrap();
    let steps: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for step in &steps {
        assert_eq!(step["ok"], true, "{kind}: {step}");
        assert_eq!(step["got"], step["expected"], "{kind}: {step}");
        assert!(step["ns"].as_u64().unwrap() > 0, "{kind}: {step}");
    }
    let of = |field: &str| -> Vec<&str> {
        steps.iter().map(|step| step[field].as_str().unwrap()).collect()
    };
    let names = ["missed", "return", "bridge", "redelivery", "takeover", "stranger", "forgery"];
    assert_eq!(of("name"), names, "{kind}");
    let reasons =
        ["no_answer", "callback", "callback", "repeated", "lost", "default", "wrong_signature"];
    assert_eq!(of("reason"), reasons, "{kind}");
    assert!(demo.status.success(), "{kind}");
    assert!(demo.stderr.is_empty(), "{kind}: {}", String::from_utf8_lossy(&demo.stderr));
}
