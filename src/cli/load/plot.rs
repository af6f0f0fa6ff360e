//! Plots as SVG: lines over two axes. Pure.

/// A plot.
pub(super) struct Plot<'a> {
    pub(super) title: &'a str,
    /// Where a vertical line stands, between 0 and 1, and what is written under it.
    pub(super) columns: Vec<(f64, String)>,
    pub(super) scale: Scale,
    pub(super) lines: Vec<Line<'a>>,
}

/// A line of a plot.
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    pub(super) color: &'a str,
    /// Across between 0 and 1, and the value.
    pub(super) points: Vec<(f64, f64)>,
}

/// What stands at the left.
#[derive(Clone, Copy)]
pub(super) enum Scale {
    /// From 0, with numbers.
    Count,
    /// Each line ten times the one below, in microseconds.
    Micros,
}

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 30.0;

impl Plot<'_> {
    /// As SVG.
    pub(super) fn svg(&self) -> String {
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{0}\">\
             <text class=\"title\" x=\"{LEFT}\" y=\"16\">{0}</text>",
            self.title
        );
        let rows = self.rows();
        let (low, high) = (rows.first().map_or(0.0, |row| row.0), rows.last().map_or(1.0, |r| r.0));
        let y = |value: f64| {
            let share = self.place(value, low, high).clamp(0.0, 1.0);
            HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
        };
        let x = |share: f64| LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT);
        for (value, text) in &rows {
            let (y, end) = (y(*value), WIDTH - RIGHT);
            push(&mut svg, format_args!("<path class=\"grid\" d=\"M{LEFT} {y:.1}H{end}\"/>"));
            let (x, y) = (LEFT - 6.0, y + 4.0);
            push(&mut svg, format_args!("<text class=\"y\" x=\"{x}\" y=\"{y:.1}\">{text}</text>"));
        }
        for (share, text) in &self.columns {
            let (x, bottom) = (x(*share), HEIGHT - BOTTOM);
            push(&mut svg, format_args!("<path class=\"grid\" d=\"M{x:.1} {TOP}V{bottom}\"/>"));
            let y = HEIGHT - 12.0;
            push(&mut svg, format_args!("<text class=\"x\" x=\"{x:.1}\" y=\"{y}\">{text}</text>"));
        }
        let mut legend = WIDTH - RIGHT;
        for line in &self.lines {
            let mut path = String::new();
            for (across, value) in &line.points {
                let verb = if path.is_empty() { 'M' } else { 'L' };
                push(&mut path, format_args!("{verb}{:.1} {:.1}", x(*across), y(*value)));
            }
            let Line { name, color, .. } = line;
            push(&mut svg, format_args!("<path class=\"line\" stroke=\"{color}\" d=\"{path}\"/>"));
            push(
                &mut svg,
                format_args!(
                    "<text class=\"y\" style=\"fill:{color}\" x=\"{legend}\" y=\"16\">{name}</text>"
                ),
            );
            legend -= 12.0 + 7.5 * name.chars().count() as f64;
        }
        svg.push_str("</svg>");
        svg
    }

    /// How far up a value stands.
    fn place(&self, value: f64, low: f64, high: f64) -> f64 {
        match self.scale {
            Scale::Count => (value - low) / (high - low).max(f64::MIN_POSITIVE),
            Scale::Micros => {
                let log = |value: f64| value.max(1.0).log10();
                (log(value) - log(low)) / (log(high) - log(low)).max(f64::MIN_POSITIVE)
            }
        }
    }

    /// The horizontal lines, from below.
    fn rows(&self) -> Vec<(f64, String)> {
        let values = || self.lines.iter().flat_map(|line| &line.points).map(|point| point.1);
        let most = values().fold(1.0, f64::max);
        match self.scale {
            Scale::Count => {
                // A step of 1, 2 or 5 times a power of ten, and at most five of them.
                let power = 10_f64.powf((most / 5.0).log10().floor());
                let step = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
                let step = step.into_iter().find(|step| step * 5.0 >= most).unwrap_or(most);
                (0..=5).map(|n| f64::from(n) * step).map(|value| (value, count(value))).collect()
            }
            Scale::Micros => {
                let least = values().filter(|value| *value > 0.0).fold(most, f64::min);
                let low = least.max(1.0).log10().floor();
                let high = most.log10().ceil().max(low + 1.0);
                let mut rows = Vec::new();
                let mut power = low;
                while power <= high {
                    let value = 10_f64.powf(power);
                    rows.push((value, micros(value)));
                    power += 1.0;
                }
                rows
            }
        }
    }
}

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.push_str(&what.to_string());
}

fn count(value: f64) -> String {
    if value >= 10_000.0 { format!("{} k", value / 1000.0) } else { format!("{value}") }
}

fn micros(value: f64) -> String {
    match value {
        _ if value < 1e3 => format!("{value:.0} µs"),
        _ if value < 1e6 => format!("{:.0} ms", value / 1e3),
        _ => format!("{:.0} s", value / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_where_they_belong() {
        let line = |points| Line { name: "a", color: "red", points };
        let plot = |scale, points| Plot {
            title: "t",
            columns: vec![(0.5, "half".to_owned())],
            scale,
            lines: vec![line(points)],
        };
        let counts = plot(Scale::Count, vec![(0.0, 0.0), (1.0, 1900.0)]);
        let labels: Vec<_> = counts.rows().into_iter().map(|(_, text)| text).collect();
        assert_eq!(labels, ["0", "500", "1000", "1500", "2000", "2500"]);
        let svg = counts.svg();
        assert!(svg.contains("M70.0 250.0L840.0 85.8") && svg.contains(">half<"), "{svg}");
        let times = plot(Scale::Micros, vec![(0.0, 120.0), (1.0, 20_000.0)]);
        let labels: Vec<_> = times.rows().into_iter().map(|(_, text)| text).collect();
        assert_eq!(labels, ["100 µs", "1 ms", "10 ms", "100 ms"]);
        assert!(plot(Scale::Micros, vec![]).svg().ends_with("</svg>"), "nothing is drawn as well");
    }
}
