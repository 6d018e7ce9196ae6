//! HTTP exchanges of sessions: who waits for which answer, and open bodies.
//!
//! An exchange may come to another shard than the session's. What goes back and forth are a [`Reply`], through a channel, and
//! [`Command::ExchangeGone`], when its client leaves before it is answered.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use plugin_api::abi::host::with_raw;
use plugin_api::{Carrier, ExchangeId, Request, Response, SparkId};
use tokio::sync::oneshot;

use super::Shard;
use crate::house::House;
use crate::inbox::Command;
use crate::inbox::exchange::{BodySender, Chunks, Exchange, Reply, body};
use crate::spark::id::UnderWay;

/// Where a session's answer goes.
pub enum ReplySender {
    /// It is waited for.
    Waiting(oneshot::Sender<Reply>),
    /// Its body is open.
    Open(BodySender),
}

impl Shard {
    /// Hands a session an exchange of its own; without such a session the sender is dropped.
    pub fn exchange(&self, exchange: Exchange, request: &Request<'_>, reply: oneshot::Sender<Reply>) {
        self.exchanges.borrow_mut().insert(exchange, ReplySender::Waiting(reply));
        let known = self.with_session(exchange.id, "a session's request", |session, sink| {
            with_raw(request, |raw| session.request(exchange.number, raw, sink))
        });
        if !known {
            self.exchanges.borrow_mut().remove(&exchange);
        }
    }

    pub(super) fn reply(&self, exchange: Exchange, reply: Option<Reply>) {
        if let Some(ReplySender::Waiting(sender)) = self.exchanges.borrow_mut().remove(&exchange)
            && let Some(reply) = reply
        {
            // Whoever asked may have left just now.
            let _ = sender.send(reply);
        }
    }

    pub(super) fn reply_open(&self, exchange: Exchange, head: Option<Response>) {
        let mut exchanges = self.exchanges.borrow_mut();
        if let Some(ReplySender::Waiting(sender)) = exchanges.remove(&exchange)
            && let Some(head) = head
        {
            let (body, chunks) = body();
            let _ = sender.send(Reply::Open(head, chunks));
            exchanges.insert(exchange, ReplySender::Open(body));
        }
    }

    /// More of an open body; `None` ends it.
    pub(super) fn reply_chunk(&self, exchange: Exchange, chunk: Option<Vec<u8>>) {
        let limit = self.snapshot.borrow().config.server.max_buffered.as_usize();
        let mut exchanges = self.exchanges.borrow_mut();
        let Some(chunk) = chunk else {
            exchanges.remove(&exchange);
            return;
        };
        if let Some(ReplySender::Open(body)) = exchanges.get(&exchange)
            && body.send(chunk) > limit
        {
            drop(exchanges);
            // A piece of a body can't be left out.
            self.reads_too_slowly(exchange.id);
        }
    }

    /// Whether exchanges of a spark are open.
    pub(super) fn has_exchanges(&self, id: SparkId) -> bool {
        self.exchanges.borrow().range(all_of(id)).next().is_some()
    }

    /// A spark is gone, and nobody answers its exchanges any more.
    pub(super) fn drop_exchanges(&self, id: SparkId) {
        let mut exchanges = self.exchanges.borrow_mut();
        while let Some((&exchange, _)) = exchanges.range(all_of(id)).next() {
            exchanges.remove(&exchange);
        }
    }

    /// The client of an exchange has left before it was answered whole.
    pub(super) fn exchange_gone(&self, exchange: Exchange) {
        if self.exchanges.borrow_mut().remove(&exchange).is_some() {
            let carrier = Carrier::Exchange(ExchangeId(exchange.number));
            self.with_session(exchange.id, "a session's disconnected", |session, sink| session.disconnected(carrier, sink));
        }
    }
}

fn all_of(id: SparkId) -> std::ops::RangeInclusive<Exchange> {
    Exchange { id, number: 0 }..=Exchange { id, number: u64::MAX }
}

/// An exchange that waits for its answer. Dropped before, since its client has left, it tells the session.
pub struct Pending {
    house: Arc<House>,
    exchange: Exchange,
    answered: bool,
    _under_way: Option<UnderWay>,
}

impl Pending {
    /// A new exchange of a session; `under_way` ends with it.
    pub fn new(house: &Arc<House>, id: SparkId, under_way: Option<UnderWay>) -> Self {
        let exchange = Exchange { id, number: house.token() };
        Self { house: Arc::clone(house), exchange, answered: false, _under_way: under_way }
    }

    /// Which it is.
    pub fn exchange(&self) -> Exchange {
        self.exchange
    }

    /// Waits for the answer; `None`: the session ended without one.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, the session is told that its client has left.
    pub async fn answer(mut self, reply: oneshot::Receiver<Reply>) -> Option<Answered> {
        let reply = reply.await;
        self.answered = true;
        Some(match reply.ok()? {
            Reply::Whole(response) => Answered::Whole(response),
            Reply::Upgrade(response) => Answered::Upgrade(response),
            Reply::Open(head, chunks) => {
                self.answered = false;
                Answered::Open(head, OpenBody { chunks, exchange: self })
            }
        })
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.answered {
            self.house.post(self.exchange.id, Command::ExchangeGone(self.exchange));
        }
    }
}

/// How an exchange was answered.
pub enum Answered {
    /// By a whole response.
    Whole(Response),
    /// By a head and a body that stays open.
    Open(Response, OpenBody),
    /// By the change to the session's own protocol.
    Upgrade(Response),
}

/// A response's body that a session goes on with. Dropped before its end, it tells the session.
pub struct OpenBody {
    chunks: Chunks,
    exchange: Pending,
}

impl Body for OpenBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let body = self.get_mut();
        body.chunks.poll(context).map(|chunk| {
            body.exchange.answered |= chunk.is_none();
            chunk.map(|chunk| Ok(Frame::data(chunk)))
        })
    }
}
