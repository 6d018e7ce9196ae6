//! How many sessions of a transport each address has, with a limit: what transports share. No plugin.
//!
//! Knows addresses. Knows no protocol.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plugin_api::Request;

/// The sessions of each address. All shards share it.
#[derive(Debug)]
pub struct Seats {
    limit: u32,
    taken: Mutex<HashMap<IpAddr, u32>>,
}

impl Seats {
    /// At most `limit` sessions for each address.
    pub fn new(limit: u32) -> Self {
        Self { limit, taken: Mutex::default() }
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the address of a request may have one more session.
    pub fn has_room_for(&self, request: &Request<'_>) -> bool {
        let address = request.address().map(|address| address.ip());
        address.is_none_or(|address| self.taken().get(&address).is_none_or(|count| *count < self.limit))
    }

    /// One more session for the address of a request, until the seat is dropped.
    pub fn take(self: &Arc<Self>, request: &Request<'_>) -> Seat {
        let address = request.address().map(|address| address.ip());
        if let Some(address) = address {
            *self.taken().entry(address).or_default() += 1;
        }
        Seat { seats: Arc::clone(self), address }
    }

    /// The seat of a session that another process has let in, whatever the limit is here.
    pub fn take_over(self: &Arc<Self>, address: Option<IpAddr>) -> Seat {
        if let Some(address) = address {
            *self.taken().entry(address).or_default() += 1;
        }
        Seat { seats: Arc::clone(self), address }
    }

    /// One more session for an address, until the seat is dropped; `None` where it has as many as it may have.
    pub fn try_take(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let address = address.to_canonical();
        let mut taken = self.taken();
        let count = taken.get(&address).copied().unwrap_or(0);
        if count >= self.limit {
            return None;
        }
        taken.insert(address, count + 1);
        Some(Seat { seats: Arc::clone(self), address: Some(address) })
    }
}

/// A session's place among those of its address.
#[derive(Debug)]
pub struct Seat {
    seats: Arc<Seats>,
    address: Option<IpAddr>,
}

impl Seat {
    /// Whose it is.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut taken = self.seats.taken();
        if let Some(count) = taken.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_sessions_at_a_time() {
        let (seats, request) = (Arc::new(Seats::new(2)), Request::new("GET", "/primus"));
        let first = seats.take(&request);
        assert!(seats.has_room_for(&request));
        let second = seats.take(&request);
        assert!(!seats.has_room_for(&request));
        drop(first);
        assert!(seats.has_room_for(&request));
        drop(second);
        assert!(seats.taken().is_empty(), "an address without sessions takes no room");
    }

    #[test]
    fn a_seat_is_given_while_there_is_one() {
        let seats = Arc::new(Seats::new(1));
        let [address, mapped, other] = ["10.0.0.1", "::ffff:10.0.0.1", "10.0.0.2"].map(|text| text.parse().unwrap());
        let first = seats.try_take(address);
        assert!(first.is_some());
        assert!(seats.try_take(mapped).is_none(), "an address is the same in both families");
        assert!(seats.try_take(other).is_some());
        drop(first);
        assert!(seats.try_take(mapped).is_some());
    }
}
