//! A store in a temporary folder, and short words for what the tests do with it.

use std::{future::Future, path::PathBuf};

use switchback::{
    domain::{
        Account, AccountApi, AccountId, AccountOrigin, AgentId, AgentRecord, CarrierId, Direction,
        E164, NumberId, Outcome, Refusal, Secret, Target, TenantId, Touch, TouchId, TouchRecord,
        UnixSeconds,
    },
    index::{Index, View, Writer},
    replica::{feed::Request, follower::Follower, log::Stream},
    store::{
        Actor, CallbackChange, FeedReceiver, Heads, NewAgent, NewNumber, Role, Rows, Settings,
        Sharing, Store, Tx, WriteError, Written,
    },
    sync::{
        local::{Applied, Filling},
        snapshots,
    },
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

pub(crate) struct Fixture {
    pub(crate) folder: TempDir,
    pub(crate) store: Store,
    pub(crate) feed: Option<FeedReceiver>,
    runtime: Runtime,
}

impl Fixture {
    /// A new store that nobody follows.
    pub(crate) fn new() -> Self {
        let mut fixture = Self::followed();
        fixture.feed = None;
        fixture
    }

    /// A new store whose feed is in `feed`.
    pub(crate) fn followed() -> Self {
        Self::open(quick_folder())
    }

    /// A new store with other settings, followed.
    pub(crate) fn open_with(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = quick_folder();
        let mut settings = settings(&folder);
        change(&mut settings);
        let (store, feed) = Store::open(&settings).unwrap();
        let runtime = Builder::new_current_thread().build().unwrap();
        Self { folder, store, feed: Some(feed), runtime }
    }

    /// The store in a folder, followed.
    pub(crate) fn open(folder: TempDir) -> Self {
        let (store, feed) = Store::open(&settings(&folder)).unwrap();
        let runtime = Builder::new_current_thread().build().unwrap();
        Self { folder, store, feed: Some(feed), runtime }
    }

    /// The store in a folder, and an index that is filled as a daemon's is.
    pub(crate) fn filled(
        folder: TempDir,
        snapshots: snapshots::Settings,
    ) -> (Self, Index, Applied) {
        let snapshots = snapshots::Settings { database: path(&folder), ..snapshots };
        let mut filling = Filling::begin(snapshots, None).unwrap();
        let (reach, known) = filling.known();
        let (store, feed) = Store::open_for(&settings(&folder), reach, known).unwrap();
        let (index, applied) = filling.follow(feed).unwrap();
        let runtime = Builder::new_current_thread().build().unwrap();
        (Self { folder, store, feed: None, runtime }, index, applied)
    }

    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub(crate) fn write<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Tx<'_>) -> Result<T, WriteError> + Send + 'static,
    ) -> Result<Written<T>, WriteError> {
        self.wait(self.store.write(Actor::default(), f))
    }

    /// A write that must succeed.
    #[track_caller]
    pub(crate) fn done<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Tx<'_>) -> Result<T, WriteError> + Send + 'static,
    ) -> T {
        self.write(f).unwrap().value
    }

    /// A write that must be refused.
    #[track_caller]
    pub(crate) fn refused<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Tx<'_>) -> Result<T, WriteError> + Send + 'static,
    ) -> Refusal {
        match self.write(f) {
            Err(WriteError::Refused(refusal)) => refusal,
            Err(WriteError::Store(error)) => panic!("{error}"),
            Ok(_) => panic!("not refused"),
        }
    }

    pub(crate) fn read<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Rows<'_>) -> Result<T, WriteError> + Send + 'static,
    ) -> T {
        self.wait(self.store.read(f)).unwrap()
    }

    /// Closes the store and opens it again, followed.
    pub(crate) fn reopened(self) -> Self {
        Self::open(self.closed())
    }

    /// Closes the store and leaves its folder.
    pub(crate) fn closed(self) -> TempDir {
        let Self { folder, store, feed, runtime: _ } = self;
        drop(feed);
        store.close();
        folder
    }
}

/// In memory where there is such a folder: hundreds of histories need no disk's syncs.
fn quick_folder() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap()
}

