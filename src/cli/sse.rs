//! Server-sent events as they come in pieces off the wire (HTML standard, 9.2.6). It knows no
//! socket, and leaves out what our daemon does not send: CR line ends, `retry`.

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// Its kind.
    pub(super) kind: String,
    /// Its data.
    pub(super) data: String,
}

/// What has come of the event that is being received.
#[derive(Debug, Default)]
pub(super) struct Parser {
    line: Vec<u8>,
    event: Event,
    id: Option<String>,
    last_id: Option<String>,
}

impl Parser {
    /// Where to go on after the connection is lost.
    pub(super) fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// The connection is lost, and with it what was incomplete.
    pub(super) fn broke_off(&mut self) {
        *self = Self { last_id: self.last_id.take(), ..Self::default() };
    }

    /// Takes a piece; the events it completes.
    pub(super) fn take(&mut self, piece: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for &byte in piece {
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                events.extend(self.line(&String::from_utf8_lossy(&line)));
            } else {
                self.line.push(byte);
            }
        }
        events
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            self.last_id = self.id.clone().or(self.last_id.take());
            // An event without data only moves the id on.
            return Some(std::mem::take(&mut self.event)).filter(|event| !event.data.is_empty());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.event.kind = value.to_owned(),
            "id" => self.id = Some(value.to_owned()),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_any_pieces() {
        let text =
            b": beat\nid: 7\n\nid: 8\nevent: call.started\ndata: {\"a\":\ndata: 1}\n\nid: 9\nda";
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let events: Vec<_> = text.chunks(size).flat_map(|piece| parser.take(piece)).collect();
            let expected = Event { kind: "call.started".into(), data: "{\"a\":\n1}".into() };
            assert_eq!(events, [expected], "in pieces of {size}");
            assert_eq!(parser.last_id(), Some("8"), "an event that broke off comes again");
            parser.broke_off();
            assert_eq!(parser.take(b"data: 2\n\n").len(), 1);
            assert_eq!(parser.last_id(), Some("8"));
        }
    }
}
