//! A file's lines as JSON objects, each with its number: NDJSON as it is, CSV by its heading.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use super::Failure;

/// Bytes of a line at most: the daemon takes no larger object.
const LINE_LEN_MAX: usize = 1024 * 1024;

/// Where rows come from.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// The file; `-` is standard input
    pub(super) file: PathBuf,
    /// How it is written; by the file's ending, if not given
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Keep nothing, only say what would be kept
    #[arg(long)]
    pub(super) dry_run: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Comma-separated values with a heading
    Csv,
    /// One JSON object a line
    Ndjson,
}

impl Source {
    /// The file's name, for messages.
    pub(super) fn name(&self) -> String {
        self.file.display().to_string()
    }

    /// The file's size, where it has one.
    pub(super) fn size(&self) -> Option<u64> {
        std::fs::metadata(&self.file).ok().filter(|data| data.is_file()).map(|data| data.len())
    }

    /// Its rows; `read` is told how many bytes were read.
    pub(super) fn rows(&self, read: impl Fn(u64) + 'static) -> Result<Rows, Failure> {
        let unreadable = |error: io::Error| Failure::Usage(format!("{}: {error}", self.name()));
        let input: Box<dyn Read> = if self.file == Path::new("-") {
            Box::new(io::stdin())
        } else {
            Box::new(File::open(&self.file).map_err(unreadable)?)
        };
        let input = BufReader::new(Told { input, read: Box::new(read) });
        let ending = self.file.extension().and_then(|ending| ending.to_str());
        let format = self.format.or(match ending {
            Some("csv") => Some(Format::Csv),
            Some("ndjson" | "jsonl" | "json") => Some(Format::Ndjson),
            Some(_) | None => None,
        });
        match format {
            Some(Format::Csv) => {
                let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input);
                let heading = csv.headers().cloned();
                let heading = heading.map_err(|error| unreadable(io::Error::other(error)))?;
                Ok(Rows::Csv { heading, csv: Box::new(csv) })
            }
            Some(Format::Ndjson) => Ok(Rows::Ndjson { input, line: 0 }),
            None => Err(Failure::Usage(format!("{}: say --format csv or ndjson", self.name()))),
        }
    }
}

type Input = BufReader<Told>;

/// A file's rows.
pub(super) enum Rows {
    Csv { heading: csv::StringRecord, csv: Box<csv::Reader<Input>> },
    Ndjson { input: Input, line: u64 },
}

impl Rows {
    /// The names of a table's columns.
    pub(super) fn heading(&self) -> Option<&csv::StringRecord> {
        match self {
            Self::Csv { heading, .. } => Some(heading),
            Self::Ndjson { .. } => None,
        }
    }
}

/// A row, or what is wrong with its line.
pub(super) type Row = (u64, Result<Value, String>);

impl Iterator for Rows {
    /// The line and the row; an error that ends the file.
    type Item = Result<Row, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Csv { heading, csv } => {
                let mut record = csv::StringRecord::new();
                let line = csv.position().line();
                match csv.read_record(&mut record) {
                    Ok(false) => None,
                    Ok(true) => {
                        let line = record.position().map_or(line, csv::Position::line);
                        Some(Ok((line, Ok(object(heading, &record)))))
                    }
                    Err(error) if error.is_io_error() => {
                        Some(Err(Failure::Usage(error.to_string())))
                    }
                    Err(error) => Some(Ok((line, Err(error.to_string())))),
                }
            }
            Self::Ndjson { input, line } => loop {
                let mut text = Vec::new();
                let limit = u64::try_from(LINE_LEN_MAX).unwrap_or(u64::MAX);
                match input.by_ref().take(limit).read_until(b'\n', &mut text) {
                    Ok(0) => return None,
                    Ok(_) => *line += 1,
                    Err(error) => return Some(Err(Failure::Usage(error.to_string()))),
                }
                if text.len() == LINE_LEN_MAX && text.last() != Some(&b'\n') {
                    let error = format!("line {line} is over {LINE_LEN_MAX} bytes");
                    return Some(Err(Failure::Usage(error)));
                }
                if !text.iter().all(u8::is_ascii_whitespace) {
                    let row = serde_json::from_slice(&text).map_err(|error| error.to_string());
                    return Some(Ok((*line, row)));
                }
            },
        }
    }
}

/// A record by its heading; an empty cell is an absent field.
fn object(heading: &csv::StringRecord, record: &csv::StringRecord) -> Value {
    let cells = heading.iter().zip(record).filter(|(_, cell)| !cell.is_empty());
    let cells = cells.map(|(name, cell)| (name.to_owned(), cell.into()));
    Value::Object(cells.collect::<Map<_, _>>())
}

/// Tells how much was read.
pub(super) struct Told {
    input: Box<dyn Read>,
    read: Box<dyn Fn(u64)>,
}

impl Read for Told {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(into)?;
        (self.read)(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use serde_json::json;

    use super::*;

    #[track_caller]
    fn read(ending: &str, text: &str) -> Vec<Row> {
        let mut file = tempfile::Builder::new().suffix(ending).tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let source = Source { file: file.path().to_owned(), format: None, dry_run: false };
        source.rows(|_| {}).unwrap().map(|row| row.unwrap()).collect()
    }

    #[test]
    fn rows_have_their_lines_numbers() {
        let rows =
            read(".csv", "id,contact,note\n1,+14155550100,\"two\nlines\"\n2, x ,\n3\n4,y,\n");
        assert_eq!(
            rows[0],
            (2, Ok(json!({ "id": "1", "contact": "+14155550100", "note": "two\nlines" })))
        );
        assert_eq!(rows[1], (4, Ok(json!({ "id": "2", "contact": "x" }))));
        assert!(rows[2].0 == 5 && rows[2].1.is_err(), "{:?}", rows[2]);
        assert_eq!(rows[3], (6, Ok(json!({ "id": "4", "contact": "y" }))));

        let rows = read(".ndjson", "{\"id\":1}\n\n{\"id\":\n{\"id\":3}");
        assert_eq!(rows[0], (1, Ok(json!({ "id": 1 }))));
        assert!(rows[1].0 == 3 && rows[1].1.is_err());
        assert_eq!(rows[2], (4, Ok(json!({ "id": 3 }))));
        assert!(read(".csv", "").is_empty() && read(".jsonl", "").is_empty());
    }

    #[test]
    fn a_file_of_unknown_format_must_say_it() {
        let source = Source { file: "calls.txt".into(), format: None, dry_run: false };
        assert!(matches!(source.rows(|_| {}), Err(Failure::Usage(_))));
    }
}
