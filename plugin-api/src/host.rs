//! The host as plugins see it.

use std::os::fd::OwnedFd;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::abi::functions::HostHandle;
use crate::abi::status;
use crate::message::{Flow, Message, Payload};
use crate::plugin::Refusal;
use crate::request::Request;
use crate::spark::{EndOptions, SendError, Spark, SparkId, SparkInfo};
use crate::value::{self, EncodeError};

/// The host. Cheap to clone, and may be used from any thread; nothing in it blocks.
#[derive(Clone)]
pub struct Host {
    pub(crate) raw: HostHandle,
}

impl Host {
    pub(crate) fn new(raw: HostHandle) -> Self {
        Self { raw }
    }

    /// A spark by its handle. It is not checked whether it is still there.
    pub fn spark(&self, id: SparkId) -> Spark<'_> {
        Spark::new(id, self)
    }

    /// The spark with this public id, as `primus.id()` answers it.
    pub fn find_spark(&self, id: &str) -> Option<SparkId> {
        self.raw.find_spark(id)
    }

    /// All sparks that are open now.
    pub fn sparks(&self) -> Vec<SparkId> {
        self.raw.sparks()
    }

    /// What is known of a spark; `None` once it is gone.
    pub fn spark_info(&self, id: SparkId) -> Option<SparkInfo> {
        value::decode(&self.raw.spark_info(id)?).ok()
    }

    /// Sends to one spark. On the spark's own thread the message is encoded before this returns, elsewhere it is handed over.
    ///
    /// # Errors
    ///
    /// The spark is gone or over its limit.
    pub fn send(&self, id: SparkId, payload: &Payload<'_>) -> Result<(), SendError> {
        match self.raw.send(id, payload) {
            status::OK => Ok(()),
            status::MISSING => Err(SendError::Gone),
            _ => Err(SendError::Full),
        }
    }

    /// Sends to many sparks, encoded once for each parser and frame class. Gone ones are skipped. Answers how many it went to; of
    /// the sparks of other threads nobody knows yet which are gone.
    pub fn send_many(&self, ids: &[SparkId], payload: &Payload<'_>) -> u64 {
        self.raw.send_many(ids, payload)
    }

    /// Sends to all sparks but these. Answers how many it went to, as [`Host::send_many`] does.
    pub fn broadcast(&self, payload: &Payload<'_>, except: &[SparkId]) -> u64 {
        self.raw.broadcast(except, payload)
    }

    /// Ends a spark. One that is gone is no error.
    pub fn end(&self, id: SparkId, options: &EndOptions) {
        let encoded = value::to_vec(options).expect("end options are plain data");
        self.raw.end(id, &encoded);
    }

    /// Calls a method of a service. Plugins use a typed interface instead, see [`crate::services`].
    ///
    /// # Errors
    ///
    /// See [`ServiceError`].
    pub fn call<T: DeserializeOwned>(
        &self,
        service: &str,
        method: &str,
        arguments: &(impl Serialize + ?Sized),
    ) -> Result<T, ServiceError> {
        let arguments = value::to_vec(arguments)?;
        let (status, reply) = self.raw.call_service(service, method, &arguments);
        match status {
            status::OK => value::decode(&reply).map_err(|error| ServiceError::Reply {
                service: service.to_owned(),
                method: method.to_owned(),
                error: error.to_string(),
            }),
            status::MISSING => Err(ServiceError::Missing { service: service.to_owned(), method: method.to_owned() }),
            status::PANICKED => Err(ServiceError::Panicked { service: service.to_owned() }),
            _ => Err(ServiceError::Refused(value::decode(&reply).unwrap_or_else(|_| "no reason given".to_owned()))),
        }
    }

    /// Makes a connected stream socket (TCP or Unix) a session of this plugin's transport of that name: the way in for a transport
    /// that does I/O of its own. What goes through the socket are the session's bytes; the host reads and writes it from now on.
    ///
    /// The request goes the way of every other: the server's pathname is taken off its path, then come cross-origin rules, middleware, authorizers, [`crate::Transport::open`] (that of
    /// the generation in force), then [`crate::Session::request`], which is to answer by [`crate::Events::upgrade`]. Nothing is
    /// written of that answer. `done` is told once what became of it, on another thread that must not be blocked: the spark, or
    /// why the peer is refused; the socket is closed then. The plugin is not stopped before the last such spark has ended.
    pub fn adopt(
        &self,
        stream: impl Into<OwnedFd>,
        transport: &str,
        request: &Request<'_>,
        done: impl FnOnce(Result<SparkId, Refusal>) + Send + 'static,
    ) {
        self.raw.adopt(stream.into(), transport, request, done);
    }

    /// Whether this process follows another one that still serves (`switchboard upgrade`). What only one process can have, a port or
    /// a locked file, is still had by that one then: wait for it instead of failing. It is let go when the other process's plugin
    /// is told by [`crate::Plugin::followed`], or with that process's end.
    pub fn follows(&self) -> bool {
        self.raw.follows()
    }

    /// Calls [`crate::Plugin::timer`] once, after at least `after`. An earlier timer of that number is replaced.
    pub fn set_timer(&self, timer: u64, after: Duration) {
        let milliseconds = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        self.raw.set_timer(timer, milliseconds);
    }

    /// The timer is not to come.
    pub fn clear_timer(&self, timer: u64) {
        self.raw.clear_timer(timer);
    }
}

/// A call of a service failed.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// No enabled plugin offers it.
    #[error("no enabled plugin offers `{method}` of the service `{service}`")]
    Missing {
        /// The service.
        service: String,
        /// The method.
        method: String,
    },
    /// The service refused, with its reason.
    #[error("{0}")]
    Refused(String),
    /// The service's plugin panicked.
    #[error("the service `{service}` panicked")]
    Panicked {
        /// The service.
        service: String,
    },
    /// The reply is not of the type that the caller expects.
    #[error("the reply of `{method}` of the service `{service}` is not what was expected: {error}")]
    Reply {
        /// The service.
        service: String,
        /// The method.
        method: String,
        /// What is wrong with it.
        error: String,
    },
    /// The arguments can't be encoded.
    #[error(transparent)]
    Arguments(#[from] EncodeError),
}

/// A message that a hook has deferred. Dropping it without an answer stops the message.
#[must_use = "a deferred message waits, and all later ones of its spark with it"]
pub struct Deferred {
    host: Host,
    spark: SparkId,
    token: u64,
}

impl Deferred {
    /// The message goes on to the next hook, and later messages after it.
    pub fn next(mut self) {
        self.answer(Flow::Next);
    }

    /// The message is consumed.
    pub fn stop(mut self) {
        self.answer(Flow::Stop);
    }

    fn answer(&mut self, flow: Flow) {
        if self.token != 0 {
            self.host.raw.resume(self.spark, self.token, flow as u32);
            self.token = 0;
        }
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        self.answer(Flow::Stop);
    }
}

impl Message<'_> {
    /// Defers the decision on this message of `spark`: the hook returns [`Flow::Defer`], and the handle decides later.
    pub fn defer(&mut self, spark: Spark<'_>) -> Deferred {
        let token = spark.host().raw.defer(spark.handle());
        self.raw.set_deferred(token);
        Deferred { host: spark.host().clone(), spark: spark.handle(), token }
    }
}

/// A number that grows, shown by the host's metrics.
#[derive(Clone)]
pub struct Counter {
    pub(crate) host: Host,
    pub(crate) number: u32,
}

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// More.
    pub fn add(&self, by: u64) {
        self.host.raw.count(self.number, by);
    }
}
