//! How many sessions the clients of an address have. All shards share it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plugin_api::Request;

/// The sessions of all addresses, counted.
#[derive(Debug, Default)]
pub struct Seats {
    taken: Mutex<HashMap<IpAddr, u32>>,
}

/// One session's place among those of its address; given back when it is dropped.
#[derive(Debug)]
pub struct Seat {
    seats: Arc<Seats>,
    address: Option<IpAddr>,
}

impl Seats {
    /// Whether the address of a request has fewer than `limit`.
    pub fn has_room_for(&self, request: &Request<'_>, limit: u32) -> bool {
        let taken = |address: IpAddr| self.taken().get(&address).copied().unwrap_or_default();
        request.address().is_none_or(|address| taken(address.ip()) < limit)
    }

    /// One for the address of a request.
    pub fn take(self: &Arc<Self>, request: &Request<'_>) -> Seat {
        let address = request.address().map(|address| address.ip());
        if let Some(address) = address {
            *self.taken().entry(address).or_default() += 1;
        }
        Seat { seats: Arc::clone(self), address }
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn seats_are_given_back_and_addresses_without_any_take_no_room() {
        let seats = Arc::<Seats>::default();
        let request = Request::new("GET", "/primus/sse");
        let (one, other) = (seats.take(&request), seats.take(&request));
        assert!(seats.has_room_for(&request, 3));
        assert!(!seats.has_room_for(&request, 2));
        drop(one);
        assert!(seats.has_room_for(&request, 2));
        drop(other);
        assert!(seats.taken().is_empty());
    }
}
