//! What an operator asks of a server that runs, and how: by signals, and by the control socket.
//!
//! A question and its answers are lines of JSON ([`protocol`]) on a Unix domain socket ([`place`]) that its owner and root alone
//! may use ([`listen`]). The command line asks ([`ask`]); [`attend`] is the server's main thread, which waits for questions and
//! signals and stops the server in the end. Knows nothing of plugins: what becomes of them is the control thread's business.

pub mod ask;
pub mod attend;
pub mod listen;
pub mod place;
pub mod protocol;
mod sparks;
mod upgrade;
