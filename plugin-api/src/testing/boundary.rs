//! What the bench has of a host at the boundary: requests as they cross, and what is registered without a plugin.

use std::sync::Arc;

use abi_stable::std_types::RSlice;

use crate::abi::functions::{HostFunctions, HostHandle, raw_host};
use crate::abi::host::{Module, Registrations};
use crate::abi::plugin::{ExportedVersion, RegistrarHandle, module};
use crate::abi::types::{RawHeader, RawRequest, extension};
use crate::host::Host;
use crate::plugin::{NoConfig, Plugin, Registrar, StartError};
use crate::request::Request;
use crate::runtime::PluginRuntime;

/// The server's pathname.
pub(super) const PATHNAME: &str = "/primus";

/// Calls with a request as it crosses the boundary. `Request::path` becomes what a host makes it.
pub(super) fn with_raw<T>(request: &Request<'_>, call: impl FnOnce(&RawRequest<'_>) -> T) -> T {
    let headers: Vec<RawHeader<'_>> = request
        .headers
        .iter()
        .map(|(name, value)| RawHeader { name: name.as_ref().into(), value: RSlice::from_slice(value) })
        .collect();
    let spark_id =
        request.spark_id().map(|id| RawHeader { name: extension::SPARK_ID.into(), value: RSlice::from_slice(id.as_bytes()) });
    let lost =
        request.lost_session.then_some(RawHeader { name: extension::LOST_SESSION.into(), value: RSlice::from_slice(&[]) });
    let extensions: Vec<RawHeader<'_>> = spark_id.into_iter().chain(lost).collect();
    call(&RawRequest {
        method: request.method.as_ref().into(),
        path: request.path.as_ref().into(),
        rest: request.path.strip_prefix(PATHNAME).unwrap_or(&request.path).into(),
        query: request.query.as_ref().into(),
        headers: RSlice::from_slice(&headers),
        body: RSlice::from_slice(&request.body),
        address: request.address.as_ref().into(),
        scheme: request.scheme.as_ref().into(),
        host: request.host.as_ref().into(),
        extensions: RSlice::from_slice(&extensions),
    })
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
