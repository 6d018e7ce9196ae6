//! An HTTP exchange of a session as it goes between shards: which it is, and how it is answered.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use plugin_api::{Response, SparkId};
use tokio::sync::mpsc;

/// Which exchange it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exchange {
    /// Whose.
    pub id: SparkId,
    /// Its number.
    pub number: u64,
}

/// How an exchange is answered. `Body` is what an open body is read from.
pub enum Reply<Body = Chunks> {
    /// By a whole response.
    Whole(Response),
    /// By a head whose body follows.
    Open(Response, Body),
    /// By the change to the session's own protocol.
    Upgrade(Response),
}

impl Reply<Infallible> {
    /// The same where others are answered by open bodies.
    pub fn of_any<Body>(self) -> Reply<Body> {
        match self {
            Self::Whole(response) => Reply::Whole(response),
            Self::Upgrade(response) => Reply::Upgrade(response),
            Self::Open(_, never) => match never {},
        }
    }
}

/// An open body: where a session says more of it, and where that is read.
pub fn body() -> (BodySender, Chunks) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::<AtomicUsize>::default();
    (BodySender { sender, waiting: Arc::clone(&waiting) }, Chunks { receiver, waiting })
}

/// Where a session says more of an open body. Dropped, the body ends.
pub struct BodySender {
    sender: mpsc::UnboundedSender<Bytes>,
    waiting: Arc<AtomicUsize>,
}

impl BodySender {
    /// Says more; the bytes that nobody has taken yet, which are to be bounded.
    pub fn send(&self, chunk: Vec<u8>) -> usize {
        let waiting = self.waiting.fetch_add(chunk.len(), Ordering::Relaxed) + chunk.len();
        // Whoever reads may have left just now.
        let _ = self.sender.send(Bytes::from(chunk));
        waiting
    }
}

/// What a session says of an open body.
pub struct Chunks {
    receiver: mpsc::UnboundedReceiver<Bytes>,
    waiting: Arc<AtomicUsize>,
}

impl Chunks {
    /// The next piece; `None` at the end.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let chunk = self.receiver.poll_recv(context);
        if let Poll::Ready(Some(chunk)) = &chunk {
            self.waiting.fetch_sub(chunk.len(), Ordering::Relaxed);
        }
        chunk
    }
}
