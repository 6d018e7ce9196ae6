//! A shard: one thread with its own event loop, which owns the sparks that it accepted.
//!
//! Start reading at [`turn`]: a turn reads what has come, leads messages through the hooks, and at its end flushes all sparks
//! that have something to be written. [`receive`] and [`hooks`] are a message's way in, [`deliver`] its way out, [`open`] and
//! [`close`] a spark's beginning and end, [`succession`] the change from one session to another.
//!
//! Knows sparks, sessions and hooks as handles. Knows no protocol. A plugin is never called while the slab is borrowed, except
//! a session or a parser, which have no way to call back. What a plugin asks of the host never calls plugins again, except the
//! outgoing hooks of what it sends: who holds a lock meanwhile is not asked for it.

pub mod close;
pub mod deliver;
pub mod exchange;
pub mod hand_over;
pub mod heartbeat;
pub mod hooks;
pub mod inherit;
pub mod open;
pub mod receive;
pub mod standing;
pub mod succession;
pub mod timers;
pub mod turn;
pub mod visitors;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use abi_stable::std_types::RVec;
use plugin_api::SparkId;
use plugin_api::abi::host::{Fault, SessionHandle};
use plugin_api::abi::types::EventSink;
use tokio::sync::watch;

use self::close::Departed;
use self::heartbeat::Heartbeat;
use self::standing::Stage;
use self::timers::Timers;
use self::visitors::Visitors;
use crate::house::House;
use crate::snapshot::Snapshot;
use crate::spark::lingering::Lingering;
use crate::spark::slab::Slab;
use crate::upgrade::Moment;

/// The bytes that one read may bring.
const SCRATCH: usize = 256 * 1024;

/// The bytes of written out-buffers that are kept for reuse. A large one given back to the system costs its page faults again.
const SPARE_BYTES: usize = 8 << 20;

thread_local! {
    static CURRENT: RefCell<Option<Rc<Shard>>> = const { RefCell::new(None) };
}

/// Calls with the shard of this thread, if it is one's.
#[inline]
pub fn current<R>(call: impl FnOnce(&Shard) -> R) -> Option<R> {
    CURRENT.with(|current| current.borrow().as_deref().map(call))
}

/// The thread has no shard any more.
pub fn leave() {
    // Taken out first: sessions that are freed with it may ask for the current shard.
    let shard = CURRENT.take();
    // They have the shard, and the shard has them.
    let visitors = shard.as_ref().and_then(|shard| shard.visitors.take());
    drop((visitors, shard));
}

/// One shard. Only its thread has it.
pub struct Shard {
    index: u8,
    house: Arc<House>,
    snapshot: RefCell<Arc<Snapshot>>,
    slab: RefCell<Slab>,
    registry: mio::Registry,
    scratch: RefCell<Vec<u8>>,
    sinks: RefCell<Vec<EventSink>>,
    spare: RefCell<Vec<RVec<u8>>>,
    spare_bytes: Cell<usize>,
    dirty: RefCell<Vec<SparkId>>,
    /// Sparks that are gone, and of whose end nobody was told yet.
    departed: RefCell<VecDeque<Departed>>,
    /// Sparks with more to read than one turn takes.
    eager: RefCell<Vec<SparkId>>,
    timers: RefCell<Timers>,
    heartbeat: RefCell<Heartbeat>,
    lingering: RefCell<HashMap<usize, Lingering>>,
    next_lingering: Cell<usize>,
    in_turn: Cell<bool>,
    /// Connections that speak HTTP.
    visits: Cell<usize>,
    /// Who has those of them that have no task.
    visitors: RefCell<Option<Rc<dyn Visitors>>>,
    /// Changes with the picture.
    pictures: watch::Sender<()>,
    /// Their requests that may bring a spark, or that plugins answer.
    arrivals: Cell<usize>,
    stage: watch::Sender<Stage>,
    /// When it is to hand over to another process.
    moment: RefCell<Option<Arc<Moment>>>,
    /// Whether all its requests are answered for that.
    has_answered: Cell<bool>,
    /// Whether it has stopped reading for that.
    is_quiet: Cell<bool>,
    /// Whether its sparks are in another process: what is for them goes through the inbox.
    has_handed_over: Cell<bool>,
}

