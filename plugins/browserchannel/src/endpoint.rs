//! What all sessions share: settings, the directory, the seats of each address, and sessions whose clients have come anew.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use plugin_api::StartError;
use seats::Seats;

use crate::config::{Config, Settings};
use crate::directory::Directory;

/// What all sessions share.
#[derive(Debug)]
pub struct Endpoint {
    /// The configuration.
    pub settings: Settings,
    /// Which session is which spark.
    pub directory: Directory,
    /// How many sessions each address has.
    pub seats: Arc<Seats>,
    /// The public ids of sparks whose clients have opened a new session in their place.
    abandoned: Mutex<Vec<String>>,
}

impl Endpoint {
    /// Without sessions.
    ///
    /// # Errors
    /// The first setting that makes no sense.
    pub fn new(config: &Config) -> Result<Self, StartError> {
        Ok(Self {
            settings: Settings::new(config)?,
            directory: Directory::default(),
            seats: Arc::new(Seats::new(config.max_sessions_per_address)),
            abandoned: Mutex::default(),
        })
    }

    /// One of the prefixes of the host's name, if there are any.
    pub fn host_prefix(&self) -> Option<&str> {
        let prefixes = &self.settings.host_prefixes;
        // The standard library's keys are random.
        let chance = RandomState::new().build_hasher().finish() as usize;
        prefixes.get(chance.checked_rem(prefixes.len())?).map(String::as_str)
    }

    /// A client has a new session, and this one no more.
    pub fn abandon(&self, sid: &str) {
        if let Some(spark) = self.directory.leave(sid) {
            self.abandoned.lock().unwrap_or_else(PoisonError::into_inner).push(spark);
        }
    }

    /// Takes the sparks that were abandoned.
    pub fn take_abandoned(&self) -> Vec<String> {
        std::mem::take(&mut self.abandoned.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
