//! The stable ABI of Switchboard and the safe SDK on it.
