//! What is told of a run, as a page with plots that needs nothing else. Pure.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::{
    output::Text,
    plot::{Line, Plot, Scale},
};
use crate::simulator::load::Tally;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:2em auto;\
padding:0 1em;color:#222;background:#fff}h1{font-size:1.3em}table{border-collapse:collapse}\
td,th{padding:.15em 1.2em .15em 0;text-align:right;font-variant-numeric:tabular-nums}\
th:first-child,td:first-child{text-align:left}svg{width:100%;margin:1em 0}\
svg text{font-size:12px;fill:currentColor}.title{font-weight:600}\
.y{text-anchor:end}.x{text-anchor:middle}.grid{stroke:#ddd;fill:none}\
.line{fill:none;stroke-width:1.8}.bad{color:#b00020}";

pub(super) const BLUE: &str = "#1f6feb";
pub(super) const GREY: &str = "#8c959f";
const GREEN: &str = "#2da44e";
const RED: &str = "#cf222e";

/// Nines of the last percentile that is drawn: past what was counted there is nothing to draw.
const NINES_MAX: f64 = 5.0;

/// The page.
pub(super) fn page(text: &Text, plots: &str) -> String {
    let cells = |tag: &str, cells: &mut dyn Iterator<Item = &str>| {
        let cells: String = cells.map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect();
        format!("<tr>{cells}</tr>")
    };
    let head = cells("th", &mut text.columns.iter().copied());
    let rows: String =
        text.rows.iter().map(|row| cells("td", &mut row.iter().map(String::as_str))).collect();
    let remarks: String = text
        .remarks
        .iter()
        .map(|line| {
            let is_bad =
                ["THE GENERATOR", "failed", "not kept"].iter().any(|b| line.starts_with(b));
            let class = if is_bad { " class=\"bad\"" } else { "" };
            format!("<p{class}>{}</p>", escaped(line))
        })
        .collect();
    let (title, counts) = (escaped(&text.title), escaped(&text.counts));
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>switchback load</title>\
         <style>{STYLE}</style><h1>{title}</h1><p>{counts}</p>\
         <table>{head}{rows}</table>{remarks}{plots}</html>\n"
    )
}

/// Latency by percentile; every nine is as wide as the one before.
pub(super) fn by_percentile(drawn: &[(&str, &str, &Histogram<u64>)]) -> String {
    let counted = drawn.iter().map(|(_, _, histogram)| histogram.len()).max().unwrap_or(0);
    let nines = (counted.max(10) as f64).log10().min(NINES_MAX);
    let points = |histogram: &Histogram<u64>| {
        (0..=200)
            .map(|n| {
                let across = f64::from(n) / 200.0;
                let share = 1.0 - 10_f64.powf(-across * nines);
                (across, histogram.value_at_quantile(share) as f64)
            })
            .collect()
    };
    let column = |(nine, text): (f64, &str)| (nine / nines, text.to_owned());
    let columns = [
        (0.0, "0 %"),
        (1.0, "90 %"),
        (2.0, "99 %"),
        (3.0, "99.9 %"),
        (4.0, "99.99 %"),
        (5.0, "99.999 %"),
    ];
    let mut lines = Vec::new();
    for &(name, color, histogram) in drawn {
        lines.push(Line { name, color, points: points(histogram) });
    }
    let plot = Plot {
        title: "Latency by percentile",
        columns: columns.into_iter().map(column).filter(|(across, _)| *across <= 1.0).collect(),
        scale: Scale::Micros,
        lines,
    };
    plot.svg()
}

pub(super) fn latency_over_time(
    title: &str,
    step: Duration,
    moments: &[&Histogram<u32>],
) -> String {
    let points = |share: f64| {
        let drawn = middles(moments.len()).zip(moments).filter(|(_, of)| !of.is_empty());
        drawn.map(|(across, of)| (across, of.value_at_quantile(share) as f64)).collect()
    };
    let plot = Plot {
        title,
        columns: seconds(step, moments.len()),
        scale: Scale::Micros,
        lines: vec![
            Line { name: "max", color: GREY, points: points(1.0) },
            Line { name: "p99", color: BLUE, points: points(0.99) },
            Line { name: "p50", color: GREEN, points: points(0.5) },
        ],
    };
    plot.svg()
}

pub(super) fn rate_over_time(tally: &Tally) -> String {
    let (step, count) = (tally.step.as_secs_f64(), tally.course.len());
    let points = |of: fn(&crate::simulator::load::Moment) -> u64| {
        let drawn = middles(count).zip(&tally.course);
        drawn.map(|(across, moment)| (across, of(moment) as f64 / step)).collect()
    };
    let plot = Plot {
        title: "Requests a second over time",
        columns: seconds(tally.step, count),
        scale: Scale::Count,
        lines: vec![
            Line { name: "due", color: GREY, points: points(|moment| moment.due) },
            Line { name: "answered", color: GREEN, points: points(|moment| moment.answered) },
            Line { name: "failed", color: RED, points: points(|moment| moment.failed) },
        ],
    };
    plot.svg()
}

/// The middles of so many stretches, from left to right.
fn middles(count: usize) -> impl Iterator<Item = f64> {
    let all = count.max(1) as f64;
    (0..count).map(move |n| (n as f64 + 0.5) / all)
}

/// Five times, evenly.
fn seconds(step: Duration, count: usize) -> Vec<(f64, String)> {
    let length = step.as_secs_f64() * count as f64;
    let column = |n: i32| {
        let share = f64::from(n) / 5.0;
        (share, format!("{:.1} s", length * share))
    };
    (0..=5).map(column).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
