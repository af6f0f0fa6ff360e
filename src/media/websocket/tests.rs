//! What RFC 6455 says, and tungstenite as the other side.

use std::io::{self, Read, Write};

use proptest::prelude::*;
use tokio_tungstenite::tungstenite::protocol::{self, CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket};

use super::*;

const LEN_MAX: usize = 70_000;

/// What was heard, and with what payload.
type Told = (Heard, Vec<u8>);

/// Reads bytes that come in pieces of that many, until nothing more comes or something is wrong.
fn read(role: Role, bytes: &[u8], piece: usize) -> (Vec<Told>, Option<Violation>) {
    let mut reader = Reader::new(role, LEN_MAX, Vec::new());
    let mut told = Vec::new();
    let mut rest = bytes;
    loop {
        match reader.advance() {
            Ok(Some(heard)) => {
                if heard == Heard::Text {
                    assert_eq!(reader.text().as_bytes(), reader.bytes());
                }
                told.push((heard, reader.bytes().to_vec()));
            }
            Ok(None) if rest.is_empty() => return (told, None),
            Ok(None) => {
                let room = reader.room();
                assert!(!room.is_empty());
                let len = piece.min(rest.len()).min(room.len());
                let (now, later) = rest.split_at(len);
                room.get_mut(..len).unwrap().copy_from_slice(now);
                reader.came(len);
                rest = later;
            }
            Err(violation) => return (told, Some(violation)),
        }
    }
}

#[track_caller]
fn check(role: Role, bytes: &[u8], expected: &[(Heard, &[u8])]) {
    for piece in [1, 3, usize::MAX] {
        let (told, violation) = read(role, bytes, piece);
        let told: Vec<_> = told.iter().map(|(heard, bytes)| (*heard, bytes.as_slice())).collect();
        assert_eq!((told.as_slice(), violation), (expected, None));
    }
}

#[track_caller]
fn refused(role: Role, bytes: &[u8], violation: Violation) {
    for piece in [1, usize::MAX] {
        let (_, found) = read(role, bytes, piece);
        assert_eq!(found, Some(violation), "{bytes:x?}");
    }
}

