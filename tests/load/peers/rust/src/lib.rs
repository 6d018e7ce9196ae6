//! What the compared servers have in common: a port, a thread, and a role that the request's query tells.
//!
//! Each server is a binary of its own in `bin/`, written as its library's documentation suggests and tuned where the
//! library has a setting for it: batched writes, small read buffers. They refuse to know anything of one another.
//!
//! The roles: `?room=…` receives what `?publish=…` sends, and whoever has neither gets its messages back.

#![forbid(unsafe_code)]

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use tokio::net::TcpListener;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Echo,
    Publisher,
    Receiver,
}

impl Role {
    /// The role that a request's query tells.
    pub fn of_query(query: Option<&str>) -> Self {
        let key = query.into_iter().flat_map(|query| query.split('&')).find_map(|pair| match pair.split('=').next() {
            Some("room") => Some(Self::Receiver),
            Some("publish") => Some(Self::Publisher),
            _ => None,
        });
        key.unwrap_or(Self::Echo)
    }
}

/// Messages that a room keeps for receivers that are behind. One that falls further behind is dropped.
pub const ROOM_CAPACITY: usize = 1024;

/// A connection's read buffer where the library lets one choose it: the defaults of 128 KiB cost memory and zeroing.
pub const READ_BUFFER: usize = 4 * 1024;

/// Runs a server on one thread, listening on the loopback port that the first argument names.
pub fn serve<F>(server: impl FnOnce(TcpListener) -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).context("the first argument is the port")?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await.with_context(|| format!("can't listen on {address}"))?;
        server(listener).await
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_tells_the_role() {
        assert_eq!(Role::of_query(None), Role::Echo);
        assert_eq!(Role::of_query(Some("EIO=4&room=bench")), Role::Receiver);
        assert_eq!(Role::of_query(Some("publish=bench")), Role::Publisher);
        assert_eq!(Role::of_query(Some("roomy=1")), Role::Echo);
    }
}
