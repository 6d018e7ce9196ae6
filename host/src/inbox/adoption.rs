//! Streams that plugins bring, on their way to the shard that takes them.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use plugin_api::Request;
use plugin_api::abi::host::Adopter;
use tokio::sync::mpsc;

use crate::generation::Generation;

/// Streams that may wait for one shard.
const WAITING: usize = 1024;

/// A stream that a plugin brings.
pub struct Adoption {
    /// A connected stream socket.
    pub stream: OwnedFd,
    /// The transport of that plugin whose session it becomes.
    pub transport: String,
    /// The request that it comes with.
    pub request: Request<'static>,
    /// Who brings it; is not stopped meanwhile.
    pub generation: Arc<Generation>,
    /// Who is told what becomes of it. Dropped, it tells so.
    pub adopter: Adopter,
}

/// One shard's queue.
pub struct Arrivals {
    sender: mpsc::Sender<Adoption>,
    receiver: Mutex<Option<mpsc::Receiver<Adoption>>>,
}

impl Arrivals {
    /// An empty one.
    pub fn new() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self { sender, receiver: Mutex::new(Some(receiver)) }
    }

    /// Hands a stream over; where too many wait, or the shard has ended, it is dropped. `[any]`
    pub fn hand_over(&self, adoption: Adoption) {
        if let Err(refused) = self.sender.try_send(adoption) {
            tracing::warn!("a plugin's stream is refused: {refused}");
        }
    }

    /// Where the shard takes them, once. Dropped, the rest is dropped.
    pub fn take(&self) -> Option<mpsc::Receiver<Adoption>> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Default for Arrivals {
    fn default() -> Self {
        Self::new()
    }
}
