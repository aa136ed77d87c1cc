//! Every limit of this crate, with its unit and the attack that it stops.
//!
//! Whoever answers a request is a stranger, and the guest that asks may be in league with them. A limit that is reached
//! ends the exchange; nothing is ever cut short and handed on. How large a reply may be is said in the pure crate
//! (`oacp::limits`), since a verifier reads replies too.

use std::time::Duration;

/// How long one exchange takes at most, resolution included, unless [`Options`](crate::Options) say otherwise. Attack: a
/// reply of one byte a minute.
pub const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long one address is waited for before the next is tried. Attack: a name whose first address is silent, so that the
/// others are never reached.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Exchanges of one client at a time; more wait for their turn. Attack: a guest that starts ten thousand requests takes
/// every socket of the host, and 16 MiB of memory for each.
pub const EXCHANGES_AT_ONCE_MAX: usize = 8;

/// Addresses that are tried for one exchange; all are judged. Attack: a name with a thousand addresses turns one request
/// into a thousand connections.
pub const ADDRESSES_TRIED_MAX: usize = 8;

/// Idle connections of one client. Attack: sockets held open to every host that was ever asked.
pub const IDLE_CONNECTIONS_MAX: usize = 8;

/// How long an idle connection can be used again. Attack: none; most servers close theirs after that.
pub const IDLE_MAX: Duration = Duration::from_secs(30);

/// How long an idle connection may take to be ready again. Attack: a server that answers before it has read the request,
/// and then reads no further.
pub const READY_MAX: Duration = Duration::from_millis(20);

/// Bytes of a proxy's answer to `CONNECT`. Attack: a head without end.
pub const PROXY_HEAD_BYTES_MAX: usize = 8 << 10;

/// Bytes of the shortest secret. Attack: a value so short that a reply holds it by chance, or that a guest finds by asking
/// whether a reply holds it.
pub const SECRET_BYTES_MIN: usize = 16;

/// Bytes of the longest secret. What common servers take as one header field is less.
pub const SECRET_BYTES_MAX: usize = 16 << 10;
