//! HTTP exchanges of sessions: who waits for which answer, and open bodies.

use std::rc::{Rc, Weak};

use bytes::Bytes;
use plugin_api::abi::host::with_raw;
use plugin_api::{Carrier, ExchangeId, Request, Response, SparkId};
use tokio::sync::{mpsc, oneshot};

use super::Shard;

/// How an exchange is answered.
pub enum Reply {
    /// By a whole response.
    Whole(Response),
    /// By a head whose body follows.
    Open(Response, mpsc::UnboundedReceiver<Bytes>),
    /// By the change to the session's own protocol.
    Upgrade(Response),
}

/// Where the answer goes.
pub enum ReplySender {
    /// It is waited for.
    Waiting(oneshot::Sender<(Reply, Exchange)>, Exchange),
    /// Its body is open.
    Open(mpsc::UnboundedSender<Bytes>),
}

/// Which exchange it is: what the HTTP side needs to go on with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// Whose.
    pub id: SparkId,
    /// Its number.
    pub number: u64,
}

impl Shard {
    /// Hands a session an exchange of its own. Whether there is such a session.
    pub fn exchange(&self, id: SparkId, request: &Request<'_>, reply: oneshot::Sender<(Reply, Exchange)>) -> bool {
        let number = self.next_exchange.replace(self.next_exchange.get() + 1);
        let exchange = Exchange { id, number };
        self.exchanges.borrow_mut().insert((id, number), ReplySender::Waiting(reply, exchange));
        let known = self.with_session(id, "a session's request", |session, sink| {
            with_raw(request, |raw| session.request(number, raw, sink))
        });
        if !known {
            self.exchanges.borrow_mut().remove(&(id, number));
        }
        known
    }

    pub(super) fn reply(&self, id: SparkId, exchange: u64, reply: Option<Reply>) {
        if let Some(ReplySender::Waiting(sender, exchange)) = self.exchanges.borrow_mut().remove(&(id, exchange))
            && let Some(reply) = reply
        {
            // Whoever asked may be gone; the session hears of it by the guard.
            let _ = sender.send((reply, exchange));
        }
    }

    pub(super) fn reply_open(&self, id: SparkId, exchange: u64, head: Option<Response>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let Some(head) = head else { return };
        self.reply(id, exchange, Some(Reply::Open(head, receiver)));
        self.exchanges.borrow_mut().insert((id, exchange), ReplySender::Open(sender));
    }

    /// More of an open body; `None` ends it.
    pub(super) fn reply_chunk(&self, id: SparkId, exchange: u64, chunk: Option<Vec<u8>>) {
        let mut exchanges = self.exchanges.borrow_mut();
        match chunk {
            Some(chunk) => {
                if let Some(ReplySender::Open(sender)) = exchanges.get(&(id, exchange)) {
                    let _ = sender.send(Bytes::from(chunk));
                }
            }
            None => {
                exchanges.remove(&(id, exchange));
            }
        }
    }

    /// A spark is gone, and nobody answers its exchanges any more.
    pub(super) fn drop_exchanges(&self, id: SparkId) {
        let mut exchanges = self.exchanges.borrow_mut();
        if !exchanges.is_empty() {
            exchanges.retain(|(whose, _), _| *whose != id);
        }
    }

    /// The HTTP side of an exchange is gone before it was answered whole.
    fn exchange_gone(&self, exchange: Exchange) {
        if self.exchanges.borrow_mut().remove(&(exchange.id, exchange.number)).is_some() {
            let carrier = Carrier::Exchange(ExchangeId(exchange.number));
            self.with_session(exchange.id, "a session's disconnected", |session, sink| session.disconnected(carrier, sink));
        }
    }
}

/// Tells the session when the HTTP side of an exchange goes away.
pub struct ExchangeGuard {
    shard: Weak<Shard>,
    exchange: Exchange,
}

impl ExchangeGuard {
    /// Guards an exchange of this shard.
    pub fn new(shard: &Rc<Shard>, exchange: Exchange) -> Self {
        Self { shard: Rc::downgrade(shard), exchange }
    }
}

impl Drop for ExchangeGuard {
    fn drop(&mut self) {
        if let Some(shard) = self.shard.upgrade() {
            shard.exchange_gone(self.exchange);
        }
    }
}
