//! HTTP exchanges of sessions: who waits for which answer, and open bodies.
//!
//! An exchange may come to another shard than the session's. What goes back and forth are a [`Reply`], through a channel, and
//! [`Command::ExchangeGone`], when its client leaves before it is answered.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use plugin_api::abi::host::with_raw;
use plugin_api::{Carrier, ExchangeId, Request, Response, Route, SparkId};
use tokio::sync::oneshot;

use super::Shard;
use super::visitors::{VisitorBody, VisitorId};
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
    /// To a visitor of this shard.
    Visitor(VisitorId),
}

/// An exchange whose answer, or its end, is owed.
pub struct Owed {
    number: u64,
    to: ReplySender,
    /// The method and target, for the transport's answer where the session ends without one. `None`: the first exchange, which the
    /// transport has no other answer to.
    asked: Option<Box<str>>,
}

impl Shard {
    /// Hands a session an exchange of its own; without such a session it is answered as one that comes too late.
    pub fn exchange(&self, exchange: Exchange, request: &Request<'_>, reply: ReplySender) {
        let is_first = request.spark_id().is_some();
        let asked = || format!("{} {}?{}", request.method(), request.path(), request.query()).into_boxed_str();
        let mut owed = Some(Owed { number: exchange.number, to: reply, asked: (!is_first).then(asked) });
        self.with_spark(exchange.id, |spark| spark.rare().exchanges.extend(owed.take()));
        if let Some(owed) = owed {
            return self.unanswered(exchange, owed);
        }
        self.with_session(exchange.id, "a session's request", |session, sink| {
            with_raw(request, |raw| session.request(exchange.number, raw, sink))
        });
    }

    pub(super) fn reply(&self, exchange: Exchange, reply: Option<Reply<Infallible>>) {
        let Some(reply) = reply else { return self.leave_unanswered(exchange) };
        match self.take_exchange(exchange).map(|owed| owed.to) {
            Some(ReplySender::Waiting(sender)) => {
                // Whoever asked may have left just now.
                let _ = sender.send(reply.of_any());
            }
            Some(ReplySender::Visitor(visitor)) => self.answer_visitor(visitor, exchange, Some(reply.of_any())),
            Some(ReplySender::Open(_)) | None => {}
        }
    }

    pub(super) fn reply_open(&self, exchange: Exchange, head: Option<Response>) {
        let Some(head) = head else { return self.leave_unanswered(exchange) };
        let mut visitor = None;
        self.with_exchange(exchange, |sender| match sender {
            ReplySender::Waiting(_) => {
                let (body, chunks) = body();
                if let ReplySender::Waiting(waiting) = std::mem::replace(sender, ReplySender::Open(body)) {
                    let _ = waiting.send(Reply::Open(head, chunks));
                }
            }
            ReplySender::Visitor(known) => visitor = Some((*known, head)),
            ReplySender::Open(_) => {}
        });
        if let Some((visitor, head)) = visitor {
            self.answer_visitor(visitor, exchange, Some(Reply::Open(head, VisitorBody)));
        }
    }

    /// More of an open body; `None` ends it.
    pub(super) fn reply_chunk(&self, exchange: Exchange, chunk: Option<Vec<u8>>) {
        let Some(chunk) = chunk else { return self.leave_unanswered(exchange) };
        let length = chunk.len();
        let (mut waiting, mut visitor) = (0, None);
        self.with_exchange(exchange, |sender| match sender {
            ReplySender::Open(body) => waiting = body.send(chunk),
            ReplySender::Visitor(known) => visitor = Some((*known, chunk)),
            ReplySender::Waiting(_) => {}
        });
        if let Some((visitor, chunk)) = visitor {
            waiting = self.visitors().map_or(0, |visitors| visitors.chunk(visitor, exchange, chunk));
        }
        // What waited before it counts: whom nothing waits for does not read slowly, however long the piece is.
        if waiting.saturating_sub(length) > self.snapshot.borrow().config.server.max_buffered.as_usize() {
            // A piece of a body can't be left out.
            self.reads_too_slowly(exchange.id);
        }
    }

    /// Whether exchanges of a spark are open.
    pub(super) fn has_exchanges(&self, id: SparkId) -> bool {
        self.slab.borrow().get(id).and_then(|spark| spark.rare.as_ref()).is_some_and(|rare| !rare.exchanges.is_empty())
    }

