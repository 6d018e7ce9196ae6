//! A shard hands over: it stops between two messages, tells the other process what it has, and goes on or ends.
//!
//! What it tells it also keeps, unchanged, until it is known that the other process has it.

use std::cell::RefCell;
use std::collections::HashSet;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

use concurrency::moment::Outcome;
use plugin_api::{Carries, DisconnectReason, SparkId, value};
use serde::Serialize;

use super::Shard;
use super::standing::Stage;
use super::visitors::Silent;
use crate::inbox::{Command, Inbox};
use crate::spark::{Phase, Rare, Spark};
use crate::upgrade::Moment;
use crate::upgrade::channel::{Channel, Kind, MOST};
use crate::upgrade::letters::letter;
use crate::upgrade::records::{FreshRecord, LeftRecord, LettersRecord, SlotsRecord, SparkRecord, SparksRecord, WhoRecord};

/// The bytes of sparks from which on they are sent.
const BATCH: usize = 128 * 1024;

/// Slots in one record.
const SLOTS: usize = 64 * 1024;

/// What a shard has told.
#[derive(Default)]
struct Told {
    moved: Vec<SparkId>,
    /// What was in its inbox and not carried out.
    commands: Vec<Command>,
}

impl Shard {
    /// Nothing new begins; at the end of a turn in which nothing is under way, it hands over.
    pub(super) fn prepare_hand_over(&self, moment: Arc<Moment>) {
        if !self.is_going_down() {
            self.stage.send_replace(Stage::HandingOver);
        }
        self.moment.replace(Some(moment));
    }

    /// Whether it is about to hand over.
    pub(super) fn is_handing_over(&self) -> bool {
        self.moment.borrow().is_some()
    }

    /// Whether it reads what comes from sparks. About to hand over, it stops once all requests to all shards are answered: what
    /// plugins are then still asked is about messages that were read before. It looks at all sockets again should it go on.
    pub(super) fn still_reads(&self) -> bool {
        if let Some(moment) = self.moment.borrow().as_deref() {
            if self.arrivals.get() == 0 && !self.has_answered.replace(true) && moment.has_answered() {
                self.house.inboxes.iter().for_each(Inbox::wake_own);
            }
            if moment.is_answered() {
                self.is_quiet.set(true);
            }
        }
        !self.is_quiet.get()
    }

    /// By when it hands over in any case.
    pub(super) fn hand_over_until(&self) -> Option<Instant> {
        self.moment.borrow().as_ref().map(|moment| moment.until())
    }

    /// Hands over, if it is to and nothing is under way.
    pub(super) fn hand_over(&self) {
        let is_ready = || self.is_quiet.get() && !self.is_under_way();
        let is_time = |moment: &Arc<Moment>| Instant::now() >= moment.until() || is_ready();
        let Some(moment) = self.moment.borrow_mut().take_if(|moment| is_time(moment)) else { return };
        let told = RefCell::default();
        let outcome = match moment.stop() {
            Some(channel) => {
                let result = self.tell(&channel, &mut told.borrow_mut());
                moment.told(result)
            }
            None => Outcome::Kept,
        };
        let Told { moved, mut commands } = told.into_inner();
        match outcome {
            Outcome::Taken(refused) => {
                commands.retain(|command| letter(command, &self.house.numbers).is_none());
                self.house.inboxes[usize::from(self.index)].put_back(commands);
                self.let_go(&moved, &refused);
            }
            Outcome::Kept => {
                self.house.inboxes[usize::from(self.index)].put_back(commands);
                self.go_on();
            }
        }
    }

    /// Whether there is something that has to come to its end here: requests that may bring a spark, sparks that a hook was asked
    /// about, messages that a hook thinks about.
    fn is_under_way(&self) -> bool {
        let slab = self.slab.borrow();
        let waits = |spark: &Spark| match spark.phase {
            Phase::Opening => !spark.bare,
            Phase::Deferred => true,
            Phase::Open | Phase::Closing => false,
        };
        self.arrivals.get() > 0 || slab.ids().into_iter().any(|id| slab.get(id).is_some_and(waits))
    }

    /// Tells the other process everything.
    fn tell(&self, channel: &Channel, told: &mut Told) -> Result<(), String> {
        let shard = self.index;
        told.commands = self.house.inboxes[usize::from(shard)].take();
        let letters: Vec<_> = told.commands.iter().filter_map(|command| letter(command, &self.house.numbers)).collect();
        let slab = self.slab.borrow();
        let generations: Vec<u32> = slab.generations().collect();
        for part in generations.chunks(SLOTS) {
            say(channel, Kind::Slots, &SlotsRecord { shard, generations: part.to_vec() }, &[])?;
        }
        let now = Instant::now();
        let timers = self.timers.borrow().left(now);
        let steps = self.heartbeat.borrow().steps();
        let mut left = Vec::new();
        let mut batch = Vec::new();
        let mut streams: Vec<BorrowedFd<'_>> = Vec::new();
        let mut bytes = 0;
        for id in slab.ids() {
            let Some(spark) = slab.get(id) else { continue };
            let (Some(session), Some(stream)) = (self.saved(spark), &spark.stream) else {
                let reason = spark.rare.as_ref().and_then(|rare| rare.ending.clone());
                left.push((who(spark), reason.unwrap_or(DisconnectReason::Server)));
                continue;
            };
            let set = spark.rare.iter().flat_map(|rare| &rare.timers);
            let record = SparkRecord {
                who: who(spark),
                transport: spark.session.transport().name().to_owned(),
                session,
                parser: spark.parser.handle.name().to_owned(),
                class: spark.class.map_or(0, |class| class.0.get()),
                text_only: spark.carries == Carries::Text,
                alive: spark.alive,
                pings: spark.pings,
                beat: steps.get(&id).copied().unwrap_or_default(),
                timers: set.filter_map(|(timer, sequence)| Some((*timer, timers.get(sequence)?.as_millis() as u64))).collect(),
                out: spark.out.to_vec(),
            };
            bytes += record.session.len() + record.out.len() + record.who.info.len() + 200;
            batch.push(record);
            streams.push(stream.as_fd());
            told.moved.push(id);
            if batch.len() == MOST || bytes >= BATCH {
                say(channel, Kind::Sparks, &SparksRecord { shard, sparks: std::mem::take(&mut batch) }, &streams)?;
                streams.clear();
                bytes = 0;
            }
        }
        say(channel, Kind::Sparks, &SparksRecord { shard, sparks: batch }, &streams)?;
        say(channel, Kind::Left, &LeftRecord { shard, sparks: left }, &[])?;
        say(channel, Kind::Letters, &LettersRecord { shard, letters }, &[])?;
        let mut result = Ok(());
        if let Some(visitors) = self.visitors() {
            visitors.show_silent(&mut |silent| result = tell_silent(channel, shard, silent));
        }
        result
    }

