//! What a plugin is: its trait, its manifest, and where it declares what it brings.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::abi::plugin::RegistrarHandle;
use crate::host::{Counter, Host};
use crate::message::{Flow, Message};
use crate::parser::Parser;
use crate::request::{Request, Response};
use crate::spark::{Spark, SparkError};
use crate::transport::{DisconnectReason, Transport};

/// A plugin. One value of it is one generation: a reload makes a new one.
///
/// Calls come in this order: [`start`](Plugin::start), [`register`](Plugin::register), [`restore`](Plugin::restore) when there
/// was a former generation, then hooks from all shards, at last [`stop`](Plugin::stop). All but the hooks come from the
/// host's control thread, one at a time.
pub trait Plugin: Sized + Send + Sync + 'static {
    /// The plugin's name, as `plugins.toml` calls it: lower-case letters, digits, `-` and `_`.
    const NAME: &'static str;

    /// One line on what it does.
    const DESCRIPTION: &'static str = "";

    /// The plugins that must be there before this one.
    const REQUIRES: &'static [&'static str] = &[];

    /// The plugin's table in `plugins.toml`; [`NoConfig`] where there is nothing to set.
    type Config: DeserializeOwned + JsonSchema;

    /// Makes the plugin from its configuration. Nothing of it is visible to clients yet.
    ///
    /// # Errors
    ///
    /// The plugin can't work: the message is shown to the operator, and a former generation goes on.
    fn start(config: Self::Config, host: Host) -> Result<Self, StartError>;

    /// Declares what the plugin brings.
    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>);

    /// Takes a changed configuration while it runs. `Ok(false)`: it can't, a new generation is made.
    ///
    /// # Errors
    ///
    /// The configuration is refused; the old one stays in force.
    fn reconfigure(&self, config: Self::Config) -> Result<bool, StartError> {
        drop(config);
        Ok(false)
    }

    /// The state that the next generation goes on with. `None`: there is none.
    fn save(&self) -> Option<Vec<u8>> {
        None
    }

    /// Takes the state of the former generation, which may be of another version of this plugin.
    ///
    /// # Errors
    ///
    /// The state is of no use: this generation is given up and the former one goes on.
    fn restore(&self, state: &[u8]) -> Result<(), StartError> {
        let _ = state;
        Ok(())
    }

    /// A timer set by [`Host::set_timer`] has come.
    fn timer(&self, timer: u64) {
        let _ = timer;
    }

    /// Another process serves in this one's place: clients come to it from now on, and it has the state that was saved. What only
    /// one process can have, a port or a locked file, is to be let go soon, for [`Host::follows`] there. Called at most once; what
    /// was asked before is answered yet, then [`stop`](Plugin::stop) comes.
    fn followed(&self) {}

    /// Ends the work and joins the plugin's own threads.
    fn stop(&self) {}
}

/// The configuration of a plugin that has none: any key is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

/// A plugin can't start, or refuses its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct StartError {
    /// Where in the plugin's table: `limits.frame`; empty when it is not about a key.
    pub path: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl StartError {
    /// Not about a key of the configuration.
    pub fn new(message: impl Into<String>) -> Self {
        Self { path: String::new(), message: message.into() }
    }

    /// About a key of the configuration, as a path in the plugin's table.
    pub fn at(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

/// What a plugin's library says about itself before it is started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The plugin's name.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// One line on what it does.
    pub description: String,
    /// The version of `plugin-api` that it was built with.
    pub api: String,
    /// The plugins that must be there before it.
    pub requires: Vec<String>,
    /// The JSON Schema of its table in `plugins.toml`.
    pub config: serde_json::Value,
    /// Whether panics unwind in it; a host refuses one where they abort.
    pub unwinds: bool,
}

/// Why a request or a connection is refused. The host answers with the status and the body `{"error": message}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The HTTP status code; 401 by default.
    pub status: u16,
    /// What the client is told.
    pub message: String,
    /// The `WWW-Authenticate` header field that goes with a 401.
    pub authenticate: Option<String>,
}

