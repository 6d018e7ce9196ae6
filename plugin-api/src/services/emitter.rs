//! Named events with acknowledgements. Offered by the plugin `emitter`, which knows the packets.
//!
//! [`on`] declares what an application does with an event of its clients, [`Emitter`] sends events to them, and [`Requests`]
//! sends those that clients acknowledge:
//!
//! ```
//! use plugin_api::prelude::*;
//! use plugin_api::services::emitter::{self, Emitter};
//!
//! struct Greeter;
//!
//! impl Plugin for Greeter {
//!     const NAME: &'static str = "greeter";
//!     const REQUIRES: &'static [&'static str] = &["emitter"];
//!     type Config = NoConfig;
//!
//!     fn start(_config: NoConfig, _host: Host) -> Result<Self, StartError> {
//!         Ok(Self)
//!     }
//!
//!     fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
//!         // primus.send("hello", "Ann", answer => …)
//!         let emitter = Emitter::new(registrar.host());
//!         emitter::on(registrar, "hello", move |spark, (name,): (String,)| {
//!             if name.is_empty() {
//!                 return Err("a name is needed".to_owned());
//!             }
//!             // primus.on("greeted", (name, count) => …)
//!             let _ = emitter.emit(spark.handle(), "greeted", &(&name, 1));
//!             Ok(format!("Hello, {name}"))
//!         });
//!     }
//! }
//! ```
//!
//! Arguments are a tuple or a list: `(name, 3)` is two arguments, `(list,)` is one. What is neither is one argument.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use tokio::sync::oneshot;

use super::rooms::Except;
use crate::host::{Host, ServiceError};
use crate::plugin::{Registrar, ServiceReply};
use crate::spark::{Spark, SparkId};
use crate::value::{self, DecodeError, EncodeError, Encoded, Number, Writer};

