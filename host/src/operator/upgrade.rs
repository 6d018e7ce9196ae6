//! An upgrade, as an operator wants it: by SIGUSR2 or over the control socket, one at a time.

use std::path::PathBuf;

use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking, spawn_local};

use super::listen::Desk;
use super::protocol::Answer;
use crate::server::Server;
use crate::upgrade::successor::own_binary;

/// An operator wants a new process to take over.
pub(super) struct Wish {
    /// Its binary; `None`: what lies where this one was started from.
    pub binary: Option<PathBuf>,
    /// Where it is told what has come of it, if anybody waits.
    pub reply: Option<oneshot::Sender<Answer>>,
}

impl Wish {
    fn answer(self, answer: Answer) {
        if let Some(reply) = self.reply {
            // Whoever asked may be gone.
            let _ = reply.send(answer);
        }
    }
}

/// The upgrade that is under way.
#[derive(Default)]
pub(super) struct Upgrade {
    task: Option<JoinHandle<Option<u32>>>,
}

impl Upgrade {
    /// Begins one, unless one is under way.
    pub fn begin(&mut self, server: &Server, desk: &Desk, wish: Wish) {
        if self.task.is_some() {
            return wish.answer(Answer::Refused("an upgrade is under way already".to_owned()));
        }
        let hand_over = match desk.share_socket().and_then(|socket| server.upgrade(socket)) {
            Ok(hand_over) => hand_over,
            Err(error) => return wish.answer(Answer::Refused(error.to_string())),
        };
        self.task = Some(spawn_local(async move {
            let binary = wish.binary.clone();
            let upgraded = spawn_blocking(move || {
                let binary = binary.map_or_else(own_binary, Ok).map_err(|error| error.to_string())?;
                hand_over(&binary).map_err(|error| error.to_string())
            });
            let upgraded = upgraded.await.unwrap_or_else(|error| Err(error.to_string()));
            match &upgraded {
                Ok(process) => wish.answer(Answer::Done(format!("process {process} has taken over"))),
                Err(reason) => {
                    tracing::error!("no upgrade, this process goes on: {reason}");
                    wish.answer(Answer::Refused(format!("the running process goes on: {reason}")));
                }
            }
            upgraded.ok()
        }));
    }

    /// The process that has taken over, once one has.
    ///
    /// # Cancel safety
    ///
    /// The upgrade goes on, and is waited for by the next call.
    pub async fn done(&mut self) -> u32 {
        loop {
            let Some(task) = &mut self.task else { return std::future::pending().await };
            let followed = task.await;
            self.task = None;
            if let Ok(Some(process)) = followed {
                return process;
            }
        }
    }
}
