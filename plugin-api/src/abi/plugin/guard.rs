//! Panics: every entry into a plugin catches them, and their reports are kept for the host to take.

use std::cell::{Cell, RefCell};
use std::panic::AssertUnwindSafe;
use std::sync::Once;

use abi_stable::std_types::RVec;

use super::super::status;
use crate::host::Host;

thread_local! {
    /// The report of the last panic on this thread that was caught, or is going to be.
    static REPORT: RefCell<Option<String>> = const { RefCell::new(None) };
    /// Whether a future of the plugin is polled: its panics are caught without a call of the host.
    static POLLING: Cell<bool> = const { Cell::new(false) };
}

/// The report of this thread's last panic.
pub(crate) fn panic_report() -> String {
    // A thread may come here when it ends, where there is nothing left to look at.
    let report = REPORT.try_with(|report| report.borrow_mut().take()).ok().flatten();
    report.unwrap_or_else(|| "a panic without a report".to_owned())
}

pub(super) extern "C" fn take_panic(report: &mut RVec<u8>) {
    report.extend_from_copy_slice(panic_report().as_bytes());
}

/// Keeps panics that are caught for the host to report once, instead of printing them. Those on the plugin's own threads are told
/// to the host at once; where it does not take them, as in a test, they are printed as ever.
pub(super) fn install_panic_hook(host: &Host) {
    static INSTALLED: Once = Once::new();
    let (calling, host) = (host.raw.calling(), host.clone());
    INSTALLED.call_once(|| {
        let former = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if calling() == 0 && !POLLING.get() {
                let report = format!("{info}\n{}", std::backtrace::Backtrace::force_capture());
                if !host.raw.panicked(&report) {
                    former(info);
                }
                return;
            }
            let report = format!("{info}\n{}", std::backtrace::Backtrace::force_capture());
            let before = REPORT.try_with(|last| last.borrow_mut().replace(report)).ok().flatten();
            if let Some(before) = before {
                // Nobody has taken the report before: likely a panic while one unwinds, which ends the process.
                eprintln!("{before}");
                former(info);
            }
        }));
    });
}

/// Runs `poll` of a future; a panic becomes its report.
pub(crate) fn polled<T>(poll: impl FnOnce() -> T) -> Result<T, String> {
    let outer = POLLING.replace(true);
    let result = caught(poll);
    POLLING.set(outer);
    result.map_err(|Caught| panic_report())
}

/// A panic that was caught.
struct Caught;

#[inline]
fn caught<T>(call: impl FnOnce() -> T) -> Result<T, Caught> {
    std::panic::catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        // Dropping a payload may panic again.
        std::mem::forget(payload);
        Caught
    })
}

/// Runs `call`; a panic becomes `otherwise`.
#[inline]
pub(super) fn guard<T>(otherwise: T, call: impl FnOnce() -> T) -> T {
    caught(call).unwrap_or(otherwise)
}

#[inline]
pub(super) fn guarded(call: impl FnOnce() -> u32) -> u32 {
    guard(status::PANICKED, call)
}

/// A message hook's answer when it panicked.
pub(crate) const FLOW_PANICKED: u32 = status::PANICKED + 16;
