//! From a call's webhook to the first sound of a runtime that needs a second until it can speak:
//! opened ahead, and only when the carrier's socket is there.

use std::io::Read;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use switchback::telemetry::clock;

use crate::common::Sample;
use crate::frames::{self, Frames};
use crate::ways::Way;
use crate::{installation, sockets};

/// What the runtime needs from `start` to its first words.
const BOOT: Duration = Duration::from_secs(1);

/// What a carrier needs from the webhook's answer to its socket: one to two seconds are usual.
const SET_UP: Duration = Duration::from_secs(1);

const CALLS: u64 = 5;

/// Both ways.
pub(crate) fn measure() -> Value {
    let (with, without) = (first_audio_ms(true), first_audio_ms(false));
    let earlier = (without.at(0.5) - with.at(0.5)) / (SET_UP.as_secs_f64() * 1000.0);
    json!({
        "bench": "boot", "calls": CALLS, "boot_ms": BOOT.as_secs_f64() * 1000.0,
        "set_up_ms": SET_UP.as_secs_f64() * 1000.0,
        "prewarmed_ms": spread(&with), "not_prewarmed_ms": spread(&without),
        "earlier_by_share_of_set_up": earlier,
    })
}

fn spread(sample: &Sample) -> [f64; 3] {
    [0.5, 0.0, 1.0].map(|share| sample.at(share).round())
}

fn first_audio_ms(prewarm: bool) -> Sample {
    let way = Way::Renamed;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let daemon = installation::start(prewarm, listener.local_addr().unwrap());
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            thread::spawn(move || {
                let stream = sockets::accept(&mut socket);
                // It is alive meanwhile: pings are answered, as any library does.
                let mut answering = socket.try_clone().unwrap();
                thread::spawn(move || pong(&mut answering));
                thread::sleep(BOOT);
                sockets::write(&mut socket, &sockets::reply(way, &stream));
            });
        }
    });
    let calls = (0..CALLS).map(|n| {
        let mut http = sockets::connect(daemon.edge);
        let began = clock::instant();
        let opening = sockets::ask(&mut http, way, n);
        thread::sleep(SET_UP);
        let mut carrier = opening.open(daemon.edge);
        let (mut frames, mut is_heard) = (Frames::begun(), false);
        let mut buffer = [0; 4096];
        while !is_heard {
            let read = carrier.read(&mut buffer).unwrap();
            assert!(read > 0, "the call was ended");
            frames.take(&buffer[..read], |opcode, payload| {
                is_heard |= frames::is_audio(opcode, payload.len());
            });
        }
        began.elapsed().as_secs_f64() * 1000.0
    });
    let sample = Sample::of(calls.collect());
    daemon.stop();
    sample
}

/// Answers pings as long as there are any.
fn pong(socket: &mut std::net::TcpStream) {
    let (mut frames, mut buffer) = (Frames::begun(), [0; 4096]);
    while let Ok(read @ 1..) = socket.read(&mut buffer) {
        let mut pings = 0;
        frames.take(&buffer[..read], |opcode, _| pings += usize::from(opcode == frames::PING));
        for _ in 0..pings {
            sockets::write(socket, &frames::plain(frames::PONG, &[]));
        }
    }
}

pub(crate) fn print(report: &Value) {
    println!(
        "a runtime that boots for {} ms, a carrier that needs {} ms to its socket; {} calls each\n",
        report["boot_ms"], report["set_up_ms"], report["calls"]
    );
    for (what, key) in [("pre-warmed", "prewarmed_ms"), ("not", "not_prewarmed_ms")] {
        let [median, least, most] = [0, 1, 2].map(|n| report[key][n].as_f64().unwrap_or_default());
        println!("webhook to first audio, {what:<12}{median:>6.0} ms ({least:.0}-{most:.0})");
    }
    let share = report["earlier_by_share_of_set_up"].as_f64().unwrap_or_default();
    println!("earlier by {:.0} % of the carrier's set-up", share * 100.0);
}
