//! The numbers of a carrier account: who answers each, and how that is changed and put back.
//!
//! At some carriers a number itself says who is asked about its calls; at others it is put to an
//! application, which says so for all of its numbers. The room knows which, and what of either is
//! to be changed; nobody changes what the room has not named.

use serde_json::Value;

use super::{ApiError, CommandOutcome};
use crate::domain::{Account, CarrierFields, E164, PointCause};

/// What is wanted of a carrier about the account's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberCommand<'a> {
    /// List them, a page at a time, in an order that a purchase meanwhile does not shift.
    List {
        /// Which page, in the carrier's words ([`NumberPage::next`]); the first, if none.
        page: Option<&'a str>,
    },
    /// Read one.
    Read {
        /// Which.
        number: E164,
        /// The carrier's id for it.
        id: &'a str,
    },
    /// Change one.
    Set {
        /// As the carrier has it: one clears what is not named.
        held: &'a HeldNumber,
        /// What of it, to what.
        fields: &'a CarrierFields,
    },
    /// Read an application.
    ReadApplication {
        /// The carrier's id for it.
        id: &'a str,
    },
    /// Change an application.
    SetApplication {
        /// As the carrier has it: some want more of it named than changes.
        held: &'a HeldApplication,
        /// What of it, to what.
        fields: &'a CarrierFields,
    },
}

impl NumberCommand<'_> {
    /// What an error comes to: what is looked for may have gone.
    pub(super) fn refused(&self, error: ApiError) -> CommandOutcome {
        match self {
            Self::Read { .. } if error.status == 404 => {
                CommandOutcome::Numbers(NumberOutcome::Number(None))
            }
            Self::ReadApplication { .. } if error.status == 404 => {
                CommandOutcome::Numbers(NumberOutcome::Application(None))
            }
            Self::List { .. }
            | Self::Read { .. }
            | Self::Set { .. }
            | Self::ReadApplication { .. }
            | Self::SetApplication { .. } => CommandOutcome::Refused(error),
        }
    }
}

/// What a carrier's API says of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberOutcome {
    /// A page of the list.
    Listed(NumberPage),
    /// The number, where the account has it.
    Number(Option<HeldNumber>),
    /// The application, where the account has it and its kind is one that webhooks know.
    Application(Option<HeldApplication>),
    /// It was changed.
    Set,
}

/// A page of a carrier's list of numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberPage {
    /// Them.
    pub numbers: Vec<HeldNumber>,
    /// What to ask for next, in the carrier's words; none after the last page.
    pub next: Option<String>,
}

/// A number as the carrier has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldNumber {
    /// The number.
    pub number: E164,
    /// The carrier's id for it.
    pub id: String,
    /// Its name for people.
    pub name: Option<String>,
    /// It is in service, and for calls.
    pub takes_calls: bool,
    /// Who answers it.
    pub answerer: Answerer,
    /// What says so.
    pub fields: CarrierFields,
}

/// Who answers a number's calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answerer {
    /// Nobody.
    Nobody,
    /// Who is asked at a URL.
    Url(AskedUrl),
    /// An application at the carrier.
    Application {
        /// The carrier's id for it.
        id: String,
        /// Its name.
        name: Option<String>,
    },
    /// A SIP trunk.
    Trunk {
        /// The carrier's id for it.
        id: String,
    },
    /// The carrier does not say.
    Unknown,
}

/// A URL that a carrier asks about calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedUrl {
    /// The URL.
    pub url: String,
    /// It is asked by GET.
    pub is_get: bool,
    /// Asked where that fails.
    pub fallback_url: Option<String>,
}

/// An application as the carrier has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldApplication {
    /// The carrier's id for it.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Who is asked, where somebody is.
    pub asked: Option<AskedUrl>,
    /// What says so.
    pub fields: CarrierFields,
    /// All of it, at carriers where a change replaces all of it.
    pub whole: Option<Value>,
}

/// Where a number or an application is to be pointed.
#[derive(Clone, Copy, Debug)]
pub struct PointTo<'a> {
    /// On whose behalf.
    pub account: &'a Account,
    /// Asked about calls.
    pub voice_url: &'a str,
    /// Told how calls end.
    pub status_url: &'a str,
    /// Asked where we are away; what is there stays, if none.
    pub fallback: Option<&'a AskedUrl>,
    /// Who is told of calls' ends today needs it still: a call is handed on to them.
    pub keeps_status: bool,
}

/// How a carrier's numbers are pointed: what of its records is to be changed to what.
pub trait Pointing: Sync {
    /// A number is put to the application that the account is configured with, and that one says
    /// who is asked.
    fn is_by_application(&self) -> bool;

    /// Why no number can be pointed as things stand. `own` is the account's application, at
    /// carriers that have numbers put to one.
    fn refuses(&self, own: Option<&HeldApplication>) -> Option<PointCause> {
        let _nothing_stands_in_the_way = own;
        None
    }

    /// What a number is to hold.
    fn number(&self, held: &HeldNumber, to: &PointTo<'_>) -> CarrierFields;

    /// What the account's application is to hold, at carriers that have numbers put to one.
    fn application(&self, held: &HeldApplication, to: &PointTo<'_>) -> CarrierFields;
}

/// The text of a field that is not empty.
pub(super) fn text<'f>(fields: &'f CarrierFields, name: &str) -> Option<&'f str> {
    fields.get(name)?.as_deref().filter(|text| !text.is_empty())
}

/// Sets where calls' ends are told, unless who is told of them today needs it still.
pub(super) fn put_status(
    fields: &mut CarrierFields,
    held: &CarrierFields,
    to: &PointTo<'_>,
    [url, method]: [&str; 2],
    post: &str,
    told: String,
) {
    if to.keeps_status && text(held, url).is_some() {
        return;
    }
    fields.insert(url.to_owned(), Some(told));
    fields.insert(method.to_owned(), Some(post.to_owned()));
}

/// The named members of a JSON object that are texts or null.
pub(super) fn fields_of(object: &Value, names: &[&str]) -> CarrierFields {
    let field = |name: &&str| {
        let value = object.get(*name)?;
        let text = value.as_str().map(str::to_owned);
        (value.is_null() || text.is_some()).then(|| ((*name).to_owned(), text))
    };
    names.iter().filter_map(field).collect()
}