    /// A spark goes, and nobody answers its exchanges any more.
    pub(super) fn drop_exchanges(&self, id: SparkId) {
        let mut open = Vec::new();
        self.with_spark(id, |spark| {
            open = spark.rare.as_mut().map(|rare| std::mem::take(&mut rare.exchanges)).unwrap_or_default();
        });
        for owed in open {
            self.unanswered(Exchange { id, number: owed.number }, owed);
        }
    }

    fn leave_unanswered(&self, exchange: Exchange) {
        if let Some(owed) = self.take_exchange(exchange) {
            self.unanswered(exchange, owed);
        }
    }

    /// Whoever waits for an answer gets that of who comes when the session is over, if the transport has one; an open body ends.
    fn unanswered(&self, exchange: Exchange, Owed { to, asked, .. }: Owed) {
        let answer: Option<Reply<Infallible>> = asked.and_then(|asked| self.answer_of_lost(&asked)).map(Reply::Whole);
        match (to, answer) {
            (ReplySender::Visitor(visitor), answer) => self.answer_visitor(visitor, exchange, answer.map(Reply::of_any)),
            (ReplySender::Waiting(sender), Some(answer)) => drop(sender.send(answer.of_any())),
            // Its drop says so.
            (ReplySender::Waiting(_) | ReplySender::Open(_), _) => {}
        }
    }

    /// What the transport answers to a request, its method and target, whose session is not there.
    fn answer_of_lost(&self, asked: &str) -> Option<Response> {
        let (method, target) = asked.split_once(' ')?;
        let request = Request::new(method, target).for_lost_session();
        for entry in self.snapshot().transports.iter().filter(|entry| !entry.generation.is_quarantined()) {
            match with_raw(&request, |raw| entry.handle.route(raw)) {
                Ok(Route::Pass) => {}
                Ok(Route::Respond(response)) => return Some(response),
                Ok(Route::Open | Route::OpenBare | Route::Session(_)) => return None,
                Err(fault) => entry.generation.panicked("a transport's route", &fault),
            }
        }
        None
    }

    /// An exchange is over.
    fn take_exchange(&self, exchange: Exchange) -> Option<Owed> {
        let mut slab = self.slab.borrow_mut();
        let spark = slab.get_mut(exchange.id)?;
        let rare = spark.rare.as_mut()?;
        let place = rare.exchanges.iter().position(|owed| owed.number == exchange.number)?;
        let owed = rare.exchanges.remove(place);
        if rare.is_blank() {
            // The only exchange of most: it becomes the stream.
            spark.rare = None;
        }
        Some(owed)
    }

    /// Calls with where the answer of an exchange goes, if that is open.
    fn with_exchange(&self, exchange: Exchange, call: impl FnOnce(&mut ReplySender)) {
        self.with_spark(exchange.id, |spark| {
            let mut open = spark.rare.iter_mut().flat_map(|rare| &mut rare.exchanges);
            if let Some(owed) = open.find(|owed| owed.number == exchange.number) {
                call(&mut owed.to);
                // Nothing takes the place of an answer that has begun.
                owed.asked = None;
            }
        });
    }

    /// The client of an exchange has left before it was answered whole.
    pub(crate) fn exchange_gone(&self, exchange: Exchange) {
        if self.take_exchange(exchange).is_some() {
            let carrier = Carrier::Exchange(ExchangeId(exchange.number));
            self.with_session(exchange.id, "a session's disconnected", |session, sink| session.disconnected(carrier, sink));
        }
    }
}

/// An exchange that waits for its answer. Dropped before, since its client has left, it tells the session.
pub struct Pending {
    house: Arc<House>,
    exchange: Exchange,
    answered: bool,
    _under_way: Option<UnderWay>,
}

impl Pending {
    /// The session has been handed the exchange; `under_way` ends with it.
    pub fn new(house: &Arc<House>, exchange: Exchange, under_way: Option<UnderWay>) -> Self {
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

impl OpenBody {
    /// The next piece; `None` at the end.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn next(&mut self) -> Option<Bytes> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.chunks.poll(context).map(|chunk| {
            self.exchange.answered |= chunk.is_none();
            chunk
        })
    }
}

impl Body for OpenBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.get_mut().poll(context).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}
