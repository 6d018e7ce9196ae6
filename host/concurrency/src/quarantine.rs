//! Out of service: entered once, for one reason, and looked at before every call.

use std::sync::PoisonError;

use crate::sync::{AtomicBool, Mutex, MutexGuard, Ordering};

/// Whether something is out of service, and why.
pub struct Quarantine {
    entered: AtomicBool,
    reason: Mutex<Option<String>>,
}

impl Quarantine {
    /// It is in service.
    pub fn new() -> Self {
        Self { entered: AtomicBool::new(false), reason: Mutex::new(None) }
    }

    /// Takes it out of service; whether it was in service before. The first reason stays. `[any]`
    pub fn enter(&self, reason: &str) -> bool {
        let mut known = self.reason();
        if known.is_some() {
            return false;
        }
        *known = Some(reason.to_owned());
        // Under the lock: whoever sees it finds the reason.
        self.entered.store(true, Ordering::Relaxed);
        true
    }

    /// Whether it is out of service. `[any]`
    #[inline]
    pub fn is_entered(&self) -> bool {
        self.entered.load(Ordering::Relaxed)
    }

    /// Why it is. `[any]`
    pub fn why(&self) -> Option<String> {
        self.reason().clone()
    }

    fn reason(&self) -> MutexGuard<'_, Option<String>> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Quarantine {
    fn default() -> Self {
        Self::new()
    }
}
