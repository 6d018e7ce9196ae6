//! A connection's state for another process to go on with: what is incomplete, and what was agreed upon.
//!
//! An encoded value (CBOR). A later version adds fields with a default. A connection can be saved between its handshake and the
//! first word of its end, unless it holds a compression context of the client's (see [`crate::deflate::Contexts::save`]).

use std::sync::Arc;

use plugin_api::value;
use serde::{Deserialize, Serialize};

use super::{Connection, Phase, Unfinished};
use crate::deflate::{Contexts, SavedContexts};
use crate::endpoint::Endpoint;
use crate::incomplete::{Incomplete, SavedIncomplete};

#[derive(Serialize, Deserialize)]
struct Saved {
    incomplete: Option<SavedIncomplete>,
    contexts: Option<SavedContexts>,
}

impl<Note> Connection<Note> {
    /// The state; `None` where it can't be saved. The note is the protocol's above.
    pub fn save(&self) -> Option<Vec<u8>> {
        if self.phase != Phase::Open {
            return None;
        }
        let incomplete = match self.unfinished.as_deref() {
            Some(Unfinished::Incoming(incomplete)) => Some(incomplete.save()),
            Some(Unfinished::Ending(_)) | None => None,
        };
        let contexts = match &self.contexts {
            Some(contexts) => Some(contexts.save()?),
            None => None,
        };
        value::to_vec(&Saved { incomplete, contexts }).ok()
    }

    /// A connection that goes on from a saved state; `None` where that makes no sense.
    pub fn restore(endpoint: Arc<Endpoint>, note: Note, state: &[u8]) -> Option<Self> {
        let saved: Saved = value::decode(state).ok()?;
        let unfinished = match saved.incomplete {
            Some(saved) => Some(Box::new(Unfinished::Incoming(Incomplete::restore(saved)?))),
            None => None,
        };
        let contexts = match saved.contexts {
            Some(saved) => Some(Box::new(Contexts::restore(&saved)?)),
            None => None,
        };
        Some(Self { endpoint, unfinished, contexts, phase: Phase::Open, note })
    }
}
