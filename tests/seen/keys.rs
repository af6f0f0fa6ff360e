//! `switchback keys` and `switchback tenants`, as an operator types them.

use serde_json::Value;

use crate::daemon::Daemon;

/// What a command prints, of one that succeeds.
async fn done(daemon: &Daemon, arguments: &[&str]) -> String {
    let (code, said, problem) = daemon.operator_command(arguments).await;
    assert_eq!(code, 0, "{arguments:?}: {problem}");
    said
}

async fn json(daemon: &Daemon, arguments: &[&str]) -> Value {
    let said = done(daemon, &[arguments, &["--json"]].concat()).await;
    serde_json::from_str(&said).unwrap()
}

#[tokio::test]
async fn a_key_opens_what_its_flags_say_and_for_as_long() {
    let daemon = Daemon::start();
    done(&daemon, &["tenants", "create", "acme"]).await;
    let create = |more: &[&'static str]| -> Vec<&'static str> {
        [&["keys", "create", "--name", "k", "--tenant", "acme"], more].concat()
    };
    let made = json(&daemon, &create(&["--scope", "read,calls"])).await;
    assert_eq!((&made["scope"], &made["expires_at"]), (&"tenant".into(), &Value::Null));
    let mut scopes: Vec<_> = made["scopes"].as_array().unwrap().iter().collect();
    scopes.sort_by_key(|scope| scope.as_str());
    assert_eq!(scopes, ["calls", "read"]);
    let twice = json(&daemon, &create(&["--scope", "read", "--scope", "write"])).await;
    assert_eq!(twice["scopes"].as_array().unwrap().len(), 2);
    let all = json(&daemon, &create(&[])).await;
    assert_eq!(all["scopes"].as_array().unwrap().len(), 3);
    let operator = ["keys", "create", "--name", "o", "--scope", "operator"];
    assert_eq!(json(&daemon, &operator).await["scope"], "operator");

    // What it prints is the key alone, which may what it may.
    let key = done(&daemon, &create(&["--scope", "read"])).await;
    let (code, _, said) = daemon.command_as(key.trim(), &["export"]).await;
    assert_eq!(code, 0, "{said}");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config/example.yaml");
    let (code, _, said) = daemon.command_as(key.trim(), &["apply", "-f", example]).await;
    assert_eq!(code, 1);
    assert!(said.contains("write"), "{said}");

    let until = "2099-01-02T03:04:05Z";
    let made = json(&daemon, &create(&["--expires", until])).await;
    assert!(made["expires_at"].as_str().unwrap().starts_with("2099-01-02T03:04:05"), "{made}");
    for past in ["2001-01-01T00:00:00Z", "tomorrow"] {
        let (code, _, said) = daemon.operator_command(&create(&["--expires", past])).await;
        assert_eq!(code, 1, "{past}");
        assert!(said.contains("expires_at"), "{said}");
    }
    for wrong in [&create(&["--scope", "everything"])[..], &["keys", "create"]] {
        assert_eq!(daemon.operator_command(wrong).await.0, 2, "{wrong:?}");
    }
}

#[tokio::test]
async fn a_key_is_put_in_anothers_place_and_revoked() {
    let daemon = Daemon::start();
    done(&daemon, &["tenants", "create", "acme"]).await;
    let create = ["keys", "create", "--name", "k", "--tenant", "acme", "--scope", "read"];
    let old = json(&daemon, &create).await;
    let text = |key: &Value, field: &str| key[field].as_str().unwrap().to_owned();
    let rotate = ["keys", "create", "--rotate", &text(&old, "id"), "--overlap", "0"];
    let new = json(&daemon, &rotate).await;
    assert_eq!((&new["name"], &new["scopes"]), (&old["name"], &old["scopes"]));
    let opens = async |key: &Value| daemon.command_as(&text(key, "key"), &["export"]).await.0 == 0;
    assert_eq!((opens(&old).await, opens(&new).await), (false, true));

    let (id, listed) = (text(&new, "id"), done(&daemon, &["keys", "list"]).await);
    assert!(listed.contains(&id) && !listed.contains(&text(&new, "key")), "{listed}");
    assert_eq!(done(&daemon, &["keys", "revoke", &id]).await, format!("revoked {id}\n"));
    assert!(!opens(&new).await);
    for wrong in [
        &["keys", "create", "--rotate", &id, "--name", "other"][..],
        &["keys", "create", "--name", "k", "--overlap", "3"],
        &["keys", "create", "--rotate", &id, "--scope", "read"],
    ] {
        assert_eq!(daemon.operator_command(wrong).await.0, 2, "{wrong:?}");
    }
}

#[tokio::test]
async fn a_tenant_is_removed_with_all_that_it_has_when_that_is_meant() {
    let daemon = Daemon::start();
    let made = json(&daemon, &["tenants", "create", "acme"]).await;
    done(&daemon, &["tenants", "create", "other"]).await;
    let create = ["keys", "create", "--name", "k", "--tenant", "acme"];
    let key = done(&daemon, &create).await;
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config/example.yaml");
    assert_eq!(daemon.command_as(key.trim(), &["apply", "-f", example]).await.0, 0);

    let (code, _, said) = daemon.operator_command(&["tenants", "remove", "acme"]).await;
    assert_eq!(code, 2, "not without --yes");
    assert!(said.contains("--yes"), "{said}");
    assert!(done(&daemon, &["tenants", "list"]).await.contains("acme"));
    let (code, _, said) = daemon.operator_command(&["tenants", "remove", "nobody", "--yes"]).await;
    assert_eq!(code, 1);
    assert!(said.contains("there is no tenant nobody"), "{said}");
    assert_eq!(daemon.command_as(key.trim(), &["tenants", "remove", "acme", "--yes"]).await.0, 1);

    let said = done(&daemon, &["tenants", "remove", "acme", "--yes"]).await;
    assert_eq!(said, "removed acme\n");
    assert_eq!(daemon.command_as(key.trim(), &["export"]).await.0, 1, "its keys are gone");
    let again = json(&daemon, &["tenants", "create", "acme"]).await;
    assert_ne!(again["id"], made["id"]);
    let by_id = ["tenants", "remove", again["id"].as_str().unwrap(), "--yes"];
    assert_eq!(json(&daemon, &by_id).await["removed"], again["id"]);
    let listed = done(&daemon, &["tenants", "list"]).await;
    assert!(listed.contains("other") && !listed.contains("acme"), "{listed}");
}
