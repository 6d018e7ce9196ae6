//! A shard's event loop. A turn: what has come is read and led through the hooks, then every spark that has something to be
//! written is flushed, once.
//!
//! Sockets are watched by a poller of their own (mio) inside of tokio's: an idle connection costs no task and no registration
//! with the runtime. tokio drives what is HTTP, what waits, and the clock.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use plugin_api::SparkId;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::Shard;
use super::exchange::ReplySender;
use super::standing::Stage;
use super::visitors::{Ready, VISITORS};
use crate::inbox::Command;
use crate::spark::out::Flushed;

/// Tokens from here on are lingering connections, up to visitors; below, slots of sparks.
pub const LINGERING: usize = 1 << 33;

/// Events that one poll brings.
const EVENTS: usize = 1024;

/// How often connections that linger are looked at.
const LINGERING_ROUND: Duration = Duration::from_secs(1);

/// The poller of a shard's sockets, as tokio watches it.
pub struct Sockets(mio::Poll);

impl AsRawFd for Sockets {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Sockets {
    /// A poller.
    ///
    /// # Errors
    ///
    /// The system gives none.
    pub fn new() -> io::Result<Self> {
        mio::Poll::new().map(Self)
    }

    /// What sockets are registered with.
    ///
    /// # Errors
    ///
    /// The system gives no further handle.
    pub fn registry(&self) -> io::Result<mio::Registry> {
        self.0.registry().try_clone()
    }
}

/// Runs a shard until it is shut down and empty.
///
/// # Errors
///
/// The poller fails.
pub async fn run(shard: Rc<Shard>, sockets: Sockets) -> io::Result<()> {
    #[expect(deprecated, reason = "its successor is unsafe; `Sockets` keeps the poller open and its descriptor the same")]
    let mut sockets = AsyncFd::with_interest(sockets, Interest::READABLE)?;
    let mut events = mio::Events::with_capacity(EVENTS);
    let inbox = &shard.house.inboxes[usize::from(shard.index)];
    let sleep = tokio::time::sleep(Duration::ZERO);
    tokio::pin!(sleep);
    loop {
        let next = shard.next_deadline();
        if let Some(next) = next
            && sleep.deadline() != next.into()
        {
            sleep.as_mut().reset(next.into());
        }
        let mut polled = 0;
        tokio::select! {
            ready = sockets.readable_mut() => {
                let mut ready = ready?;
                polled = poll(&mut ready.get_inner_mut().0, &mut events)?;
                if polled < EVENTS {
                    ready.clear_ready();
                }
            }
            () = inbox.wait() => {}
            () = &mut sleep, if next.is_some() => {}
        }
        shard.turn(if polled > 0 { Some(&events) } else { None });
        if shard.is_going_down() && shard.is_empty() {
            return Ok(());
        }
        if polled == EVENTS || !shard.eager.borrow().is_empty() {
            // There is more: but exchanges and new connections have their turn, too.
            inbox.wake_own();
            tokio::task::yield_now().await;
        }
    }
}

fn poll(poll: &mut mio::Poll, events: &mut mio::Events) -> io::Result<usize> {
    loop {
        match poll.poll(events, Some(Duration::ZERO)) {
            Ok(()) => return Ok(events.iter().count()),
            // No answer is not the answer that there is nothing: tokio would wait for the next edge.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl Shard {
    fn turn(&self, events: Option<&mio::Events>) {
        self.in_turn.set(true);
        for command in self.house.inboxes[usize::from(self.index)].take() {
            self.obey(command);
        }
        let reads = self.still_reads();
        if reads {
            for id in self.eager.take() {
                self.readable(id);
            }
        }
        for event in events.into_iter().flatten() {
            let token = event.token().0;
            if token >= VISITORS {
                self.visitor_is_ready((token - VISITORS) as u32, event);
                continue;
            }
            if token >= LINGERING {
                self.proceed_lingering(token - LINGERING);
                continue;
            }
            let Some(id) = self.slab.borrow().id_at(token as u32) else { continue };
            if event.is_writable() {
                self.writable(id);
            }
            if !reads {
                continue;
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                self.readable(id);
            }
            if event.is_read_closed() {
                // The end came with the last bytes, and no further event tells of it.
                self.eager.borrow_mut().push(id);
            }
        }
        let now = Instant::now();
        self.fire_timers(now);
        self.beat(now);
        if !self.lingering.borrow().is_empty() {
            self.cut_lingering(now);
        }
        if let Some(visitors) = self.visitors() {
            visitors.overdue(now);
        }
        self.settle();
        if self.is_handing_over() {
            self.hand_over();
        }
        if self.timers.borrow().has_soon() {
            // What came of timers, or while it was written.
            self.wake_soon();
        }
        self.in_turn.set(false);
    }

    fn visitor_is_ready(&self, slot: u32, event: &mio::event::Event) {
        if let Some(visitors) = self.visitors() {
            let read_closed = event.is_read_closed();
            let readable = event.is_readable() || read_closed || event.is_error();
            visitors.ready(slot, Ready { readable, writable: event.is_writable(), read_closed });
        }
    }

    fn obey(&self, command: Command) {
        match command {
            Command::Send { id, payload } => {
                self.deliver(id, &payload);
            }
            Command::SendMany { ids, payload } => {
                self.write_many(ids.into_iter(), &payload);
            }
            Command::End { id, options } => self.end(id, options),
            Command::Resume { id, token, flow } => self.resume(id, token, flow),
            Command::Exchange { exchange, request, reply } => {
                self.exchange(exchange, &request, ReplySender::Waiting(reply));
            }
            Command::ExchangeGone(exchange) => self.exchange_gone(exchange),
            Command::Upgraded { id, carrier } => self.upgraded(id, carrier),
            Command::Depart { id, word } => self.depart(id, word),
            Command::Succeed(succession) => self.succeed(*succession),
            Command::Switch(invitation) => {
                // What was written before the change leaves before it.
                self.settle();
                invitation.pass();
                self.adopt(self.house.snapshot.load_full());
            }
            Command::HandOver(moment) => self.prepare_hand_over(moment),
            Command::Shutdown { reconnect } => {
                self.stage.send_replace(Stage::GoingDown);
                self.end_all(reconnect);
                if let Some(visitors) = self.visitors() {
                    visitors.going_down();
                }
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let timer = self.timers.borrow().next();
        let beat = self.heartbeat.borrow().next();
        let lingering = (!self.lingering.borrow().is_empty()).then(|| Instant::now() + LINGERING_ROUND);
        let visitors = self.visitors.borrow().as_ref().and_then(|visitors| visitors.deadline());
        [timer, beat, lingering, visitors, self.hand_over_until()].into_iter().flatten().min()
    }

    /// A socket takes bytes again.
    fn writable(&self, id: SparkId) {
        let mut slab = self.slab.borrow_mut();
        if let Some(spark) = slab.get_mut(id)
            && !spark.dirty
            && !spark.out.is_empty()
        {
            spark.dirty = true;
            self.dirty.borrow_mut().push(id);
        }
    }

    /// Tells of those that are gone, and writes what waits.
    pub(super) fn settle(&self) {
        loop {
            while !self.dirty.borrow().is_empty() || !self.departed.borrow().is_empty() {
                self.bid_farewell();
                self.flush_dirty();
            }
            if !self.visitors().is_some_and(|visitors| visitors.settle()) {
                return;
            }
        }
    }

    /// Writes what waits, each spark's in one go. What a socket does not take now waits for it to be writable.
    fn flush_dirty(&self) {
        let mut broken = Vec::new();
        loop {
            let mut dirty = self.dirty.take();
            if dirty.is_empty() {
                break;
            }
            {
                let mut slab = self.slab.borrow_mut();
                for id in dirty.drain(..) {
                    let Some(spark) = slab.get_mut(id) else { continue };
                    spark.dirty = false;
                    let Some(stream) = spark.stream.as_mut() else { continue };
                    match spark.out.flush(stream) {
                        Ok(Flushed::All) => self.give_buffer(std::mem::take(&mut spark.out.tail)),
                        Ok(Flushed::Waiting) => {}
                        Err(_) => broken.push(id),
                    }
                }
            }
            for id in broken.drain(..) {
                self.carrier_gone(id);
            }
        }
    }
}
