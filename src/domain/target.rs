//! Where a call can go.

use std::{fmt, str::FromStr};

use super::{AgentId, E164};

/// The longest text of a target. Twilio speaks at most 4096 characters and fetches URLs of 4 KiB.
const TEXT_LEN_MAX: usize = 4096;

/// One rung of an agent's ladder; the text form is what the APIs read and write.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// `ws://` or `wss://`: an agent runtime. May hold `{agent_id}` and `{call_id}`. With `link:`
    /// before it, one whose calls share a socket: then it may hold no `{call_id}`.
    Runtime(String),
    /// `builtin:echo`, `builtin:tone`.
    Builtin(Builtin),
    /// `agent:<id>`: another inbound agent of the tenant.
    Agent(AgentId),
    /// `tel:+1...`: the carrier dials on.
    Tel(E164),
    /// `sip:user@host`: the carrier dials on.
    Sip(String),
    /// `redirect:https://...`: the call's webhook is handed to another application.
    Redirect(String),
    /// `say:<text>`: speak and hang up.
    Say(String),
    /// Refuse as busy.
    Busy,
    /// Refuse.
    Reject,
}

/// The runtimes that live in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Builtin {
    /// Says back what it hears.
    Echo,
    /// Plays a tone.
    Tone,
}

/// Why a text is not a target. A lower-case fragment, fit for "target ...".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetError {
    /// No known scheme.
    Scheme,
    /// `agent:` without a UUID.
    AgentId,
    /// `tel:` without an E.164 number.
    Number,
    /// A URL or SIP address without a host, or with blanks or control characters.
    Address,
    /// `say:` without a text.
    Empty,
    /// Over the limit.
    TooLong,
}

impl Target {
    /// Whether it is spoken to over a media socket.
    #[must_use]
    pub const fn is_media(&self) -> bool {
        matches!(self, Self::Runtime(_) | Self::Builtin(_))
    }

    /// Whether it may stand as last resort or block target: neither a socket nor an agent, since
    /// both must work when everything else has failed.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::Runtime(_) | Self::Builtin(_) | Self::Agent(_))
    }

    /// The kind as a metric's label and a trace's word.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Runtime(_) => "runtime",
            Self::Builtin(_) => "builtin",
            Self::Agent(_) => "agent",
            Self::Tel(_) => "tel",
            Self::Sip(_) => "sip",
            Self::Redirect(_) => "redirect",
            Self::Say(_) => "say",
            Self::Busy => "busy",
            Self::Reject => "reject",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runtime(url) => f.write_str(url),
            Self::Builtin(Builtin::Echo) => f.write_str("builtin:echo"),
            Self::Builtin(Builtin::Tone) => f.write_str("builtin:tone"),
            Self::Agent(id) => write!(f, "agent:{id}"),
            Self::Tel(number) => write!(f, "tel:{number}"),
            Self::Sip(address) => write!(f, "sip:{address}"),
            Self::Redirect(url) => write!(f, "redirect:{url}"),
            Self::Say(text) => write!(f, "say:{text}"),
            Self::Busy => f.write_str("busy"),
            Self::Reject => f.write_str("reject"),
        }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > TEXT_LEN_MAX {
            return Err(TargetError::TooLong);
        }
        match text {
            "busy" => return Ok(Self::Busy),
            "reject" => return Ok(Self::Reject),
            "builtin:echo" => return Ok(Self::Builtin(Builtin::Echo)),
            "builtin:tone" => return Ok(Self::Builtin(Builtin::Tone)),
            _ => {}
        }
        let (scheme, rest) = text.split_once(':').ok_or(TargetError::Scheme)?;
        match scheme {
            "ws" | "wss" => checked_url(rest).map(|_| Self::Runtime(text.to_owned())),
            "link" => {
                let (scheme, after) = rest.split_once(':').ok_or(TargetError::Address)?;
                if !matches!(scheme, "ws" | "wss") || rest.contains("{call_id}") {
                    return Err(TargetError::Address);
                }
                checked_url(after).map(|_| Self::Runtime(text.to_owned()))
            }
            "agent" => rest.parse().map(Self::Agent).map_err(|_| TargetError::AgentId),
            "tel" => E164::parse(rest).map(Self::Tel).ok_or(TargetError::Number),
            "sip" => checked_sip(rest).map(|address| Self::Sip(address.to_owned())),
            "redirect" => {
                let (scheme, after) = rest.split_once(':').ok_or(TargetError::Address)?;
                if scheme != "https" && scheme != "http" {
                    return Err(TargetError::Address);
                }
                checked_url(after).map(|_| Self::Redirect(rest.to_owned()))
            }
            "say" if rest.trim().is_empty() => Err(TargetError::Empty),
            "say" => Ok(Self::Say(rest.to_owned())),
            _ => Err(TargetError::Scheme),
        }
    }
}

/// Checks what follows a URL's scheme: `//host...`, no blanks, no control characters, no fragment.
fn checked_url(after_scheme: &str) -> Result<&str, TargetError> {
    let rest = after_scheme.strip_prefix("//").ok_or(TargetError::Address)?;
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let clean = rest.chars().all(|c| !c.is_whitespace() && !c.is_control());
    if host.is_empty() || host.starts_with(':') || !clean || rest.contains('#') {
        return Err(TargetError::Address);
    }
    Ok(rest)
}

fn checked_sip(address: &str) -> Result<&str, TargetError> {
    let host = address.rsplit_once('@').map_or(address, |(_, host)| host);
    let clean = address.chars().all(|c| !c.is_whitespace() && !c.is_control());
    if host.is_empty() || !clean { Err(TargetError::Address) } else { Ok(address) }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => {
                "has no known scheme (ws, wss, builtin, agent, tel, sip, redirect, say, busy, reject)"
            }
            Self::AgentId => "does not name an agent by its id",
            Self::Number => "is not an E.164 number such as tel:+14155550100",
            Self::Address => "has no usable address",
            Self::Empty => "has no text to say",
            Self::TooLong => "is longer than 4096 bytes",
        })
    }
}

impl std::error::Error for TargetError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, accepted: bool) {
        let parsed = text.parse::<Target>();
        assert_eq!(parsed.is_ok(), accepted, "{text:?}: {parsed:?}");
        if let Ok(target) = parsed {
            assert_eq!(target.to_string(), text);
        }
    }

    #[test]
    fn targets_are_read_and_written_alike() {
        check("wss://bot.example.com/ws/{agent_id}?call={call_id}", true);
        check("ws://127.0.0.1:8765", true);
        check("link:wss://bot.example.com/calls/{agent_id}", true);
        check("link:ws://127.0.0.1:8765", true);
        check("link:ws://127.0.0.1:8765/{call_id}", false);
        check("link:https://example.com", false);
        check("link:builtin:echo", false);
        check("link:wss://", false);
        check("builtin:echo", true);
        check("builtin:tone", true);
        check("builtin:beep", false);
        check("agent:018f4a9e-0000-7000-8000-000000000001", true);
        check("agent:front-desk", false);
        check("tel:+14155550100", true);
        check("tel:4155550100", false);
        check("sip:desk@pbx.example.com;transport=tls", true);
        check("sip:", false);
        check("redirect:https://example.com/voice?a=1&b=2", true);
        check("redirect:ftp://example.com", false);
        check("redirect:https://", false);
        check("say:Sorry, try later.", true);
        check("say:  ", false);
        check("busy", true);
        check("reject", true);
        check("wss://", false);
        check("wss://exa mple.com", false);
        check("https://example.com", false);
        check("", false);
        check(&format!("say:{}", "x".repeat(5000)), false);
    }
}
