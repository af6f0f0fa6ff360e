//! What the hot paths cost in instructions and allocations, which no busy machine changes:
//! `benches/counts/check.py` runs it under valgrind and holds it against `record.json`.
//!
//! Each function does its work many times over, on things made and warmed before the count begins.

#![expect(missing_docs, reason = "gungraun's macros write items without any")]
#![expect(clippy::unwrap_used, clippy::exit, clippy::disallowed_methods, reason = "a bench")]

#[expect(dead_code, reason = "the yardsticks are not counted")]
#[path = "../common/mod.rs"]
mod common;
mod scenes;

use std::hint::black_box;

use gungraun::{Dhat, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};
use switchback::carriers::CarrierId;
use switchback::domain::MediaFormat;
use switchback::routing;

use scenes::{Applying, Deciding, Edging, Relaying, Rooming, Translating};

#[library_benchmark]
#[bench::return_call(Deciding::return_calls())]
#[bench::stranger(Deciding::strangers())]
fn decide(scene: Deciding) -> Deciding {
    for call in &scene.calls {
        black_box(routing::decide(&scene.index.view(), black_box(call), scene.now));
    }
    scene
}

#[library_benchmark]
#[bench::touch(Applying::new())]
fn apply(mut scene: Applying) -> Applying {
    for entry in &scene.entries {
        scene.writer.apply(entry);
    }
    scene
}

#[library_benchmark]
#[bench::bandwidth(Rooming::new(CarrierId::Bandwidth))]
#[bench::plivo(Rooming::new(CarrierId::Plivo))]
#[bench::signalwire(Rooming::new(CarrierId::SignalWire))]
#[bench::telnyx(Rooming::new(CarrierId::Telnyx))]
#[bench::twilio(Rooming::new(CarrierId::Twilio))]
#[bench::vonage(Rooming::new(CarrierId::Vonage))]
fn receive(scene: Rooming) -> Rooming {
    for _ in 0..scenes::ROUNDS {
        scene.receive();
    }
    scene
}

#[library_benchmark]
#[bench::bandwidth(Rooming::new(CarrierId::Bandwidth))]
#[bench::plivo(Rooming::new(CarrierId::Plivo))]
#[bench::signalwire(Rooming::new(CarrierId::SignalWire))]
#[bench::telnyx(Rooming::new(CarrierId::Telnyx))]
#[bench::twilio(Rooming::new(CarrierId::Twilio))]
#[bench::vonage(Rooming::new(CarrierId::Vonage))]
fn answer(mut scene: Rooming) -> Rooming {
    for _ in 0..scenes::ROUNDS {
        scene.answer();
    }
    scene
}

#[library_benchmark]
#[bench::twilio(Edging::new())]
fn webhook(mut scene: Edging) -> Edging {
    scene.ask();
    scene
}

#[library_benchmark]
#[bench::passed(Relaying::passed())]
#[bench::renamed(Relaying::renamed())]
fn frame(mut scene: Relaying) -> Relaying {
    for _ in 0..scenes::ROUNDS {
        scene.relay();
    }
    scene
}

#[library_benchmark]
#[bench::l16_8000(Translating::new(MediaFormat::L16_8000))]
#[bench::l16_16000(Translating::new(MediaFormat::L16_16000))]
#[bench::l16_24000(Translating::new(MediaFormat::L16_24000))]
fn translate(mut scene: Translating) -> Translating {
    for _ in 0..scenes::ROUNDS {
        scene.both_ways();
    }
    scene
}

library_benchmark_group!(
    name = hot;
    benchmarks = decide, apply, receive, answer, webhook, frame, translate
);

main!(
    // Deep enough to see who asked for memory from within hyper and tokio.
    config = LibraryBenchmarkConfig::default().tool(Dhat::with_args(["num-callers=200"]));
    library_benchmark_groups = hot
);
