//! The stable ABI of Switchboard and the safe SDK on it.
//!
//! A plugin is a type that implements [`Plugin`], and one [`export_plugin!`] line:
//!
//! ```
//! use plugin_api::prelude::*;
//!
//! struct Echo;
//!
//! impl Plugin for Echo {
//!     const NAME: &'static str = "echo";
//!     type Config = NoConfig;
//!
//!     fn start(_config: NoConfig, _host: Host) -> Result<Self, StartError> {
//!         Ok(Echo)
//!     }
//!
//!     fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
//!         registrar.message(|spark, message| {
//!             if let Err(error) = spark.relay(message) {
//!                 tracing::debug!(%error, "not sent back");
//!             }
//!         });
//!     }
//! }
//!
//! export_plugin!(Echo);
//! # fn main() {}
//! ```
//!
//! Built as a `cdylib` and dropped into a host's `plugins/`, it is live within a second.
//!
//! Start reading at [`plugin`]; [`message`] and [`spark`] are what hooks work with, [`transport`] and [`parser`] what protocols
//! implement, [`services`] what plugins offer to each other, [`testing`] runs any of them in memory. [`abi`] is what crosses
//! the boundary; authors need not look there.
#![deny(missing_docs)]

pub mod abi;
pub mod host;
mod log;
pub mod message;
pub mod parser;
pub mod plugin;
pub mod request;
mod runtime;
pub mod services;
pub mod spark;
pub mod testing;
pub mod transport;
pub mod value;

pub use host::{Counter, Deferred, Host, ServiceError};
pub use message::{Flow, Kind, Message, Payload};
pub use parser::{ByteSet, ParseError, ParseLimit, Parser};
pub use plugin::{ClientPart, Manifest, NoConfig, Plugin, Priority, Refusal, Registrar, ServiceReply, StartError};
pub use request::{LentParts, Request, RequestParts, Response, query_fields, query_pairs};
pub use spark::{EndOptions, SendError, Spark, SparkError, SparkId, SparkInfo};
pub use transport::{
    Carrier, Carries, Close, DisconnectReason, Events, ExchangeId, FrameClass, Out, Route, Session, TimerId, Transport,
};
pub use value::Value;

/// What most plugins use.
pub mod prelude {
    pub use std::sync::Arc;

    pub use tracing;

    pub use crate::{
        ClientPart, DisconnectReason, EndOptions, Flow, Host, Kind, Message, NoConfig, Payload, Plugin, Priority, Refusal,
        Registrar, Request, Response, Spark, SparkId, StartError, Value, export_plugin,
    };
}

/// Exports a [`Plugin`] as this library's plugin. One for each library.
#[macro_export]
macro_rules! export_plugin {
    ($plugin:ty) => {
        impl $crate::abi::plugin::ExportedVersion for $plugin {
            const VERSION: &'static str = env!("CARGO_PKG_VERSION");
        }

        /// The plugin's root module, for a host that it is linked into.
        pub fn switchboard_module() -> $crate::abi::module::PluginModuleRef {
            $crate::abi::plugin::module::<$plugin>()
        }

        // A statically linked plugin exports nothing, nor does a test's own: several libraries would define the same symbol.
        #[cfg(not(any(switchboard_static, test)))]
        const _: () = {
            extern "C" fn root() -> $crate::abi::plugin::RootModuleResult {
                $crate::abi::plugin::root_module(switchboard_module)
            }

            // The name is abi_stable's: its loader looks for it.
            #[unsafe(no_mangle)]
            pub static _1as_0lib_1header_0root_bmodule_bloader: $crate::abi::plugin::LibHeader =
                $crate::abi::plugin::header(root);
        };
    };
}
