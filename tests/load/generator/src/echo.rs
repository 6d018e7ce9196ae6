//! Echo: every connection keeps some messages under way and sends a new one for each that came back.
//!
//! All messages that one read brings back are answered by one write: the server sees bursts as large as it makes them.

use std::time::Duration;

use anyhow::{Context, Result};
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

/// What is to be echoed.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    pub connections: u32,
    /// Messages that each connection keeps under way.
    pub pipeline: u32,
    pub window: Window,
}

struct Client {
    connection: Carrier,
    sent: u32,
    returned: u32,
    /// When each message under way was sent, by its sequence modulo the pipeline.
    sent_at: Vec<u64>,
}

/// Runs the workload and says what it cost.
///
/// # Errors
/// Any message that is lost, repeated, altered or out of order, and any connection that ends.
pub fn run(target: &Target, server: CpuClock, config: Config) -> Result<Traffic> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut scratch = Scratch::default();
    let mut message = Message::new(target.length);
    let mut burst = Burst::new(target.dialect, target.length, config.pipeline as usize);
    let mut clients = open(target, config, &poll)?;
    let mut meter = Meter::start(config.window, server);
    for (stream, client) in (0..).zip(&mut clients) {
        client.send(stream, config.pipeline, &mut burst, &meter)?;
    }
    let mut under_way = u64::from(config.connections) * u64::from(config.pipeline);
    while under_way > 0 {
        poll.poll(&mut events, Some(Duration::from_millis(100)))?;
        let mut arrivals = 0;
        for event in &events {
            let stream = event.token().0 as u32;
            let client = &mut clients[stream as usize];
            let turn = || format!("connection {stream}");
            client.connection.flush().with_context(turn)?;
            let count = client.receive(stream, &mut scratch, &mut message, &mut meter).with_context(turn)?;
            arrivals += count as usize;
            if meter.is_over() {
                under_way -= u64::from(count);
            } else if count > 0 {
                client.send(stream, count, &mut burst, &meter).with_context(turn)?;
            }
        }
        meter.turn(arrivals)?;
    }
    meter.report()
}

fn open(target: &Target, config: Config, poll: &Poll) -> Result<Vec<Client>> {
    (0..config.connections)
        .map(|stream| {
            let mut connection = Carrier::open(target, Role::Echo)?;
            poll.registry().register(&mut connection, Token(stream as usize), Interest::READABLE | Interest::WRITABLE)?;
            Ok(Client { connection, sent: 0, returned: 0, sent_at: vec![0; config.pipeline as usize] })
        })
        .collect()
}

impl Client {
    fn send(&mut self, stream: u32, count: u32, burst: &mut Burst, meter: &Meter) -> Result<()> {
        let now = meter.elapsed();
        let pipeline = self.sent_at.len();
        for sequence in self.sent..self.sent + count {
            self.sent_at[sequence as usize % pipeline] = now;
        }
        let first = Number { stream, sequence: self.sent };
        self.sent += count;
        self.connection.send(burst.numbered(first, count as usize))
    }

    fn receive(&mut self, stream: u32, scratch: &mut Scratch, message: &mut Message, meter: &mut Meter) -> Result<u32> {
        let before = self.returned;
        let (returned, sent) = (&mut self.returned, self.sent);
        self.connection.receive(scratch, |payload| {
            let due = Number { stream, sequence: *returned };
            message.check(due, payload)?;
            anyhow::ensure!(*returned < sent, "an echo of what was never sent");
            *returned += 1;
            Ok(())
        })?;
        let now = meter.elapsed();
        let pipeline = self.sent_at.len();
        for sequence in before..self.returned {
            meter.arrived(self.sent_at[sequence as usize % pipeline], now, 1);
        }
        Ok(self.returned - before)
    }
}
