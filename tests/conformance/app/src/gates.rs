//! Gates: what connections wait at until a test opens them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

/// Gates by name, each with those who wait.
#[derive(Default)]
pub struct Gates(Mutex<HashMap<String, Vec<oneshot::Sender<()>>>>);

impl Gates {
    /// Waits until the gate is opened.
    pub async fn pass(&self, gate: String) {
        let (open, opened) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(gate).or_default().push(open);
        // An error means that the plugin is stopped, and there is nothing left to wait for.
        let _ = opened.await;
    }

    /// Lets in who waits at the gate, and answers how many that were.
    pub fn open(&self, gate: &str) -> usize {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(gate).unwrap_or_default();
        waiting.into_iter().filter_map(|open| open.send(()).ok()).count()
    }
}
