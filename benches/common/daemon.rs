//! A daemon in this process, as `serve` would run it but for its one worker behind the answers. Its
//! threads for carriers are as many as its configuration says, and named as everywhere: `edge-0`.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use switchback::app::{Bound, StopSwitch};
use switchback::config::Config;
use tempfile::TempDir;

/// The threads that do what is done behind the answers.
pub(crate) const BEHIND: &str = "behind";

/// A daemon, and the folder that all it keeps is in.
pub(crate) struct Daemon {
    pub(crate) edge: SocketAddr,
    switch: StopSwitch,
    thread: JoinHandle<()>,
    _folder: TempDir,
}

impl Daemon {
    /// Stops it, and waits for nobody's call.
    pub(crate) fn stop(self) {
        self.switch.press();
        self.switch.press();
        self.thread.join().unwrap();
    }
}

/// Starts one whose configuration `configure` writes, with what that names into the folder, over a
/// store that `fill` fills.
pub(crate) fn start(configure: impl FnOnce(&Path) -> String, fill: impl FnOnce(&Path)) -> Daemon {
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("switchback.toml");
    fs::write(&file, configure(folder.path())).unwrap();
    let config = Config::load(Some(&file), folder.path(), &|_| None).unwrap();
    fill(&config.store_path);
    let (switch, stop) = StopSwitch::new();
    let (ready, bound) = mpsc::channel();
    let thread = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(BEHIND)
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
