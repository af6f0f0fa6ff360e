//! The one place that joins the layers: a configuration becomes a bound daemon, which serves until
//! it is stopped and then drains.

mod admin;
mod first_start;
mod inherited;
mod journal;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use thiserror::Error;
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    task::JoinHandle,
};

use crate::{
    calls::{Journal, Live, Strays},
    carriers,
    config::Config,
    control,
    dialects::PrivateHosts,
    dispatch::{self, Dispatch},
    domain::Secret,
    edge::{
        self, Edge,
        accept::{self, Tls, TlsError, Workers},
    },
    index::Index,
    outbox::{self, Outbox},
    runtime,
    store::{self, Store, StoreError, WriteError},
    sync::{
        local::{Applied, Filling},
        snapshots,
        upstream::{Following, Upstreams},
    },
    telemetry::{clock, metrics},
};

pub use inherited::Inherited;

/// Between two looks at what nobody else keeps an eye on: calls gone silent, gauges.
const UPKEEP: Duration = Duration::from_secs(5);

/// A caller who has heard nothing for so long is counted: people say "hello?" after three seconds
/// and hang up after ten.
const SILENT_MS: u64 = 10_000;

/// Between two looks at whether the last call has ended.
const DRAIN_POLL: Duration = Duration::from_millis(50);

/// Why the daemon does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The store cannot be opened or written.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    /// The first writes were refused.
    #[error("the first writes: {0}")]
    Write(#[from] WriteError),
    /// A listener cannot be bound.
    #[error("cannot listen on {address} ({what}.listen): {error}")]
    Listen {
        /// Whose.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// A thread or a file.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The recorder of metrics.
    #[error("metrics: {0}")]
    Metrics(String),
    /// The client for carriers' APIs.
    #[error("carriers' APIs: {0}")]
    Dispatch(String),
    /// The client for subscribers.
    #[error("webhooks: {0}")]
    Outbox(String),
    /// The client for hosted control APIs.
    #[error("hosted control APIs: {0}")]
    Upstream(String),
    /// The certificate that carriers are shown.
    #[error("edge.tls: {0}")]
    Tls(#[from] TlsError),
    /// The runtimes' certificates.
    #[error("runtime.ca_file: {0}")]
    Runtime(String),
}

/// Where a daemon listens.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// Carriers.
    pub edge: SocketAddr,
    /// The control API.
    pub control: SocketAddr,
    /// Metrics and health.
    pub admin: SocketAddr,
}

/// What a drain came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Calls that were cut.
    pub cut: usize,
}

/// Pressed once, the daemon drains; pressed twice, it cuts.
#[derive(Clone, Debug)]
pub struct StopSwitch(watch::Sender<u8>);

impl StopSwitch {
    /// A switch, and what it is wired to.
    #[must_use]
    pub fn new() -> (Self, watch::Receiver<u8>) {
        let (sender, receiver) = watch::channel(0);
        (Self(sender), receiver)
    }

    /// Presses it.
    pub fn press(&self) {
        self.0.send_modify(|presses| *presses = presses.saturating_add(1));
    }
}

