//! The numbers of a carrier account: read, and changed so that the change is seen to be there.

use super::{Dispatch, refused};
use crate::{
    carriers::{
        Command, CommandOutcome, HeldApplication, HeldNumber, NumberCommand, NumberOutcome,
        NumberPage,
    },
    domain::{Account, CarrierFields, DialFailure, E164, unlike},
};

/// Why a carrier did not answer or do it, and in its words.
pub type NotDone = (DialFailure, String);

/// The carrier took the change and does not hold it, or somebody changed it again at once.
const NOT_HELD: &str = "the carrier took the change, but does not hold it";

impl Dispatch {
    /// A page of the account's numbers.
    ///
    /// # Errors
    /// The carrier does not list them.
    pub async fn list_numbers(
        &self,
        account: &Account,
        page: Option<&str>,
    ) -> Result<NumberPage, NotDone> {
        let outcome = self.about_numbers(account, NumberCommand::List { page }).await?;
        if let NumberOutcome::Listed(page) = outcome { Ok(page) } else { Err(unasked()) }
    }

    /// A number as the carrier has it; none where the account has it no more.
    ///
    /// # Errors
    /// The carrier does not say.
    pub async fn read_number(
        &self,
        account: &Account,
        number: E164,
        id: &str,
    ) -> Result<Option<HeldNumber>, NotDone> {
        let outcome = self.about_numbers(account, NumberCommand::Read { number, id }).await?;
        if let NumberOutcome::Number(held) = outcome { Ok(held) } else { Err(unasked()) }
    }

    /// An application as the carrier has it; none where there is none of that id and kind.
    ///
    /// # Errors
    /// The carrier does not say.
    pub async fn read_application(
        &self,
        account: &Account,
        id: &str,
    ) -> Result<Option<HeldApplication>, NotDone> {
        let outcome = self.about_numbers(account, NumberCommand::ReadApplication { id }).await?;
        if let NumberOutcome::Application(held) = outcome { Ok(held) } else { Err(unasked()) }
    }

    /// Changes a number, and reads it back: what was asked for is there when this returns.
    ///
    /// # Errors
    /// It is not there, or nobody can tell.
    pub async fn set_number(
        &self,
        account: &Account,
        held: &HeldNumber,
        fields: &CarrierFields,
    ) -> Result<(), NotDone> {
        let set = self.about_numbers(account, NumberCommand::Set { held, fields }).await;
        // Refused it may be because it was done before; and where nobody can tell, the carrier can.
        let now = self.read_number(account, held.number, &held.id).await?;
        match now {
            Some(now) if unlike(&now.fields, fields).is_empty() => Ok(()),
            Some(_) | None => Err(set.err().unwrap_or_else(not_held)),
        }
    }

    /// Changes an application, and reads it back.
    ///
    /// # Errors
    /// It is not there, or nobody can tell.
    pub async fn set_application(
        &self,
        account: &Account,
        held: &HeldApplication,
        fields: &CarrierFields,
    ) -> Result<(), NotDone> {
        let command = NumberCommand::SetApplication { held, fields };
        let set = self.about_numbers(account, command).await;
        let now = self.read_application(account, &held.id).await?;
        match now {
            Some(now) if unlike(&now.fields, fields).is_empty() => Ok(()),
            Some(_) | None => Err(set.err().unwrap_or_else(not_held)),
        }
    }

    async fn about_numbers(
        &self,
        account: &Account,
        command: NumberCommand<'_>,
    ) -> Result<NumberOutcome, NotDone> {
        match self.shared.ask(account, &Command::Numbers(command)).await {
            Ok(CommandOutcome::Numbers(outcome)) => Ok(outcome),
            other => Err(refused(other)),
        }
    }
}

/// The answer is another question's.
fn unasked() -> NotDone {
    refused(Ok(CommandOutcome::Unclear))
}

fn not_held() -> NotDone {
    (DialFailure::Refused, NOT_HELD.to_owned())
}
