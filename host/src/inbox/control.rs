//! What the control thread is asked, and where.

use std::sync::mpsc::{self, Receiver, Sender};

use tokio::sync::oneshot;

use crate::operator::place::Shared;
use crate::operator::protocol::Answer;
use crate::upgrade::successor::{Successor, UpgradeError};

/// What an operator wants of the control thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// How all plugins stand.
    Report,
    /// A new generation of a plugin, from its file.
    Reload {
        /// Its name.
        plugin: String,
    },
    /// A look at the configuration and the folder, now.
    Settle {
        /// The plugin that it is about, if it is about one.
        plugin: Option<String>,
    },
}

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
    /// A plugin has stopped.
    Stopped,
    /// An operator wants something.
    Operate {
        /// What.
        order: Order,
        /// Where it is told what has come of it.
        reply: oneshot::Sender<Answer>,
    },
    /// Everything goes to another process.
    HandOver(Box<HandOver>),
    /// All plugins are stopped, and the thread ends.
    Stop,
}

/// Everything goes to another process.
pub struct HandOver {
    /// Which is complete.
    pub successor: Successor,
    /// The control socket, if there is one.
    pub socket: Option<Shared>,
    /// Where it is told what has become of it: the number of the process that serves now.
    pub reply: Sender<Result<u32, UpgradeError>>,
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