crate::service! {
    /// What the plugin `emitter` does for others, in encoded form; [`Emitter`] and [`Requests`] are easier to use. `arguments` is
    /// an encoded array. Names of events that clients reserve for themselves are refused.
    pub trait EmitterService as EmitterClient = "emitter" {
        /// Sends an event to some sparks. Answers how many were there.
        fn emit(&self, sparks: Vec<SparkId>, event: &str, arguments: Encoded<'_>) -> u64;
        /// Sends an event to the members of some rooms, each once. Answers how many there were.
        fn emit_to_rooms(&self, rooms: Vec<&str>, except: Except, event: &str, arguments: Encoded<'_>) -> u64;
        /// Sends an event to all sparks but some. Answers how many there were.
        fn broadcast(&self, except: Vec<SparkId>, event: &str, arguments: Encoded<'_>) -> u64;
        /// Sends an event that the spark is to acknowledge. Its [`Outcome`] is told once to the service `tell` by its method
        /// `outcome(token, outcome)`. Without a time, the plugin's own applies.
        fn request(
            &self,
            spark: SparkId,
            event: &str,
            arguments: Encoded<'_>,
            timeout_ms: Option<u64>,
            tell: &str,
            token: u64,
        ) -> ();
        /// Acknowledges a spark's event by the packet's id: with an encoded array of values, or with an error.
        fn acknowledge(&self, spark: SparkId, id: Number, answer: Result<Encoded<'_>, &str>) -> ();
    }
}

/// What a request has come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome<'a> {
    /// The values of the acknowledgement: an encoded array.
    Acknowledged(#[serde(borrow)] Encoded<'a>),
    /// The client acknowledged with an error.
    Refused(String),
    /// No acknowledgement came in time.
    TimedOut,
    /// The spark ended before it acknowledged.
    Gone,
}

/// The service that handles an event.
///
/// The plugin `emitter` calls its method `event(spark, id, arguments)`, where `id` is `null` if no acknowledgement is wanted. It
/// answers a byte string, the encoded array of the acknowledgement's values, or `null` where it acknowledges later; its refusal is an
/// acknowledgement with that error.
pub fn handler_service(event: &str) -> String {
    format!("emitter.on {event}")
}

/// Sends events to clients. Cheap to clone.
#[derive(Clone)]
pub struct Emitter {
    client: EmitterClient,
}

impl Emitter {
    /// Whether the plugin `emitter` is there shows at each call.
    pub fn new(host: Host) -> Self {
        Self { client: EmitterClient::new(host) }
    }

    /// Sends an event to one spark. One that is gone is no error.
    ///
    /// # Errors
    ///
    /// See [`ServiceError`].
    pub fn emit(&self, spark: SparkId, event: &str, arguments: &(impl Serialize + ?Sized)) -> Result<(), ServiceError> {
        self.emit_many(vec![spark], event, arguments).map(drop)
    }

    /// Sends an event to some sparks. Answers how many were there.
    ///
    /// # Errors
    ///
    /// See [`ServiceError`].
    pub fn emit_many(
        &self,
        sparks: Vec<SparkId>,
        event: &str,
        arguments: &(impl Serialize + ?Sized),
    ) -> Result<u64, ServiceError> {
        self.client.emit(sparks, event, listed(&encoded_list(arguments)?))
    }

    /// Sends an event to the members of some rooms, each once; the one who caused it is a member like any other. Answers how many
    /// there were.
    ///
    /// # Errors
    ///
    /// See [`ServiceError`]; the plugin `rooms` has to be there too.
    pub fn emit_to_rooms(
        &self,
        rooms: &[&str],
        except: Except,
        event: &str,
        arguments: &(impl Serialize + ?Sized),
    ) -> Result<u64, ServiceError> {
        self.client.emit_to_rooms(rooms.to_vec(), except, event, listed(&encoded_list(arguments)?))
    }

    /// Sends an event to all sparks but some. Answers how many there were.
    ///
    /// # Errors
    ///
    /// See [`ServiceError`].
    pub fn broadcast(
        &self,
        except: &[SparkId],
        event: &str,
        arguments: &(impl Serialize + ?Sized),
    ) -> Result<u64, ServiceError> {
        self.client.broadcast(except.to_vec(), event, listed(&encoded_list(arguments)?))
    }
}

/// Handles an event of clients. The handler's value is the acknowledgement, if the client wants one: see [`Emitter`] for what
/// arguments are. Its error, and arguments of another type than the handler's, are an acknowledgement with that error.
///
/// An event belongs to one plugin: the host refuses a second one that handles it. `[shard]`
pub fn on<A, R, F>(registrar: &mut Registrar<'_>, event: &str, handler: F)
where
    A: DeserializeOwned,
    R: Serialize,
    F: Fn(Spark<'_>, A) -> Result<R, String> + Send + Sync + 'static,
{
    let host = registrar.host();
    offer_handler(registrar, event, move |spark, _id, arguments| {
        let answer = handler(host.spark(spark), arguments)?;
        encoded_list(&answer).map(Some).map_err(|error| error.to_string())
    });
}

/// Handles an event of clients, and acknowledges it by the [`Reply`], now or later, on any thread. `[shard]`
pub fn on_later<A, F>(registrar: &mut Registrar<'_>, event: &str, handler: F)
where
    A: DeserializeOwned,
    F: Fn(Spark<'_>, A, Reply) + Send + Sync + 'static,
{
    let host = registrar.host();
    offer_handler(registrar, event, move |spark, id, arguments| {
        let reply = Reply { client: EmitterClient::new(host.clone()), spark, id };
        handler(host.spark(spark), arguments, reply);
        Ok(None)
    });
}

fn offer_handler<A, F>(registrar: &mut Registrar<'_>, event: &str, handle: F)
where
    A: DeserializeOwned,
    F: Fn(SparkId, Option<Number>, A) -> Result<Option<Vec<u8>>, String> + Send + Sync + 'static,
{
    let name = event.to_owned();
    registrar.service(&handler_service(event), move |method, call| {
        if method != "event" {
            return ServiceReply::NoSuchMethod;
        }
        let answer = value::decode::<(SparkId, Option<Number>, Encoded<'_>)>(call)
            .and_then(|(spark, id, arguments)| Ok((spark, id, arguments.decode()?)))
            .map_err(|error| format!("the arguments of the event `{name}` are wrong: {error}"))
            .and_then(|(spark, id, arguments)| handle(spark, id, arguments));
        super::reply(answer.map(|values| values.map(ByteBuf::from)))
    });
}

/// Acknowledges one event of a client. Where the client wants no acknowledgement, it does nothing; an event whose reply is dropped is
/// never acknowledged.
#[must_use = "the client waits for an acknowledgement"]
pub struct Reply {
    client: EmitterClient,
    spark: SparkId,
    id: Option<Number>,
}

impl Reply {
    /// Whether the client waits for it.
    pub fn is_wanted(&self) -> bool {
        self.id.is_some()
    }

    /// Acknowledges.
    ///
    /// # Errors
    ///
    /// See [`ServiceError`]. A spark that is gone is no error.
    pub fn acknowledge(self, answer: &(impl Serialize + ?Sized)) -> Result<(), ServiceError> {
        let Some(id) = self.id else { return Ok(()) };
        self.client.acknowledge(self.spark, id, Ok(listed(&encoded_list(answer)?)))
    }

    /// Acknowledges with an error.
    ///
    /// # Errors
    ///
    /// See [`ServiceError`]. A spark that is gone is no error.
    pub fn refuse(self, error: &str) -> Result<(), ServiceError> {
        let Some(id) = self.id else { return Ok(()) };
        self.client.acknowledge(self.spark, id, Err(error))
    }
}

/// Sends events that clients acknowledge, and waits for it. Cheap to clone.
#[derive(Clone)]
pub struct Requests {
    client: EmitterClient,
    service: Arc<str>,
    waiting: Arc<Waiting>,
}

/// Where the values of one acknowledgement go.
type Sender = oneshot::Sender<Result<Vec<u8>, RequestError>>;

/// The requests whose outcome isn't known yet.
struct Waiting {
    last_token: AtomicU64,
    senders: Mutex<HashMap<u64, Sender>>,
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The client acknowledged with an error.
    #[error("{0}")]
    Refused(String),
    /// No acknowledgement came in time.
    #[error("the client did not acknowledge in time")]
    TimedOut,
    /// The spark ended before it acknowledged.
    #[error("the spark ended before it acknowledged")]
    Gone,
    /// The acknowledgement's values are not of the expected type.
    #[error("the acknowledgement is not what was expected: {0}")]
    Answer(#[from] DecodeError),
    /// The request could not be sent.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl Requests {
    /// For the plugin of this name, which gets the outcomes.
    pub fn new(registrar: &mut Registrar<'_>, plugin: &str) -> Self {
        let service = format!("emitter.outcomes {plugin}");
        let waiting = Arc::new(Waiting::new());
        let told = Arc::clone(&waiting);
        registrar.service(&service, move |method, arguments| {
            if method != "outcome" {
                return ServiceReply::NoSuchMethod;
            }
            let outcome = value::decode::<(u64, Outcome<'_>)>(arguments);
            super::reply(outcome.map(|(token, outcome)| told.settle(token, outcome)).map_err(|error| error.to_string()))
        });
        Self { client: EmitterClient::new(registrar.host()), service: service.into(), waiting }
    }

    /// Sends an event and waits for its acknowledgement, as long as `timeout` or the plugin's own time. `R` is a tuple or a list of
    /// the acknowledgement's values.
    ///
    /// It is sent before this returns.
    ///
    /// # Errors
    ///
    /// See [`RequestError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the answer up; the event is sent all the same.
    pub fn send<R: DeserializeOwned + 'static>(
        &self,
        spark: SparkId,
        event: &str,
        arguments: &(impl Serialize + ?Sized),
        timeout: Option<Duration>,
    ) -> Pin<Box<dyn Future<Output = Result<R, RequestError>> + Send>> {
        let token = self.waiting.last_token.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, receiver) = oneshot::channel();
        self.waiting.insert(token, sender);
        let timeout_ms = timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        let sent = encoded_list(arguments)
            .map_err(ServiceError::from)
            .and_then(|arguments| self.client.request(spark, event, listed(&arguments), timeout_ms, &self.service, token));
        let waiting = Arc::clone(&self.waiting);
        Box::pin(async move {
            if let Err(error) = sent {
                waiting.remove(token);
                return Err(error.into());
            }
            let values = receiver.await.unwrap_or(Err(RequestError::Gone))?;
            Ok(value::decode(&values)?)
        })
    }
}

impl Waiting {
    /// Tokens begin with the time, so that the outcomes of a former generation's requests are taken for no other's.
    fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        Self { last_token: AtomicU64::new(u64::try_from(now).unwrap_or(0)), senders: Mutex::default() }
    }

    fn insert(&self, token: u64, sender: Sender) {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner).insert(token, sender);
    }

    fn remove(&self, token: u64) -> Option<Sender> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner).remove(&token)
    }

    fn settle(&self, token: u64, outcome: Outcome<'_>) {
        let Some(sender) = self.remove(token) else { return };
        let result = match outcome {
            Outcome::Acknowledged(values) => Ok(values.as_bytes().to_vec()),
            Outcome::Refused(error) => Err(RequestError::Refused(error)),
            Outcome::TimedOut => Err(RequestError::TimedOut),
            Outcome::Gone => Err(RequestError::Gone),
        };
        // Whoever waited may have given up.
        let _ = sender.send(result);
    }
}

/// A list of arguments: what is no list is one argument, nothing is none.
fn encoded_list(arguments: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, EncodeError> {
    let encoded = value::to_vec(arguments)?;
    if Encoded::checked(&encoded).is_array() {
        return Ok(encoded);
    }
    let mut list = Vec::with_capacity(encoded.len() + 1);
    let mut writer = Writer::new(&mut list);
    if Encoded::checked(&encoded).is_null() {
        writer.array(Some(0));
    } else {
        writer.array(Some(1));
        writer.encoded(Encoded::checked(&encoded));
    }
    Ok(list)
}

/// What [`encoded_list`] has made.
fn listed(list: &[u8]) -> Encoded<'_> {
    Encoded::checked(list)
}
