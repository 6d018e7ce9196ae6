//! What the application does with messages: it echoes them, unless they are commands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use plugin_api::value::{self, Value};
use plugin_api::{EndOptions, Host, Message, Payload, Refusal, Spark, SparkError, SparkId, query_pairs};
use serde::{Deserialize, Serialize};

use crate::events::Events;
use crate::gates::Gates;
use crate::rooms;

/// A message that is more than data.
#[derive(Deserialize)]
#[serde(tag = "command", rename_all = "lowercase")]
enum Command {
    /// Tell what is known of the connection.
    Whoami,
    /// End it for good, after the data if there is any.
    Close { data: Option<Value> },
    /// End it so that it comes back.
    Reconnect,
    /// Write to all.
    Broadcast { value: Value },
    /// Tell how many connections there are.
    Count,
    /// Tell from now on who has gone.
    Watch,
    /// Open a gate that connections wait at.
    Release { gate: String },
    /// Write many large strings.
    Flood { count: usize, size: usize },
    /// Send a named event.
    Send { event: String, args: Vec<Value> },
    /// Send a named event and tell how it was acknowledged.
    Request { event: String, args: Vec<Value> },
    /// Join a room and tell the rooms.
    Join { room: String },
    /// Leave a room, or all, and tell the rooms.
    Leave { room: Option<String> },
    /// Tell how many are in a room.
    Members { room: String },
    /// Write to some rooms.
    Rooms {
        rooms: Vec<String>,
        value: Value,
        #[serde(default)]
        except: bool,
    },
}

/// The answer to `whoami`.
#[derive(Serialize)]
struct Identity {
    id: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    address: Address,
}

#[derive(Serialize)]
struct Address {
    ip: String,
    port: u16,
}

#[derive(Serialize)]
struct Count {
    count: usize,
}

#[derive(Serialize)]
struct Released {
    released: usize,
}

#[derive(Serialize)]
struct Disconnected {
    disconnected: String,
}

#[derive(Serialize)]
struct WentWrong {
    error: String,
    at: String,
}

/// The application's state.
#[derive(Default)]
pub struct Application {
    pub events: Events,
    gates: Gates,
    watchers: Mutex<BTreeSet<SparkId>>,
}

impl Application {
    /// `?welcome=text` is greeted with the text, `?gate=name` waits at that gate.
    pub async fn connected(&self, spark: SparkId, host: &Host) -> Result<(), Refusal> {
        let Some(info) = host.spark_info(spark) else {
            return Ok(());
        };
        if let Some(welcome) = info.query_value("welcome") {
            host.spark(spark).write(&welcome).map_err(|error| Refusal::new(error.to_string()))?;
        }
        if let Some(gate) = info.query_value("gate") {
            self.gates.pass(gate).await;
        }
        Ok(())
    }

    /// Does what the message commands, or echoes its value.
    pub fn message(&self, spark: Spark<'_>, message: &mut Message<'_>) {
        let Ok(value) = message.decode::<Value>() else {
            return;
        };
        // Serde would read a command out of an array, too.
        if let (Value::Object(_), Ok(command)) = (&value, message.decode::<Command>()) {
            self.obey(spark, command);
        } else {
            // Written, not relayed: the parser is to be seen in both directions.
            write(spark, &value);
        }
    }

    /// Tells those who watch.
    pub fn disconnected(&self, spark: Spark<'_>) {
        self.watchers().remove(&spark.handle());
        self.tell(spark, |id| Disconnected { disconnected: id });
    }

    /// Tells those who watch.
    pub fn went_wrong(&self, spark: Spark<'_>, error: &SparkError) {
        self.tell(spark, |id| WentWrong { error: error.to_string(), at: id });
    }

    fn watchers(&self) -> MutexGuard<'_, BTreeSet<SparkId>> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who watch something of a spark with this public id.
    fn tell<T: Serialize>(&self, spark: Spark<'_>, what: impl FnOnce(String) -> T) {
        let watchers = self.watchers().clone();
        if watchers.is_empty() {
            return;
        }
        let Some(info) = spark.info() else {
            return;
        };
        let what = what(info.id);
        for watcher in watchers {
            write(spark.host().spark(watcher), &what);
        }
    }

    fn obey(&self, spark: Spark<'_>, command: Command) {
        let host = spark.host();
        match command {
            Command::Whoami => {
                if let Some(identity) = identity(spark) {
                    write(spark, &identity);
                }
            }
            Command::Close { data } => {
                let last = data.and_then(|data| value::to_vec(&data).ok());
                spark.end_with(&EndOptions { last, ..EndOptions::default() });
            }
            Command::Reconnect => spark.end_with(&EndOptions { reconnect: true, ..EndOptions::default() }),
            Command::Broadcast { value } => {
                if let Ok(payload) = Payload::of(&value) {
                    host.broadcast(&payload, &[]);
                }
            }
            Command::Count => write(spark, &Count { count: host.sparks().len() }),
            Command::Watch => {
                self.watchers().insert(spark.handle());
            }
            Command::Release { gate } => write(spark, &Released { released: self.gates.open(&gate) }),
            Command::Flood { count, size } => {
                let text = "x".repeat(size);
                for _ in 0..count {
                    write(spark, &text);
                }
            }
            Command::Send { event, args } => self.events.send(spark, &event, &args),
            Command::Request { event, args } => self.events.request(spark, &event, &args),
            Command::Join { room } => rooms::join(spark, &room),
            Command::Leave { room } => rooms::leave(spark, room.as_deref()),
            Command::Members { room } => rooms::members(spark, &room),
            Command::Rooms { rooms, value, except } => rooms::write_to(spark, &rooms, &value, except),
        }
    }
}

/// Writes; a spark that is gone or over its limit is the host's business.
pub fn write(spark: Spark<'_>, value: &impl Serialize) {
    let _ = spark.write(value);
}

fn identity(spark: Spark<'_>) -> Option<Identity> {
    let info = spark.info()?;
    let address: std::net::SocketAddr = info.address.parse().ok()?;
    Some(Identity {
        id: info.id,
        query: query_pairs(&info.query).collect(),
        headers: info.headers.into_iter().collect(),
        address: Address { ip: address.ip().to_string(), port: address.port() },
    })
}
