//! How many sessions of a transport each address has, with a limit: what transports share. No plugin.
//!
//! An address is a network here (see [`Network`]). A session that wants a seat is asked twice: before it is authorized, so that one
//! that can't have any costs nothing, and when it takes it, since others may have been faster. Knows no protocol.
#![forbid(unsafe_code)]

mod network;
mod refusals;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use plugin_api::Request;

pub use network::Network;
use refusals::Refusals;

/// An address has as many sessions as it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("clients of this address have as many sessions as they may have (max_sessions_per_address): close one first")]
pub struct Full;

/// The sessions of each address. All shards share it.
#[derive(Debug)]
pub struct Seats {
    limit: u32,
    places: Mutex<HashMap<Network, Arc<Place>>>,
    refusals: Refusals,
}

/// One address.
#[derive(Debug)]
struct Place {
    seats: Arc<Seats>,
    network: Network,
    /// Rises under the lock of `places` only.
    taken: AtomicU32,
}

impl Seats {
    /// At most `limit` sessions for each address.
    pub fn new(limit: u32) -> Self {
        Self { limit, places: Mutex::default(), refusals: Refusals::default() }
    }

    fn places(&self) -> MutexGuard<'_, HashMap<Network, Arc<Place>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the address of a request may have one more session.
    ///
    /// # Errors
    /// It may not; the log is told.
    pub fn check(&self, request: &Request<'_>) -> Result<(), Full> {
        let network = Network::of_request(request);
        let is_full = self.places().get(&network).is_some_and(|place| place.taken.load(Ordering::Relaxed) >= self.limit);
        if is_full { Err(self.refuse(network)) } else { Ok(()) }
    }

    /// One more session for the address of a request, until the seat is dropped.
    ///
    /// # Errors
    /// It has as many as it may have; the log is told.
    pub fn take(self: &Arc<Self>, request: &Request<'_>) -> Result<Seat, Full> {
        self.take_at(Network::of_request(request))
    }

    /// The same, of an address.
    ///
    /// # Errors
    /// It has as many as it may have; the log is told.
    pub fn take_for(self: &Arc<Self>, address: IpAddr) -> Result<Seat, Full> {
        self.take_at(Network::of(address))
    }

    /// The seat of a session that another process has let in, whatever the limit is here.
    pub fn take_over(self: &Arc<Self>, address: IpAddr) -> Seat {
        let network = Network::of(address);
        let mut places = self.places();
        let place = self.place(&mut places, network);
        place.taken.fetch_add(1, Ordering::Relaxed);
        Seat(place)
    }

    fn take_at(self: &Arc<Self>, network: Network) -> Result<Seat, Full> {
        let mut places = self.places();
        let place = self.place(&mut places, network);
        if place.taken.load(Ordering::Relaxed) < self.limit {
            place.taken.fetch_add(1, Ordering::Relaxed);
            return Ok(Seat(place));
        }
        drop(places);
        Err(self.refuse(network))
    }

    fn place(self: &Arc<Self>, places: &mut HashMap<Network, Arc<Place>>, network: Network) -> Arc<Place> {
        let new = || Arc::new(Place { seats: Arc::clone(self), network, taken: AtomicU32::new(0) });
        Arc::clone(places.entry(network).or_insert_with(new))
    }

    #[cold]
    fn refuse(&self, network: Network) -> Full {
        if let Some(others) = self.refusals.tell(Instant::now()) {
            tracing::warn!(
                %network,
                others,
                "a session is refused: this address has {} (max_sessions_per_address); if it is a proxy's, it belongs into \
                 [server] trusted_proxies",
                self.limit
            );
        }
        Full
    }
}

/// A session's place among those of its address: eight bytes.
#[derive(Debug)]
pub struct Seat(Arc<Place>);

impl Seat {
    /// Whose it is, for [`Seats::take_over`].
    pub fn address(&self) -> IpAddr {
        self.0.network.address()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Place { seats, network, taken } = &*self.0;
        if taken.fetch_sub(1, Ordering::Relaxed) > 1 {
            return;
        }
        let mut places = seats.places();
        let is_last =
            places.get(network).is_some_and(|place| Arc::ptr_eq(place, &self.0) && place.taken.load(Ordering::Relaxed) == 0);
        if is_last {
            places.remove(network);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_sessions_at_a_time() {
        let (seats, request) = (Arc::new(Seats::new(2)), Request::new("GET", "/primus"));
        let first = seats.take(&request).unwrap();
        assert_eq!(seats.check(&request), Ok(()));
        let second = seats.take(&request).unwrap();
        assert_eq!(seats.check(&request), Err(Full));
        assert!(seats.take(&request).is_err(), "who was let in by the check may come too late");
        drop(first);
        assert_eq!(seats.check(&request), Ok(()));
        drop(second);
        assert!(seats.places().is_empty(), "an address without sessions takes no room");
    }

    #[test]
    fn each_network_has_its_own() {
        let seats = Arc::new(Seats::new(1));
        let [address, mapped, other] = ["10.0.0.1", "::ffff:10.0.0.1", "10.0.0.2"].map(|text| text.parse().unwrap());
        let first = seats.take_for(address);
        assert!(first.is_ok());
        assert!(seats.take_for(mapped).is_err(), "an address is the same in both families");
        let second = seats.take_for(other);
        assert!(second.is_ok());
        drop(first);
        assert!(seats.take_for(mapped).is_ok());
    }

    #[test]
    fn a_session_of_another_process_has_its_seat_above_the_limit_too() {
        let seats = Arc::new(Seats::new(1));
        let first = seats.take_for("2001:db8::1".parse().unwrap()).unwrap();
        let second = seats.take_over(first.address());
        drop(first);
        assert!(seats.take_for("2001:db8::2".parse().unwrap()).is_err());
        drop(second);
        assert!(seats.places().is_empty());
    }

    #[test]
    fn seats_that_are_taken_and_left_on_all_shards_at_once_add_up() {
        let seats = Arc::new(Seats::new(3));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        if let Ok(seat) = seats.take_for(IpAddr::from([192, 0, 2, 1])) {
                            assert!((1..=3).contains(&seat.0.taken.load(Ordering::Relaxed)));
                        }
                    }
                });
            }
        });
        assert!(seats.places().is_empty());
    }
}
