//! Connections that wait for the next exchange with the same origin.
//!
//! Attack: DNS rebinding by way of a connection: a name that was judged with one address is spoken to at another. So a connection
//! is used again only for the scheme, host and port that it was made for, and only while its address is among those that were
//! judged for the exchange at hand.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::connection::Connection;
use crate::limits::{IDLE_CONNECTIONS_MAX, IDLE_MAX};

/// The idle connections of one client, oldest first.
#[derive(Default)]
pub(crate) struct Pool(Mutex<Vec<Idle>>);

struct Idle {
    origin: String,
    address: IpAddr,
    connection: Connection,
    since: Instant,
}

impl Pool {
    /// A connection that can be used at once, with its address.
    pub(crate) async fn take(
        &self,
        origin: &str,
        addresses: &[IpAddr],
    ) -> Option<(IpAddr, Connection)> {
        // What works for the connections takes note first of what came in while nobody waited.
        tokio::task::yield_now().await;
        while let Some((address, mut connection)) = self.candidate(origin, addresses) {
            if connection.is_ready().await {
                return Some((address, connection));
            }
        }
        None
    }

    fn candidate(&self, origin: &str, addresses: &[IpAddr]) -> Option<(IpAddr, Connection)> {
        self.forget_closed();
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The one that was used last is the likeliest to be alive.
        let at = idle
            .iter()
            .rposition(|idle| idle.origin == origin && addresses.contains(&idle.address))?;
        let mut found = idle.remove(at);
        let address = found.address;
        match found.connection.shared() {
            None => Some((address, found.connection)),
            // One that carries several exchanges stays here for others.
            Some(shared) => {
                found.since = Instant::now();
                idle.push(found);
                Some((address, shared))
            }
        }
    }

    fn forget_closed(&self) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|idle| idle.since.elapsed() < IDLE_MAX && !idle.connection.is_closed());
    }

    /// Keeps a connection; of too many, the oldest goes.
    pub(crate) fn put(&self, origin: String, address: IpAddr, connection: Connection) {
        self.forget_closed();
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= IDLE_CONNECTIONS_MAX {
            idle.remove(0);
        }
        idle.push(Idle {
            origin,
            address,
            connection,
            since: Instant::now(),
        });
    }
}
