//! What values look like, for the APIs' document. Nothing here reads or writes one: the readers
//! and bodies do, and the document has to agree with them.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

use crate::domain;

/// Declares types that stand for the words of closed sets.
macro_rules! words {
    ($($(#[$meta:meta])* $name:ident = $set:ty;)+) => {
        fn words() -> Vec<Named> {
            vec![$(named::<$name>(),)+]
        }

        $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        pub enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let words = <$set>::ALL.iter().map(|word| word.as_str());
                ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )+};
}

/// A schema with its name.
type Named = (String, RefOr<Schema>);

/// All of them. Who refers to one from a parameter does not bring it along.
#[must_use]
pub fn all() -> Vec<Named> {
    let texts = [named::<Phone>(), named::<Target>(), named::<Moment>(), named::<Day>()];
    words().into_iter().chain(texts).collect()
}

fn named<T: ToSchema>() -> Named {
    (T::name().into_owned(), T::schema())
}

words! {
    /// Which way calls go.
    Direction = domain::Direction;
    /// What becomes of a number that is to be pointed here, or back.
    PointStep = domain::PointStep;
    /// Why a number is not pointed here, or back.
    PointCause = domain::PointCause;
    /// What is to be known of a number that is pointed here, or back.
    PointNote = domain::PointNote;
    /// How a number stands between here and its carrier.
    PointState = domain::PointState;
    /// How a call stands.
    CallStatus = domain::CallStatus;
    /// Who ended a call.
    CallEnd = domain::CallEnd;
    /// How an outbound call ended.
    Outcome = domain::Outcome;
    /// Why a call goes where it goes.
    RouteReason = domain::RouteReason;
    /// Whether a call is taken.
    Verdict = domain::Verdict;
    /// Why a call of another dialer makes no touch.
    OrphanCause = domain::OrphanCause;
    /// What a key opens.
    KeyScope = domain::KeyScope;
    /// What a key may do.
    Scope = domain::Scope;
    /// A carrier.
    Carrier = domain::CarrierId;
    /// Which byte comes first.
    ByteOrder = domain::ByteOrder;
    /// Who keeps a carrier account.
    AccountOrigin = domain::AccountOrigin;
    /// How far the network vouches for a caller.
    Attestation = domain::Attestation;
    /// What an agent's runtime speaks: mu-law, or linear samples of 16 bits, the low byte first, at
    /// so many a second.
    RuntimeMedia = domain::RuntimeMedia;
    /// Who pays for calls to a number.
    NumberKind = domain::NumberKind;
    /// What a write warns of.
    WarningCode = domain::WarningCode;
}

/// A number in E.164, such as `+14155550100`.
#[derive(Clone, Debug, ToSchema)]
#[schema(pattern = r"^\+[1-9][0-9]{6,14}$", example = "+14155550100")]
pub struct Phone(pub String);

/// Where a call can go: `wss://..` (an agent runtime), `builtin:echo` or `builtin:tone`,
/// `agent:<id>`, `tel:+..`, `sip:user@host`, `redirect:https://..`, `say:<text>`, `busy`, `reject`.
#[derive(Clone, Debug, ToSchema)]
#[schema(
    max_length = 4096,
    pattern = r"^((link:)?wss?://[^\s/?#:][^\s#]*|builtin:(echo|tone)|agent:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|tel:\+[1-9][0-9]{6,14}|sip:\S+|redirect:https?://[^\s/?#:][^\s#]*|say:[\s\S]*\S[\s\S]*|busy|reject)$",
    example = "wss://runtime.example.com/{call_id}"
)]
pub struct Target(pub String);

/// A point in time (RFC 3339).
#[derive(Clone, Debug, ToSchema)]
#[schema(format = DateTime, example = "2026-05-02T09:00:00Z")]
pub struct Moment(pub String);

/// A day (`YYYY-MM-DD`, in UTC) or a point in time (RFC 3339).
#[derive(Clone, Debug, ToSchema)]
#[schema(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt].+)?$", example = "2026-05-02")]
pub struct Day(pub String);
