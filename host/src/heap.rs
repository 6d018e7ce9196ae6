//! The memory that the allocator keeps for later. After a load it may be most of the process, in pieces between what is in use, and
//! glibc gives back what lies at the end only.
#![expect(unsafe_code, reason = "the allocator's own calls, which exist in C alone")]

/// As much may lie there unused.
const SPARE_BYTES: usize = 64 << 20;

/// Gives unused memory back to the system, if it is much and most of the heap. Takes milliseconds then, for which allocations on
/// other threads may wait; else microseconds.
#[cfg(target_env = "gnu")]
pub fn give_back() {
    // SAFETY: mallinfo2(3) takes nothing, and locks what it reads.
    let heap = unsafe { libc::mallinfo2() };
    if heap.fordblks > SPARE_BYTES && heap.fordblks > heap.uordblks {
        // SAFETY: malloc_trim(3) may be called by any thread at any time.
        unsafe { libc::malloc_trim(0) };
    }
}

/// Other allocators look after that themselves.
#[cfg(not(target_env = "gnu"))]
pub fn give_back() {}
