//! What is in force: an immutable picture of all enabled plugins and of the configuration, replaced as a whole.
//!
//! Shards keep one and take another between two turns. Knows order and names; knows no protocol.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use plugin_api::abi::host::{
    ConnectionHook, DisconnectionHook, ErrorHook, Fault, MessageHook, Middleware, RequestHook, Service, TransportHandle,
    with_raw,
};
use plugin_api::{Carries, Refusal, Request, RequestParts, SparkError, SparkId};

use crate::config::{Config, PREFERRED_TRANSPORTS};
use crate::generation::Generation;
use crate::http::cors::Cors;
use crate::http::forwarded::TrustedProxies;
use crate::http::library::{ClientConfig, Part, PartKind, PingTimeout};
use crate::http::spec::{Offer, PRIMUS_VERSION, Quarantined, Spec};
use crate::http::static_files::StaticFiles;
use crate::parsers::{self, ParserEntry, ParserNumbers};

/// Something of a generation: the index finds it in the generation's registrations.
pub struct Ref<T> {
    /// Whose it is.
    pub generation: Arc<Generation>,
    index: usize,
    find: fn(&Generation, usize) -> &T,
}

/// Which of a plugin's hooks of a kind it is, whatever the generation: the plugin, and the place among its hooks.
pub type Place = (String, usize);

impl<T> Ref<T> {
    /// Where it stands.
    pub fn place(&self) -> Place {
        (self.generation.name().to_owned(), self.index)
    }

    /// Whether it stands there.
    pub fn is_at(&self, (plugin, index): &Place) -> bool {
        self.index == *index && self.generation.name() == plugin
    }

    /// The thing itself.
    #[inline]
    pub fn get(&self) -> &T {
        (self.find)(&self.generation, self.index)
    }

    /// A call that waited has come to a panic: its plugin goes into quarantine.
    pub fn panicked(&self, entry: &str, report: &[u8]) {
        let report = String::from_utf8_lossy(report).into_owned();
        self.generation.panicked(entry, &Fault { report });
    }

    /// The result of a call into it; a panic is told to its generation.
    #[inline]
    pub fn settle<R>(&self, entry: &str, result: Result<R, Fault>) -> Option<R> {
        match result {
            Ok(result) => Some(result),
            Err(fault) => {
                self.generation.panicked(entry, &fault);
                None
            }
        }
    }
}

/// A transport and who brought it.
#[derive(Clone)]
pub struct TransportEntry {
    /// The transport.
    pub handle: Arc<TransportHandle>,
    /// Who brought it.
    pub generation: Arc<Generation>,
}

/// The picture.
pub struct Snapshot {
    /// Grows with every picture.
    pub number: u64,
    /// The configuration.
    pub config: Config,
    /// The plugins in the order in which they were loaded.
    pub generations: Vec<Arc<Generation>>,
    /// Plugins that the configuration requires and that are not there: no client is let in without them.
    pub missing: Vec<String>,
    /// Transports in the order in which requests are offered to them.
    pub transports: Vec<TransportEntry>,
    /// Names of transports that served, and whose plugins are there but do not serve: disabled ones, say.
    pub away: Vec<String>,
    /// The parsers, each name once, in the order in which they were loaded.
    pub parsers: Vec<Arc<ParserEntry>>,
    /// The parser of sparks whose request names none.
    pub parser: Option<Arc<ParserEntry>>,
    /// Hooks on messages from clients, in order.
    pub incoming: Vec<Ref<MessageHook>>,
    /// Hooks on messages to clients, in order.
    pub outgoing: Vec<Ref<MessageHook>>,
    /// Hooks on new sparks, in order.
    pub connection: Vec<Ref<ConnectionHook>>,
    /// Hooks on ended sparks, in order.
    pub disconnection: Vec<Ref<DisconnectionHook>>,
    /// Hooks on what is wrong at sparks, in order.
    pub error: Vec<Ref<ErrorHook>>,
    /// Authorizers, in order.
    pub authorizers: Vec<Ref<RequestHook>>,
    /// Middleware, in order.
    pub middleware: Vec<Ref<Middleware>>,
    /// Routes by pattern; the values are indices into `handlers`, by method.
    pub routes: matchit::Router<HashMap<String, usize>>,
    /// The routes' handlers.
    pub handlers: Vec<Ref<RequestHook>>,
    /// Services by name: the first offers it.
    pub services: HashMap<String, Vec<Ref<Service>>>,
    /// Cross-origin policy.
    pub cors: Cors,
    /// Who may speak for others.
    pub proxies: TrustedProxies,
    /// The folders that are served.
    pub static_files: StaticFiles,
    numbers: ParserNumbers,
}

