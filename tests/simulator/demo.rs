//! `demo --once --json`, as a script runs it.

use std::process::Command;

use serde_json::Value;

#[test]
fn every_step_does_what_it_should() {
    let demo = Command::new(env!("CARGO_BIN_EXE_switchback"))
        .args(["demo", "--once", "--json"])
        .output()
        .unwrap();
    let text = String::from_utf8(demo.stdout).unwrap();
    let steps: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for step in &steps {
        assert_eq!(step["ok"], true, "{step}");
        assert_eq!(step["got"], step["expected"], "{step}");
        assert!(step["ns"].as_u64().unwrap() > 0, "{step}");
    }
    let of = |field: &str| -> Vec<&str> {
        steps.iter().map(|step| step[field].as_str().unwrap()).collect()
    };
    let names = ["missed", "return", "bridge", "redelivery", "takeover", "stranger", "forgery"];
    assert_eq!(of("name"), names);
    let reasons =
        ["no_answer", "callback", "callback", "repeated", "lost", "default", "wrong_signature"];
    assert_eq!(of("reason"), reasons);
    assert!(demo.status.success());
    assert!(demo.stderr.is_empty(), "{}", String::from_utf8_lossy(&demo.stderr));
}