impl Refusal {
    /// A refusal with status 401.
    pub fn new(message: impl Into<String>) -> Self {
        Self { status: 401, message: message.into(), authenticate: None }
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same with a `WWW-Authenticate` header field (RFC 9110, section 11.6.1).
    #[must_use]
    pub fn with_authenticate(mut self, challenge: impl Into<String>) -> Self {
        self.authenticate = Some(challenge.into());
        self
    }
}

/// Where a hook stands among the others: low numbers come first.
///
/// What rewrites or refuses messages stands before what consumes protocol messages, which stands before the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Priority(pub i32);

impl Priority {
    /// Checks and limits.
    pub const GUARD: Self = Self(100);
    /// Rewriting.
    pub const TRANSFORM: Self = Self(200);
    /// Plugins that speak a protocol inside of messages: rooms, events, calls.
    pub const PROTOCOL: Self = Self(300);
    /// The application.
    pub const APPLICATION: Self = Self(400);
}

/// Which slot of the client a part fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientPart {
    /// Script text that runs before the first client is made.
    Library,
    /// `export default function client(primus, options) {…}`.
    Extension,
    /// `export default { name, supported, open }`.
    Transport,
    /// `export default { name, encode, decode }`.
    Parser,
}

impl ClientPart {
    /// The name that crosses the boundary.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Library => "library",
            Self::Extension => "extension",
            Self::Transport => "transport",
            Self::Parser => "parser",
        }
    }
}

/// Where a plugin declares what it brings. All of it goes live together, after `register` has returned.
///
/// # Panics
///
/// A panic in any of it is caught, told and counted, and decides nothing in a client's favour. What was being worked on ends, and the
/// client may come again:
///
/// | what panics | what becomes of it |
/// | --- | --- |
/// | an authorizer, a middleware, a route | this request is answered with status 500 |
/// | a hook on connections or messages, a parser, a transport's shared frame | the spark is closed with 1011 |
/// | a session | the same, by [`Transport::last_words`]; requests of it that wait are answered with status 500 |
/// | a service | the caller gets [`ServiceError::Panicked`](crate::ServiceError) |
/// | a hook on ended sparks or on errors, a timer, a thread of its own | nothing else |
///
/// The configuration (`quarantine`) says after how many panics the plugin is in quarantine. Then its hooks and middleware are
/// skipped, its routes and new sessions answered with status 503, and its services are not there; sessions go on. Two things are never
/// skipped: an authorizer in quarantine refuses everyone, and a plugin that `plugins.toml` calls `required` is not done without: who
/// would come by one of its hooks is closed with 1011, and everything but the host's own answers is refused with status 503 where it
/// has middleware. So a plugin that filters or checks is to be `required`.
pub struct Registrar<'a> {
    pub(crate) raw: RegistrarHandle<'a>,
    pub(crate) host: &'a Host,
}