/// A daemon that has its data and its sockets, and is about to serve.
pub struct Bound {
    config: Config,
    store: Store,
    index: Index,
    edge: Arc<Edge>,
    api: control::Api,
    dispatch: Dispatch,
    outbox: Outbox,
    keeping: journal::Keeping,
    upstreams: Upstreams,
    following: Following,
    new_keys: Vec<(&'static str, Secret)>,
    listeners: Listeners,
    addresses: Addresses,
    workers: Workers,
    tls: Option<Tls>,
    reload: Reload,
}

/// Has a daemon take up what it can without a restart: the certificate in changed files.
#[derive(Clone, Debug, Default)]
pub struct Reload(Arc<Notify>);

impl Reload {
    /// Tells it to.
    pub fn press(&self) {
        self.0.notify_one();
    }
}

struct Listeners {
    edge: TcpListener,
    control: TcpListener,
    admin: TcpListener,
}

impl Listeners {
    async fn bind(
        config: &Config,
        mut inherited: Inherited,
    ) -> Result<(Self, Addresses), StartError> {
        let listeners = Self {
            edge: listen("edge", config.edge.listen, &mut inherited).await?,
            control: listen("control", config.control_listen, &mut inherited).await?,
            admin: listen("admin", config.admin_listen, &mut inherited).await?,
        };
        for address in inherited.left_over() {
            tracing::warn!(%address, "a socket was handed over that no listener is configured for");
        }
        let addresses = Addresses {
            edge: listeners.edge.local_addr()?,
            control: listeners.control.local_addr()?,
            admin: listeners.admin.local_addr()?,
        };
        Ok((listeners, addresses))
    }
}

impl Bound {
    /// Opens the store, fills the index from it, and binds the listeners.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        Self::bind_with(config, Inherited::default()).await
    }

