//! A stream that the plugin brings: the closure that is told what became of it.

use std::sync::{Mutex, PoisonError};

use abi_stable::std_types::RSlice;

use super::super::module::{AdoptedFn, RawClosure};
use super::super::status;
use super::super::types::Opaque;
use super::guard::guarded;
use super::object::{boxed, free, shared};
use crate::plugin::Refusal;
use crate::spark::SparkId;
use crate::value;

/// What is told. Freed by a host that has ended, it hears that.
struct Done<F: FnOnce(Result<SparkId, Refusal>)>(Mutex<Option<F>>);

impl<F: FnOnce(Result<SparkId, Refusal>)> Done<F> {
    fn tell(&self, outcome: Result<SparkId, Refusal>) {
        let done = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(done) = done {
            done(outcome);
        }
    }
}

impl<F: FnOnce(Result<SparkId, Refusal>)> Drop for Done<F> {
    fn drop(&mut self) {
        self.tell(Err(Refusal::new("the host takes no streams any more").with_status(503)));
    }
}

/// A closure as it crosses the boundary.
pub(in crate::abi) fn adopted<F>(done: F) -> (RawClosure, AdoptedFn)
where
    F: FnOnce(Result<SparkId, Refusal>) + Send + 'static,
{
    extern "C" fn call<F>(object: Opaque, spark: u64, refusal: RSlice<'_, u8>) -> u32
    where
        F: FnOnce(Result<SparkId, Refusal>) + Send + 'static,
    {
        guarded(|| {
            // SAFETY: the host hands back the closure's object until it frees it.
            let done = unsafe { shared::<Done<F>>(object) };
            done.tell(SparkId::from_raw(spark).ok_or_else(|| {
                value::decode(refusal.as_slice()).unwrap_or_else(|_| Refusal::new("refused without a reason").with_status(500))
            }));
            status::OK
        })
    }
    let object = boxed(Done(Mutex::new(Some(done))));
    (RawClosure { object, free: free::<Done<F>> }, AdoptedFn { call: call::<F> })
}