impl Snapshot {
    /// The picture of these plugins, given in load order.
    pub fn new(config: Config, generations: Vec<Arc<Generation>>, numbers: &ParserNumbers) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let mut snapshot = Self {
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            missing: missing(&config, &generations),
            transports: Vec::new(),
            away: Vec::new(),
            parsers: Vec::new(),
            parser: None,
            incoming: refs(&generations, |g| &g.registrations.incoming, |g, i| &g.registrations.incoming[i].1),
            outgoing: refs(&generations, |g| &g.registrations.outgoing, |g, i| &g.registrations.outgoing[i].1),
            connection: refs(&generations, |g| &g.registrations.connection, |g, i| &g.registrations.connection[i].1),
            disconnection: refs(&generations, |g| &g.registrations.disconnection, |g, i| &g.registrations.disconnection[i].1),
            error: refs(&generations, |g| &g.registrations.error, |g, i| &g.registrations.error[i].1),
            authorizers: refs(&generations, |g| &g.registrations.authorizers, |g, i| &g.registrations.authorizers[i].1),
            middleware: refs(&generations, |g| &g.registrations.middleware, |g, i| &g.registrations.middleware[i].1),
            routes: matchit::Router::new(),
            handlers: Vec::new(),
            services: HashMap::new(),
            cors: Cors::new(&config.server.cors),
            proxies: TrustedProxies::new(config.server.trusted_proxies.clone(), config.server.forwarded_by),
            static_files: StaticFiles::new(&config.server.static_files),
            numbers: numbers.clone(),
            generations,
            config,
        };
        snapshot.collect_transports();
        snapshot.collect_parsers();
        snapshot.warn_of_bytes();
        snapshot.collect_routes();
        snapshot.collect_services();
        snapshot
    }

    fn collect_transports(&mut self) {
        let mut transports: Vec<(i32, TransportEntry)> = Vec::new();
        for generation in &self.generations {
            for (priority, handle) in &generation.registrations.transports {
                let entry = TransportEntry { handle: Arc::clone(handle), generation: Arc::clone(generation) };
                transports.push((*priority, entry));
            }
        }
        // Stable: within a priority, the order of the plugins is kept.
        transports.sort_by_key(|(priority, _)| *priority);
        self.transports = transports.into_iter().map(|(_, entry)| entry).collect();
    }

    fn collect_parsers(&mut self) {
        for generation in &self.generations {
            for handle in &generation.registrations.parsers {
                let name = handle.name();
                if self.parsers.iter().any(|known| known.handle.name() == name) {
                    let plugin = generation.name();
                    tracing::warn!(plugin, "the parser `{name}` is already brought by an earlier plugin");
                    continue;
                }
                self.parsers.push(Arc::new(ParserEntry::new(handle, generation, &self.numbers)));
            }
        }
        let in_base64 = self.parsers.iter().filter_map(|parser| parser.in_base64.as_ref());
        self.parsers.iter().chain(in_base64).for_each(|parser| self.numbers.remember(parser));
        let names = self.parsers.iter().map(|parser| parser.handle.name());
        let default = parsers::default_of(names, self.config.server.parser.as_deref());
        self.parser = default.map(|at| Arc::clone(&self.parsers[at]));
    }

    /// The parser that a request asks for with `_parser`, or the one for those that don't.
    ///
    /// # Errors
    ///
    /// There is none of that name, or none at all.
    pub fn parser_for(&self, request: &Request<'_>) -> Result<&Arc<ParserEntry>, Refusal> {
        if let Some(name) = request.query_value("_parser") {
            return self.parsers.iter().find(|parser| parser.handle.name() == name).ok_or_else(|| {
                let enabled: Vec<&str> = self.parsers.iter().map(|parser| parser.handle.name()).collect();
                Refusal::new(format!("the parser {name:?} is not enabled; enabled are: {}", enabled.join(", ")))
                    .with_status(400)
            });
        }
        self.parser.as_ref().ok_or_else(|| {
            Refusal::new(match &self.config.server.parser {
                Some(name) => format!("the parser `{name}`, which the configuration makes the default, is not enabled"),
                None => "no parser plugin is enabled".to_owned(),
            })
            .with_status(503)
        })
    }

    /// The parser of a request whose session carries text only.
    ///
    /// # Errors
    ///
    /// It makes bytes, and the client does not say with `_base64=1` that it takes them as text.
    pub fn in_text<'a>(
        &self,
        parser: &'a Arc<ParserEntry>,
        transport: &str,
        request: &Request<'_>,
    ) -> Result<&'a Arc<ParserEntry>, Refusal> {
        let Some(in_base64) = &parser.in_base64 else { return Ok(parser) };
        if request.query_value("_base64").as_deref() == Some("1") {
            return Ok(in_base64);
        }
        let parser = parser.handle.name();
        let reason = format!("the transport {transport} carries text only, and the parser {parser} makes bytes");
        Err(Refusal::new(format!("{reason}: ask for one that makes text (_parser), or for base64 (_base64=1)"))
            .with_status(400))
    }

    /// Tells the operator of transports that the parser of clients that ask for none does not go with.
    fn warn_of_bytes(&self) {
        let Some(parser) = self.parser.as_ref().filter(|parser| parser.in_base64.is_some()) else { return };
        let request = Request::new("GET", "");
        for TransportEntry { handle, .. } in &self.transports {
            if let Ok(Carries::Text) = with_raw(&request, |raw| handle.carries(raw)) {
                let (parser, transport) = (parser.handle.name(), handle.name());
                tracing::warn!(
                    "the transport `{transport}` carries text only, and the default parser `{parser}` makes bytes: its clients are refused unless they ask for another"
                );
            }
        }
    }

    /// The parser of a number: one that is enabled, or one that only sparks have yet.
    pub fn parser_numbered(&self, number: u32) -> Option<Arc<ParserEntry>> {
        let in_base64 = self.parsers.iter().filter_map(|parser| parser.in_base64.as_ref());
        let enabled = self.parsers.iter().chain(in_base64).find(|parser| parser.number == number);
        enabled.map(Arc::clone).or_else(|| self.numbers.latest(number))
    }

    /// Whether clients are served without a plugin that is in quarantine: its hooks are skipped then. One that is required is not.
    pub fn does_without(&self, generation: &Generation) -> bool {
        !self.config.plugin(generation.name()).is_some_and(|config| config.required)
    }

    /// A plugin that is required and does not serve: no client is let in without it.
    pub fn out_of_service(&self) -> Option<&str> {
        let quarantined = |generation: &&Arc<Generation>| generation.is_quarantined() && !self.does_without(generation);
        let failed = self.generations.iter().filter(quarantined).map(|failed| failed.name());
        self.missing.iter().map(String::as_str).chain(failed).next()
    }

    /// Why each new client would be refused, if it would.
    pub fn why_nobody_is_let_in(&self) -> Option<String> {
        let authorizers = self.authorizers.iter().map(|hook| &hook.generation);
        if let Some(name) = self.out_of_service() {
            Some(format!("the plugin `{name}` is required and does not serve"))
        } else if let Some(failed) = authorizers.clone().find(|generation| generation.is_quarantined()) {
            Some(format!("the authorizing plugin `{}` is in quarantine", failed.name()))
        } else if self.transports.iter().all(|entry| entry.generation.is_quarantined()) {
            Some("no transport plugin serves".to_owned())
        } else {
            None
        }
    }

    /// The transport of a plugin, by both of their names.
    pub fn transport_of(&self, plugin: &str, name: &str) -> Option<TransportEntry> {
        let of = |entry: &&TransportEntry| entry.generation.name() == plugin && entry.handle.name() == name;
        self.transports.iter().find(of).cloned()
    }

    fn collect_routes(&mut self) {
        let mut by_pattern: Vec<(String, HashMap<String, usize>)> = Vec::new();
        for generation in &self.generations {
            for (index, (method, pattern, _)) in generation.registrations.routes.iter().enumerate() {
                let number = self.handlers.len();
                self.handlers.push(Ref {
                    generation: Arc::clone(generation),
                    index,
                    find: |generation, index| &generation.registrations.routes[index].2,
                });
                let at = match by_pattern.iter().position(|(known, _)| known == pattern) {
                    Some(at) => at,
                    None => {
                        by_pattern.push((pattern.clone(), HashMap::new()));
                        by_pattern.len() - 1
                    }
                };
                if by_pattern[at].1.contains_key(method) {
                    let plugin = generation.name();
                    tracing::warn!(plugin, "{method} {pattern} is already served by an earlier plugin");
                } else {
                    by_pattern[at].1.insert(method.clone(), number);
                }
            }
        }
        for (pattern, methods) in by_pattern {
            if let Err(error) = self.routes.insert(pattern.clone(), methods) {
                tracing::warn!("the route {pattern} is left out: {error}");
            }
        }
    }

    fn collect_services(&mut self) {
        for generation in &self.generations {
            for (index, (name, _)) in generation.registrations.services.iter().enumerate() {
                self.services.entry(name.clone()).or_default().push(Ref {
                    generation: Arc::clone(generation),
                    index,
                    find: |generation, index| &generation.registrations.services[index].1,
                });
            }
        }
    }

    /// What the client is to be assembled from. Of the parsers, it has the default and those that the configuration adds.
    pub fn client(&self) -> (ClientConfig, Vec<Part>) {
        let server = &self.config.server;
        let parser = self.parser.as_ref().map(|parser| parser.handle.name());
        let mut parts = Vec::new();
        let transports = self.client_transports();
        for generation in &self.generations {
            for (kind, name, text) in &generation.registrations.client_parts {
                let kind = match kind.as_str() {
                    "library" => PartKind::Library,
                    "extension" => PartKind::Extension,
                    "transport" => PartKind::Transport,
                    "parser" => PartKind::Parser,
                    other => {
                        tracing::warn!(plugin = generation.name(), "a client part of the unknown kind `{other}` is left out");
                        continue;
                    }
                };
                match kind {
                    PartKind::Transport if !transports.contains(name) => continue,
                    PartKind::Parser if Some(name.as_str()) != parser && !server.client_parsers.contains(name) => continue,
                    PartKind::Transport | PartKind::Parser | PartKind::Library | PartKind::Extension => {}
                }
                parts.push(Part { kind, name: name.clone(), text: text.clone() });
            }
        }
        let config = ClientConfig {
            pathname: server.path.to_string(),
            version: PRIMUS_VERSION,
            ping_timeout: PingTimeout::for_interval(server.ping_interval.0),
            authorization: !self.authorizers.is_empty(),
            global: server.global.clone(),
            transports,
            parser: parser.unwrap_or_default().to_owned(),
            library: String::new(),
        };
        (config, parts)
    }

    /// The transports of the served client, the preferred first.
    fn client_transports(&self) -> Vec<String> {
        let mut brought = brought_transports(&self.generations);
        match &self.config.server.client_transports {
            Some(named) => named.iter().filter(|name| brought.contains(name)).cloned().collect(),
            None => {
                let rank = |name: &String| PREFERRED_TRANSPORTS.iter().position(|known| known == name);
                // Stable: those that are in no list keep the order of the plugins, behind all others.
                brought.sort_by_key(|name| rank(name).unwrap_or(PREFERRED_TRANSPORTS.len()));
                brought
            }
        }
    }

    /// The transport that `/primus/spec` names: the one that the served client prefers, where there is one.
    fn transformer(&self) -> Option<&TransportEntry> {
        let brings = |entry: &TransportEntry, name: &String| {
            entry.generation.registrations.client_parts.iter().any(|(kind, of, _)| kind == "transport" && of == name)
        };
        let preferred = self.client_transports().into_iter().next();
        let of_client = preferred.and_then(|name| self.transports.iter().find(|entry| brings(entry, &name)));
        of_client.or(self.transports.first())
    }

    /// What a transport offers: under the pathname, or at ports of its own.
    fn offer(&self, entry: &TransportEntry) -> Offer {
        let listens = &entry.generation.registrations.listens;
        let requests: Vec<_> = match &listens[..] {
            [] => vec![Request::new("GET", self.config.server.path.as_str()).under("")],
            own => own.iter().map(|listen| came_to(&listen.target)).collect(),
        };
        let is_text = |request: &Request<'_>| matches!(with_raw(request, |raw| entry.handle.carries(raw)), Ok(Carries::Text));
        Offer {
            transport: entry.handle.name().to_owned(),
            plugin: entry.generation.name().to_owned(),
            carries: if requests.iter().all(is_text) { vec!["text"] } else { vec!["text", "binary"] },
            path: listens.is_empty().then(|| self.config.server.path.to_string()),
            ports: listens.iter().filter_map(|listen| listen.address.rsplit_once(':')?.1.parse().ok()).collect(),
        }
    }

    /// What `/primus/spec` says.
    pub fn spec(&self) -> Spec {
        Spec {
            ping_interval: self.config.server.ping_interval.0,
            pathname: self.config.server.path.to_string(),
            version: PRIMUS_VERSION,
            parser: self.parser.as_ref().map(|parser| parser.handle.name().to_owned()).unwrap_or_default(),
            transformer: self.transformer().map(|entry| entry.handle.name().to_owned()).unwrap_or_default(),
            transports: match &self.transports[..] {
                [] | [_] => Vec::new(),
                several => several.iter().map(|entry| entry.handle.name().to_owned()).collect(),
            },
            offers: match &self.transports[..] {
                [] | [_] => Vec::new(),
                several => several.iter().map(|entry| self.offer(entry)).collect(),
            },
            quarantined: self
                .generations
                .iter()
                .filter(|generation| generation.is_quarantined())
                .map(|generation| Quarantined {
                    plugin: generation.name().to_owned(),
                    reason: generation.reason().unwrap_or_default(),
                })
                .collect(),
        }
    }

    /// A transport panicked while it worked for sparks: its plugin goes into quarantine.
    pub fn transport_failed(&self, transport: &Arc<TransportHandle>, entry: &str, fault: &Fault) {
        match self.transports.iter().find(|known| Arc::ptr_eq(&known.handle, transport)) {
            Some(owner) => owner.generation.panicked(entry, fault),
            None => tracing::error!("a transport that is no longer in force panicked in {entry}: {}", fault.report),
        }
    }

    /// Tells all disconnection hooks of a spark's end.
    pub fn disconnected(&self, id: SparkId, reason: &plugin_api::DisconnectReason) {
        for hook in &self.disconnection {
            if !hook.generation.is_quarantined() {
                hook.settle("a disconnection hook", hook.get().call(id, reason));
            }
        }
    }

    /// Tells all error hooks what is wrong at a spark.
    pub fn went_wrong(&self, id: SparkId, error: &SparkError) {
        for hook in &self.error {
            if !hook.generation.is_quarantined() {
                hook.settle("an error hook", hook.get().call(id, error));
            }
        }
    }
}

