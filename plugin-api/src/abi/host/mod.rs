//! The host's side of the boundary: safe handles to a plugin and to what it registered.
//!
//! Every handle keeps its generation alive, so that no function pointer outlives the library it points into.
//!
//! Each file has its counterpart in [`super::plugin`]. A plugin's life is in [`Module`] and [`Instance`]; what it declares are
//! [`Registrations`]; a call that panics answers a [`Fault`].

mod adoption;
mod call;
mod hooks;
mod instance;
mod message;
mod parser;
mod registrations;
mod request;
mod session;
mod transport;

pub use self::adoption::Adopter;
pub(crate) use self::call::calling;
pub use self::call::{Fault, Keep};
pub use self::hooks::{Answer, ConnectionHook, DisconnectionHook, ErrorHook, MessageHook, Middleware, RequestHook, Service};
pub use self::instance::{Instance, Module, StartFailure};
pub use self::message::HookMessage;
pub use self::parser::{ParserFailure, ParserHandle};
pub use self::registrations::{Listen, Registrations};
pub use self::request::with_raw;
pub use self::session::{SessionHandle, response_of};
pub use self::transport::TransportHandle;
