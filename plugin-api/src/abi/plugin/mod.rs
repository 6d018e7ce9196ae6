//! The plugin's side of the boundary: an author's traits become tables of functions, and panics become answers.
//!
//! Each file has its counterpart in [`super::host`]. Every function that the host may call goes through `guard`.

mod adoption;
mod guard;
mod instance;
mod message;
mod object;
mod parser;
mod registrar;
mod reply;
mod request;
mod session;
mod transport;

pub(super) use self::adoption::adopted;
pub(crate) use self::guard::{FLOW_PANICKED, polled};
pub use self::instance::{ExportedVersion, LibHeader, RootModuleResult, header, module, root_module};
pub(crate) use self::message::MessageRef;
pub use self::registrar::RegistrarHandle;
pub(super) use self::request::request_of;
pub(crate) use self::transport::{CARRIES_TEXT, routed};