    /// The same, with sockets that were handed over where there are any for its addresses.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn bind_with(mut config: Config, inherited: Inherited) -> Result<Self, StartError> {
        // First of all, since it takes longest. The recorder's clock is calibrated meanwhile.
        let snapshots = snapshots::Settings::beside(&config.store_path);
        let filling = Filling::begin(snapshots, config.runtime.default_target.clone())?;
        metrics::install().map_err(StartError::Metrics)?;
        let (listeners, addresses) = Listeners::bind(&config, inherited).await?;
        config.edge.listens_at(addresses.edge.port());
        let tls = config.edge.tls.as_ref().map(|files| Tls::open(&files.cert, &files.key));
        let tls = tls.transpose()?;
        let workers = Workers::start(config.edge.workers.unwrap_or_else(accept::cores))?;
        let (store, index, applied) = open(&config, filling).await?;
        let new_keys = first_start::prepare(&store, &applied, &config).await?;
        let (journal, updates) = Journal::new();
        let (strays, events) = Strays::new();
        let live = Arc::new(Live::new(journal));
        let keeping =
            journal::Keeping::start(updates, (events, strays.clone()), &store, (&live, &index));
        let dispatch = dispatch::Settings::at(config.edge.public_url.clone());
        let dispatch = Dispatch::new(dispatch, store.clone(), Arc::clone(&live))
            .map_err(StartError::Dispatch)?;
        let outbox = outbox::Settings::towards(config.outbox_private);
        let outbox = Outbox::new(outbox, store.clone()).map_err(StartError::Outbox)?;
        first_start::resume_calls(&store, &applied, &index, &live, &dispatch).await?;
        dispatch.keep_time(first_start::prepare_due(index.clone(), Arc::clone(&live)));
        let dialer =
            runtime::Dialer::new(&runtime_settings(&config)).map_err(StartError::Runtime)?;
        let (upstreams, following) = first_start::follow_upstreams(&store, &config).await?;
        let api = control::Api::new(
            store.clone(),
            index.clone(),
            applied,
            Arc::clone(&live),
            (dispatch.clone(), outbox.clone()),
            strays.clone(),
            api_settings(&config, addresses),
        );
        let api = api.knowing(upstreams.clone());
        let (sources, orders) = (journal::sources(&store), dispatch.orders());
        let settings = edge_settings(&config);
        let edge = Edge::new(settings, index.clone(), live, strays, dialer, sources, orders);
        let edge = Arc::new(edge.taking_events(take_event(upstreams.clone())));
        Ok(Self {
            config,
            store,
            index,
            edge,
            api,
            dispatch,
            outbox,
            keeping,
            upstreams,
            following,
            new_keys,
            listeners,
            addresses,
            workers,
            tls,
            reload: Reload::default(),
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Whether carriers are to come by TLS.
    #[must_use]
    pub const fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Has it take up what it can without a restart.
    #[must_use]
    pub fn reload(&self) -> Reload {
        self.reload.clone()
    }

    /// The keys that were made at this first start, with what they are. They are not kept.
    #[must_use]
    pub fn new_keys(&self) -> &[(&'static str, Secret)] {
        &self.new_keys
    }

    /// What an operator should know before the first call.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        first_start::warnings(&self.config, &self.index)
    }

    /// Serves until the switch is pressed, then drains: no new connections, calls in progress go
    /// on, at most for the configured time.
    pub async fn serve(self, mut stop: watch::Receiver<u8>) -> Drained {
        let Self { config, store, index, edge, api, dispatch, keeping, listeners, .. } = self;
        let Self { outbox, upstreams, following, workers, tls, reload, .. } = self;
        let (stop_accepting, accepting) = watch::channel(false);
        let ready = accepting.clone();
        let delivering = outbox.start();
        let upkeep = tokio::spawn(upkeep(Arc::clone(&edge), index.clone(), upstreams));
        let workers = Arc::new(workers);
        let following_tls =
            tls.clone().map(|tls| tokio::spawn(async move { tls.follow(&reload.0).await }));
        let mut carriers = tokio::spawn({
            let (edge, workers) = (Arc::clone(&edge), Arc::clone(&workers));
            let (settings, accepting) = (accept_settings(&config, tls), accepting.clone());
            async move {
                let handle = move |request, peer| Arc::clone(&edge).handle(request, peer);
                accept::serve(listeners.edge, settings, &workers, accepting, handle).await;
            }
        });
        let api = tokio::spawn(http(listeners.control, control::router(api), accepting.clone()));
        // Health is told until the very end.
        let (stop_admin, admin_open) = watch::channel(false);
        let admin = admin::router(index, ready);
        let admin = tokio::spawn(http(listeners.admin, admin, admin_open));

        reached(&mut stop, 1).await;
        tracing::info!(calls = edge.live().len(), "draining");
        stop_accepting.send_replace(true);
        dispatch.stop();
        edge.live().feed().close();
        let drained = async {
            drop((&mut carriers).await);
            // No request takes longer; a client that does not read is not waited for.
            drop(tokio::time::timeout(control::Settings::default().request_wait, api).await);
            // Whose media has not come by now finds no listener.
            edge.prewarms().close();
            while edge.media_sockets() > 0 || !edge.prewarms().is_empty() {
                tokio::time::sleep(DRAIN_POLL).await;
            }
        };
        tokio::select! {
            () = drained => {}
            () = tokio::time::sleep(config.edge.drain) => {}
            () = reached(&mut stop, 2) => {}
        }
        let cut = edge.media_sockets();
        carriers.abort();
        following_tls.inspect(JoinHandle::abort);
        upkeep.abort();
        // What it does not deliver any more, the next start does.
        outbox.stop();
        tokio::select! {
            _ = delivering => {}
            () = reached(&mut stop, 2) => {}
        }
        // Without senders both queues end, once everything in them is written.
        edge.live().close();
        edge.strays().close();
        drop(edge);
        following.finish().await;
        keeping.finish(store).await;
        stop_admin.send_replace(true);
        drop(admin.await);
        drop(workers);
        Drained { cut }
    }
}

/// Opens the store and has an index follow it.
async fn open(
    config: &Config,
    mut filling: Filling,
) -> Result<(Store, Index, Applied), StartError> {
    let settings = store::Settings {
        has_default_target: config.runtime.default_target.is_some(),
        retention: config.retention,
        words: Some(outbox::WORDS),
        can: Some(|carrier, target| carriers::room(carrier).can(target)),
        ..store::Settings::at(&config.store_path)
    };
    let open = move || -> Result<_, StartError> {
        let (reach, known) = filling.known();
        let (store, feed) = Store::open_for(&settings, reach, known)?;
        let (index, applied) = filling.follow(feed)?;
        Ok((store, index, applied))
    };
    tokio::task::spawn_blocking(open).await.map_err(io::Error::other)?
}

fn runtime_settings(config: &Config) -> runtime::Settings {
    runtime::Settings {
        allow_private: config.runtime.allow_private,
        ca_file: config.runtime.ca_file.clone(),
    }
}

fn edge_settings(config: &Config) -> edge::Settings {
    edge::Settings {
        public_url: config.edge.public_url.clone(),
        media_url: config.edge.media_url.clone(),
        trusted_proxies: config.edge.trusted_proxies.clone(),
        prewarm: edge::prewarm::Settings { is_on: config.runtime.prewarm, ..Default::default() },
        comfort_tone: config.runtime.comfort_tone,
        control_url: config.control_url.as_deref().map(Into::into),
    }
}

fn accept_settings(config: &Config, tls: Option<Tls>) -> accept::Settings {
    accept::Settings {
        connections_max: accept::connections_max(files_max()),
        per_address_max: config.edge.connections_per_address,
        trusted_proxies: config.edge.trusted_proxies.clone(),
        tls,
        ..accept::Settings::default()
    }
}

/// How many files this process may open: as many as it may allow itself.
fn files_max() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let allowed = if raised.is_ok() { maximum } else { current };
    allowed.unwrap_or(u64::MAX)
}

fn api_settings(config: &Config, addresses: Addresses) -> control::Settings {
    control::Settings {
        public_url: config.edge.public_url.clone(),
        media_url: config.edge.media_url.clone(),
        control_url: config.control_url.clone(),
        private: PrivateHosts {
            runtime: config.runtime.allow_private,
            redirect: config.outbox_private,
        },
        requests_per_minute: config.requests_per_minute,
        allow_sign: config.allow_sign || addresses.control.ip().is_loopback(),
        ..control::Settings::default()
    }
}

async fn listen(
    what: &'static str,
    address: SocketAddr,
    inherited: &mut Inherited,
) -> Result<TcpListener, StartError> {
    let listener = match inherited.at(address) {
        Some(socket) => socket.set_nonblocking(true).and_then(|()| TcpListener::from_std(socket)),
        None => TcpListener::bind(address).await,
    };
    listener.map_err(|error| StartError::Listen { what, address, error })
}

async fn http(listener: TcpListener, router: axum::Router, mut stop: watch::Receiver<bool>) {
    let stopped = async move { drop(stop.wait_for(|stop| *stop).await) };
    let served = axum::serve(listener, router).with_graceful_shutdown(stopped).await;
    if let Err(error) = served {
        tracing::error!(%error, "a listener failed");
    }
}

async fn reached(stop: &mut watch::Receiver<u8>, presses: u8) {
    drop(stop.wait_for(|pressed| *pressed >= presses).await);
}

/// Where the edge hands on what hosted services tell.
fn take_event(upstreams: Upstreams) -> edge::TakeEvent {
    Arc::new(move |name, headers, body| upstreams.take_event(name, headers, body, clock::now()))
}

async fn upkeep(edge: Arc<Edge>, index: Index, upstreams: Upstreams) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        edge.upkeep(clock::now());
        let counts = index.view().counts();
        for (kind, count) in [
            ("tenant", counts.tenants),
            ("account", counts.accounts),
            ("agent", counts.agents),
            ("number", counts.numbers),
            ("contact", counts.contacts),
        ] {
            metrics::index_entries(kind, u64::try_from(count).unwrap_or(u64::MAX));
        }
        for upstream in upstreams.all() {
            if let Some(at) = upstream.standing().last_success_at {
                let lag = Duration::from_millis(clock::now().0.saturating_sub(at.0));
                metrics::upstream_lag(&upstream.settings().name, lag);
            }
        }
        metrics::touches_evicted(index.touches_evicted());
        metrics::media_calls_silent(edge.live().silent(clock::now(), SILENT_MS));
        metrics::upkeep();
    }
}
