//! The root module of a plugin and its started instance: the author's [`Plugin`] as a table of functions.

use std::sync::Arc;

pub use abi_stable::library::{LibHeader, RootModuleResult};
use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::std_types::{RSlice, RString, RVec};

use super::super::functions::HostHandle;
use super::super::module::{InstanceTable, PluginModule, PluginModuleRef, RawHost, RawInstance, RawRegistrar};
use super::super::status;
use super::super::types::Opaque;
use super::guard::{guard, guarded, install_panic_hook, take_panic};
use super::object::{boxed, free, shared};
use super::registrar::RegistrarHandle;
use super::reply::encode_into;
use crate::host::Host;
use crate::plugin::{Manifest, Plugin, Registrar, StartError};
use crate::runtime::PluginRuntime;

/// A started plugin with what it needs to register.
struct Instance<P> {
    plugin: Arc<P>,
    host: Host,
    runtime: PluginRuntime,
}

/// The root module of a plugin.
pub fn module<P: Plugin + ExportedVersion>() -> PluginModuleRef {
    PluginModule { manifest: manifest::<P>, start: start::<P>, take_panic }.leak_into_prefix()
}

/// The header that a library exports, around the function that makes its root module.
pub const fn header(root: extern "C" fn() -> RootModuleResult) -> LibHeader {
    // SAFETY: `root` comes from `export_plugin!` and makes a `PluginModuleRef`.
    unsafe { LibHeader::from_constructor::<PluginModuleRef>(root, abi_stable::library::CheckTypeLayout::Yes) }
}

/// What the function in the header answers.
pub fn root_module(make: fn() -> PluginModuleRef) -> RootModuleResult {
    abi_stable::library::__call_root_module_loader(make)
}

/// The version of the crate that a plugin's type stands in. Implemented by [`crate::export_plugin`].
pub trait ExportedVersion {
    /// The crate's version.
    const VERSION: &'static str;
}

extern "C" fn manifest<P: Plugin + ExportedVersion>() -> RString {
    guard(RString::new(), || {
        let manifest = Manifest {
            name: P::NAME.to_owned(),
            version: P::VERSION.to_owned(),
            description: P::DESCRIPTION.to_owned(),
            api: env!("CARGO_PKG_VERSION").to_owned(),
            requires: P::REQUIRES.iter().map(|&name| name.to_owned()).collect(),
            config: schemars::schema_for!(P::Config).to_value(),
            unwinds: cfg!(panic = "unwind"),
        };
        serde_json::to_string(&manifest).unwrap_or_default().into()
    })
}

/// The configuration crosses as JSON text: so an error names the path of the key.
fn config<P: Plugin>(json: &[u8]) -> Result<P::Config, StartError> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { String::new() } else { path };
        let message = error.inner().to_string();
        // Positions in the JSON text mean nothing to the author of plugins.toml.
        let message = message.split(" at line ").next().unwrap_or_default().to_owned();
        StartError { path, message }
    })
}

extern "C" fn start<P: Plugin>(
    host: RawHost,
    config_json: RSlice<'_, u8>,
    instance: &mut RawInstance,
    error: &mut RVec<u8>,
) -> u32 {
    let host = Host::new(HostHandle::new(host));
    install_panic_hook(&host);
    guarded(|| {
        crate::log::Forwarder::install(host.clone());
        match config::<P>(config_json.as_slice()).and_then(|config| P::start(config, host.clone())) {
            Ok(plugin) => {
                instance.object = boxed(Instance { plugin: Arc::new(plugin), host, runtime: PluginRuntime::default() });
                instance.table = Some(
                    InstanceTable {
                        register: register::<P>,
                        reconfigure: reconfigure::<P>,
                        save: save::<P>,
                        restore: restore::<P>,
                        timer: timer::<P>,
                        stop: stop::<P>,
                        free: free::<Instance<P>>,
                        followed: followed::<P>,
                    }
                    .leak_into_prefix(),
                );
                status::OK
            }
            Err(refused) => {
                encode_into(error, &refused);
                status::FAILED
            }
        }
    })
}

extern "C" fn register<P: Plugin>(object: Opaque, raw: RawRegistrar<'_>) -> u32 {
    guarded(|| {
        // SAFETY: the host hands back the object of `start` between `start` and `free`.
        let instance = unsafe { shared::<Instance<P>>(object) };
        let mut registrar = Registrar { raw: RegistrarHandle::new(raw, &instance.runtime), host: &instance.host };
        instance.plugin.register(&mut registrar);
        status::OK
    })
}

extern "C" fn reconfigure<P: Plugin>(object: Opaque, config_json: RSlice<'_, u8>, error: &mut RVec<u8>) -> u32 {
    guarded(|| {
        // SAFETY: as in `register`.
        let instance = unsafe { shared::<Instance<P>>(object) };
        match config::<P>(config_json.as_slice()).and_then(|config| instance.plugin.reconfigure(config)) {
            Ok(true) => status::OK,
            Ok(false) => status::UNSUPPORTED,
            Err(refused) => {
                encode_into(error, &refused);
                status::FAILED
            }
        }
    })
}

extern "C" fn save<P: Plugin>(object: Opaque, state: &mut RVec<u8>) -> u32 {
    guarded(|| {
        // SAFETY: as in `register`.
        let instance = unsafe { shared::<Instance<P>>(object) };
        match instance.plugin.save() {
            Some(saved) => {
                state.extend_from_copy_slice(&saved);
                status::OK
            }
            None => status::UNSUPPORTED,
        }
    })
}

extern "C" fn restore<P: Plugin>(object: Opaque, state: RSlice<'_, u8>, error: &mut RVec<u8>) -> u32 {
    guarded(|| {
        // SAFETY: as in `register`.
        let instance = unsafe { shared::<Instance<P>>(object) };
        match instance.plugin.restore(state.as_slice()) {
            Ok(()) => status::OK,
            Err(refused) => {
                encode_into(error, &refused);
                status::FAILED
            }
        }
    })
}

extern "C" fn timer<P: Plugin>(object: Opaque, timer: u64) -> u32 {
    guarded(|| {
        // SAFETY: as in `register`.
        unsafe { shared::<Instance<P>>(object) }.plugin.timer(timer);
        status::OK
    })
}

extern "C" fn followed<P: Plugin>(object: Opaque) -> u32 {
    guarded(|| {
        // SAFETY: as in `register`.
        unsafe { shared::<Instance<P>>(object) }.plugin.followed();
        status::OK
    })
}

extern "C" fn stop<P: Plugin>(object: Opaque) -> u32 {
    guarded(|| {
        // SAFETY: as in `register`.
        let instance = unsafe { shared::<Instance<P>>(object) };
        // Also where the plugin's own part of it panics.
        let stopped = guarded(|| {
            instance.plugin.stop();
            status::OK
        });
        instance.runtime.stop();
        stopped
    })
}
