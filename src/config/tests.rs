use super::*;

fn no_env(_: &str) -> Option<String> {
    None
}

fn load(text: &str, env: Env<'_>) -> Result<Config, ConfigError> {
    Config::check(&parse::text(text, "test.toml", env)?, Path::new("/data"), env)
}

#[track_caller]
fn check_refused(text: &str, expected: &str) {
    let error = load(text, &no_env).unwrap_err().to_string();
    assert!(error.contains(expected), "{error:?} lacks {expected:?}");
}

const ACCOUNT: &str = r#"
[[carrier_accounts]]
name = "main"
kind = "twilio"
account_id = "AC66acdc865fff60921f34dac80d62be2f"
secrets = ["3f1c0a9e7b5d48264c8e1f2a6b3d5c70"]
"#;

#[test]
fn the_reference_file_is_the_defaults() {
    let written = include_str!("../../config/switchback.toml");
    assert_eq!(parse::text(written, "config", &no_env).unwrap(), raw::Raw::default());
    let table: toml::Table = written.parse().unwrap();
    let defaults = serde_json::to_value(raw::Raw::default()).unwrap();
    for (section, keys) in defaults.as_object().unwrap() {
        for key in keys.as_object().into_iter().flat_map(|keys| keys.keys()) {
            assert!(table[section].get(key).is_some(), "[{section}] lacks {key}");
        }
    }
    // What an account takes is shown commented out; every key of it must be there.
    let account = serde_json::to_value(raw::RawAccount::default()).unwrap();
    for key in account.as_object().unwrap().keys() {
        assert!(written.contains(&format!("# {key} = ")), "[[carrier_accounts]] lacks {key}");
    }
    let (_, shown) = written.split_once("# [[upstream]]").unwrap();
    let upstream = serde_json::to_value(raw::RawUpstream::default()).unwrap();
    for (key, default) in upstream.as_object().unwrap() {
        let is_shown = shown.contains(&format!("# {key} = "));
        assert!(is_shown, "[[upstream]] lacks {key}");
        let is_free = ["kind", "key", "webhook_secret"].contains(&key.as_str());
        assert!(is_free || shown.contains(&format!("# {key} = {default}\n")), "{key} = {default}");
    }
}

#[test]
fn nothing_at_all_is_a_configuration() {
    let config = load("", &no_env).unwrap();
    assert_eq!(config.edge.media_url, "ws://127.0.0.1:8080");
    assert_eq!(config.store_path, Path::new("/data/switchback.db"));
    assert_eq!(config.retention, Retention::default());
}

#[test]
fn the_environment_wins_over_the_file() {
    let env = |name: &str| match name {
        "SWITCHBACK_EDGE__LISTEN" => Some("0.0.0.0:9000".to_owned()),
        "SWITCHBACK_EDGE__DRAIN_SECONDS" => Some("7".to_owned()),
        "SWITCHBACK_RUNTIME__ALLOW_PRIVATE" => Some("false".to_owned()),
        "SWITCHBACK_EDGE__PUBLIC_URL" => Some("https://edge.example.com/sb/".to_owned()),
        _ => None,
    };
    let config = load("[edge]\nlisten = \"127.0.0.1:1\"", &env).unwrap();
    assert_eq!(config.edge.listen.to_string(), "0.0.0.0:9000");
    assert_eq!(config.edge.drain, Duration::from_secs(7));
    assert_eq!(config.edge.media_url, "wss://edge.example.com/sb");
    assert!(!config.runtime.allow_private);
}

#[test]
fn an_account_is_read_with_its_secrets() {
    let env = |name: &str| (name == "TOKEN").then(|| "t0ken".to_owned());
    let text = ACCOUNT.replace("[\"3f1c0a9e7b5d48264c8e1f2a6b3d5c70\"]", "[{ env = \"TOKEN\" }]");
    let config = load(&text, &env).unwrap();
    assert_eq!(config.accounts[0].account.secrets[0].reveal(), "t0ken");
    assert!(!format!("{config:?}").contains("t0ken"));
}

const UPSTREAM: &str = r#"
[[upstream]]
kind = "talkover"
key = "talq_1"
"#;

