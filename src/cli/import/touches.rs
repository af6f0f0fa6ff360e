//! Touches, by the same request that other dialers use.

use std::process::ExitCode;

use serde_json::Value;

use super::{
    super::{Daemon, Failure, client::Client},
    BYTES_BAR, Tally,
    file::Source,
    progress,
};

/// Touches a request: large enough that its round trip does not count, small enough that the bar
/// moves.
const PART: usize = 10_000;

pub(super) fn run(source: &Source, daemon: &Daemon) -> Result<ExitCode, Failure> {
    let client = Client::new(daemon)?;
    let bar = progress(source.size(), !daemon.json, BYTES_BAR);
    let read = bar.clone();
    let mut tally = Tally::default();
    let mut part = Part::default();
    for row in source.rows(move |bytes| read.inc(bytes))? {
        match row? {
            (line, Ok(row)) => part.push(line, &row),
            (line, Err(error)) => tally.rejected.push(line, error),
        }
        if part.lines.len() == PART {
            part.send(&client, source.dry_run, &mut tally)?;
        }
    }
    if !part.lines.is_empty() {
        part.send(&client, source.dry_run, &mut tally)?;
    }
    bar.finish_and_clear();
    Ok(tally.report(&source.name(), source.dry_run, daemon.json))
}

/// Lines of one request, and which lines of the file they are.
#[derive(Default)]
struct Part {
    lines: Vec<u64>,
    body: String,
}

impl Part {
    fn push(&mut self, line: u64, row: &Value) {
        self.lines.push(line);
        self.body.push_str(&row.to_string());
        self.body.push('\n');
    }

    fn send(
        &mut self,
        client: &Client<'_>,
        is_dry_run: bool,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let path = "/switchback/v1/touches";
        let query = is_dry_run.then(|| ("dry_run", "true".to_owned()));
        let body = std::mem::take(&mut self.body);
        let answer = client.post_lines(path, query.as_slice(), body)?;
        let count = |key: &str| answer.get(key).and_then(Value::as_u64).unwrap_or(0);
        tally.accepted += count("accepted");
        tally.duplicates += count("duplicates");
        let rejected = answer.get("rejected").and_then(Value::as_array);
        for one in rejected.map_or(&[][..], Vec::as_slice) {
            let line = one.get("line").and_then(Value::as_u64).unwrap_or(0);
            let at = usize::try_from(line).ok().and_then(|line| line.checked_sub(1));
            let line = at.and_then(|at| self.lines.get(at)).copied().unwrap_or(line);
            let error = one.get("error").and_then(Value::as_str).unwrap_or("rejected");
            tally.rejected.push(line, error.to_owned());
        }
        self.lines.clear();
        Ok(())
    }
}
