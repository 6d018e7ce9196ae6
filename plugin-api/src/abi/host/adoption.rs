//! A stream that a plugin brings: how the plugin is told what became of it.

use abi_stable::std_types::RSlice;

use super::super::module::{AdoptedFn, RawClosure};
use super::super::status;
use super::call::{Fault, enter};
use super::instance::Instance;
use crate::plugin::Refusal;
use crate::spark::SparkId;
use crate::value;

/// Who is told what became of a stream. Dropped without an answer, the plugin is told that the host has ended.
pub struct Adopter {
    closure: RawClosure,
    call: AdoptedFn,
}

// SAFETY: the SDK only makes such closures of Send types.
unsafe impl Send for Adopter {}

impl Adopter {
    /// Takes over a closure of a plugin that runs.
    pub(in crate::abi) fn new(closure: RawClosure, call: AdoptedFn) -> Self {
        Self { closure, call }
    }

    /// Tells it. `instance` is the plugin that brought the stream. `[shard]`
    ///
    /// # Errors
    ///
    /// The plugin panicked.
    pub fn tell(self, instance: &Instance, outcome: Result<SparkId, &Refusal>) -> Result<(), Fault> {
        let (spark, refusal) = match outcome {
            Ok(spark) => (spark.raw(), Vec::new()),
            Err(refusal) => (0, value::to_vec(refusal).unwrap_or_default()),
        };
        let call = || (self.call.call)(self.closure.object, spark, RSlice::from_slice(&refusal));
        instance.owner.call(call).map(drop)
    }
}

impl Drop for Adopter {
    fn drop(&mut self) {
        if enter(|| (self.closure.free)(self.closure.object)) == status::PANICKED {
            tracing::error!("a plugin panicked while it freed what waited for a stream");
        }
    }
}
