//! Named events both ways, with acknowledgements, on the packets of primus-emitter: clients with that library, and the client that
//! this server assembles, work alike.
//!
//! Applications use [`plugin_api::services::emitter`]. An event of a client goes to the plugin that handles it; one that nobody
//! handles is a message like any other, and goes on to the hooks that follow. What primus-emitter lacks: an acknowledgement may be an
//! error, and is waited for only so long.
#![forbid(unsafe_code)]

mod config;
mod packet;
mod pending;

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use plugin_api::prelude::*;
use plugin_api::services::emitter::{EmitterClient, EmitterService, Outcome, handler_service};
use plugin_api::services::rooms::{Except, RoomsClient};
use plugin_api::value::{self, Encoded, Number};
use plugin_api::{SendError, ServiceError};
use serde_bytes::ByteBuf;

pub use self::config::Config;
use self::packet::Packet;
use self::pending::{Pending, Request};

/// After the application's own disconnection hooks.
const LAST: Priority = Priority(900);

/// The plugin.
pub struct EmitterPlugin {
    host: Host,
    config: RwLock<Config>,
    pending: Mutex<Pending>,
}

impl Plugin for EmitterPlugin {
    const NAME: &'static str = "emitter";
    const DESCRIPTION: &'static str = "named events with acknowledgements";
    type Config = Config;

    fn start(config: Config, host: Host) -> Result<Self, StartError> {
        Ok(Self { host, config: RwLock::new(config), pending: Mutex::default() })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        EmitterClient::offer(registrar, Arc::clone(self));
        let emitter = Arc::clone(self);
        registrar.incoming(Priority::PROTOCOL, move |spark, message| emitter.incoming(spark, message));
        let emitter = Arc::clone(self);
        registrar.disconnection(LAST, move |spark, _reason| emitter.disconnected(spark.handle()));
        registrar.client_part(ClientPart::Extension, Self::NAME, include_str!("../client.js"));
    }

    fn reconfigure(&self, config: Config) -> Result<bool, StartError> {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(true)
    }

    fn save(&self) -> Option<Vec<u8>> {
        value::to_vec(&*self.pending()).ok()
    }

    /// What is owed is waited for anew, as timers end with the generation that set them.
    fn restore(&self, state: &[u8]) -> Result<(), StartError> {
        let restored: Pending = value::decode(state)
            .map_err(|error| StartError::new(format!("what clients owe the former generation can't be read: {error}")))?;
        for (id, request) in restored.iter() {
            self.host.set_timer(id, Duration::from_millis(request.timeout_ms));
        }
        *self.pending() = restored;
        Ok(())
    }

    fn timer(&self, id: u64) {
        let request = self.pending().remove(id);
        if let Some(request) = request {
            self.tell(&request, &Outcome::TimedOut);
        }
    }
}

export_plugin!(EmitterPlugin);

impl EmitterService for EmitterPlugin {
    fn emit(&self, sparks: Vec<SparkId>, event: &str, arguments: Encoded<'_>) -> Result<u64, String> {
        Ok(self.host.send_many(&sparks, &payload(event, arguments, None)?))
    }

    fn emit_to_rooms(&self, rooms: Vec<&str>, except: Except, event: &str, arguments: Encoded<'_>) -> Result<u64, String> {
        let payload = payload(event, arguments, None)?;
        RoomsClient::new(self.host.clone()).broadcast(rooms, except, payload).map_err(|error| error.to_string())
    }

    fn broadcast(&self, except: Vec<SparkId>, event: &str, arguments: Encoded<'_>) -> Result<u64, String> {
        Ok(self.host.broadcast(&payload(event, arguments, None)?, &except))
    }

    fn request(
        &self,
        spark: SparkId,
        event: &str,
        arguments: Encoded<'_>,
        timeout_ms: Option<u64>,
        tell: &str,
        token: u64,
    ) -> Result<(), String> {
        let config = *self.config.read().unwrap_or_else(PoisonError::into_inner);
        let timeout_ms = timeout_ms.unwrap_or(config.ack_timeout_ms);
        let request = Request { spark, tell: tell.to_owned(), token, timeout_ms };
        // Taken down before it is sent: the acknowledgement may come on another thread at once.
        let id = self.pending().add(request, config.max_pending_per_spark).map_err(|error| error.to_string())?;
        self.host.set_timer(id, Duration::from_millis(timeout_ms));
        let sent = payload(event, arguments, Some(id)).and_then(|payload| {
            self.host.send(spark, &payload).or_else(gone_is_known_later).map_err(|error| error.to_string())
        });
        if sent.is_err() {
            self.pending().remove(id);
            self.host.clear_timer(id);
        } else if self.host.spark_info(spark).is_none() {
            // Its disconnection may have been told before the request was taken down.
            self.disconnected(spark);
        }
        sent
    }

