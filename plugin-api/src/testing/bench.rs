//! The bench: plugins that run in a small host of their own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::boundary::{host_of, registered};
use super::client::Client;
use super::log::Log;
use super::parser::ParserHarness;
use super::plain_json::PlainJson;
use super::plugged::{Logging, Plugged, PluginHost};
use super::transport::TransportHarness;
use super::world::World;
use crate::abi::functions::raw_host;
use crate::abi::host::{Instance, Module, Registrations, StartFailure};
use crate::abi::module::PluginModuleRef;
use crate::abi::plugin::{ExportedVersion, module};
use crate::host::Host;
use crate::plugin::{Manifest, Plugin, Refusal, Registrar, StartError};
use crate::request::{Request, Response};
use crate::runtime::PluginRuntime;

/// Plugins that run in memory. See [the module](super) for what it does as a host does. Dropped, it stops them.
pub struct Bench {
    world: Arc<World>,
    /// In the order of their start.
    running: Vec<Running>,
    /// What the stand-ins' futures run on.
    runtime: PluginRuntime,
}

struct Running {
    name: String,
    generation: u64,
    logging: Logging,
    /// `None` for a stand-in.
    instance: Option<Instance>,
}

/// A part of the client that a plugin brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// `library`, `extension`, `transport` or `parser`.
    pub kind: String,
    /// The part's name.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Plugins that are to run together, in the order of their start.
#[derive(Default)]
#[must_use = "nothing runs before `start`"]
pub struct Setup {
    steps: Vec<Step>,
}

enum Step {
    Plugin { module: PluginModuleRef, config: String },
    StandIn { name: String, declare: Declare },
}

