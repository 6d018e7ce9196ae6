//! What the control thread is asked, and where.

use std::sync::mpsc::{self, Receiver, Sender};

/// What the control thread is asked.
pub enum Request {
    /// Something in the plugins folder or the configuration has changed.
    Changed,
    /// A plugin sets a timer.
    SetTimer {
        /// Which plugin.
        plugin: String,
        /// Which of its generations.
        generation: u64,
        /// Its number.
        timer: u64,
        /// From now.
        after_ms: u64,
    },
    /// A plugin clears a timer.
    ClearTimer {
        /// Which plugin.
        plugin: String,
        /// Which of its generations.
        generation: u64,
        /// Its number.
        timer: u64,
    },
    /// All plugins are stopped, and the thread ends.
    Stop,
}

/// Where the control thread is asked. Never blocks.
#[derive(Clone)]
pub struct ControlSender(Sender<Request>);

impl ControlSender {
    /// A sender and what it sends to.
    pub fn channel() -> (Self, Receiver<Request>) {
        let (sender, receiver) = mpsc::channel();
        (Self(sender), receiver)
    }

    /// Asks.
    pub fn send(&self, request: Request) {
        // It fails only when the process ends.
        let _ = self.0.send(request);
    }
}