impl Registrar<'_> {
    /// A transport. Requests are offered to the transports by priority, then by name.
    pub fn transport(&mut self, priority: Priority, transport: impl Transport) {
        self.raw.transport(priority.0, transport);
    }

    /// A parser.
    pub fn parser(&mut self, parser: impl Parser) {
        self.raw.parser(parser);
    }

    /// A hook on messages from clients. `[shard]`
    pub fn incoming<F>(&mut self, priority: Priority, hook: F)
    where
        F: Fn(Spark<'_>, &mut Message<'_>) -> Flow + Send + Sync + 'static,
    {
        self.raw.incoming(self.host, priority.0, hook);
    }

    /// The application's hook on messages: [`Registrar::incoming`] with [`Priority::APPLICATION`]; it consumes them. `[shard]`
    pub fn message<F>(&mut self, hook: F)
    where
        F: Fn(Spark<'_>, &mut Message<'_>) + Send + Sync + 'static,
    {
        self.incoming(Priority::APPLICATION, move |spark, message| {
            hook(spark, message);
            Flow::Stop
        });
    }

    /// A hook on messages to clients; [`Flow::Defer`] is not allowed here and counts as [`Flow::Next`]. It runs while some plugin,
    /// this one perhaps, is about to send: a lock that is held meanwhile must not be asked for. No other hook runs so. `[shard]`
    pub fn outgoing<F>(&mut self, priority: Priority, hook: F)
    where
        F: Fn(Spark<'_>, &mut Message<'_>) -> Flow + Send + Sync + 'static,
    {
        self.raw.outgoing(self.host, priority.0, hook);
    }

    /// A hook on new sparks, before their first message. It must not block; what waits belongs to
    /// [`Registrar::connection_async`]. `[shard]`
    pub fn connection<F>(&mut self, priority: Priority, hook: F)
    where
        F: Fn(Spark<'_>) -> Result<(), Refusal> + Send + Sync + 'static,
    {
        self.raw.connection(self.host, priority.0, hook);
    }

    /// A hook on new sparks that may wait: messages of the spark are held back until it is done.
    pub fn connection_async<F, W>(&mut self, priority: Priority, hook: F)
    where
        F: Fn(crate::SparkId, Host) -> W + Send + Sync + 'static,
        W: Future<Output = Result<(), Refusal>> + Send + 'static,
    {
        self.raw.connection_async(self.host, priority.0, hook);
    }

    /// A hook on sparks that ended, after their last message. `[shard]`
    pub fn disconnection<F>(&mut self, priority: Priority, hook: F)
    where
        F: Fn(Spark<'_>, &DisconnectReason) + Send + Sync + 'static,
    {
        self.raw.disconnection(self.host, priority.0, hook);
    }

    /// A hook on what is wrong at sparks that go on, or are about to end for it: Primus's event `error`. Hosts of 1.0.0 tell of
    /// none. `[shard]`
    pub fn error<F>(&mut self, priority: Priority, hook: F)
    where
        F: Fn(Spark<'_>, &SparkError) + Send + Sync + 'static,
    {
        self.raw.error(self.host, priority.0, hook);
    }

    /// Decides whether a request may reach the transports. Every authorizer has to agree; one that panics, or is in quarantine, does
    /// not.
    pub fn authorizer<F, W>(&mut self, priority: Priority, authorizer: F)
    where
        F: Fn(Request<'static>) -> W + Send + Sync + 'static,
        W: Future<Output = Result<(), Refusal>> + Send + 'static,
    {
        self.raw.authorizer(self.host, priority.0, authorizer);
    }

    /// Sees every HTTP request first, and may answer it. One at which it panics is answered with status 500. `[shard]`
    pub fn middleware<F>(&mut self, priority: Priority, middleware: F)
    where
        F: Fn(&Request<'_>) -> Option<Response> + Send + Sync + 'static,
    {
        self.raw.middleware(priority.0, middleware);
    }

    /// Answers HTTP requests on a path of its own. `path` is a pattern: `/users/{id}`, `/files/{*rest}`.
    pub fn route<F, W>(&mut self, method: &str, path: &str, handler: F)
    where
        F: Fn(Request<'static>) -> W + Send + Sync + 'static,
        W: Future<Output = Response> + Send + 'static,
    {
        self.raw.route(self.host, method, path, handler);
    }

    /// Serves a fixed file. It is compared by its ETag, so that a browser asks and rarely loads.
    pub fn asset(&mut self, path: &str, content_type: &'static str, bytes: &'static [u8]) {
        let tag = format!("\"{:016x}\"", fnv1a(bytes));
        self.route("GET", path, move |request| {
            let fresh = request.header("if-none-match") == Some(tag.as_str());
            let response = if fresh { Response::new(304) } else { Response::new(200).with_body(bytes) };
            let response = response
                .with_header("content-type", content_type)
                .with_header("cache-control", "no-cache")
                .with_header("x-content-type-options", "nosniff")
                .with_header("etag", tag.clone());
            std::future::ready(response)
        });
    }

    /// Offers a service: `dispatch(method, arguments, reply)`, on any thread. Plugins use [`crate::services`] instead.
    pub fn service<F>(&mut self, name: &str, dispatch: F)
    where
        F: Fn(&str, &[u8]) -> ServiceReply + Send + Sync + 'static,
    {
        self.raw.service(name, dispatch);
    }

    /// A part of the client that `/primus/primus.js` serves.
    pub fn client_part(&mut self, part: ClientPart, name: &str, text: &str) {
        self.raw.client_part(part.as_str(), name, text);
    }

    /// An address of the plugin's own, beside the server's: the host accepts its connections, and each becomes a session of the
    /// plugin's transport of that name. It comes with a request that has no header fields: method `CONNECT`, scheme `tcp`, and
    /// `target` as path and query, which tell the addresses of a plugin apart. [`Transport::route`] is asked; of
    /// [`Route::Respond`](crate::Route::Respond), the body is written to the peer. A new generation that listens on the same
    /// address takes over without losing a connection; an address that can't be listened on is a plugin that does not start.
    pub fn listen(&mut self, transport: &str, address: SocketAddr, target: &str) {
        if !self.raw.listen(transport, &address.to_string(), target) {
            tracing::error!(%address, "the host is too old to listen for plugins: nobody listens");
        }
    }

    /// A counter in the host's metrics.
    pub fn counter(&mut self, name: &str, description: &str) -> Counter {
        Counter { host: self.host.clone(), number: self.raw.counter(name, description) }
    }

    /// The host, for what registered closures capture.
    pub fn host(&self) -> Host {
        self.host.clone()
    }
}

/// What a service answers to a call; replies and errors are encoded values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceReply {
    /// The reply.
    Done(Vec<u8>),
    /// The error: an encoded string.
    Refused(Vec<u8>),
    /// There is no such method.
    NoSuchMethod,
}

/// A hash for cache validators; nothing is protected by it (FNV-1a, 64 bits).
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
