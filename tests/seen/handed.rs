//! A listening socket that is handed over to the daemon, as systemd does.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::fd::OwnedFd,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// A daemon in that folder, with the socket as its fourth descriptor.
fn serve(folder: &Path, socket: &TcpListener) -> Child {
    let file = folder.join("switchback.toml");
    let address = socket.local_addr().unwrap();
    let config = format!(
        "[edge]\nlisten = \"{address}\"\n[control]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \
         \"127.0.0.1:0\"\n"
    );
    fs::write(&file, config).unwrap();
    Command::new("sh")
        .args(["-c", r#"LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@" 3<&0 0</dev/null"#])
        .args([env!("CARGO_BIN_EXE_switchback"), "serve", "--config"])
        .arg(&file)
        .arg("--data-dir")
        .arg(folder.join("data"))
        .stdin(OwnedFd::from(socket.try_clone().unwrap()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// A request that is sent now, whoever answers it, and whenever.
fn asked(socket: &TcpListener) -> TcpStream {
    let mut stream = TcpStream::connect(socket.local_addr().unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let request = "POST /carriers/main/voice HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\
                   connection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn who_comes_during_a_restart_waits_and_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    // Before there is any daemon.
    let first = asked(&socket);
    let mut daemon = serve(folder.path(), &socket);
    assert!(answer(first).starts_with("HTTP/1.1 4"), "an account that is not there");
    let killed = Command::new("kill").args(["-TERM", &daemon.id().to_string()]).status();
    assert!(killed.unwrap().success());
    assert!(daemon.wait().unwrap().success());
    let second = asked(&socket);
    let mut daemon = serve(folder.path(), &socket);
    assert!(answer(second).starts_with("HTTP/1.1 4"));
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}
