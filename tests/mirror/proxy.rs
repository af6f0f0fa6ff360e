//! Between a mirror and what it mirrors: pages of two rows, and faults where a test wants them.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::Response,
};
use tokio::net::TcpListener;

/// What is done to requests.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// To those whose path and query hold this.
    pub(crate) on: &'static str,
    /// This is answered.
    pub(crate) status: u16,
    /// With this body.
    pub(crate) body: &'static str,
    /// So many times.
    pub(crate) times: usize,
}

/// The proxy. Clones share it.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) url: String,
    inner: Arc<Inner>,
}

struct Inner {
    target: String,
    http: reqwest::Client,
    faults: Mutex<Vec<Fault>>,
    asked: Mutex<Vec<String>>,
}

impl Proxy {
    pub(crate) async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            target: target.to_owned(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            faults: Mutex::default(),
            asked: Mutex::default(),
        });
        let app = Router::new().fallback(pass).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, inner }
    }

    /// From now on, until it is healed.
    pub(crate) fn breaks(&self, fault: Fault) {
        self.inner.faults.lock().unwrap().push(fault);
    }

    pub(crate) fn heals(&self) {
        self.inner.faults.lock().unwrap().clear();
    }

    /// How often something was asked for that holds this.
    pub(crate) fn asked(&self, text: &str) -> usize {
        self.inner.asked.lock().unwrap().iter().filter(|asked| asked.contains(text)).count()
    }
}

async fn pass(State(inner): State<Arc<Inner>>, uri: Uri, headers: HeaderMap) -> Response {
    let asked = uri.path_and_query().unwrap().as_str();
    let asked = asked.replace("per_page=100", "per_page=2").replace("limit=100", "limit=2");
    inner.asked.lock().unwrap().push(asked.clone());
    let fault = {
        let mut faults = inner.faults.lock().unwrap();
        let found = faults.iter_mut().find(|f| f.times > 0 && asked.contains(f.on));
        found.map(|fault| {
            fault.times -= 1;
            fault.clone()
        })
    };
    if let Some(fault) = fault {
        let response = Response::builder().status(fault.status).header("retry-after", "1");
        return response.body(Body::from(fault.body)).unwrap();
    }
    let mut request = inner.http.get(format!("{}{asked}", inner.target));
    if let Some(key) = headers.get("authorization") {
        request = request.header("authorization", key);
    }
    let answer = request.send().await.unwrap();
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap();
    let body: Bytes = answer.bytes().await.unwrap();
    Response::builder().status(status).body(Body::from(body)).unwrap()
}