pub(crate) fn settings(folder: &TempDir) -> Settings {
    Settings { words: Some(switchback::outbox::WORDS), ..Settings::at(path(folder)) }
}

pub(crate) fn path(folder: &TempDir) -> PathBuf {
    folder.path().join("data").join("switchback.db")
}

/// An index that follows a feed.
pub(crate) struct Followed {
    pub(crate) index: Index,
    writer: Writer,
    follower: Follower,
}

impl Followed {
    pub(crate) fn new() -> Self {
        let (index, writer) = Index::new(None);
        Self { index, writer, follower: Follower::default() }
    }

    /// Applies frames until both streams are there.
    pub(crate) fn until(&mut self, feed: &mut FeedReceiver, heads: Heads) {
        while !self.heads().is_some_and(|now| now.reach(heads)) {
            let frame = feed.blocking_recv().unwrap();
            let reply = self.follower.follow(frame, &self.index, &mut self.writer);
            assert!(matches!(reply, None | Some(Request::Ack { .. })), "{reply:?}");
        }
    }

    pub(crate) fn heads(&self) -> Option<Heads> {
        let control = self.follower.cursor(Stream::Control)?.seq;
        Some(Heads { control, touches: self.follower.cursor(Stream::Touches)?.seq })
    }

    pub(crate) fn view(&self) -> View<'_> {
        self.index.view()
    }
}

pub(crate) fn phone(n: u64) -> E164 {
    E164::from_u64(14_155_550_000 + n).unwrap()
}

pub(crate) fn touch(
    tenant: TenantId,
    id: u128,
    contact: E164,
    agent: AgentId,
    caller_id: E164,
    at: u64,
    outcome: Outcome,
) -> TouchRecord {
    let (id, at) = (TouchId(Uuid::from_u128(id)), UnixSeconds(at));
    let touch = Touch { id, tenant, contact, agent, caller_id, at, outcome };
    TouchRecord { touch, external_id: None, call: None }
}

pub(crate) fn account(name: &str, tenant: Option<TenantId>) -> Account {
    Account {
        id: AccountId::of_name(name),
        name: name.to_owned(),
        carrier: CarrierId::Twilio,
        tenant,
        account_id: format!("AC-{name}"),
        secrets: vec![Secret::new(format!("secret of {name}"))],
        application_id: String::new(),
        shared_keys: Vec::new(),
        api: AccountApi::default(),
        origin: AccountOrigin::File,
    }
}

/// Short forms of writes, for arranging.
pub(crate) trait Arrange {
    fn live(&mut self, tenant: TenantId, direction: Direction, name: &str) -> AgentRecord;
    fn line(&mut self, tenant: TenantId, e164: E164) -> NumberId;
    fn attach(&mut self, tenant: TenantId, agent: AgentId, number: NumberId);
    fn callback(&mut self, tenant: TenantId, agent: AgentId, sources: &[AgentId]);
}

impl Arrange for Tx<'_> {
    /// A live agent with a target.
    fn live(&mut self, tenant: TenantId, direction: Direction, name: &str) -> AgentRecord {
        let new = NewAgent {
            state: switchback::domain::AgentState::Live,
            targets: vec![Target::Say(format!("This is {name}."))],
            ..NewAgent::named(direction, name)
        };
        self.create_agent(tenant, new, Sharing::Allowed).unwrap()
    }

    fn line(&mut self, tenant: TenantId, e164: E164) -> NumberId {
        let new = NewNumber { e164, account: None, friendly_name: None, passthrough: None };
        self.add_number(tenant, new).unwrap().0.id
    }

    fn attach(&mut self, tenant: TenantId, agent: AgentId, number: NumberId) {
        self.attach_number(tenant, agent, number, Sharing::Allowed).unwrap();
    }

    fn callback(&mut self, tenant: TenantId, agent: AgentId, sources: &[AgentId]) {
        let change = CallbackChange { sources: sources.to_vec(), ..CallbackChange::default() };
        self.set_callback(tenant, agent, change, Role::TakeOrReplace).unwrap();
    }
}