    /// What a spark's session has saved, if the spark can go over.
    fn saved(&self, spark: &Spark) -> Option<Vec<u8>> {
        let between_messages = match spark.phase {
            Phase::Open => true,
            Phase::Opening => spark.bare,
            Phase::Deferred | Phase::Closing => false,
        };
        // Whose connection goes on in a plugin can't leave that plugin's process; who is to take a spark over tries that again.
        let stays =
            |rare: &Rare| !rare.held.is_empty() || rare.deferred.is_some() || rare.carrier.is_some() || rare.heir.is_some();
        let holds = spark.rare.as_deref().is_some_and(stays);
        // An exchange that is open can't be answered from elsewhere.
        if !between_messages || holds || spark.stream.is_none() || self.has_exchanges(spark.info.id) {
            return None;
        }
        match spark.session.save() {
            Ok(session) => session,
            Err(fault) => {
                self.snapshot().transport_failed(spark.session.transport(), "a session's save", &fault);
                None
            }
        }
    }

    /// The other process has it: what went over is forgotten, the rest ends, and then the shard.
    fn let_go(&self, moved: &[SparkId], refused: &HashSet<u64>) {
        let visitors = self.visitors();
        if let Some(visitors) = &visitors {
            visitors.let_go_of_silent();
        }
        for id in moved.iter().filter(|id| !refused.contains(&id.raw())) {
            let Some(mut spark) = self.slab.borrow_mut().remove(*id) else { continue };
            if let Some(stream) = &mut spark.stream
                && let Err(error) = self.registry.deregister(stream)
            {
                // The poller would go on telling of a socket that the other process keeps open.
                tracing::error!(spark = %id, %error, "a connection that went over is still watched");
            }
            self.slab.borrow_mut().release(*id);
        }
        let rest = self.slab.borrow().ids();
        for id in rest {
            // The other process tells the plugins, whose states it has.
            self.with_spark(id, |spark| spark.announced = false);
        }
        self.has_handed_over.set(true);
        self.stage.send_replace(Stage::GoingDown);
        self.end_all(true);
        self.drop_unreachable();
        // Those that are left say farewell, too.
        self.read_again();
        if let Some(visitors) = visitors {
            visitors.going_down();
        }
        self.settle();
    }

    /// Reads what comes. What came meanwhile was not read, and is not told of again.
    fn read_again(&self) {
        self.is_quiet.set(false);
        self.eager.borrow_mut().extend(self.slab.borrow().ids());
    }

    /// Sessions that a request would have to come for: it comes to the other process now, and finds none there.
    fn drop_unreachable(&self) {
        let ids = self.slab.borrow().ids();
        for id in ids {
            let is_reached =
                |spark: &Spark| spark.stream.is_some() || spark.rare.as_ref().is_some_and(|rare| rare.carrier.is_some());
            let is_reached = self.slab.borrow().get(id).is_some_and(is_reached);
            if !is_reached && !self.has_exchanges(id) {
                self.finish(id, &DisconnectReason::Server);
            }
        }
    }

    /// It has come to nothing.
    fn go_on(&self) {
        self.stage.send_if_modified(|stage| {
            let handing_over = *stage == Stage::HandingOver;
            if handing_over {
                *stage = Stage::Serving;
            }
            handing_over
        });
        self.has_answered.set(false);
        self.read_again();
        if let Some(visitors) = self.visitors() {
            visitors.go_on();
        }
        self.wake_soon();
    }
}

fn who(spark: &Spark) -> WhoRecord {
    WhoRecord {
        id: spark.info.id.raw(),
        secret: spark.info.secret,
        since_s: spark.info.since_s,
        info: spark.info.encoded.to_vec(),
        announced: spark.announced,
        bare: spark.bare,
    }
}

fn tell_silent(channel: &Channel, shard: u8, silent: &[Silent<'_>]) -> Result<(), String> {
    for part in silent.chunks(MOST) {
        let (streams, peers): (Vec<_>, Vec<_>) = part.iter().map(|one| (one.stream, one.peer.to_string())).unzip();
        say(channel, Kind::Fresh, &FreshRecord { shard, peers }, &streams)?;
    }
    Ok(())
}

fn say(channel: &Channel, kind: Kind, record: &impl Serialize, beside: &[BorrowedFd<'_>]) -> Result<(), String> {
    let encoded = value::to_vec(record).map_err(|error| error.to_string())?;
    channel.send(kind, &encoded, beside).map_err(|error| error.to_string())
}
