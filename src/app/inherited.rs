//! Listening sockets that whoever started the daemon hands over (`LISTEN_FDS`, sd_listen_fds(3)):
//! they stay open from one process to the next, so a carrier that comes during a restart waits
//! for a moment and is not refused.

use std::{io, net::SocketAddr};

use listenfd::ListenFd;

/// Sockets that were handed over and are not taken yet.
#[derive(Debug, Default)]
pub struct Inherited(Vec<std::net::TcpListener>);

impl Inherited {
    /// Those that this process was started with. It is to be asked once, before there are threads:
    /// it takes the names out of the environment, so that no child takes them for its own.
    ///
    /// # Errors
    /// What was handed over is not a listening TCP socket.
    pub fn take() -> io::Result<Self> {
        let mut handed = ListenFd::from_env();
        let all = (0..handed.len()).map(|place| handed.take_tcp_listener(place));
        Ok(Self(all.collect::<io::Result<Vec<_>>>()?.into_iter().flatten().collect()))
    }

    /// The socket that listens at this address.
    pub(super) fn at(&mut self, address: SocketAddr) -> Option<std::net::TcpListener> {
        let is_there = |socket: &std::net::TcpListener| socket.local_addr().ok() == Some(address);
        let place = self.0.iter().position(is_there)?;
        Some(self.0.swap_remove(place))
    }

    /// Where nobody was configured to listen. These sockets are closed.
    pub(super) fn left_over(self) -> Vec<SocketAddr> {
        self.0.iter().filter_map(|socket| socket.local_addr().ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_socket_is_found_by_its_address_and_taken_once() {
        let sockets: Vec<_> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let at: Vec<_> = sockets.iter().map(|socket| socket.local_addr().unwrap()).collect();
        let mut inherited = Inherited(sockets);
        assert_eq!(inherited.at(at[1]).unwrap().local_addr().unwrap(), at[1]);
        assert!(inherited.at(at[1]).is_none());
        assert!(inherited.at("127.0.0.1:1".parse().unwrap()).is_none());
        let mut rest = inherited.left_over();
        rest.sort_unstable();
        let mut expected = vec![at[0], at[2]];
        expected.sort_unstable();
        assert_eq!(rest, expected);
    }
}
