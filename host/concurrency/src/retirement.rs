//! Whether something that many have borrowed is its owner's alone again, so that it may be ended.

use crate::sync::{Ordering, fence};

/// Something whose holders are counted as those of an `Arc` are: a count is looked at without any order (`Relaxed`), and going
/// is a `Release`.
pub trait Held {
    /// How many hold it now.
    fn holders(&self) -> usize;
}

impl<T: ?Sized> Held for std::sync::Arc<T> {
    fn holders(&self) -> usize {
        Self::strong_count(self)
    }
}

/// Whether one is the last holder of a source and of all its parts. Whoever comes by a part holds the source, or the part,
/// meanwhile.
///
/// Where it is so, all that the others have done with it has been done before.
pub fn is_last<'a>(source: &impl Held, parts: impl IntoIterator<Item = &'a dyn Held>) -> bool {
    if source.holders() != 1 {
        return false;
    }
    // Without it an old count of a part might be read: one from before a holder of the source came by the part and went.
    fence(Ordering::Acquire);
    if parts.into_iter().any(|part| part.holders() != 1) {
        return false;
    }
    // What holders of the parts did is done.
    fence(Ordering::Acquire);
    true
}
