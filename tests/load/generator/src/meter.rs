//! The measured window of a run: what was verified in it, and what server and generator spent meanwhile.
//!
//! Knows time, CPU clocks and counts. Knows nothing of what the messages were.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use load_report::Traffic;

use crate::latency::Latencies;
use crate::process::CpuClock;

/// A run in which nothing arrives for this long has failed.
const STALL: Duration = Duration::from_secs(10);

/// How long a run takes.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Time before the measurement, in which caches, buffers and JITs warm up.
    pub warm_up: Duration,
    /// Time measured.
    pub length: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    at: Instant,
    server: Duration,
    own: Duration,
}

/// Counts what arrives, and reads the clocks at both ends of the window.
#[derive(Debug)]
pub struct Meter {
    window: Window,
    server: CpuClock,
    began: Instant,
    opened: Option<Reading>,
    closed: Option<Reading>,
    arrived: Instant,
    messages: u64,
    latencies: Latencies,
}

impl Meter {
    /// Starts the warm-up now.
    pub fn start(window: Window, server: CpuClock) -> Self {
        let now = Instant::now();
        Self {
            window,
            server,
            began: now,
            opened: None,
            closed: None,
            arrived: now,
            messages: 0,
            latencies: Latencies::default(),
        }
    }

    /// Nanoseconds since the run began: what send times are kept in.
    pub fn elapsed(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    /// Counts `count` verified messages that were sent at `sent` and have arrived at `now` (both by [`Self::elapsed`]).
    pub fn arrived(&mut self, sent: u64, now: u64, count: u64) {
        if self.is_measuring() {
            self.messages += count;
            self.latencies.record(now.saturating_sub(sent), count);
        }
    }

    fn is_measuring(&self) -> bool {
        self.opened.is_some() && self.closed.is_none()
    }

    /// To be called once a turn of the loop, with what the turn brought. Opens and closes the window.
    ///
    /// # Errors
    /// Nothing has arrived for ten seconds, or the server's process is gone.
    pub fn turn(&mut self, arrivals: usize) -> Result<()> {
        let now = Instant::now();
        if arrivals > 0 {
            self.arrived = now;
        } else if now.duration_since(self.arrived) > STALL {
            bail!("stalled: nothing has arrived for {} s", STALL.as_secs());
        }
        match (self.opened, self.closed) {
            (None, _) if now >= self.began + self.window.warm_up => {
                self.opened = Some(self.read()?);
            }
            (Some(opened), None) if now >= opened.at + self.window.length => {
                self.closed = Some(self.read()?);
            }
            _ => {}
        }
        Ok(())
    }

    fn read(&self) -> Result<Reading> {
        Ok(Reading { at: Instant::now(), server: self.server.now()?, own: CpuClock::own().now()? })
    }

    /// Whether the window has been closed: nothing new is to be sent, what is under way is still verified.
    pub fn is_over(&self) -> bool {
        self.closed.is_some()
    }

    /// What was measured.
    ///
    /// # Errors
    /// The window was never closed, or no message arrived in it.
    pub fn report(self) -> Result<Traffic> {
        let (Some(opened), Some(closed)) = (self.opened, self.closed) else {
            bail!("the run ended before its window did");
        };
        if self.messages == 0 {
            bail!("no message arrived in the window");
        }
        let seconds = (closed.at - opened.at).as_secs_f64();
        let server = (closed.server - opened.server).as_secs_f64();
        Ok(Traffic {
            messages: self.messages,
            seconds,
            server_cpu_us: server * 1e6 / self.messages as f64,
            server_share: server / seconds,
            generator_share: (closed.own - opened.own).as_secs_f64() / seconds,
            p50_us: self.latencies.quantile(0.5),
            p99_us: self.latencies.quantile(0.99),
        })
    }
}
