//! Reading what was said in a call. Who does is noted before they see it; a call's own runtime
//! reads what it has told itself.

use super::{Api, party::Party};
use crate::{dialects::Problem, domain::Segment, store::Tx};

/// What was said so far.
pub(super) async fn read(api: &Api, party: &Party) -> Result<Vec<Segment>, Problem> {
    let (tenant, call) = (party.tenant, party.call);
    if !party.is_runtime() {
        let who = party.clone();
        let note = move |tx: &mut Tx<'_>| {
            who.enter(tx)?;
            tx.note_transcript_read(tenant, call)
        };
        api.write(party.actor(), note).await?;
    }
    api.read(move |rows| rows.transcript(tenant, call)).await
}
