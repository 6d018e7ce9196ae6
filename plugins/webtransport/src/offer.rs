//! Where the sessions are, as clients are told, and as one generation tells the next.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// Where the sessions are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The UDP port.
    pub port: u16,
    /// The SHA-256 of the certificate in hexadecimal digits, where a client is to trust just that one
    /// (`serverCertificateHashes`); none where an authority has signed it.
    pub hashes: Vec<String>,
}

/// Where the offer in force stands.
#[derive(Default)]
pub struct Board(Mutex<Option<Offer>>);

impl Board {
    /// The offer in force.
    pub fn offer(&self) -> Option<Offer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another one up.
    pub fn put(&self, offer: Option<Offer>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = offer;
    }
}
