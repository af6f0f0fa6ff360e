//! The one who changes the index.
//!
//! The directory is kept twice (left-right): readers have one copy, the writer brings the other up
//! to date and swaps them, so a change of several rows is seen whole or not at all. The writer
//! never waits for a reader: if one still holds the spare copy when it is needed again, the spare
//! is cloned.

use std::sync::{Arc, atomic::Ordering::Release};

use foldhash::HashMap;

use super::directory::{Change, Directory, Names};
use super::image::Image;
use super::table::{Keeper, Part};
use super::touches::{ContactKey, RememberedTouch};
use super::{Delta, Shared, shown};
use crate::domain::Touch;

/// So many touches before one is applied, what is remembered of its contact is fetched from far
/// memory: that takes as long as applying a few.
const FETCHED_AHEAD: usize = 8;

/// Applies the log to an index. There is one for each index.
pub struct Writer {
    shared: Arc<Shared>,
    /// The copy that readers had before the last change; at first there was none.
    spare: Option<Arc<Directory>>,
    /// What the spare copy has yet to see.
    behind: Vec<Change>,
    /// Copies that readers had when they were needed again: whoever lets go last frees them, and
    /// that is to be no reader.
    pub(super) left: Vec<Arc<Directory>>,
    keeper: Keeper,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, keeper: Keeper) -> Self {
        Self { shared, spare: None, behind: Vec::new(), left: Vec::new(), keeper }
    }

    /// Gives slots out as they were where an image was made.
    pub(super) fn name(&mut self, names: Names) {
        self.change(vec![Change::Slots(Arc::new(names))]);
    }

    /// How many parts an image of the touches has.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.shared.touches.segments()
    }

    /// Copies a part of the touches as it is now.
    pub fn copy_part(&self, part: usize, into: &mut Vec<u64>) -> Part {
        self.keeper.copy(&self.shared.touches, part, into)
    }

    /// What an image says beside the words of these parts, which were copied up to now.
    #[must_use]
    pub fn image_of(&self, parts: Vec<Part>) -> Image {
        let names = self.shared.directory.load().names();
        Image::of(&self.shared.touches, &self.keeper, names, parts)
    }

    /// Applies the deltas of one log entry. What changes in the directory becomes visible whole.
    pub fn apply(&mut self, deltas: &[Delta]) {
        self.change(self.changes(deltas));
        self.touch(deltas);
    }

    /// Puts a snapshot of the control stream in place of the whole directory, at once.
    pub fn replace_directory(&mut self, snapshot: &[Delta]) {
        let mut changes = vec![Change::Clear];
        changes.extend(self.changes(snapshot));
        self.change(changes);
    }

    /// Puts a snapshot of the touches stream in place of all touches, a part of the
    /// table at a time, each contact whole.
    pub fn replace_touches(&mut self, snapshot: &[Delta]) {
        self.change(self.changes(snapshot));
        let mut contacts: HashMap<ContactKey, Vec<RememberedTouch>> = HashMap::default();
        let shown = self.shared.directory.load();
        for delta in snapshot {
            let touches = touches_of(delta).iter();
            for (key, touch) in touches.filter_map(|touch| slots(&shown, touch)) {
                contacts.entry(key).or_default().push(touch);
            }
        }
        self.keeper.replace_all(&self.shared.touches, contacts);
    }

    /// Brings the spare copy up to date, shows it to readers, and keeps the other.
    fn change(&mut self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        let mut next = self.spare.take().unwrap_or_default();
        self.left.retain(|left| Arc::strong_count(left) > 1);
        if Arc::strong_count(&next) > 1 {
            self.left.push(Arc::clone(&next));
        }
        let spare = Arc::make_mut(&mut next);
        spare.apply(&self.behind);
        spare.apply(&changes);
        self.spare = Some(self.shared.directory.swap(next));
        self.shared.turn.store(shown::next_turn(), Release);
        self.behind = changes;
    }

    /// What deltas change in the directory, a slot for each new name in a touch included.
    fn changes(&self, deltas: &[Delta]) -> Vec<Change> {
        let shown = self.shared.directory.load();
        let mut changes = Vec::new();
        for delta in deltas {
            match delta {
                Delta::Tenant(tenant) => {
                    let mut tenant = tenant.clone();
                    // It is searched by halves.
                    tenant.settings.block_list.sort_unstable();
                    changes.push(Change::Tenant(Arc::new(tenant)));
                }
                Delta::TenantRemoved(id) => changes.push(Change::TenantRemoved(*id)),
                Delta::Account(account) => changes.push(Change::Account(Arc::new(account.clone()))),
                Delta::AccountRemoved(id) => changes.push(Change::AccountRemoved(*id)),
                Delta::Agent(agent) => changes.push(Change::Agent(Arc::new(agent.clone()))),
                Delta::AgentRemoved(id) => changes.push(Change::AgentRemoved(*id)),
                Delta::Number(number) => changes.push(Change::Number(Arc::new(number.clone()))),
                Delta::NumberRemoved(id) => changes.push(Change::NumberRemoved(*id)),
                Delta::MediaKeys(keys) => changes.push(Change::MediaKeys(keys.as_slice().into())),
                Delta::Touches(_) | Delta::Contact { .. } => {}
            }
            let mut unnamed: Vec<_> = touches_of(delta)
                .iter()
                .filter(|touch| slots(&shown, touch).is_none())
                .map(|touch| (touch.tenant, touch.agent))
                .collect();
            unnamed.dedup();
            changes.extend(unnamed.into_iter().map(|(t, a)| Change::Named(t, a)));
        }
        changes
    }

    /// Applies what deltas say of touches, whose names all have slots by now.
    fn touch(&mut self, deltas: &[Delta]) {
        let shown = self.shared.directory.load();
        let Self { shared, keeper, .. } = self;
        let table = &shared.touches;
        let mut coming = deltas.iter().flat_map(touches_of);
        let mut fetch_next = || {
            if let Some(touch) = coming.next() {
                table.fetch(touch.contact);
            }
        };
        (0..FETCHED_AHEAD).for_each(|_| fetch_next());
        for delta in deltas {
            let touches = touches_of(delta).iter().filter_map(|touch| {
                fetch_next();
                slots(&shown, touch)
            });
            match delta {
                Delta::Contact { tenant, contact, .. } => {
                    if let Some(tenant) = shown.tenant_slot(*tenant) {
                        keeper.replace(table, (tenant, *contact), touches.map(|(_, touch)| touch));
                    }
                }
                Delta::TenantRemoved(gone) => {
                    let gone = shown.tenant_slot(*gone);
                    keeper.retain(table, |(tenant, _)| Some(*tenant) != gone);
                }
                Delta::Tenant(_)
                | Delta::Account(_)
                | Delta::AccountRemoved(_)
                | Delta::Agent(_)
                | Delta::AgentRemoved(_)
                | Delta::Number(_)
                | Delta::NumberRemoved(_)
                | Delta::MediaKeys(_)
                | Delta::Touches(_) => {
                    touches.for_each(|(key, touch)| keeper.put(table, key, touch))
                }
            }
        }
    }
}

fn touches_of(delta: &Delta) -> &[Touch] {
    match delta {
        Delta::Touches(touches) | Delta::Contact { touches, .. } => touches,
        Delta::Tenant(_)
        | Delta::TenantRemoved(_)
        | Delta::Account(_)
        | Delta::AccountRemoved(_)
        | Delta::Agent(_)
        | Delta::AgentRemoved(_)
        | Delta::Number(_)
        | Delta::NumberRemoved(_)
        | Delta::MediaKeys(_) => &[],
    }
}

/// A touch as the table has it; `None` where its tenant or agent has no slot yet.
fn slots(directory: &Directory, touch: &Touch) -> Option<(ContactKey, RememberedTouch)> {
    let tenant = directory.tenant_slot(touch.tenant)?;
    let agent = directory.agent_slot(touch.agent)?;
    let packed = RememberedTouch::new(touch.id, agent, touch.caller_id, touch.at, touch.outcome);
    Some(((tenant, touch.contact), packed))
}
