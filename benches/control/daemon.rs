//! The daemon that is asked, as `serve` would run it, and a client with a key.

use std::{
    fs,
    path::PathBuf,
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use reqwest::{Client, Method};
use serde_json::Value;
use switchback::{
    app::{Bound, StopSwitch},
    config::Config,
    telemetry::clock,
};
use tempfile::TempDir;

use crate::filled::{self, ACCOUNT_SECRET, ACCOUNT_SID, KEY, OPERATOR_KEY, Size};

/// A daemon over a store of some size.
pub(crate) struct Daemon {
    pub(crate) store: PathBuf,
    pub(crate) base: String,
    pub(crate) http: Client,
    switch: StopSwitch,
    thread: JoinHandle<()>,
    _folder: TempDir,
}

/// What came back, and how long that took.
pub(crate) struct Got {
    pub(crate) took: Duration,
    pub(crate) status: u16,
    pub(crate) len: usize,
    pub(crate) body: Value,
}

impl Daemon {
    /// Fills a store and starts a daemon over it.
    pub(crate) fn start(size: Size) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("switchback.toml");
        let config = format!(
            "edge = {{ listen = \"127.0.0.1:0\" }}\n\
             control = {{ listen = \"127.0.0.1:0\", requests_per_minute = 0 }}\n\
             admin = {{ listen = \"127.0.0.1:0\" }}\n\
             [[carrier_accounts]]\nname = \"main\"\nkind = \"twilio\"\n\
             account_id = \"{ACCOUNT_SID}\"\nsecrets = [\"{ACCOUNT_SECRET}\"]\n"
        );
        fs::write(&file, config).unwrap();
        let config = Config::load(Some(&file), folder.path(), &|_| None).unwrap();
        let store = config.store_path.clone();
        filled::fill(&store, size);
        let (switch, stop) = StopSwitch::new();
        let (ready, bound) = mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            let served = runtime.spawn(async move {
                let bound = Bound::bind(config).await.unwrap();
                ready.send(bound.addresses().control).unwrap();
                bound.serve(stop).await;
            });
            runtime.block_on(served).unwrap();
        });
        let base = format!("http://{}", bound.recv().unwrap());
        let http = Client::builder().no_proxy().build().unwrap();
        Self { store, base, http, switch, thread, _folder: folder }
    }

    /// Stops it.
    pub(crate) fn stop(self) {
        self.switch.press();
        self.switch.press();
        self.thread.join().unwrap();
    }

    /// Asks, and reads the answer whole; of a stream of events, that it begins.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Got {
        let key = if is_operators(path) { OPERATOR_KEY } else { KEY };
        let url = format!("{}{path}", self.base);
        let request = self.http.request(method, url).bearer_auth(key);
        let request = body.into_iter().fold(request, |request, body| request.json(body));
        let start = clock::instant();
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let kind = response.headers().get("content-type").cloned();
        let is_stream = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let bytes = if is_stream { Vec::new().into() } else { response.bytes().await.unwrap() };
        let took = start.elapsed();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Got { took, status, len: bytes.len(), body }
    }
}

fn is_operators(path: &str) -> bool {
    path.starts_with("/switchback/v1/tenants") || path.starts_with("/switchback/v1/edges")
}
