//! How many connections each address has. It never looks at what they say.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

use foldhash::fast::RandomState;

use crate::edge::Network;

/// The addresses that have connections.
#[derive(Clone)]
pub(super) struct Crowd(Arc<Inner>);

struct Inner {
    per_address_max: u32,
    trusted: Vec<Network>,
    counts: Mutex<HashMap<IpAddr, u32, RandomState>>,
}

/// One of an address's connections, until it is dropped.
pub(super) struct Place {
    crowd: Crowd,
    /// None of a proxy's.
    origin: Option<IpAddr>,
}

impl Crowd {
    pub(super) fn new(per_address_max: u32, trusted: Vec<Network>) -> Self {
        Self(Arc::new(Inner { per_address_max, trusted, counts: Mutex::default() }))
    }

    /// A place for one more, unless the address has as many as it may.
    pub(super) fn admit(&self, peer: IpAddr) -> Option<Place> {
        let inner = &self.0;
        if inner.trusted.iter().any(|network| network.contains(peer)) {
            return Some(Place { crowd: self.clone(), origin: None });
        }
        let origin = origin(peer);
        let mut counts = inner.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(origin).or_default();
        if *count >= inner.per_address_max {
            return None;
        }
        *count += 1;
        Some(Place { crowd: self.clone(), origin: Some(origin) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(origin) = self.origin else { return };
        let mut counts = self.crowd.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&origin) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&origin);
            }
        }
    }
}

/// Whom an address is counted as: of IPv6 one host has a whole /64 to itself (RFC 6177 §2).
fn origin(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_so_many_and_a_proxy_as_many_as_it_likes() {
        let crowd = Crowd::new(2, vec!["10.0.0.0/8".parse().unwrap()]);
        let admit = |text| crowd.admit(address(text));
        let (first, second) = (admit("192.0.2.1"), admit("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some() && admit("192.0.2.1").is_none());
        assert!(admit("192.0.2.2").is_some(), "another is not to blame");
        let proxies: Vec<_> = (0..9).map(|_| admit("10.1.2.3")).collect();
        assert!(proxies.iter().all(Option::is_some));
        drop(first);
        assert!(admit("192.0.2.1").is_some());
        drop((second, proxies));
        let _places = (admit("2001:db8::1"), admit("2001:db8::2"));
        assert!(admit("2001:db8::ffff:1").is_none(), "one /64");
        assert!(admit("2001:db8:0:1::1").is_some(), "the next");
        drop(_places);
        assert!(crowd.0.counts.lock().unwrap().is_empty(), "nobody is remembered");
    }
}
