//! What the bench has of a host at the boundary: requests as they cross, and what is registered without a plugin.

use std::sync::Arc;

use crate::abi::functions::{HostFunctions, HostHandle, raw_host};
use crate::abi::host::{self, Module, Registrations};
use crate::abi::plugin::{ExportedVersion, RegistrarHandle, module};
use crate::abi::types::RawRequest;
use crate::host::Host;
use crate::plugin::{NoConfig, Plugin, Registrar, StartError};
use crate::request::Request;
use crate::runtime::PluginRuntime;

/// The server's pathname.
pub(super) const PATHNAME: &str = "/primus";

/// Calls with a request as it crosses the boundary. `Request::path` becomes what a host makes it.
pub(super) fn with_raw<T>(request: &Request<'_>, call: impl FnOnce(&RawRequest<'_>) -> T) -> T {
    let mut request = request.clone();
    if let Some(rest) = request.path.strip_prefix(PATHNAME) {
        request.rest = rest.to_owned().into();
    }
    host::with_raw(&request, call)
}

/// The host of an implementation, as plugins hold it.
pub(super) fn host_of<H: HostFunctions>(functions: Arc<H>) -> Host {
    Host::new(HostHandle::new(raw_host(functions)))
}

/// Registers what `declare` does, as if a plugin had. `runtime` is for what may wait, and has to live as long as that.
pub(super) fn registered(host: &Host, runtime: &PluginRuntime, declare: impl FnOnce(&mut Registrar<'_>)) -> Registrations {
    let module = Module::new(module::<Nothing>(), Arc::new(()));
    module.collect(|raw| declare(&mut Registrar { raw: RegistrarHandle::new(raw, runtime), host }))
}

/// The plugin whose library the bench's own registrations seem to come from.
struct Nothing;

impl Plugin for Nothing {
    const NAME: &'static str = "bench";
    type Config = NoConfig;

    fn start(_: NoConfig, _: Host) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn register(self: &Arc<Self>, _: &mut Registrar<'_>) {}
}

impl ExportedVersion for Nothing {
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
}
