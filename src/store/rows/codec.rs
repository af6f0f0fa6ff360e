//! How domain values lie in columns. Spellings are the domain's own; nothing is invented here.

use std::{fmt::Display, str::FromStr};

use rusqlite::{
    ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Value, ValueRef},
};
use uuid::Uuid;

use crate::domain::{
    AccountId, AccountOrigin, AgentId, AgentState, AttemptId, AttemptStatus, Attestation, BelowMin,
    ByteOrder, CallEnd, CallId, CallStatus, CampaignId, CampaignStatus, CarrierId, DeliveryId,
    DeliveryStatus, DialState, Direction, E164, HookAuthorization, HookMethod, HostedKind, KeyId,
    KeyScope, NumberId, Outcome, ReleaseId, ReleaseStatus, ResultStatus, RevisionId, RouteReason,
    RuntimeMedia, Target, TenantId, ThingKind, TouchId, TrunkId, UnixDay, UnixMillis, UnixSeconds,
    VersionId, WebhookId, WebhookTrouble,
};

/// A list that is only ever read whole: a JSON array of the members' own spellings.
pub(in crate::store) struct Words<T>(pub(in crate::store) Vec<T>);

impl<T: FromStr> FromSql for Words<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let words: Vec<String> = from_json(value)?;
        let members = words.iter().map(|word| word.parse().map_err(|_| FromSqlError::InvalidType));
        members.collect::<Result<_, _>>().map(Self)
    }
}

/// The JSON array of the members' spellings.
pub(in crate::store) fn words<T: Display>(members: impl IntoIterator<Item = T>) -> String {
    let words: Vec<_> =
        members.into_iter().map(|member| serde_json::Value::String(member.to_string())).collect();
    serde_json::Value::Array(words).to_string()
}

/// A column that holds a JSON text.
pub(in crate::store) struct Json<T>(pub(in crate::store) T);

impl<T: serde::de::DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        from_json(value).map(Self)
    }
}

impl<T: serde::Serialize> ToSql for Json<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = serde_json::to_string(&self.0)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        Ok(ToSqlOutput::Owned(Value::Text(text)))
    }
}

fn from_json<T: serde::de::DeserializeOwned>(value: ValueRef<'_>) -> FromSqlResult<T> {
    serde_json::from_str(value.as_str()?).map_err(FromSqlError::other)
}

macro_rules! blobs {
    ($($name:ident)+) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes())))
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                Uuid::from_slice(value.as_blob()?).map(Self).map_err(FromSqlError::other)
            }
        }
    )+};
}

blobs! { TenantId AccountId AgentId NumberId CallId TouchId KeyId VersionId WebhookId DeliveryId AttemptId CampaignId ReleaseId TrunkId RevisionId }

macro_rules! spelled {
    ($($name:ident)+) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.as_str().as_bytes())))
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                value.as_str()?.parse().map_err(FromSqlError::other)
            }
        }
    )+};
}

spelled! {
    AccountOrigin AgentState AttemptStatus Attestation ByteOrder CallEnd CallStatus CampaignStatus CarrierId DeliveryStatus DialState Direction HookAuthorization HookMethod HostedKind KeyScope Outcome ReleaseStatus ResultStatus RouteReason RuntimeMedia ThingKind WebhookTrouble
}

macro_rules! integers {
    ($($name:ident)+) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                self.0.to_sql()
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                u64::column_result(value).map(Self)
            }
        }
    )+};
}

integers! { UnixDay UnixMillis UnixSeconds }

impl ToSql for E164 {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(Value::Integer(self.as_u64().cast_signed())))
    }
}

impl FromSql for E164 {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = u64::column_result(value)?;
        Self::from_u64(number).ok_or(FromSqlError::InvalidType)
    }
}

impl ToSql for Target {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(Value::Text(self.to_string())))
    }
}

impl FromSql for Target {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map_err(FromSqlError::other)
    }
}

impl ToSql for BelowMin {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(Value::Text(below_min_word(*self))))
    }
}

pub(super) fn below_min_word(below_min: BelowMin) -> String {
    match below_min {
        BelowMin::AsWithheld => "as_withheld".to_owned(),
        BelowMin::Reject => "reject".to_owned(),
        BelowMin::Agent(id) => id.to_string(),
    }
}

impl FromSql for BelowMin {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "as_withheld" => Ok(Self::AsWithheld),
            "reject" => Ok(Self::Reject),
            id => id.parse().map(Self::Agent).map_err(FromSqlError::other),
        }
    }
}
