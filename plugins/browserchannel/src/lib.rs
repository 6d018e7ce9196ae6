//! The BrowserChannel transport (protocol version 8) as a sans-IO state machine: what Google's Closure library speaks, npm
//! `browserchannel`, and so Primus' transformer `browserchannel`.
//!
//! Start reading at `ask`: what a request is for. `channel` is a session, `arrays` what it has to say, `order` and `batch` what its
//! client says, `carrier` how the former stands in a response. `trial` is what comes before a session.
//!
//! It takes requests for `/test` and `/bind` under the server's pathname whose query names a version (`VER=`), and no others: no
//! other transport wants these, so that their order says nothing.
//!
//! BrowserChannel carries text only: the host refuses clients whose parser makes bytes, unless they take them in base64. Bytes of the
//! parser `raw` end the session.
#![forbid(unsafe_code)]

use std::sync::Arc;

use plugin_api::{
    Carrier as Gone, Carries, Close, EndOptions, Events, ExchangeId, FrameClass, Host, Kind, Out, Plugin, Priority, Registrar,
    Request, Route, Session, StartError, TimerId, Transport, export_plugin, value,
};

mod answer;
mod arrays;
mod ask;
mod batch;
mod carrier;
mod channel;
pub mod config;
mod directory;
mod endpoint;
mod order;
mod trial;

use ask::{Ask, What, Wrong};
use channel::Channel;
pub use channel::{FLUSH, LIFE};
use config::Config;
use endpoint::Endpoint;
use trial::Trial;

/// The plugin.
pub struct BrowserChannelPlugin {
    transport: BrowserChannelTransport,
}

impl Plugin for BrowserChannelPlugin {
    const NAME: &'static str = "browserchannel";
    const DESCRIPTION: &'static str = "the BrowserChannel transport of Google's Closure library, over HTTP";
    type Config = Config;

    fn start(config: Config, _: Host) -> Result<Self, StartError> {
        Ok(Self { transport: BrowserChannelTransport::new(&config)? })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.transport(Priority::PROTOCOL, self.transport.clone());
        // A session can't end another one. When the new one of a client is announced, the plugin ends the one that it had before.
        let (endpoint, host) = (Arc::clone(&self.transport.endpoint), registrar.host());
        registrar.connection(Priority::GUARD, move |_| {
            for spark in endpoint.take_abandoned() {
                if let Some(id) = host.find_spark(&spark) {
                    host.end(id, &EndOptions { reconnect: true, ..EndOptions::default() });
                }
            }
            Ok(())
        });
    }

    /// The ids of open sessions: their sparks stay, and their requests come to the next generation.
    fn save(&self) -> Option<Vec<u8>> {
        value::to_vec(&self.transport.endpoint.directory.open()).ok()
    }

    fn restore(&self, state: &[u8]) -> Result<(), StartError> {
        let open: Vec<(String, String)> = value::decode(state).map_err(|error| StartError::new(error.to_string()))?;
        for (sid, spark) in open {
            self.transport.endpoint.directory.enter(&sid, &spark);
        }
        Ok(())
    }
}

export_plugin!(BrowserChannelPlugin);

/// The transport. Clones are the same one.
#[derive(Clone)]
pub struct BrowserChannelTransport {
    endpoint: Arc<Endpoint>,
}

impl BrowserChannelTransport {
    /// With a configuration.
    ///
    /// # Errors
    /// The first setting that makes no sense.
    pub fn new(config: &Config) -> Result<Self, StartError> {
        Ok(Self { endpoint: Arc::new(Endpoint::new(config)?) })
    }

    /// A request of a session's. The host may know better: a session may have been of a generation of this plugin that is gone.
    fn route_to(&self, sid: &str, what: What, request: &Request<'_>) -> Route {
        let directory = &self.endpoint.directory;
        if request.is_for_lost_session() {
            directory.leave(sid);
        }
        match (directory.find(sid), what) {
            (Some(spark), _) => Route::Session(spark),
            (None, What::Leave(_)) => Route::Respond(answer::forgotten()),
            (None, What::Forward(_) | What::Back { .. }) => Route::Respond(answer::unknown_session()),
        }
    }

