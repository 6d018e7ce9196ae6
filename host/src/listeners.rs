//! Addresses that the server listens on: how they are claimed, and those that plugins ask for.
//!
//! A plugin's address belongs to the plugin and not to one of its generations: what waits to be accepted is not lost when one
//! replaces another. Knows sockets; knows nothing of what is spoken on them.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Mutex, MutexGuard, PoisonError};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// Whose address it is, and the address as the plugin wrote it.
pub type Place = (String, String);

/// The addresses of plugins.
pub struct Listeners {
    shards: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: BTreeMap<Place, Group>,
    next: u64,
}

/// One socket for each shard: the system spreads connections over them.
struct Group {
    number: u64,
    address: SocketAddr,
    sockets: Vec<Option<TcpListener>>,
}

/// One shard's part of a plugin's address.
pub struct Listener {
    /// Tells an address that was closed and opened again from what it was before.
    pub number: u64,
    /// The socket.
    pub socket: TcpListener,
}

/// An address can't be listened on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// It is none.
    #[error("can't listen on {0:?}: it is no address and port, as 127.0.0.1:7000")]
    NoAddress(String),
    /// The system refuses it.
    #[error("can't listen on {address}: {error}")]
    Refused {
        /// The address.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
}

impl Listeners {
    /// None yet, for so many shards.
    pub fn new(shards: usize) -> Self {
        Self { shards, state: Mutex::default() }
    }

    /// Listens on an address of a plugin. Nothing changes where the plugin has it already.
    ///
    /// # Errors
    ///
    /// See [`ListenError`]; nobody listens then.
    pub fn open(&self, place: Place) -> Result<(), ListenError> {
        let mut state = self.state();
        if state.open.contains_key(&place) {
            return Ok(());
        }
        let wanted: SocketAddr = place.1.parse().map_err(|_| ListenError::NoAddress(place.1.clone()))?;
        let refused = |error| ListenError::Refused { address: wanted, error };
        let first = claim(wanted).and_then(|()| bind(wanted)).map_err(refused)?;
        let address = first.local_addr().map_err(refused)?;
        let mut sockets = vec![Some(first)];
        for _ in 1..self.shards {
            sockets.push(Some(bind(address).map_err(refused)?));
        }
        state.next += 1;
        let number = state.next;
        tracing::info!(plugin = place.0, %address, "listening");
        state.open.insert(place, Group { number, address, sockets });
        Ok(())
    }

    /// Those that are open, for another process: each with its address, and a socket for each shard.
    pub fn shared(&self) -> Vec<(Place, SocketAddr, Vec<TcpListener>)> {
        let state = self.state();
        let shared = |(place, group): (&Place, &Group)| {
            let sockets = group.sockets.iter().flatten().map(TcpListener::try_clone).collect::<Result<_, _>>().ok()?;
            Some((place.clone(), group.address, sockets))
        };
        state.open.iter().filter_map(shared).collect()
    }

    /// Takes one that another process has open.
    pub fn take(&self, place: Place, address: SocketAddr, sockets: Vec<TcpListener>) {
        let mut state = self.state();
        state.next += 1;
        let group = Group { number: state.next, address, sockets: sockets.into_iter().map(Some).collect() };
        state.open.insert(place, group);
    }

    /// Closes those that nobody wants any more.
    pub fn retain(&self, is_wanted: impl Fn(&Place) -> bool) {
        self.state().open.retain(|place, group| {
            let wanted = is_wanted(place);
            if !wanted {
                tracing::info!(plugin = place.0, address = %group.address, "not listening any more");
            }
            wanted
        });
    }

    /// A shard's part of an address.
    pub fn of(&self, shard: u8, place: &Place) -> Option<Listener> {
        let state = self.state();
        let group = state.open.get(place)?;
        let socket = group.sockets.get(usize::from(shard))?.as_ref()?.try_clone();
        let socket = socket.inspect_err(|error| tracing::error!(address = %group.address, %error, "nobody accepts")).ok()?;
        Some(Listener { number: group.number, socket })
    }

    /// A shard accepts no more: its sockets must not be given connections.
    pub fn leave(&self, shard: u8) {
        for group in self.state().open.values_mut() {
            if let Some(socket) = group.sockets.get_mut(usize::from(shard)) {
                *socket = None;
            }
        }
    }

    /// Where a plugin's connections are accepted.
    pub fn addresses(&self, plugin: &str) -> Vec<SocketAddr> {
        let state = self.state();
        state.open.iter().filter(|((of, _), _)| of == plugin).map(|(_, group)| group.address).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fails where somebody listens already: with `SO_REUSEPORT`, as the shards need it, a second server of the same user would
/// silently take every other connection.
pub fn claim(address: SocketAddr) -> std::io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(1)
}

/// One more socket that listens on an address.
pub fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(address: &str) -> Place {
        ("device".to_owned(), address.to_owned())
    }

    #[test]
    fn an_address_that_a_plugin_has_stays_the_same_socket() {
        let listeners = Listeners::new(2);
        listeners.open(place("127.0.0.1:0")).unwrap();
        let before = listeners.addresses("device");
        let numbers = [0, 1].map(|shard| listeners.of(shard, &place("127.0.0.1:0")).unwrap().number);
        listeners.open(place("127.0.0.1:0")).unwrap();
        assert_eq!(listeners.addresses("device"), before);
        assert_eq!([0, 1].map(|shard| listeners.of(shard, &place("127.0.0.1:0")).unwrap().number), numbers);
    }

    #[test]
    fn an_address_that_nobody_wants_is_closed_and_can_be_had_again() {
        let listeners = Listeners::new(1);
        listeners.open(place("127.0.0.1:0")).unwrap();
        let taken = listeners.addresses("device")[0].to_string();
        let refused = listeners.open(("another".to_owned(), taken.clone()));
        assert!(matches!(refused, Err(ListenError::Refused { .. })), "{refused:?}");
        listeners.retain(|_| false);
        listeners.open(("another".to_owned(), taken)).unwrap();
    }

    #[test]
    fn what_is_no_address_is_named() {
        let refused = Listeners::new(1).open(place("localhost")).unwrap_err();
        assert!(refused.to_string().contains("\"localhost\""), "{refused}");
    }
}
