//! The plugin's side of the boundary: an author's traits become tables of functions, and panics become answers.
//!
//! Every function that the host may call goes through `guard`.

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

pub(crate) use self::guard::{FLOW_PANICKED, polled};
pub use self::instance::{ExportedVersion, LibHeader, RootModuleResult, header, module, root_module};
pub(crate) use self::message::MessageRef;
pub use self::registrar::RegistrarHandle;
pub(crate) use self::transport::routed;
