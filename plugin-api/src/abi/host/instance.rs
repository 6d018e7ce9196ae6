//! A plugin's module and its started instances: its life from the manifest to the end.

use std::sync::Arc;

use abi_stable::std_types::{RSlice, RVec};

use super::super::module::{InstanceTableRef, PluginModuleRef, RawHost, RawInstance, RawRegistrar};
use super::super::status;
use super::super::types::Opaque;
use super::call::{Fault, Keep, Owner, enter};
use super::registrations::{Registrations, collect};
use crate::plugin::{Manifest, StartError};
use crate::value;

/// A loaded and checked root module.
pub struct Module {
    owner: Arc<Owner>,
}

impl Module {
    /// Over a root module whose layout was checked. `keep` holds its library.
    pub fn new(module: PluginModuleRef, keep: Keep) -> Self {
        Self { owner: Arc::new(Owner { module, _keep: keep }) }
    }

    /// The manifest.
    ///
    /// # Errors
    ///
    /// The plugin's answer is no manifest, or it panicked.
    pub fn manifest(&self) -> Result<Manifest, serde_json::Error> {
        let manifest = enter(|| (self.owner.module.manifest())());
        if manifest.is_empty() {
            return Err(serde::de::Error::custom(self.owner.fault()));
        }
        serde_json::from_str(&manifest)
    }

    /// What `declare` registers, as a plugin of this module would.
    pub(crate) fn collect(&self, declare: impl FnOnce(RawRegistrar<'_>)) -> Registrations {
        collect(&self.owner, declare).1
    }

    /// Starts an instance. `config` is JSON text. `[control]`
    ///
    /// # Errors
    ///
    /// The plugin refuses, or panicked.
    pub fn start(&self, host: RawHost, config: &str) -> Result<Instance, StartFailure> {
        let mut raw = RawInstance { object: std::ptr::null_mut(), table: None };
        let mut error = RVec::new();
        let config = RSlice::from_slice(config.as_bytes());
        let status = self.owner.call(|| (self.owner.module.start())(host, config, &mut raw, &mut error))?;
        match (status, raw.table) {
            (status::OK, Some(table)) => Ok(Instance { owner: Arc::clone(&self.owner), object: raw.object, table }),
            _ => Err(StartFailure::Refused(decoded_error(&error))),
        }
    }
}

fn decoded_error(encoded: &[u8]) -> StartError {
    value::decode(encoded).unwrap_or_else(|_| StartError::new("the plugin gave no reason"))
}

/// A plugin does not start, or does not take what it was handed.
#[derive(Debug, thiserror::Error)]
pub enum StartFailure {
    /// It says why.
    #[error(transparent)]
    Refused(#[from] StartError),
    /// It panicked.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A started plugin. Dropped after `stop`: frees the plugin's object.
pub struct Instance {
    pub(super) owner: Arc<Owner>,
    object: Opaque,
    table: InstanceTableRef,
}

// SAFETY: `Plugin` is Send + Sync; the control thread alone calls the functions, which may move.
unsafe impl Send for Instance {}
// SAFETY: as above.
unsafe impl Sync for Instance {}

impl Instance {
    /// What the plugin brings. `[control]`, once.
    ///
    /// # Errors
    ///
    /// It panicked.
    pub fn register(&self) -> Result<Registrations, Fault> {
        let (status, registrations) = collect(&self.owner, |raw| self.owner.call(|| (self.table.register())(self.object, raw)));
        status?;
        Ok(registrations)
    }

    /// Hands over a changed configuration (JSON text). `false`: a new generation is wanted. `[control]`
    ///
    /// # Errors
    ///
    /// The plugin refuses it, or panicked.
    pub fn reconfigure(&self, config: &str) -> Result<bool, StartFailure> {
        let mut error = RVec::new();
        let status =
            self.owner.call(|| (self.table.reconfigure())(self.object, RSlice::from_slice(config.as_bytes()), &mut error));
        match status? {
            status::OK => Ok(true),
            status::UNSUPPORTED => Ok(false),
            _ => Err(StartFailure::Refused(decoded_error(&error))),
        }
    }

    /// The state for the next generation. `[control]`
    ///
    /// # Errors
    ///
    /// It panicked.
    pub fn save(&self) -> Result<Option<Vec<u8>>, Fault> {
        let mut state = RVec::new();
        let status = self.owner.call(|| (self.table.save())(self.object, &mut state))?;
        Ok((status == status::OK).then(|| state.into_vec()))
    }

    /// Hands over the former generation's state. `[control]`
    ///
    /// # Errors
    ///
    /// The plugin refuses it, or panicked.
    pub fn restore(&self, state: &[u8]) -> Result<(), StartFailure> {
        let mut error = RVec::new();
        let status = self.owner.call(|| (self.table.restore())(self.object, RSlice::from_slice(state), &mut error))?;
        match status {
            status::OK => Ok(()),
            _ => Err(StartFailure::Refused(decoded_error(&error))),
        }
    }

    /// A timer of the plugin has come. `[control]`
    ///
    /// # Errors
    ///
    /// It panicked.
    pub fn timer(&self, timer: u64) -> Result<(), Fault> {
        self.owner.call(|| (self.table.timer())(self.object, timer)).map(drop)
    }

    /// Another process serves in this one's place. Plugins that know nothing of it hold what they have to their end. `[control]`
    ///
    /// # Errors
    ///
    /// It panicked.
    pub fn followed(&self) -> Result<(), Fault> {
        let Some(followed) = self.table.followed() else { return Ok(()) };
        self.owner.call(|| followed(self.object)).map(drop)
    }

    /// Ends the plugin's work. `[control]`, once, before the drop.
    ///
    /// # Errors
    ///
    /// It panicked.
    pub fn stop(&self) -> Result<(), Fault> {
        self.owner.call(|| (self.table.stop())(self.object)).map(drop)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.owner.free(|| (self.table.free())(self.object));
    }
}
