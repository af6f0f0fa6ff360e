//! The daemon with a carrier account of each kind that is measured, and a number for each way of a
//! call's audio.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use switchback::app::{Bound, StopSwitch};
use switchback::config::Config;
use switchback::domain::{AgentState, Direction, E164, RuntimeMedia, Target};
use switchback::store::{Actor, NewAgent, NewNumber, Settings, Sharing, Store, Tx, WriteError};
use tempfile::TempDir;

use crate::ways::{self, HOST, Way};

/// A daemon on a worker of its own.
pub(crate) struct Daemon {
    pub(crate) edge: SocketAddr,
    switch: StopSwitch,
    thread: JoinHandle<()>,
    _folder: TempDir,
}

impl Daemon {
    pub(crate) fn stop(self) {
        self.switch.press();
        self.switch.press();
        self.thread.join().unwrap();
    }
}

/// Starts one whose calls go to the runtime at `runtime`, as `serve` would but for its one worker.
pub(crate) fn start(worker: &'static str, prewarm: bool, runtime: SocketAddr) -> Daemon {
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("switchback.toml");
    let config = format!(
        "edge = {{ listen = \"127.0.0.1:0\", public_url = \"https://{HOST}\", workers = 1, \
         connections_per_address = 20000 }}\n\
         control = {{ listen = \"127.0.0.1:0\" }}\nadmin = {{ listen = \"127.0.0.1:0\" }}\n\
         runtime = {{ prewarm = {prewarm} }}\n{}",
        ways::configured()
    );
    fs::write(&file, config).unwrap();
    let config = Config::load(Some(&file), folder.path(), &|_| None).unwrap();
    fill(&config.store_path, runtime);
    let (switch, stop) = StopSwitch::new();
    let (ready, bound) = mpsc::channel();
    let thread = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name_fn(thread_name(worker))
            .enable_all()
            .build()
            .unwrap();
        let served = runtime.spawn(async move {
            let bound = Bound::bind(config).await.unwrap();
            ready.send(bound.addresses().edge).unwrap();
            bound.serve(stop).await;
        });
        runtime.block_on(served).unwrap();
    });
    Daemon { edge: bound.recv().unwrap(), switch, thread, _folder: folder }
}

/// The runtime's first thread is its worker, the others are for what blocks.
fn thread_name(worker: &'static str) -> impl Fn() -> String {
    let started = std::sync::atomic::AtomicUsize::new(0);
    move || match started.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0 => worker.to_owned(),
        _ => "blocking".to_owned(),
    }
}

fn fill(path: &Path, runtime: SocketAddr) {
    let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (store, feed) = Store::open(&Settings::at(path)).unwrap();
    drop(feed);
    let filled = store.write(Actor::default(), move |tx| installation(tx, runtime));
    tokio.block_on(filled).unwrap();
    store.close();
}

fn installation(tx: &mut Tx<'_>, runtime: SocketAddr) -> Result<(), WriteError> {
    let tenant = tx.create_tenant("default")?.tenant.id;
    tx.reconcile_accounts(vec![ways::twilio(), ways::vonage()])?;
    for way in Way::OF_DAEMONS {
        let account = Some(way.account().name);
        let e164 = E164::parse(way.number()).unwrap();
        let new = NewNumber { e164, account, friendly_name: None, passthrough: None };
        let number = tx.add_number(tenant, new)?.0.id;
        let target = way.target(runtime);
        let new = NewAgent {
            state: AgentState::Live,
            targets: vec![Target::Runtime(target)],
            runtime_media: Some(way.runtime_media()).filter(|media| *media != RuntimeMedia::Pcmu),
            numbers: vec![number],
            ..NewAgent::named(Direction::Inbound, way.name())
        };
        tx.create_agent(tenant, new, Sharing::Allowed)?;
    }
    Ok(())
}
