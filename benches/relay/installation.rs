//! What the daemon has in its store: a carrier account of each kind that is measured, and a number
//! for each way of a call's audio.

use std::net::SocketAddr;
use std::path::Path;

use switchback::domain::{AgentState, Direction, E164, RuntimeMedia, Target};
use switchback::store::{Actor, NewAgent, NewNumber, Settings, Sharing, Store, Tx, WriteError};

use crate::daemon::{self, Daemon};
use crate::ways::{self, HOST, Way};

/// Starts a daemon whose calls go to the runtime at `runtime`.
pub(crate) fn start(prewarm: bool, runtime: SocketAddr) -> Daemon {
    let config = format!(
        "edge = {{ listen = \"127.0.0.1:0\", public_url = \"https://{HOST}\", workers = 1, \
         connections_per_address = 20000 }}\n\
         control = {{ listen = \"127.0.0.1:0\" }}\nadmin = {{ listen = \"127.0.0.1:0\" }}\n\
         runtime = {{ prewarm = {prewarm} }}\n{}",
        ways::configured()
    );
    daemon::start(|_| config, |store| fill(store, runtime))
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
