//! How many sessions an address has.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The sessions of each address.
pub struct Visitors {
    limit: u32,
    sessions: Mutex<HashMap<IpAddr, u32>>,
}

impl Visitors {
    /// With so many sessions for each address.
    pub fn new(limit: u32) -> Self {
        Self { limit, sessions: Mutex::default() }
    }

    /// One more of an address; whether that is within the limit.
    pub fn enter(&self, address: IpAddr) -> bool {
        let mut sessions = self.sessions();
        let count = sessions.entry(address).or_default();
        *count += 1;
        *count <= self.limit
    }

    /// One less.
    pub fn leave(&self, address: IpAddr) {
        let mut sessions = self.sessions();
        if let Some(count) = sessions.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                sessions.remove(&address);
            }
        }
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
