//! The yardstick: bytes passed on between two TCP sockets by the same async runtime, one task a
//! call, and nothing done to them.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;

use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream};

/// Frames are under 500 bytes.
const BUFFER_LEN: usize = 2 * 1024;

/// Starts it on a worker of its own, on the way to `to`; it ends with the process.
pub(crate) fn start(to: SocketAddr) -> SocketAddr {
    let (ready, address) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("raw")
            .enable_all()
            .build()
            .unwrap();
        let server = runtime.spawn(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            ready.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (mut from, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut to = TcpStream::connect(to).await.unwrap();
                    from.set_nodelay(true).unwrap();
                    to.set_nodelay(true).unwrap();
                    let len = BUFFER_LEN;
                    // However it ends, the call is over.
                    drop(copy_bidirectional_with_sizes(&mut from, &mut to, len, len).await);
                });
            }
        });
        runtime.block_on(server).unwrap();
    });
    address.recv().unwrap()
}
