//! What is given along with a call to be placed, whatever the dialect; and what the agent's profile
//! says of machines.

use serde::Deserialize;
use serde_json::Value;

use super::reader::Wrong;

/// Bytes of one such object: a page of background and the ids of somebody's system.
pub(super) const OBJECT_LEN_MAX: usize = 64 * 1024;

/// An object that is kept as its text.
pub(super) fn object(value: &Value) -> Result<String, Wrong> {
    if !value.is_object() {
        return Err("must be an object".into());
    }
    let text = value.to_string();
    if text.len() > OBJECT_LEN_MAX {
        return Err(format!("must be at most {OBJECT_LEN_MAX} bytes").into());
    }
    Ok(text)
}

/// A kept object; an empty one where there is none.
pub(super) fn shown(text: Option<&str>) -> Value {
    let kept = text.and_then(|text| serde_json::from_str(text).ok());
    kept.unwrap_or_else(|| Value::Object(serde_json::Map::new()))
}

/// A kept text as the value it is; null where there is none.
pub(super) fn opaque(text: Option<&str>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Whether an agent's profile says what becomes of a machine that answers. Finding out costs, and
/// delays: without a word of the agent's nobody listens for one.
#[must_use]
pub fn detects_machine(profile: &str) -> bool {
    let profile: Value = serde_json::from_str(profile).unwrap_or_default();
    let has = |field: &str| profile.get(field).is_some_and(|value| !value.is_null());
    has("voicemail_action") || has("voicemail_message")
}

/// Whether the agent hangs up on a machine that answers.
#[must_use]
pub fn hangs_up_on_machine(profile: &str) -> bool {
    let profile: Value = serde_json::from_str(profile).unwrap_or_default();
    profile.get("voicemail_action").is_some_and(|action| action == "hangup")
}

/// What is said to a machine once it records, where the agent's profile has a text for that; its
/// runtime says it otherwise.
#[must_use]
pub fn voicemail_message(profile: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Profile {
        voicemail_message: Option<String>,
    }
    let text = serde_json::from_str::<Profile>(profile).ok()?.voicemail_message?;
    Some(text).filter(|text| !text.trim().is_empty() && !hangs_up_on_machine(profile))
}

/// The URL that an agent's profile says its calls are to be told to.
#[must_use]
pub fn webhook_url(profile: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Profile {
        webhook_url: Option<String>,
    }
    serde_json::from_str::<Profile>(profile).ok()?.webhook_url
}

/// Whether an agent's profile says that something is to be found out from its calls.
#[must_use]
pub fn awaits_result(profile: &str) -> bool {
    #[derive(Deserialize)]
    struct Profile {
        returns: Option<serde_json::Map<String, Value>>,
    }
    let profile = serde_json::from_str::<Profile>(profile);
    profile.ok().and_then(|profile| profile.returns).is_some_and(|returns| !returns.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_listened_for_where_the_agent_has_a_word_on_them() {
        assert!(detects_machine(r#"{"voicemail_action":"leave_message"}"#));
        assert!(detects_machine(r#"{"voicemail_action":"hangup"}"#));
        assert!(!hangs_up_on_machine(r#"{"voicemail_action":"leave_message"}"#));
        assert!(hangs_up_on_machine(r#"{"voicemail_action":"hangup"}"#));
        for profile in ["{}", "", r#"{"voicemail_action":null}"#, r#"{"voice":"alder"}"#] {
            assert!(!detects_machine(profile), "{profile}");
        }
    }

    #[test]
    fn a_text_is_said_unless_the_machine_is_hung_up_on() {
        let said = |profile| voicemail_message(profile);
        let text = r#"{"voicemail_message":"Ring us back."}"#;
        assert_eq!(said(text).as_deref(), Some("Ring us back."));
        assert!(detects_machine(text));
        let left = r#"{"voicemail_action":"leave_message","voicemail_message":"Hi."}"#;
        assert_eq!(said(left).as_deref(), Some("Hi."));
        for profile in [
            r#"{"voicemail_action":"hangup","voicemail_message":"Hi."}"#,
            r#"{"voicemail_message":" "}"#,
            r#"{"voicemail_message":null}"#,
            r#"{"voicemail_action":"leave_message"}"#,
            "",
        ] {
            assert_eq!(said(profile), None, "{profile}");
        }
    }

    #[test]
    fn a_profile_says_whom_to_tell_and_what_to_find_out() {
        let profile = r#"{"returns":{"is_sold":"boolean"},"webhook_url":"https://example.com/x"}"#;
        assert_eq!(webhook_url(profile).as_deref(), Some("https://example.com/x"));
        assert!(awaits_result(profile));
        for profile in ["", "{}", r#"{"webhook_url":null,"returns":{}}"#, r#"{"returns":[1]}"#] {
            assert!(webhook_url(profile).is_none() && !awaits_result(profile), "{profile}");
        }
    }
}