impl Shard {
    /// A shard for the calling thread, whose sockets are watched by `registry`.
    pub fn new(index: u8, house: Arc<House>, registry: mio::Registry) -> Rc<Self> {
        let snapshot = house.snapshot.load_full();
        let interval = snapshot.config.server.ping_interval.0;
        let shard = Rc::new(Self {
            index,
            house,
            snapshot: RefCell::new(snapshot),
            slab: RefCell::new(Slab::new(index)),
            registry,
            scratch: RefCell::new(vec![0; SCRATCH]),
            sinks: RefCell::default(),
            spare: RefCell::default(),
            spare_bytes: Cell::new(0),
            dirty: RefCell::default(),
            departed: RefCell::default(),
            eager: RefCell::default(),
            timers: RefCell::default(),
            heartbeat: RefCell::new(Heartbeat::new(interval)),
            lingering: RefCell::default(),
            next_lingering: Cell::new(0),
            in_turn: Cell::new(false),
            visits: Cell::new(0),
            visitors: RefCell::default(),
            pictures: watch::Sender::new(()),
            arrivals: Cell::new(0),
            stage: watch::Sender::new(Stage::Serving),
            moment: RefCell::default(),
            has_answered: Cell::new(false),
            is_quiet: Cell::new(false),
            has_handed_over: Cell::new(false),
        });
        CURRENT.set(Some(Rc::clone(&shard)));
        shard
    }

    /// Which of the shards it is.
    pub fn index(&self) -> u8 {
        self.index
    }

    /// What all threads share.
    pub fn house(&self) -> &Arc<House> {
        &self.house
    }

    /// The picture in force on this shard.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.borrow())
    }

    /// Whether it has no sparks and no connections.
    pub fn is_empty(&self) -> bool {
        self.slab.borrow().is_empty() && self.lingering.borrow().is_empty() && self.visits.get() == 0
    }

    /// Changes whenever another picture is in force.
    pub fn pictures(&self) -> watch::Receiver<()> {
        self.pictures.subscribe()
    }

    /// Calls into a spark's session, then carries out what it says. Whether there was such a spark.
    pub(crate) fn with_session(
        &self,
        id: SparkId,
        entry: &str,
        call: impl FnOnce(&mut SessionHandle, &mut EventSink) -> Result<(), Fault>,
    ) -> bool {
        let mut sink = self.take_sink();
        let result = {
            let mut slab = self.slab.borrow_mut();
            let Some(spark) = slab.get_mut(id) else {
                drop(slab);
                self.give_sink(sink);
                return false;
            };
            let result = spark.call(&mut sink, call);
            if !spark.dirty && !spark.out.is_empty() {
                spark.dirty = true;
                self.mark_dirty(id);
            }
            result
        };
        match result {
            Ok(()) => self.carry_out(id, &mut sink, &[]),
            Err(fault) => self.session_failed(id, entry, &fault),
        }
        self.give_sink(sink);
        true
    }

    /// Brings about a further turn.
    fn wake_soon(&self) {
        self.house.inboxes[usize::from(self.index)].wake_own();
    }

    /// Brings about a turn, if none is under way: to flush, to look at the timers anew, or to end.
    #[inline]
    pub(crate) fn wake(&self) {
        if !self.in_turn.get() {
            self.house.inboxes[usize::from(self.index)].wake_own();
        }
    }

    /// Remembers to flush a spark at the end of the turn.
    #[inline]
    fn mark_dirty(&self, id: SparkId) {
        let mut dirty = self.dirty.borrow_mut();
        if dirty.is_empty() {
            // An HTTP exchange, or a hook that waited: somebody has to bring a turn about.
            self.wake();
        }
        dirty.push(id);
    }

    #[inline]
    fn take_sink(&self) -> EventSink {
        self.sinks.borrow_mut().pop().unwrap_or_default()
    }

    #[inline]
    fn give_sink(&self, mut sink: EventSink) {
        if !sink.events.is_empty() {
            sink.events.clear();
            sink.owned.clear();
            sink.responses.clear();
        }
        self.sinks.borrow_mut().push(sink);
    }

    /// A buffer for a spark that begins to have something to write.
    #[inline]
    pub(crate) fn spare_buffer(&self) -> RVec<u8> {
        match self.spare.borrow_mut().pop() {
            Some(buffer) => {
                self.spare_bytes.set(self.spare_bytes.get() - buffer.capacity());
                buffer
            }
            None => RVec::with_capacity(512),
        }
    }

    /// Takes back a buffer that is written.
    #[inline]
    pub(crate) fn give_buffer(&self, buffer: RVec<u8>) {
        let bytes = self.spare_bytes.get() + buffer.capacity();
        if buffer.capacity() > 0 && bytes <= SPARE_BYTES {
            self.spare_bytes.set(bytes);
            self.spare.borrow_mut().push(buffer);
        }
    }
}