    fn acknowledge(&self, spark: SparkId, id: Number, answer: Result<Encoded<'_>, &str>) -> Result<(), String> {
        self.write(spark, packet::acknowledgement(id, answer));
        Ok(())
    }
}

/// A spark that is gone is an outcome of a request, not a mistake of who asks.
fn gone_is_known_later(error: SendError) -> Result<(), SendError> {
    match error {
        SendError::Gone => Ok(()),
        error => Err(error),
    }
}

/// What is sent to emit an event.
fn payload(event: &str, arguments: Encoded<'_>, id: Option<u64>) -> Result<Payload<'static>, String> {
    if packet::is_reserved(event) {
        return Err(format!("clients keep the event `{event}` for themselves: choose another name"));
    }
    let packet = packet::event(event, arguments, id).map_err(|error| format!("arguments are a list: {error}"))?;
    Ok(Payload::Value(packet.into()))
}

impl EmitterPlugin {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, spark: SparkId, packet: Vec<u8>) {
        if let Err(error) = self.host.send(spark, &Payload::Value(packet.into())) {
            tracing::debug!(%spark, %error, "an acknowledgement is not sent");
        }
    }

    /// Takes packets out of a client's messages.
    fn incoming(&self, spark: Spark<'_>, message: &mut Message<'_>) -> Flow {
        match packet::read(message) {
            None => Flow::Next,
            Some(Packet::Event { name, .. }) if packet::is_reserved(name) => Flow::Next,
            Some(Packet::Event { name, arguments, id }) => self.handle(spark.handle(), name, &arguments, id),
            Some(Packet::Acknowledgement { id, result }) => {
                self.acknowledged(spark.handle(), id, result);
                Flow::Stop
            }
        }
    }

    /// Hands an event to the plugin that handles it, and acknowledges it.
    fn handle(&self, spark: SparkId, event: &str, arguments: &[Encoded<'_>], id: Option<Number>) -> Flow {
        let list = packet::list(arguments);
        let arguments = Encoded::new(&list).expect("a list of encoded values is an encoded value");
        let answer: Result<Option<ByteBuf>, ServiceError> =
            self.host.call(&handler_service(event), "event", &(spark, id, arguments));
        let result = match &answer {
            Err(ServiceError::Missing { .. }) => return Flow::Next,
            Ok(None) => return Flow::Stop,
            Ok(Some(values)) => Encoded::new(values).map_err(|error| error.to_string()),
            Err(ServiceError::Refused(error)) => Err(error.clone()),
            Err(error) => {
                tracing::error!(%spark, event, %error, "an event is not handled");
                Err("the server failed".to_owned())
            }
        };
        match (id, &result) {
            (Some(id), _) => self.write(spark, packet::acknowledgement(id, result.as_ref().map_err(String::as_str).copied())),
            (None, Err(error)) => tracing::debug!(%spark, event, error, "an event without acknowledgement is refused"),
            (None, Ok(_)) => {}
        }
        Flow::Stop
    }

    fn acknowledged(&self, spark: SparkId, id: Number, result: Result<Encoded<'_>, String>) {
        // A number that is no id of ours is dropped, as a late acknowledgement is.
        let Some(id) = id.to_integer().and_then(|id| u64::try_from(id).ok()) else { return };
        let request = self.pending().acknowledge(spark, id);
        let Some(request) = request else { return };
        self.host.clear_timer(id);
        let outcome = match result {
            Ok(values) => Outcome::Acknowledged(values),
            Err(error) => Outcome::Refused(error),
        };
        self.tell(&request, &outcome);
    }

    fn disconnected(&self, spark: SparkId) {
        let owed = self.pending().remove_all(spark);
        for (id, request) in owed {
            self.host.clear_timer(id);
            self.tell(&request, &Outcome::Gone);
        }
    }

    fn tell(&self, request: &Request, outcome: &Outcome<'_>) {
        match self.host.call::<()>(&request.tell, "outcome", &(request.token, outcome)) {
            // Whoever asked is no more.
            Ok(()) | Err(ServiceError::Missing { .. }) => {}
            Err(error) => tracing::warn!(service = request.tell, %error, "the outcome of a request is not taken"),
        }
    }
}