/// The examples of §5.7.
#[test]
fn the_examples_are_read() {
    let hello: &[u8] = b"Hello";
    let (text, ping, pong) = (Heard::Text, Heard::Ping, Heard::Pong);
    check(Role::Client, b"\x81\x05Hello", &[(text, hello)]);
    let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    check(Role::Server, &masked, &[(text, hello)]);
    check(Role::Client, b"\x01\x03Hel\x80\x02lo", &[(text, hello)]);
    check(Role::Client, b"\x01\x03Hel\x89\x01!\x80\x02lo", &[(ping, b"!"), (text, hello)]);
    check(Role::Client, b"\x89\x05Hello", &[(ping, hello)]);
    let masked = [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    check(Role::Server, &masked, &[(pong, hello)]);
    let long = [b"\x82\x7e\x01\x00".as_slice(), &[7; 256]].concat();
    check(Role::Client, &long, &[(Heard::Binary, &[7; 256])]);
    let longer = [b"\x82\x7f\0\0\0\0\0\x01\0\0".as_slice(), &[7; 65_536]].concat();
    check(Role::Client, &longer, &[(Heard::Binary, &[7; 65_536])]);
    check(Role::Client, b"\x88\x00", &[(Heard::Close(None), b"")]);
    check(Role::Client, b"\x88\x04\x03\xe9ok", &[(Heard::Close(Some(1001)), b"\x03\xe9ok")]);
}

#[test]
fn what_may_not_come_is_refused() {
    use Role::{Client, Server};
    use Violation::{NotUtf8, Protocol, TooLong};
    // Masks: a server's frame has none, a client's must.
    refused(Server, b"\x81\x05Hello", Protocol);
    refused(Client, &[0x81, 0x81, 1, 2, 3, 4, 5], Protocol);
    // Reserved bits and opcodes.
    for first in [0xc1, 0xa1, 0x91, 0x83, 0x87, 0x8b, 0x8f] {
        refused(Client, &[first, 0], Protocol);
    }
    // A part of nothing; a message within another; a control message in parts, or too long.
    refused(Client, b"\x80\x00", Protocol);
    refused(Client, b"\x01\x01a\x81\x01b", Protocol);
    refused(Client, b"\x09\x00", Protocol);
    refused(Client, b"\x89\x7e\x00\x7e", Protocol);
    // Half a code, codes that nobody may send, a reason that is no text.
    refused(Client, b"\x88\x01\x03", Protocol);
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
        let [a, b] = code.to_be_bytes();
        refused(Client, &[0x88, 2, a, b], Protocol);
    }
    refused(Client, b"\x88\x03\x03\xe8\xff", NotUtf8);
    // Text that is none, also across parts; a character across parts is one.
    refused(Client, b"\x81\x01\xff", NotUtf8);
    refused(Client, b"\x01\x01\xc3\x80\x01a", NotUtf8);
    check(Client, b"\x01\x01\xc3\x80\x01\xb1", &[(Heard::Text, "ñ".as_bytes())]);
    // Lengths, of one frame and of all parts together, and what nothing can hold.
    refused(Client, b"\x82\x7f\0\0\0\0\0\x02\0\0", TooLong);
    refused(Client, b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", TooLong);
    let parts = [b"\x02\x7e\xff\xff".as_slice(), &[0; 65_535], b"\x80\x7e\x20\x00"].concat();
    refused(Client, &parts, TooLong);
}

#[test]
fn a_length_that_is_only_claimed_takes_no_memory() {
    let mut reader = Reader::new(Role::Client, 1 << 30, Vec::new());
    let head = b"\x82\x7f\0\0\0\0\x20\0\0\0";
    reader.room().get_mut(..head.len()).unwrap().copy_from_slice(head);
    reader.came(head.len());
    assert_eq!(reader.advance(), Ok(None));
    assert!(reader.room().len() <= 8 * 1024);
}

#[test]
fn memory_is_given_back_after_a_long_message() {
    let mut writer = Writer::default();
    writer.push(Opcode::Binary, &[1; LEN_MAX], None);
    let bytes = writer.pending().to_vec();
    writer.sent(bytes.len());
    assert!(writer.is_empty());
    let mut reader = Reader::new(Role::Client, LEN_MAX, bytes);
    assert_eq!(reader.advance(), Ok(Some(Heard::Binary)));
    assert_eq!(reader.advance(), Ok(None));
    assert_eq!(reader.room().len(), 2048);
}

#[test]
fn who_carries_many_keeps_long_buffers() {
    const LONG: usize = 16 * 1024;
    let (mut writer, mut reader) =
        (Writer::default(), Reader::new(Role::Client, LEN_MAX, Vec::new()).keeping(LONG, 2 * LONG));
    writer.keep(2 * LONG);
    for _ in 0..3 {
        let room = reader.room();
        assert_eq!(room.len(), LONG);
        writer.push(Opcode::Binary, &[1; LONG / 2], None);
        writer.push(Opcode::Binary, &[2; LONG / 4], None);
        let bytes = writer.pending();
        room.get_mut(..bytes.len()).unwrap().copy_from_slice(bytes);
        let len = bytes.len();
        reader.came(len);
        writer.sent(len);
        assert_eq!(reader.advance(), Ok(Some(Heard::Binary)));
        assert_eq!(reader.advance(), Ok(Some(Heard::Binary)));
        assert_eq!(reader.bytes(), [2; LONG / 4]);
        assert_eq!(reader.advance(), Ok(None));
        reader.rest();
    }
    // What was needed once for a longer message stays.
    writer.push(Opcode::Binary, &[3; LONG + LONG / 2], None);
    let mut left = writer.pending();
    while !left.is_empty() {
        let room = reader.room();
        let (now, later) = left.split_at(room.len().min(left.len()));
        room.get_mut(..now.len()).unwrap().copy_from_slice(now);
        reader.came(now.len());
        left = later;
        assert_eq!(reader.advance(), Ok(later.is_empty().then_some(Heard::Binary)));
    }
    assert_eq!(reader.bytes(), [3; LONG + LONG / 2]);
    assert_eq!(reader.advance(), Ok(None));
    assert!((LONG + LONG / 2..=2 * LONG).contains(&reader.room().len()));
}

/// A pipe's end that never waits: what was written stays, what is read has come before.
#[derive(Default)]
struct Pipe {
    came: io::Cursor<Vec<u8>>,
    written: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.came.read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            len => Ok(len),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn tungstenite(role: Role, came: Vec<u8>) -> WebSocket<Pipe> {
    let config =
        WebSocketConfig::default().max_message_size(Some(LEN_MAX)).max_frame_size(Some(LEN_MAX));
    let role = match role {
        Role::Client => protocol::Role::Client,
        Role::Server => protocol::Role::Server,
    };
    let pipe = Pipe { came: io::Cursor::new(came), written: Vec::new() };
    WebSocket::from_raw_socket(pipe, role, Some(config))
}

const fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// What tungstenite makes of bytes, and whether it found something wrong.
fn read_by_tungstenite(role: Role, bytes: &[u8]) -> (Vec<Told>, bool) {
    let mut socket = tungstenite(role, bytes.to_vec());
    let mut told = Vec::new();
    loop {
        told.push(match socket.read() {
            Ok(Message::Text(text)) => (Heard::Text, text.as_bytes().to_vec()),
            Ok(Message::Binary(bytes)) => (Heard::Binary, bytes.to_vec()),
            Ok(Message::Ping(bytes)) => (Heard::Ping, bytes.to_vec()),
            Ok(Message::Pong(bytes)) => (Heard::Pong, bytes.to_vec()),
            Ok(Message::Close(frame)) => {
                (Heard::Close(frame.map(|frame| frame.code.into())), Vec::new())
            }
            Ok(Message::Frame(_)) => unreachable!(),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return (told, false);
            }
            Err(_) => return (told, true),
        });
        if matches!(told.last(), Some((Heard::Close(_), _))) {
            return (told, false);
        }
    }
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Client), Just(Role::Server)]
}