type Declare = Box<dyn FnOnce(&mut Registrar<'_>)>;

impl Setup {
    /// One more plugin.
    ///
    /// # Panics
    ///
    /// The configuration can't be written as JSON.
    pub fn and<P: Plugin + ExportedVersion>(mut self, config: impl Serialize) -> Self {
        self.steps.push(Step::Plugin { module: module::<P>(), config: json_text(&config) });
        self
    }

    /// Something that stands in for a plugin that is not at hand, so that others find what they require of it.
    pub fn and_standing_in(mut self, name: &str, declare: impl FnOnce(&mut Registrar<'_>) + 'static) -> Self {
        self.steps.push(Step::StandIn { name: name.to_owned(), declare: Box::new(declare) });
        self
    }

    /// Starts them.
    ///
    /// # Errors
    ///
    /// One of them requires a plugin that doesn't come before it, refuses to start, or panics. Those before it are stopped.
    pub fn start(self) -> Result<Bench, StartFailure> {
        let mut bench = Bench::empty();
        for step in self.steps {
            match step {
                Step::Plugin { module, config } => bench.start_plugin(module, &config)?,
                Step::StandIn { name, declare } => bench.stand_in(&name, declare),
            }
        }
        Ok(bench)
    }
}

impl Bench {
    /// Runs one plugin. `config` is its table in `plugins.toml`: a [`json!`](super::json) value or a type of its own.
    ///
    /// # Errors
    ///
    /// As [`Setup::start`].
    ///
    /// # Panics
    ///
    /// As [`Setup::and`].
    pub fn start<P: Plugin + ExportedVersion>(config: impl Serialize) -> Result<Self, StartFailure> {
        Self::with::<P>(config).start()
    }

    /// The first of several plugins.
    ///
    /// # Panics
    ///
    /// As [`Setup::and`].
    pub fn with<P: Plugin + ExportedVersion>(config: impl Serialize) -> Setup {
        Setup::default().and::<P>(config)
    }

    /// Begins with something that stands in for a plugin, see [`Setup::and_standing_in`].
    ///
    /// This is how a plugin is tested that uses the services of another crate's: two exported plugins can't be linked into one
    /// test, since both define the symbol that a host looks for. (What a test itself exports has none.)
    ///
    /// ```
    /// # use plugin_api::prelude::*;
    /// # use plugin_api::testing::{Bench, json};
    /// plugin_api::service! {
    ///     /// Knows how people are called.
    ///     pub trait Names as NamesClient = "names" {
    ///         /// The full name.
    ///         fn full(&self, name: &str) -> String;
    ///     }
    /// }
    ///
    /// struct Smiths;
    ///
    /// impl Names for Smiths {
    ///     fn full(&self, name: &str) -> Result<String, String> {
    ///         Ok(format!("{name} Smith"))
    ///     }
    /// }
    ///
    /// # struct Greeter;
    /// # impl Plugin for Greeter {
    /// #     const NAME: &'static str = "greeter";
    /// #     const REQUIRES: &'static [&'static str] = &["names"];
    /// #     type Config = NoConfig;
    /// #     fn start(_: NoConfig, _: Host) -> Result<Self, StartError> { Ok(Self) }
    /// #     fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
    /// #         let names = NamesClient::new(registrar.host());
    /// #         registrar.connection(Priority::APPLICATION, move |spark| {
    /// #             let name = spark.info().and_then(|info| info.query_value("name")).unwrap_or_default();
    /// #             let full = names.full(&name).map_err(|error| Refusal::new(error.to_string()))?;
    /// #             spark.write(&format!("hello {full}")).map_err(|error| Refusal::new(error.to_string()))
    /// #         });
    /// #     }
    /// # }
    /// # export_plugin!(Greeter);
    /// # fn main() {
    /// let bench = Bench::standing_in("names", |registrar| NamesClient::offer(registrar, Arc::new(Smiths)))
    ///     .and::<Greeter>(json!({}))
    ///     .start()
    ///     .unwrap();
    /// assert_eq!(bench.connect("/primus?name=ann").unwrap().received::<String>(), ["hello ann Smith"]);
    /// # }
    /// ```
    pub fn standing_in(name: &str, declare: impl FnOnce(&mut Registrar<'_>) + 'static) -> Setup {
        Setup::default().and_standing_in(name, declare)
    }

    fn empty() -> Self {
        let mut bench = Self { world: Arc::default(), running: Vec::new(), runtime: PluginRuntime::default() };
        bench.stand_in("bench", Box::new(|registrar| registrar.parser(PlainJson)));
        bench
    }

    fn start_plugin(&mut self, module: PluginModuleRef, config: &str) -> Result<(), StartFailure> {
        let module = Module::new(module, Arc::new(()));
        let manifest = manifest(&module)?;
        if let Some(missing) = manifest.requires.iter().find(|name| !self.running.iter().any(|of| of.name == **name)) {
            let message = format!("`{}` requires the plugin `{missing}`, which is not started before it", manifest.name);
            return Err(StartError::new(message).into());
        }
        let (running, registrations) = self.generation(&module, &manifest.name, config, None)?;
        self.plug(running, registrations);
        Ok(())
    }

    /// A started generation with what it has registered.
    fn generation(
        &self,
        module: &Module,
        name: &str,
        config: &str,
        state: Option<&[u8]>,
    ) -> Result<(Running, Registrations), StartFailure> {
        let generation = self.world.token();
        let functions = PluginHost::new(&self.world, name, generation);
        let logging = Logging::to(host_of(Arc::clone(&functions)));
        logging.clone().enter(|| {
            let instance = module.start(raw_host(functions), config)?;
            let registrations = state
                .map_or(Ok(()), |state| instance.restore(state))
                .and_then(|()| instance.register().map_err(StartFailure::from));
            let running = Running { name: name.to_owned(), generation, logging, instance: Some(instance) };
            match registrations {
                Ok(registrations) => Ok((running, registrations)),
                Err(failure) => {
                    self.retire(&running);
                    Err(failure)
                }
            }
        })
    }

    fn stand_in(&mut self, name: &str, declare: Declare) {
        let generation = self.world.token();
        let host = host_of(PluginHost::new(&self.world, name, generation));
        let logging = Logging::to(host.clone());
        let registrations = registered(&host, &self.runtime, declare);
        self.plug(Running { name: name.to_owned(), generation, logging, instance: None }, registrations);
    }

    /// Makes a generation live, in place of the former one of that name. The bench's own parser stays the last.
    fn plug(&mut self, running: Running, registrations: Registrations) -> Option<Running> {
        let plugged = Plugged::new(&running.name, running.generation, registrations, &running.logging);
        let mut plugins = self.world.plugins();
        let former = self.running.iter().position(|of| of.name == running.name);
        let former = match former {
            Some(place) => {
                plugins[place] = plugged;
                Some(std::mem::replace(&mut self.running[place], running))
            }
            None => {
                let place = self.running.len().saturating_sub(1);
                plugins.insert(place, plugged);
                self.running.insert(place, running);
                None
            }
        };
        self.world.set_plugins(plugins);
        former
    }

    /// Ends a generation that is no longer live.
    fn retire(&self, running: &Running) {
        let Some(instance) = &running.instance else { return };
        if let Err(fault) = running.logging.enter(|| instance.stop()) {
            self.world.fault(&running.name, "`stop`", &fault);
        }
        self.world.forget(running.generation);
    }

    /// Replaces a running plugin by a new generation, as a changed library does: its state is saved and restored, sparks stay.
    ///
    /// # Errors
    ///
    /// It refuses to start or to take the state, or panics: the former generation goes on.
    ///
    /// # Panics
    ///
    /// The plugin does not run, or the configuration can't be written as JSON.
    #[track_caller]
    pub fn reload<P: Plugin + ExportedVersion>(&mut self, config: impl Serialize) -> Result<(), StartFailure> {
        let former = self.instance(P::NAME).1;
        let state = former.save()?;
        let module = Module::new(module::<P>(), Arc::new(()));
        let (running, registrations) = self.generation(&module, P::NAME, &json_text(&config), state.as_deref())?;
        if let Some(former) = self.plug(running, registrations) {
            self.retire(&former);
        }
        Ok(())
    }

    /// Hands a changed configuration to a running plugin. `false`: it wants to be reloaded for it.
    ///
    /// # Errors
    ///
    /// It refuses the configuration, or panics.
    ///
    /// # Panics
    ///
    /// The plugin does not run, or the configuration can't be written as JSON.
    #[track_caller]
    pub fn reconfigure<P: Plugin + ExportedVersion>(&self, config: impl Serialize) -> Result<bool, StartFailure> {
        let (logging, instance) = self.instance(P::NAME);
        let config = json_text(&config);
        self.world.turn(|| logging.enter(|| instance.reconfigure(&config)))
    }

    #[track_caller]
    fn instance(&self, name: &str) -> (&Logging, &Instance) {
        let running = self.running.iter().find(|running| running.name == name);
        let instance = running.and_then(|running| Some((&running.logging, running.instance.as_ref()?)));
        instance.unwrap_or_else(|| panic!("the plugin `{name}` does not run in this bench"))
    }

    /// Connects a client: a target (`"/primus?name=ann"`) or a [`Request`]. Middleware, authorizers and connection hooks run, and
    /// are waited for.
    ///
    /// # Errors
    ///
    /// A plugin refuses it. A middleware that answers counts as a refusal with its status and its body as the message.
    ///
    /// # Panics
    ///
    /// A plugin failed.
    #[track_caller]
    pub fn connect(&self, request: impl Into<Request<'static>>) -> Result<Client, Refusal> {
        let request = request.into();
        let id = self.world.turn(|| self.world.connect(&request))?;
        Ok(Client::new(Arc::clone(&self.world), id))
    }

    /// Makes an HTTP request: middleware, then routes, which are waited for. 404 without a route of that path.
    ///
    /// # Panics
    ///
    /// A plugin failed.
    #[track_caller]
    pub fn request(&self, request: impl Into<Request<'static>>) -> Response {
        let request = request.into();
        self.world.turn(|| self.world.request(&request))
    }

    /// Lets time pass: timers that the plugins have set fire in their order.
    ///
    /// # Panics
    ///
    /// A plugin failed.
    #[track_caller]
    pub fn advance(&self, by: Duration) {
        let until = self.world.now() + by;
        self.world.turn(|| {
            while let Some((generation, timer)) = self.world.next_timer(until) {
                let of = self.running.iter().find(|running| running.generation == generation);
                let Some((running, instance)) = of.and_then(|running| Some((running, running.instance.as_ref()?))) else {
                    continue;
                };
                if let Err(fault) = running.logging.enter(|| instance.timer(timer)) {
                    self.world.fault(&running.name, "`timer`", &fault);
                }
            }
        });
    }

    /// Waits until no message is deferred any more.
    ///
    /// # Panics
    ///
    /// A plugin failed, or holds a message for too long.
    #[track_caller]
    pub fn settle(&self) {
        self.world.wait("a message is still deferred", |world| world.is_settled().then_some(()));
    }

    /// The host as a plugin sees it: for services, broadcasts, and what else a test wants of it.
    pub fn host(&self) -> Host {
        host_of(PluginHost::new(&self.world, "bench", self.world.token()))
    }

    /// All that the plugins logged up to now, at every level.
    ///
    /// On a plugin's own threads, `tracing` knows nothing of the bench; its futures and hooks are recorded.
    pub fn logs(&self) -> Vec<Log> {
        self.world.logs()
    }

    /// How far a counter has come, with those of that name of all plugins taken together.
    ///
    /// # Panics
    ///
    /// No plugin has registered it.
    #[track_caller]
    pub fn counter(&self, name: &str) -> u64 {
        let plugins = self.world.plugins();
        let numbers: Vec<(u64, u32)> = plugins
            .iter()
            .flat_map(|plugged| plugged.registrations.counters.iter().zip(0..).map(move |(of, number)| (plugged, of, number)))
            .filter(|(_, (of, _), _)| of == name)
            .map(|(plugged, _, number)| (plugged.generation, number))
            .collect();
        assert!(!numbers.is_empty(), "no plugin has registered the counter `{name}`");
        numbers.into_iter().map(|(generation, number)| self.world.counted(generation, number)).sum()
    }

    /// The parts of the client that the plugins bring.
    pub fn client_parts(&self) -> Vec<Part> {
        let plugins = self.world.plugins();
        let parts = plugins.iter().flat_map(|plugged| &plugged.registrations.client_parts);
        parts.map(|(kind, name, text)| Part { kind: kind.clone(), name: name.clone(), text: text.clone() }).collect()
    }

    /// A transport that a plugin brings.
    ///
    /// # Panics
    ///
    /// No plugin brings it.
    #[track_caller]
    pub fn transport(&self, name: &str) -> TransportHarness {
        let plugins = self.world.plugins();
        let mut transports = plugins.iter().flat_map(|plugged| &plugged.registrations.transports);
        let found = transports.find(|(_, transport)| transport.name() == name);
        let (_, transport) = found.unwrap_or_else(|| panic!("no plugin brings the transport `{name}`"));
        TransportHarness::of(Arc::clone(transport))
    }

    /// A parser that a plugin brings.
    ///
    /// # Panics
    ///
    /// No plugin brings it.
    #[track_caller]
    pub fn parser(&self, name: &str) -> ParserHarness {
        let plugins = self.world.plugins();
        let mut parsers = plugins.iter().flat_map(|plugged| &plugged.registrations.parsers);
        let found = parsers.find(|parser| parser.name() == name);
        ParserHarness::of(Arc::clone(found.unwrap_or_else(|| panic!("no plugin brings the parser `{name}`"))))
    }
}

impl fmt::Debug for Bench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.running.iter().map(|running| &running.name)).finish()
    }
}

impl Drop for Bench {
    /// Stops the plugins, the last first. A test that fails shows what they logged.
    fn drop(&mut self) {
        for running in self.running.iter().rev() {
            self.retire(running);
        }
        // The registrations hold the host, and the host holds them.
        self.world.set_plugins(Vec::new());
        if std::thread::panicking() {
            for log in self.world.logs() {
                eprintln!("{log}");
            }
        } else {
            self.world.raise();
        }
    }
}

fn json_text(config: &impl Serialize) -> String {
    serde_json::to_string(config).unwrap_or_else(|error| panic!("the configuration can't be written as JSON: {error}"))
}

fn manifest(module: &Module) -> Result<Manifest, StartFailure> {
    module.manifest().map_err(|error| StartError::new(format!("the plugin has no manifest: {error}")).into())
}