    fn if_there_is_room(&self, request: &Request<'_>, route: Route) -> Route {
        match self.endpoint.seats.check(request) {
            Ok(()) => route,
            Err(full) => Route::Respond(answer::full(full)),
        }
    }
}

impl Transport for BrowserChannelTransport {
    type Session = BrowserChannel;

    fn name(&self) -> &str {
        "browserchannel"
    }

    fn route(&self, request: &Request<'_>) -> Route {
        match Ask::of(request) {
            None => Route::Pass,
            Some(Ok(Ask::Hosts)) => Route::Respond(answer::hosts(self.endpoint.host_prefix())),
            Some(Ok(Ask::Trial(_))) => self.if_there_is_room(request, Route::OpenBare),
            Some(Ok(Ask::Open { .. })) => self.if_there_is_room(request, Route::Open),
            Some(Ok(Ask::Of { sid, what, .. })) => self.route_to(&sid, what, request),
            Some(Ok(Ask::Nothing)) => Route::Respond(answer::forgotten()),
            Some(Err(Wrong::Method)) => {
                let refusal = answer::refusal(405, &Wrong::Method.to_string());
                Route::Respond(refusal.with_header("allow", "GET, POST"))
            }
            Some(Err(wrong @ (Wrong::Version | Wrong::NotRpc | Wrong::Type))) => {
                Route::Respond(answer::refusal(400, &wrong.to_string()))
            }
        }
    }

    fn carries(&self, _: &Request<'_>) -> Carries {
        Carries::Text
    }

    fn open(&self, request: &Request<'_>) -> BrowserChannel {
        let seat = self.endpoint.seats.take(request);
        match Ask::of(request) {
            Some(Ok(Ask::Trial(_))) => BrowserChannel::Trial(Trial::new(seat)),
            _ => BrowserChannel::Channel(Box::new(Channel::new(Arc::clone(&self.endpoint), seat))),
        }
    }

    /// Arrays are numbered: no two sessions share them.
    fn frame(&self, _: FrameClass, _: Kind, _: &[u8], _: &mut Out<'_>) {}
}

/// A session.
pub enum BrowserChannel {
    /// A client's.
    Channel(Box<Channel>),
    /// A trial, which is no client.
    Trial(Trial),
}

impl Session for BrowserChannel {
    fn request(&mut self, exchange: ExchangeId, request: &Request<'_>, events: &mut Events<'_>) {
        let Some(Ok(ask)) = Ask::of(request) else {
            return events.respond(exchange, answer::unknown_session());
        };
        match self {
            Self::Channel(channel) => channel.request(exchange, ask, request, events),
            Self::Trial(trial) => trial.request(exchange, &ask, request.query_value("DOMAIN"), events),
        }
    }

    /// Nothing is carried by a stream.
    fn receive(&mut self, _: &mut [u8], _: &mut Events<'_>) {}

    fn send(&mut self, kind: Kind, payload: &[u8], events: &mut Events<'_>) {
        if let Self::Channel(channel) = self {
            channel.send(kind, payload, events);
        }
    }

    fn timeout(&mut self, timer: TimerId, events: &mut Events<'_>) {
        match self {
            Self::Channel(channel) => channel.timeout(timer, events),
            Self::Trial(trial) => trial.timeout(events),
        }
    }

    fn close(&mut self, _: &Close, events: &mut Events<'_>) {
        match self {
            Self::Channel(channel) => channel.close(events),
            Self::Trial(trial) => trial.timeout(events),
        }
    }

    fn disconnected(&mut self, carrier: Gone, events: &mut Events<'_>) {
        match (self, carrier) {
            (Self::Channel(channel), Gone::Exchange(exchange)) => channel.disconnected(exchange, events),
            (Self::Trial(_), _) => events.close(plugin_api::DisconnectReason::Lost),
            (Self::Channel(_), Gone::Stream) => {}
        }
    }
}
