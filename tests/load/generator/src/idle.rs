//! Idle connections: what the server's resident set grows by, a connection.
//!
//! Each connection has said something and was answered, as a connection in use has, and is then left alone. One whose session
//! HTTP exchanges carry is left with the exchange that waits for messages. A few connections go before the first reading, so
//! that code and tables that any connection needs aren't counted as theirs.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use load_report::Idle;

use crate::burst::Burst;
use crate::carrier::Carrier;
use crate::connection::Target;
use crate::dialect::Role;
use crate::message::{Message, Number};
use crate::process::resident_bytes;
use crate::socket::Scratch;

/// Connections that come and go before the first reading. Few: what they leave to the allocator is used again.
const FIRST: u32 = 50;

const PATIENCE: Duration = Duration::from_secs(10);

/// Opens the connections and reads the resident set before and after.
pub fn run(target: &Target, server: u32, connections: u32) -> Result<Idle> {
    let first = open(target, FIRST)?;
    drop(first);
    let before = settled(server)?;
    let held = open(target, connections)?;
    let after = settled(server)?;
    Ok(Idle { connections: held.len() as u64, before, after })
}

fn open(target: &Target, count: u32) -> Result<Vec<Carrier>> {
    let mut scratch = Scratch::default();
    let mut message = Message::new(target.length);
    let mut burst = Burst::new(target.dialect, target.length, 1);
    (0..count)
        .map(|stream| {
            let mut client = Carrier::open(target, Role::Echo)?;
            let number = Number { stream, sequence: 0 };
            client.send(burst.numbered(number, 1))?;
            let sent = Instant::now();
            let mut echoes = 0;
            while echoes == 0 || client.is_sending() {
                echoes += client.receive(&mut scratch, |payload| Ok(message.check(number, payload)?))?;
                ensure!(sent.elapsed() < PATIENCE, "no echo");
                sleep(Duration::from_micros(50));
            }
            client.rest()?;
            Ok(client)
        })
        .enumerate()
        .map(|(at, opened)| opened.with_context(|| format!("connection {at}")))
        .collect()
}

/// The resident set once two readings in a row are alike (16 KiB), or after five seconds.
fn settled(server: u32) -> Result<u64> {
    let mut last = resident_bytes(server)?;
    for _ in 0..16 {
        sleep(Duration::from_millis(300));
        let now = resident_bytes(server)?;
        if now.abs_diff(last) <= 16 * 1024 {
            return Ok(now);
        }
        last = now;
    }
    Ok(last)
}