/// A connection to a port of a plugin's own, as its transport is told of it.
fn came_to(target: &str) -> Request<'static> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Request::from(RequestParts {
        method: "CONNECT".to_owned(),
        path: path.to_owned(),
        rest: path.to_owned(),
        query: query.to_owned(),
        scheme: "tcp".to_owned(),
        ..RequestParts::default()
    })
}

/// The names of the transports that plugins bring the client, in their order.
pub fn brought_transports(generations: &[Arc<Generation>]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (_, name, _) in generations
        .iter()
        .flat_map(|generation| &generation.registrations.client_parts)
        .filter(|(kind, ..)| kind == "transport")
    {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// The names of the parsers that plugins bring, in their order.
pub fn brought_parsers(generations: &[Arc<Generation>]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for parser in generations.iter().flat_map(|generation| &generation.registrations.parsers) {
        if !names.iter().any(|known| known == parser.name()) {
            names.push(parser.name().to_owned());
        }
    }
    names
}

/// The required plugins that are not there.
fn missing(config: &Config, generations: &[Arc<Generation>]) -> Vec<String> {
    let required = config.plugins().into_iter().filter(|plugin| plugin.required && plugin.enabled);
    let is_there =
        |name: &str| generations.iter().any(|generation| config.plugin(generation.name()).is_some_and(|p| p.name == name));
    required.filter(|plugin| !is_there(&plugin.name)).map(|plugin| plugin.name.clone()).collect()
}

/// The hooks of all plugins by priority; within one, in load order.
fn refs<T: 'static>(
    generations: &[Arc<Generation>],
    all: for<'a> fn(&'a Generation) -> &'a Vec<(i32, T)>,
    find: fn(&Generation, usize) -> &T,
) -> Vec<Ref<T>> {
    let mut hooks: Vec<(i32, Ref<T>)> = Vec::new();
    for generation in generations {
        for (index, (priority, _)) in all(generation).iter().enumerate() {
            hooks.push((*priority, Ref { generation: Arc::clone(generation), index, find }));
        }
    }
    hooks.sort_by_key(|(priority, _)| *priority);
    hooks.into_iter().map(|(_, hook)| hook).collect()
}
