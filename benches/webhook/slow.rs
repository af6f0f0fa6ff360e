//! Slow clients, in processes of their own, since both ends in one would halve how many there can
//! be: each opens its connections from many of this machine's addresses, sends a byte of its
//! headers now and then, and comes again when it is closed.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

/// How many connections come from one address.
const PER_ADDRESS: usize = 500;
const HEAD: &[u8] = b"POST /carriers/main/voice HTTP/1.1\r\nHost: edge.example.com\r\nX-Slow: ";

/// A process of slow clients, until it is dropped.
pub(crate) struct Crowd {
    child: Child,
    /// How many it holds.
    pub(crate) held: usize,
}

impl Crowd {
    pub(crate) fn gather(server: SocketAddr, count: usize) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut child = Command::new(program)
            .args(["--hold", &server.to_string(), &count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, held: line.trim().parse().unwrap() }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Holds so many until it is killed.
pub(crate) fn hold(server: SocketAddr, count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let held = Arc::new(AtomicUsize::new(0));
        for n in 0..count {
            tokio::spawn(client(server, n, Arc::clone(&held)));
            if n % 50 == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        let mut last = usize::MAX;
        while held.load(Ordering::Relaxed) != last {
            last = held.load(Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        println!("{last}");
        std::io::stdout().flush().unwrap();
        std::future::pending::<()>().await;
    });
}

async fn client(server: SocketAddr, n: usize, held: Arc<AtomicUsize>) {
    let from = format!("127.0.{}.{}:0", 1 + n / PER_ADDRESS / 250, 2 + n / PER_ADDRESS % 250);
    loop {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(from.parse().unwrap()).unwrap();
        if let Ok(mut stream) = socket.connect(server).await
            && stream.write_all(HEAD).await.is_ok()
        {
            held.fetch_add(1, Ordering::Relaxed);
            // A byte now and then keeps nobody past the time for a request's head.
            let mut byte = [0; 1];
            let slow = Duration::from_secs(4);
            while tokio::time::timeout(slow, stream.read(&mut byte)).await.is_err() {
                if stream.write_all(b"a").await.is_err() {
                    break;
                }
            }
            held.fetch_sub(1, Ordering::Relaxed);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