#[test]
fn an_upstream_is_read_with_its_defaults() {
    let config = load(UPSTREAM, &no_env).unwrap();
    let upstream = &config.upstreams[0];
    assert_eq!((upstream.name.as_str(), upstream.tenant.as_str()), ("talkover", "default"));
    assert_eq!(upstream.base_url, "https://app.talkover.ai");
    assert_eq!(upstream.interval, Duration::from_secs(30));
    assert_eq!((&upstream.webhook_secret, &upstream.carrier_account), (&None, &None));
    for (url, expected) in [
        ("https://t.example.com/api/v1/", "https://t.example.com"),
        ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
    ] {
        let config = load(&format!("{UPSTREAM}base_url = \"{url}\""), &no_env).unwrap();
        assert_eq!(config.upstreams[0].base_url, expected);
    }
    assert!(!format!("{config:?}").contains("talq_1"));
    check_refused(&UPSTREAM.replace("talkover", "talkabout"), "upstream.0.kind");
    check_refused(&UPSTREAM.replace("talq_1", ""), "upstream.0.key");
    check_refused(&format!("{UPSTREAM}interval = \"fast\""), "upstream.0.interval");
    check_refused(&format!("{UPSTREAM}interval = \"25h\""), "upstream.0.interval");
    check_refused(&format!("{UPSTREAM}mode = \"both\""), "upstream.0.mode");
    check_refused(&format!("{UPSTREAM}name = \"a b\""), "upstream.0.name");
    check_refused(&format!("{UPSTREAM}base_url = \"https://u:p@t.co\""), "upstream.0.base_url");
    check_refused(&format!("{UPSTREAM}{UPSTREAM}"), "another upstream's name");
    check_refused(&UPSTREAM.replace("key", "kye"), "did you mean `key`?");
}

#[test]
fn what_is_wrong_is_said_with_its_key() {
    check_refused("[edge]\nlistn = 1", "unknown key `edge.listn`; did you mean `listen`?");
    check_refused("[egde]", "unknown key `egde`; did you mean `edge`?");
    check_refused("[edge]\nlisten = \"here\"", "`edge.listen` is \"here\"");
    check_refused("[edge]\ndrain_seconds = \"x\"", "drain_seconds");
    check_refused("[edge]\npublic_url = \"edge.example.com\"", "https://");
    check_refused("[control]\npublic_url = \"ws://api.example.com\"", "`control.public_url`");
    check_refused("[control]\npublic_url = \"https://x.co?a\"", "`control.public_url`");
    check_refused("[store]\nurl = \"mysql://x\"", "`store.url`");
    check_refused("[retention]\ntouches = \"0d\"", "`retention.touches`");
    check_refused("[retention]\ntranscripts = \"never\"", "`retention.transcripts`");
    check_refused("[telemetry]\nlog_format = \"xml\"", "text, json");
    check_refused("[runtime]\ndefault_target = \"http://x\"", "no known scheme");
    check_refused("x = ", "test.toml");
    check_refused(&ACCOUNT.replace("twilio", "pigeon"), "carrier_accounts.0.kind");
    check_refused(&ACCOUNT.replace("name = \"main\"", "name = \"a b\""), "carrier_accounts.0.name");
    check_refused(&ACCOUNT.replace("AC66", "AC6"), "carrier_accounts.0.account_id");
    check_refused(&ACCOUNT.replace("kind", "knd"), "did you mean `kind`?");
    check_refused(
        &ACCOUNT.replace("[\"3f1c0a9e7b5d48264c8e1f2a6b3d5c70\"]", "[{ env = \"NO\" }]"),
        "NO",
    );
    check_refused(&format!("{ACCOUNT}calls_per_second = 0"), "carrier_accounts.0.calls_per_second");
    check_refused(&format!("{ACCOUNT}api_url = \"api.example.com\""), "carrier_accounts.0.api_url");
    check_refused(&format!("{ACCOUNT}api_key_secret = \"x\""), "carrier_accounts.0.api_key_sid");
    check_refused(&format!("{ACCOUNT}api_key_sid = \"SK1\""), "carrier_accounts.0.api_key_secret");
    check_refused(&format!("{ACCOUNT}{ACCOUNT}"), "another account's name");
}

#[test]
fn tls_takes_a_certificate_and_a_key() {
    let both = load("[edge.tls]\ncert = \"c.pem\"\nkey = \"/k.pem\"", &no_env).unwrap();
    let (cert, key) = ("/data/c.pem".into(), "/k.pem".into());
    assert_eq!(both.edge.tls, Some(TlsFiles { cert, key }));
    check_refused("[edge.tls]\ncert = \"c.pem\"", "`edge.tls.key` is \"\", which is missing");
    check_refused("[edge.tls]\nkey = \"k.pem\"", "`edge.tls.cert` is \"\", which is missing");
    check_refused("[edge.tls]\ncrt = \"c.pem\"", "unknown key `edge.tls.crt`; did you mean `cert`");
    check_refused("[edge]\nconnections_per_address = 0", "edge.connections_per_address");
    let env = |name: &str| match name {
        "SWITCHBACK_EDGE__TLS__CERT" => Some("from-env.pem".to_owned()),
        "SWITCHBACK_EDGE__WORKERS" => Some("3".to_owned()),
        _ => None,
    };
    let edge = load("[edge.tls]\nkey = \"k.pem\"", &env).unwrap().edge;
    assert_eq!(edge.tls.unwrap().cert, Path::new("/data/from-env.pem"));
    assert_eq!(edge.workers.map(usize::from), Some(3));
}
