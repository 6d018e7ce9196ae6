//! What a supervisor such as systemd is told: ready, reloading, stopping, still alive (sd_notify(3)).
//!
//! The supervisor says where in `NOTIFY_SOCKET`; without it nobody is told. Knows the words; does not know what they are said of.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use crate::house::House;

/// The variable with the number of the process that the watchdog is for.
pub const WATCHDOG_PID: &str = "WATCHDOG_PID";

/// Where a supervisor is told, if there is one.
#[derive(Clone, Default)]
pub struct Supervisor {
    told: Option<Arc<(UnixDatagram, SocketAddr)>>,
    /// How often it wants to hear that the process lives.
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// The one that the environment names: an absolute path, or a name behind `@`.
    pub fn from_environment() -> Self {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return Self::default() };
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
            _ => SocketAddr::from_pathname(&name),
        };
        let told = address.and_then(|address| {
            let socket = UnixDatagram::unbound()?;
            // A supervisor that does not listen holds nobody up.
            socket.set_nonblocking(true)?;
            Ok((socket, address))
        });
        match told {
            Ok(told) => Self { told: Some(Arc::new(told)), watchdog: watchdog_interval() },
            Err(error) => {
                tracing::warn!(%error, "NOTIFY_SOCKET names no socket");
                Self::default()
            }
        }
    }

    /// It serves, and how in one line.
    pub fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}"));
    }

    /// It reads its configuration again; [`Supervisor::ready`] follows.
    pub fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let microseconds = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}\nSTATUS=reads its configuration"));
    }

    /// Another process serves in its place, and is to be supervised instead.
    pub fn followed_by(&self, process: u32) {
        self.tell(&format!("MAINPID={process}\nREADY=1\nSTATUS=has handed over"));
    }

    /// It goes down.
    pub fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=goes down");
    }

    /// When it is to hear that the server lives.
    pub fn watchdog(&self) -> Watchdog {
        // Half of the time that it waits, as sd_watchdog_enabled(3) advises.
        Watchdog { supervisor: self.clone(), interval: self.watchdog.map(|most| most / 2), turns: Vec::new() }
    }

    fn tell(&self, what: &str) {
        if let Some((socket, address)) = self.told.as_deref()
            && let Err(error) = socket.send_to_addr(what.as_bytes(), address)
        {
            tracing::debug!(%error, "the supervisor is not told");
        }
    }
}

fn watchdog_interval() -> Option<Duration> {
    number("WATCHDOG_USEC").filter(|most| is_watched() && *most > 0).map(Duration::from_micros)
}

/// Whether the watchdog that the environment tells of is this process's.
pub fn is_watched() -> bool {
    number(WATCHDOG_PID).is_none_or(|process| process == u64::from(std::process::id()))
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Tells the supervisor again and again that the server lives: every shard has had a turn since the last time.
pub struct Watchdog {
    supervisor: Supervisor,
    interval: Option<Duration>,
    /// The turns that each shard had had by then.
    turns: Vec<u64>,
}

impl Watchdog {
    /// Waits for the next time, and tells. Without a watchdog it waits for ever.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, the time begins anew: what cancels it is to be rare.
    pub async fn due(&mut self, house: &House) {
        let Some(interval) = self.interval else { return std::future::pending().await };
        tokio::time::sleep(interval).await;
        let turns: Vec<u64> = house.inboxes.iter().map(|inbox| inbox.turns()).collect();
        let stuck = self.turns.iter().zip(&turns).position(|(before, now)| before == now);
        match stuck.filter(|&shard| !house.inboxes[shard].is_closed()) {
            Some(shard) => {
                tracing::error!(shard, "has had no turn for {interval:?}: the supervisor is not told that all is well")
            }
            None => self.supervisor.tell("WATCHDOG=1"),
        }
        self.turns = turns;
        for inbox in &house.inboxes {
            inbox.wake_own();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supervisor_is_told_in_its_own_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let heard = UnixDatagram::bind(&path).unwrap();
        let told = (UnixDatagram::unbound().unwrap(), SocketAddr::from_pathname(&path).unwrap());
        let supervisor = Supervisor { told: Some(Arc::new(told)), watchdog: None };
        let hear = || {
            let mut text = [0; 200];
            let len = heard.recv(&mut text).unwrap();
            String::from_utf8_lossy(&text[..len]).into_owned()
        };
        supervisor.ready("serves at 127.0.0.1:1");
        assert_eq!(hear(), "READY=1\nSTATUS=serves at 127.0.0.1:1");
        supervisor.reloading();
        let reloading = hear();
        let time = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).unwrap();
        assert!(reloading.starts_with("RELOADING=1\n") && time.parse::<u64>().unwrap() > 0, "{reloading}");
        supervisor.followed_by(7);
        assert_eq!(hear(), "MAINPID=7\nREADY=1\nSTATUS=has handed over");
        supervisor.stopping();
        assert_eq!(hear(), "STOPPING=1\nSTATUS=goes down");
        drop(heard);
        supervisor.stopping();
    }
}
