//! What a page of a hosted API's list means: its rows, whether others follow, and whether the
//! whole can be believed. Pure: paths out, bodies in.
//!
//! Talkover's lists have page numbers and totals, under `meta` or `pagination`, or no pages at all;
//! CallingBox's have `has_more` and ids, or are the older bare arrays, which are always whole.

use std::collections::HashSet;

use serde_json::Value;

use crate::domain::HostedKind;

/// Rows asked for at a time: what both APIs give at most.
const ROWS: u32 = 100;

/// Pages of a list at most: two million calls. A list without end is somebody's mistake.
const PAGES_MAX: u32 = 20_000;

/// The same of a list that is held in memory whole: a hundred thousand agents.
const CENSUS_PAGES_MAX: u32 = 1000;

/// What is wrong with a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is none.
    NoPage,
    /// The list changed while it was read: rows may have slipped from one page to another.
    Shifted,
    /// It does not end.
    Endless,
}

/// A list that is being read.
pub(super) struct Listing {
    kind: HostedKind,
    path: String,
    /// Whether every row there is must be among those read.
    is_census: bool,
    next: Next,
    pages: u32,
    total: Option<u64>,
    seen: HashSet<String>,
}

enum Next {
    Page(u32),
    After(Option<String>),
    Done,
}

impl Listing {
    /// A list that is to be read whole, since what is missing from it will be taken for gone.
    pub(super) fn census(kind: HostedKind, path: impl Into<String>) -> Self {
        Self { is_census: true, ..Self::newest(kind, path) }
    }

    /// A list that grows at its beginning, of which the newest part is read.
    pub(super) fn newest(kind: HostedKind, path: impl Into<String>) -> Self {
        let next = match kind {
            HostedKind::Talkover => Next::Page(1),
            HostedKind::CallingBox => Next::After(None),
        };
        let (path, seen) = (path.into(), HashSet::new());
        Self { kind, path, is_census: false, next, pages: 0, total: None, seen }
    }

    /// What to ask for next, with its query; `None` where the list is at its end.
    pub(super) fn request(&self) -> Option<String> {
        let joint = if self.path.contains('?') { '&' } else { '?' };
        let path = &self.path;
        match &self.next {
            Next::Page(page) => Some(format!("{path}{joint}per_page={ROWS}&page={page}")),
            Next::After(None) => Some(format!("{path}{joint}limit={ROWS}")),
            Next::After(Some(id)) => Some(format!("{path}{joint}limit={ROWS}&starting_after={id}")),
            Next::Done => None,
        }
    }

    /// Takes the page that was asked for, and gives its rows.
    pub(super) fn take(&mut self, body: Value) -> Result<Vec<Value>, Fault> {
        self.pages += 1;
        if self.pages > if self.is_census { CENSUS_PAGES_MAX } else { PAGES_MAX } {
            return Err(Fault::Endless);
        }
        let (rows, paging) = match self.kind {
            HostedKind::Talkover => talkover(body)?,
            HostedKind::CallingBox => callingbox(body)?,
        };
        let before = self.seen.len();
        self.seen.extend(rows.iter().filter_map(id));
        let is_news = self.seen.len() > before;
        match paging {
            Paging::Whole => self.next = Next::Done,
            Paging::Numbered { last, total } => {
                if self.is_census && self.total.is_some_and(|first| first != total) {
                    return Err(Fault::Shifted);
                }
                self.total = Some(total);
                let Next::Page(page) = self.next else { return Err(Fault::NoPage) };
                // A page of rows that are all known is what a list gives that has no such page.
                let is_last = page >= last || rows.is_empty() || !is_news;
                self.next = if is_last { Next::Done } else { Next::Page(page + 1) };
                if self.is_census && is_last && self.seen.len() as u64 != total {
                    return Err(Fault::Shifted);
                }
            }
            Paging::More if !is_news => return Err(Fault::Endless),
            Paging::More => {
                let last = rows.last().and_then(id).ok_or(Fault::NoPage)?;
                self.next = Next::After(Some(last));
            }
        }
        Ok(rows)
    }

    /// Reads no further.
    pub(super) fn stop(&mut self) {
        self.next = Next::Done;
    }
}

enum Paging {
    Whole,
    Numbered { last: u32, total: u64 },
    More,
}

fn talkover(mut body: Value) -> Result<(Vec<Value>, Paging), Fault> {
    let rows = rows_of(&mut body)?;
    let Some(meta) = body.get("meta").or_else(|| body.get("pagination")).filter(|m| m.is_object())
    else {
        return Ok((rows, Paging::Whole));
    };
    let number = |name: &str| meta.get(name).and_then(Value::as_u64);
    let last = number("last_page").and_then(|last| u32::try_from(last).ok());
    let (Some(last), Some(total)) = (last, number("total")) else { return Err(Fault::NoPage) };
    Ok((rows, Paging::Numbered { last, total }))
}