fn message() -> impl Strategy<Value = Message> {
    let bytes = |len| proptest::collection::vec(any::<u8>(), 0..len);
    prop_oneof![
        4 => "\\PC{0,400}".prop_map(Message::text),
        2 => bytes(1000).prop_map(Message::binary),
        1 => bytes(66_000).prop_map(Message::binary),
        1 => bytes(126).prop_map(|bytes| Message::Ping(bytes.into())),
        1 => bytes(126).prop_map(|bytes| Message::Pong(bytes.into())),
    ]
}

fn told(message: &Message) -> Told {
    let heard = match message {
        Message::Text(_) => Heard::Text,
        Message::Binary(_) => Heard::Binary,
        Message::Ping(_) => Heard::Ping,
        Message::Pong(_) => Heard::Pong,
        Message::Close(_) | Message::Frame(_) => unreachable!(),
    };
    (heard, message.clone().into_data().to_vec())
}

/// A frame as anybody may write it.
#[derive(Clone, Debug)]
struct Written {
    is_last: bool,
    opcode: u8,
    payload: Vec<u8>,
}

fn frame() -> impl Strategy<Value = Written> {
    let opcode = prop_oneof![
        4 => Just(0_u8), 3 => Just(1), 2 => Just(2), 1 => Just(8), 2 => Just(9), 1 => Just(10),
        1 => 0_u8..16,
    ];
    let payload = prop_oneof![
        3 => "[a-zñ]{0,9}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..200),
    ];
    (prop::bool::weighted(0.6), opcode, payload).prop_map(|(is_last, opcode, payload)| Written {
        is_last,
        opcode,
        payload,
    })
}

fn bytes_of(frames: &[Written], key: Option<[u8; 4]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for frame in frames {
        let mut writer = Writer::default();
        writer.push(Opcode::Binary, &frame.payload, key);
        let mut written = writer.pending().to_vec();
        written[0] = u8::from(frame.is_last) << 7 | frame.opcode;
        bytes.extend(written);
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// What we write tungstenite reads, and what it writes we read, in whatever pieces it comes.
    #[test]
    fn tungstenite_and_we_understand_each_other(
        role in role(),
        messages in proptest::collection::vec(message(), 0..6),
        key in any::<[u8; 4]>(),
        piece in 1_usize..3000,
    ) {
        let expected: Vec<Told> = messages.iter().map(told).collect();
        let mut writer = Writer::default();
        for (heard, payload) in &expected {
            let opcode = match heard {
                Heard::Text => Opcode::Text,
                Heard::Binary => Opcode::Binary,
                Heard::Ping => Opcode::Ping,
                Heard::Pong | Heard::Close(_) => Opcode::Pong,
            };
            writer.push(opcode, payload, (role == Role::Client).then_some(key));
        }
        let (theirs, is_wrong) = read_by_tungstenite(other(role), writer.pending());
        prop_assert!(!is_wrong);
        prop_assert_eq!(&theirs, &expected);

        let mut socket = tungstenite(other(role), Vec::new());
        for message in messages {
            socket.send(message).unwrap();
        }
        socket.close(Some(CloseFrame { code: 4000.into(), reason: "bye".into() })).unwrap();
        let (mut ours, violation) = read(role, &socket.get_ref().written, piece);
        prop_assert_eq!(violation, None);
        prop_assert_eq!(ours.pop().map(|(heard, _)| heard), Some(Heard::Close(Some(4000))));
        prop_assert_eq!(ours, expected);
    }

    /// Of frames in any order, cut anywhere, we and tungstenite make the same, and find the same
    /// wrong.
    #[test]
    fn of_any_frames_the_same_is_made(
        role in role(),
        frames in proptest::collection::vec(frame(), 0..12),
        key in any::<[u8; 4]>(),
        piece in 1_usize..300,
    ) {
        let bytes = bytes_of(&frames, (role == Role::Server).then_some(key));
        let (mut ours, violation) = read(role, &bytes, piece);
        let (mut theirs, is_wrong) = read_by_tungstenite(role, &bytes);
        // After a close nothing counts; and tungstenite makes another code of one that it refuses.
        let until_closed = |told: &mut Vec<Told>| {
            let end = told.iter().position(|(heard, _)| matches!(heard, Heard::Close(_)));
            told.truncate(end.unwrap_or(told.len()));
            end.is_some()
        };
        let we_end = until_closed(&mut ours) || violation.is_some();
        let they_end = until_closed(&mut theirs) || is_wrong;
        // It looks at a text's parts as they come, we at the whole.
        if is_wrong && frames.iter().any(|frame| frame.opcode == 1 && !frame.is_last) {
            ours.truncate(theirs.len());
        } else {
            prop_assert_eq!(we_end, they_end);
        }
        prop_assert_eq!(&ours, &theirs);
    }

    /// Nothing that comes makes it panic, or hold more than it may.
    #[test]
    fn anything_may_come(
        role in role(),
        bytes in proptest::collection::vec(any::<u8>(), 0..2000),
        piece in 1_usize..300,
    ) {
        let (told, _) = read(role, &bytes, piece);
        prop_assert!(told.iter().map(|(_, payload)| payload.len()).sum::<usize>() <= bytes.len());
    }
}
