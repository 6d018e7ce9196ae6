//! Acknowledgements that clients owe.
//!
//! Knows who waits for what; sends nothing and measures no time.

use std::collections::HashMap;

use plugin_api::SparkId;
use serde::{Deserialize, Serialize};

/// One acknowledgement that is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    /// Who owes it.
    pub(crate) spark: SparkId,
    /// The service that is told its outcome, and the number by which it knows the request.
    pub(crate) tell: String,
    pub(crate) token: u64,
    /// How long it is waited for.
    pub(crate) timeout_ms: u64,
}

/// All acknowledgements that are waited for, by the id in their packets.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// Ids are never used twice, so that a late acknowledgement is taken for no other.
    last_id: u64,
    requests: HashMap<u64, Request>,
    by_spark: HashMap<SparkId, Vec<u64>>,
}

/// A client owes as many acknowledgements as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client owes {0} acknowledgements already, which is the most")]
pub(crate) struct TooMany(usize);

impl Pending {
    /// Takes a request down; its id.
    pub(crate) fn add(&mut self, request: Request, max_per_spark: usize) -> Result<u64, TooMany> {
        let owed = self.by_spark.entry(request.spark).or_default();
        if owed.len() >= max_per_spark {
            return Err(TooMany(max_per_spark));
        }
        self.last_id += 1;
        owed.push(self.last_id);
        self.requests.insert(self.last_id, request);
        Ok(self.last_id)
    }

    /// Strikes a request out, whoever owes it.
    pub(crate) fn remove(&mut self, id: u64) -> Option<Request> {
        let request = self.requests.remove(&id)?;
        if let Some(owed) = self.by_spark.get_mut(&request.spark) {
            owed.retain(|other| *other != id);
            if owed.is_empty() {
                self.by_spark.remove(&request.spark);
            }
        }
        Some(request)
    }

    /// Strikes a request out that this spark owes; other sparks can't acknowledge for it.
    pub(crate) fn acknowledge(&mut self, spark: SparkId, id: u64) -> Option<Request> {
        self.requests.get(&id).is_some_and(|request| request.spark == spark).then(|| self.remove(id))?
    }

    /// Strikes out all that a spark owes, in the order of asking.
    pub(crate) fn remove_all(&mut self, spark: SparkId) -> Vec<(u64, Request)> {
        let owed = self.by_spark.remove(&spark).unwrap_or_default();
        owed.into_iter().filter_map(|id| Some((id, self.requests.remove(&id)?))).collect()
    }

    /// All requests with their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Request)> {
        self.requests.iter().map(|(id, request)| (*id, request))
    }
}
