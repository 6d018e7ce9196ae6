//! Whether the client is there. Version 4: the server asks, and the client answers in time. Version 3: the client asks, and the
//! server listens.

use plugin_api::{Events, TimerId};

use crate::config::Server;
use crate::packet::Version;

/// The heartbeat's timer.
pub const TIMER: TimerId = TimerId(1);

/// What a heartbeat waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heartbeat {
    /// The time to ask.
    Resting,
    /// The client's answer, or its question.
    Listening,
}

/// What is to be done when the timer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// Ask the client.
    Ping,
    /// The client is not there.
    Dead,
}

impl Heartbeat {
    /// The first one.
    pub fn start(server: &Server, version: Version, events: &mut Events<'_>) -> Self {
        match version {
            Version::Four => {
                events.set_timer(TIMER, server.ping_interval);
                Self::Resting
            }
            Version::Three => {
                events.set_timer(TIMER, server.ping_interval + server.ping_timeout);
                Self::Listening
            }
        }
    }

    /// The timer has come.
    pub fn timeout(&mut self, server: &Server, events: &mut Events<'_>) -> Beat {
        match self {
            Self::Resting => {
                *self = Self::Listening;
                events.set_timer(TIMER, server.ping_timeout);
                Beat::Ping
            }
            Self::Listening => Beat::Dead,
        }
    }

    /// The client has asked or answered.
    pub fn heard(&mut self, server: &Server, version: Version, events: &mut Events<'_>) {
        events.alive();
        *self = Self::start(server, version, events);
    }
}
