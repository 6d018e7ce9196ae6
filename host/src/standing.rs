//! What the command line asks of the rest of the host: serving, looking at a library, assembling the client.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use plugin_api::abi::functions::raw_host;
use plugin_api::abi::host::{Registrations, StartFailure};
use plugin_api::abi::module::PluginModuleRef;

use crate::cli::{Brought, House as Commands, Inspection, Origin};
use crate::config::Config;
use crate::control::Control;
use crate::demands;
use crate::functions::Functions;
use crate::house::House;
use crate::http::library::Library;
use crate::inbox::control::{ControlSender, Request};
use crate::loader::{self, Copies, Demands};
use crate::parsers::ParserNumbers;
use crate::server;
use crate::snapshot::Snapshot;

/// The host behind the command line.
pub struct Standing {
    /// Plugins that are part of the binary.
    pub linked: Vec<PluginModuleRef>,
}

impl Standing {
    fn house(config: &Config) -> (Arc<House>, std::sync::mpsc::Receiver<Request>) {
        let (control, requests) = ControlSender::channel();
        let numbers = ParserNumbers::default();
        let snapshot = Snapshot::new(config.clone(), Vec::new(), &numbers);
        (House::new(snapshot, 1, control, numbers), requests)
    }
}

impl Commands for Standing {
    fn serve(&self, _file: &Path, config: Config) -> anyhow::Result<()> {
        server::serve(config, self.linked.clone())
    }

    fn inspect(&self, library: &Path, config: &Config, origin: Origin) -> anyhow::Result<Inspection> {
        let mut copies = Copies::new()?;
        let demands = match origin {
            Origin::Anywhere => Demands { folder: None, vouchers: None },
            Origin::PluginsFolder => demands::of(config, library),
        };
        let loaded = loader::load(library, &demands, &mut copies)?;
        let manifest = loaded.manifest.clone();
        let table = config.plugin_or_default(&manifest.name);
        let (house, _requests) = Self::house(config);
        let functions = Functions::new(house, manifest.name.clone(), 1);
        let started = loaded.module.start(raw_host(functions), &table.table.to_string());
        let started = started.and_then(|instance| Ok((instance.register()?, instance)));
        let (brings, refusal) = match started {
            Ok((registrations, instance)) => {
                let brings = brought(&registrations);
                instance.stop().context("it panicked in stop")?;
                (brings, None)
            }
            Err(StartFailure::Refused(error)) => {
                (Vec::new(), Some(table.explain(&error.path, &error.message, &manifest.config).to_string()))
            }
            Err(StartFailure::Fault(fault)) => (Vec::new(), Some(fault.to_string())),
        };
        let properties = manifest.config.get("properties").and_then(serde_json::Value::as_object);
        Ok(Inspection {
            keys: properties.map(|keys| keys.keys().cloned().collect()).unwrap_or_default(),
            name: manifest.name,
            version: manifest.version,
            description: manifest.description,
            api: manifest.api,
            requires: manifest.requires,
            brings,
            refusal,
        })
    }

    fn library(&self, config: &Config) -> anyhow::Result<Library> {
        let (house, requests) = Self::house(config);
        let mut control = Control::new(Arc::clone(&house), requests, config.clone(), self.linked.clone())?;
        control.start_up()?;
        let (client, parts) = house.snapshot.load().client();
        Ok(Library::build(client, &parts)?)
    }
}

/// What a plugin brings, by kind.
fn brought(registrations: &Registrations) -> Vec<Brought> {
    fn kind(kind: &str, count: usize, names: Vec<String>) -> Option<Brought> {
        (count > 0).then(|| Brought { kind: kind.to_owned(), names })
    }
    let of = registrations;
    let names = |parts: &[(String, String, String)], wanted: &str| -> Vec<String> {
        parts.iter().filter(|(kind, ..)| kind == wanted).map(|(_, name, _)| name.clone()).collect()
    };
    let mut brings = vec![
        kind("transport", of.transports.len(), of.transports.iter().map(|(_, t)| t.name().to_owned()).collect()),
        kind("parser", of.parsers.len(), of.parsers.iter().map(|p| p.name().to_owned()).collect()),
        kind("authorizer", of.authorizers.len(), Vec::new()),
        kind("middleware", of.middleware.len(), Vec::new()),
        kind("connection hook", of.connection.len(), Vec::new()),
        kind("incoming hook", of.incoming.len(), Vec::new()),
        kind("outgoing hook", of.outgoing.len(), Vec::new()),
        kind("disconnection hook", of.disconnection.len(), Vec::new()),
        kind("error hook", of.error.len(), Vec::new()),
        kind("route", of.routes.len(), of.routes.iter().map(|(method, path, _)| format!("{method} {path}")).collect()),
        kind("service", of.services.len(), of.services.iter().map(|(name, _)| name.clone()).collect()),
        kind("counter", of.counters.len(), of.counters.iter().map(|(name, _)| name.clone()).collect()),
    ];
    for part in ["library", "extension", "transport", "parser"] {
        let names = names(&of.client_parts, part);
        brings.push(kind(&format!("client {part}"), names.len(), names));
    }
    brings.into_iter().flatten().collect()
}
