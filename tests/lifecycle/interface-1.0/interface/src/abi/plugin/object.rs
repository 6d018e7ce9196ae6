//! The plugin's objects behind opaque pointers.

use super::super::status;
use super::super::types::Opaque;
use super::guard::guarded;

pub(super) fn boxed<T>(value: T) -> Opaque {
    Box::into_raw(Box::new(value)).cast()
}

/// The object behind a pointer made by [`boxed`].
///
/// # Safety
///
/// `object` came from `boxed::<T>` and was not freed; shared for the length of `'a`.
#[inline]
pub(super) unsafe fn shared<'a, T>(object: Opaque) -> &'a T {
    // SAFETY: by the contract of this function.
    unsafe { &*object.cast::<T>() }
}

/// The same, alone.
///
/// # Safety
///
/// As [`shared`], and nothing else uses the object for the length of `'a`.
#[inline]
pub(super) unsafe fn exclusive<'a, T>(object: Opaque) -> &'a mut T {
    // SAFETY: by the contract of this function.
    unsafe { &mut *object.cast::<T>() }
}

pub(super) extern "C" fn free<T>(object: Opaque) -> u32 {
    guarded(|| {
        // SAFETY: the host frees an object once, and it came from `boxed::<T>`.
        drop(unsafe { Box::from_raw(object.cast::<T>()) });
        status::OK
    })
}
