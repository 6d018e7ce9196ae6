//! Fan-out: one publisher, many receivers of one room, some publishes outstanding.
//!
//! A publish is complete when every receiver has it; only then is the next one sent. What counts is deliveries. Every
//! receiver must get every publish, in order.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use load_report::Traffic;
use mio::{Events, Interest, Poll, Token};

use crate::burst::Burst;
use crate::carrier::Carrier;
use crate::connection::Target;
use crate::dialect::Role;
use crate::message::{Message, Number};
use crate::meter::{Meter, Window};
use crate::process::CpuClock;
use crate::socket::Scratch;

/// The stream of publishes that count.
pub const PUBLISHES: u32 = 0;
/// The stream of publishes that only find out who has joined the room.
const PROBES: u32 = u32::MAX;

/// Probing a room that doesn't fill for this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is to be published.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    pub receivers: usize,
    /// Publishes that are under way at a time.
    pub outstanding: u32,
    pub window: Window,
}

/// A receiver and the publish that it is due.
#[derive(Debug)]
pub struct Receiver {
    connection: Carrier,
    due: u32,
    has_joined: bool,
}

/// The room: its publisher, and its receivers by their tokens.
#[derive(Debug)]
pub struct Room {
    poll: Poll,
    events: Events,
    receivers: Vec<Receiver>,
    publisher: Carrier,
    burst: Burst,
    message: Message,
    scratch: Scratch,
    published: u32,
}

/// Runs the workload and says what it cost.
///
/// # Errors
/// Any delivery that is lost, repeated, altered or out of order, and any connection that ends.
pub fn run(target: &Target, server: CpuClock, config: Config) -> Result<Traffic> {
    let mut room = Room::open(target, config)?;
    let outstanding = config.outstanding;
    // By the publish's sequence modulo the outstanding ones: who hasn't got it yet, and when it was sent.
    let mut missing = vec![config.receivers; outstanding as usize];
    let mut meter = Meter::start(config.window, server);
    let mut sent_at = vec![meter.elapsed(); outstanding as usize];
    room.publish(outstanding)?;
    let mut under_way = outstanding;
    let mut ready = Vec::new();
    while under_way > 0 {
        room.wait(&mut ready)?;
        let mut complete = 0;
        let mut arrivals = 0;
        for &index in &ready {
            let got = room.receive(index)?;
            arrivals += got.len();
            let now = meter.elapsed();
            for sequence in got {
                let at = (sequence % outstanding) as usize;
                meter.arrived(sent_at[at], now, 1);
                missing[at] -= 1;
                if missing[at] == 0 {
                    missing[at] = config.receivers;
                    complete += 1;
                }
            }
        }
        meter.turn(arrivals)?;
        if meter.is_over() {
            under_way -= complete;
        } else if complete > 0 {
            let now = meter.elapsed();
            for sequence in room.published..room.published + complete {
                sent_at[(sequence % outstanding) as usize] = now;
            }
            room.publish(complete)?;
        }
    }
    meter.report()
}

impl Room {
    /// Opens all connections and waits until every receiver gets what is published.
    pub fn open(target: &Target, config: Config) -> Result<Self> {
        let poll = Poll::new()?;
        let receivers = (0..config.receivers)
            .map(|index| {
                let mut connection = Carrier::open(target, Role::Receiver).with_context(|| format!("receiver {index}"))?;
                let interest = Interest::READABLE | Interest::WRITABLE;
                poll.registry().register(&mut connection, Token(index), interest)?;
                Ok(Receiver { connection, due: 0, has_joined: false })
            })
            .collect::<Result<_>>()?;
        let mut publisher = Carrier::open(target, Role::Publisher).context("publisher")?;
        let token = Token(config.receivers);
        poll.registry().register(&mut publisher, token, Interest::READABLE)?;
        let mut room = Self {
            poll,
            events: Events::with_capacity(1024),
            receivers,
            publisher,
            burst: Burst::new(target.dialect, target.length, config.outstanding.max(1) as usize),
            message: Message::new(target.length),
            scratch: Scratch::default(),
            published: 0,
        };
        room.probe()?;
        Ok(room)
    }

    /// Publishes probes until all receivers have joined: a server may join them some time after the upgrade.
    fn probe(&mut self) -> Result<()> {
        let began = Instant::now();
        let mut ready = Vec::new();
        for sequence in 0.. {
            let number = Number { stream: PROBES, sequence };
            self.publisher.send(self.burst.numbered(number, 1))?;
            let sent = Instant::now();
            while sent.elapsed() < Duration::from_millis(200) {
                self.wait(&mut ready)?;
                for &index in &ready {
                    self.receive(index)?;
                }
                if self.receivers.iter().all(|receiver| receiver.has_joined) {
                    return Ok(());
                }
            }
            let joined = self.receivers.iter().filter(|r| r.has_joined).count();
            ensure!(began.elapsed() < PATIENCE, "only {joined} of {} receivers get what is published", self.receivers.len());
        }
        bail!("probes ran out of numbers")
    }

    /// Waits for events, at most 100 ms, and says who has some.
    pub fn wait(&mut self, ready: &mut Vec<usize>) -> Result<()> {
        let most = Some(Duration::from_millis(100));
        self.poll.poll(&mut self.events, most)?;
        ready.clear();
        ready.extend(self.events.iter().map(|event| event.token().0));
        Ok(())
    }

    /// Stops watching the receivers before this one: they are read when somebody asks.
    pub fn unwatch_before(&mut self, index: usize) -> Result<()> {
        for receiver in &mut self.receivers[..index] {
            self.poll.registry().deregister(&mut receiver.connection)?;
        }
        Ok(())
    }

    /// Reads all receivers until each has every publish.
    pub fn settle(&mut self) -> Result<()> {
        let began = Instant::now();
        while self.receivers.iter().any(|r| r.due < self.published) {
            for index in 0..self.receivers.len() {
                self.receive(index)?;
            }
            ensure!(began.elapsed() < PATIENCE, "deliveries are missing");
        }
        Ok(())
    }

    /// How many publishes have been sent.
    pub fn published(&self) -> u32 {
        self.published
    }

    /// Sends the next `count` publishes in one write.
    pub fn publish(&mut self, count: u32) -> Result<()> {
        let first = Number { stream: PUBLISHES, sequence: self.published };
        self.published += count;
        let bytes = self.burst.numbered(first, count as usize);
        self.publisher.send(bytes).context("publisher")
    }

    /// Reads what a connection has, and says which publishes it got. A token past the receivers is the publisher's.
    pub fn receive(&mut self, index: usize) -> Result<std::ops::Range<u32>> {
        let Some(receiver) = self.receivers.get_mut(index) else {
            self.publisher.flush()?;
            self.publisher.receive(&mut self.scratch, |_| bail!("the publisher isn't in the room")).context("publisher")?;
            return Ok(0..0);
        };
        let Receiver { connection, due, has_joined } = receiver;
        let (before, message) = (*due, &mut self.message);
        connection
            .receive(&mut self.scratch, |payload| {
                let number = Number { stream: PUBLISHES, sequence: *due };
                if let Err(mismatch) = message.check(number, payload) {
                    // Probes come before the publishes, and are looked at only when it isn't one of those.
                    ensure!(*due == 0 && is_probe(payload), mismatch);
                    *has_joined = true;
                    return Ok(());
                }
                *due += 1;
                Ok(())
            })
            .with_context(|| format!("receiver {index}"))?;
        Ok(before..*due)
    }
}

fn is_probe(payload: &[u8]) -> bool {
    payload.get(1..9) == Some(b"ffffffff")
}
