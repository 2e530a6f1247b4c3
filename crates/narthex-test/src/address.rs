//! Addresses for servers that cannot choose their own.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// A loopback address at which nobody listens.
///
/// It is from below the ports that the system hands out by itself, so that no server or client of
/// another test that asks for any port gets it meanwhile.
///
/// # Panics
///
/// Panics where there is none.
#[track_caller]
pub fn free_address() -> SocketAddr {
    let random = RandomState::new();
    let ports = (0..1000).map(|n: u32| 20_000 + (random.hash_one(n) % 12_000) as u16);
    let mut free = ports.filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    (Ipv4Addr::LOCALHOST, free.next().expect("a port is free")).into()
}