fn callingbox(mut body: Value) -> Result<(Vec<Value>, Paging), Fault> {
    if let Value::Array(rows) = &mut body {
        return Ok((std::mem::take(rows), Paging::Whole));
    }
    let rows = rows_of(&mut body)?;
    let has_more = body.get("has_more").and_then(Value::as_bool) == Some(true);
    Ok((rows, if has_more { Paging::More } else { Paging::Whole }))
}

/// A list is an array; an answer without one, an error in a success's clothes among them, is none.
fn rows_of(body: &mut Value) -> Result<Vec<Value>, Fault> {
    match body.get_mut("data").map(Value::take) {
        Some(Value::Array(rows)) => Ok(rows),
        _ => Err(Fault::NoPage),
    }
}

fn id(row: &Value) -> Option<String> {
    let id = row.get("id")?;
    id.as_str().map(str::to_owned).or_else(|| id.as_u64().map(|id| id.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Reads a list to its end; each answer is to the request beside it.
    #[track_caller]
    fn check(mut listing: Listing, answers: &[(&str, Value)], expected: &Result<usize, Fault>) {
        let mut rows = 0;
        for (request, body) in answers {
            assert_eq!(listing.request().as_deref(), Some(*request));
            match listing.take(body.clone()) {
                Ok(read) => rows += read.len(),
                Err(fault) => return assert_eq!(&Err(fault), expected),
            }
        }
        assert_eq!(listing.request(), None);
        assert_eq!(&Ok(rows), expected);
    }

    fn rows(ids: std::ops::Range<u32>) -> Vec<Value> {
        ids.map(|id| json!({ "id": id.to_string() })).collect()
    }

    fn page(ids: std::ops::Range<u32>, key: &str, last: u32, total: u32) -> Value {
        json!({ "data": rows(ids), key: { "last_page": last, "total": total } })
    }

    const ONE: &str = "/agents?per_page=100&page=1";
    const TWO: &str = "/agents?per_page=100&page=2";

    #[test]
    fn numbered_pages_are_read_to_the_last() {
        let census = || Listing::census(HostedKind::Talkover, "/agents");
        for key in ["meta", "pagination"] {
            let answers = [(ONE, page(0..2, key, 2, 3)), (TWO, page(2..3, key, 2, 3))];
            check(census(), &answers, &Ok(3));
        }
        check(census(), &[(ONE, json!({ "data": rows(0..7) }))], &Ok(7));
        check(census(), &[(ONE, page(0..0, "meta", 1, 0))], &Ok(0));
        check(census(), &[(ONE, json!({ "success": false }))], &Err(Fault::NoPage));
        check(census(), &[(ONE, json!({ "data": {} }))], &Err(Fault::NoPage));
    }

    #[test]
    fn a_list_that_changes_underway_is_no_census() {
        let census = || Listing::census(HostedKind::Talkover, "/agents");
        // One was deleted: what was first on page two is now last on page one, and missed.
        let answers = [(ONE, page(0..2, "meta", 2, 4)), (TWO, page(3..4, "meta", 2, 3))];
        check(census(), &answers, &Err(Fault::Shifted));
        // One was deleted and one was made.
        let answers = [(ONE, page(0..2, "meta", 2, 4)), (TWO, page(3..4, "meta", 2, 4))];
        check(census(), &answers, &Err(Fault::Shifted));
        let newest = Listing::newest(HostedKind::Talkover, "/agents");
        let answers = [(ONE, page(0..2, "meta", 2, 3)), (TWO, page(1..3, "meta", 2, 4))];
        check(newest, &answers, &Ok(4));
    }

    #[test]
    fn cursors_are_followed_and_bare_arrays_are_whole() {
        let census = || Listing::census(HostedKind::CallingBox, "/v1/numbers");
        let more = |ids, has_more: bool| json!({ "data": rows(ids), "has_more": has_more });
        let answers = [
            ("/v1/numbers?limit=100", more(0..2, true)),
            ("/v1/numbers?limit=100&starting_after=1", more(2..3, false)),
        ];
        check(census(), &answers, &Ok(3));
        check(census(), &[("/v1/numbers?limit=100", json!(rows(0..200)))], &Ok(200));
        check(census(), &[("/v1/numbers?limit=100", json!({ "data": rows(0..2) }))], &Ok(2));
        // A server that does not know cursors would go on for ever.
        let stuck = [answers[0].clone(), (answers[1].0, more(0..2, true))];
        check(census(), &stuck, &Err(Fault::Endless));
    }
}
