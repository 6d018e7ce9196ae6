//! Calls into a plugin: counted, so that a panic knows whether it will be caught, and answered with a [`Fault`] where it was.

use std::any::Any;
use std::cell::Cell;
use std::sync::Arc;

use abi_stable::std_types::RVec;

use super::super::module::PluginModuleRef;
use super::super::status;

/// A plugin panicked in a call; caught on its side, the report taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the plugin panicked: {report}")]
pub struct Fault {
    /// Message, place and backtrace.
    pub report: String,
}

thread_local! {
    /// How many calls into plugins this thread is in.
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

/// Calls into a plugin. A call never unwinds: the plugin catches its panics, and what escapes it aborts.
///
/// The count is kept on this side because a thread-local costs next to nothing in an executable, and more than the whole call in
/// a library.
#[inline]
pub(super) fn enter<T>(call: impl FnOnce() -> T) -> T {
    CALLS.set(CALLS.get() + 1);
    let result = call();
    CALLS.set(CALLS.get() - 1);
    result
}

/// Whether this thread is in a call into a plugin, for `HostTable::calling`.
pub(crate) extern "C" fn calling() -> u8 {
    u8::from(CALLS.get() > 0)
}

/// What keeps a generation's library and bookkeeping alive.
pub type Keep = Arc<dyn Any + Send + Sync>;

/// A generation as handles refer to it.
pub(super) struct Owner {
    pub(super) module: PluginModuleRef,
    /// Dropped last.
    pub(super) _keep: Keep,
}

// SAFETY: the module is a table of functions; those that are `[any]` may be called by any thread.
unsafe impl Send for Owner {}
// SAFETY: as above.
unsafe impl Sync for Owner {}

impl Owner {
    pub(super) fn fault(&self) -> Fault {
        let mut report = RVec::new();
        (self.module.take_panic())(&mut report);
        Fault { report: String::from_utf8_lossy(&report).into_owned() }
    }

    /// Calls into the plugin; a panic is taken out of the status.
    #[inline]
    pub(super) fn call(&self, call: impl FnOnce() -> u32) -> Result<u32, Fault> {
        let status = enter(call);
        if status == status::PANICKED { Err(self.fault()) } else { Ok(status) }
    }

    /// Frees an object of the plugin. Its panic has nobody to go to but the log.
    pub(super) fn free(&self, free: impl FnOnce() -> u32) {
        if let Err(fault) = self.call(free) {
            tracing::error!(report = fault.report, "a plugin panicked while it freed an object");
        }
    }
}
