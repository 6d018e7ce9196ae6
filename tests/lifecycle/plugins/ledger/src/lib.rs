//! An application that keeps book of numbered messages, and carries the book over to its next generation.
//!
//! `["echo", n]` is answered by the same with the time at which this generation was started, `["room", n, size]` goes to the
//! members of the sender's room (`?room=`, of so many members) as `["room", sender, n]` (`?name=`), and the event `tally` with `n`
//! is acknowledged and answered by the event `tallied`. A number that isn't the one after the last is answered by `["fault", …]`
//! too, one of which the book knows no last one by `["first", stream, n]`, and what can't be done since another plugin is away by
//! `["refused", stream, n, reason]`. `["gathered", room]` says that a room had lost members and has got them back.
#![forbid(unsafe_code)]

mod book;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use plugin_api::prelude::*;
use plugin_api::services::emitter::{self, Emitter};
use plugin_api::services::rooms::{Except, RoomsClient};
use plugin_api::value;
use serde::{Deserialize, Serialize};

use self::book::{Book, Entry, Stream};

struct Ledger {
    book: Mutex<Book>,
    /// Microseconds since 1970: which generation an answer comes from.
    started: u64,
}

export_plugin!(Ledger);

/// Something to change while it runs.
#[derive(Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Even: taken as it runs. Odd: wants a new generation.
    edition: u64,
}

/// A message of a client.
#[derive(Deserialize)]
#[serde(untagged)]
enum Letter<'a> {
    Sized(&'a str, u64, u64),
    Numbered(&'a str, u64),
    Bare((&'a str,)),
    /// An event that no `emitter` has taken out.
    Packet {
        data: (&'a str, u64),
    },
}

impl Plugin for Ledger {
    const NAME: &'static str = "ledger";

    type Config = Config;

    fn start(_: Config, _: Host) -> Result<Self, StartError> {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        Ok(Self { book: Mutex::default(), started: u64::try_from(started).unwrap_or(u64::MAX) })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        let ledger = Arc::clone(self);
        registrar.connection(Priority::APPLICATION, |spark| {
            if let Some(room) = room_of(spark) {
                let _ = rooms(spark.host()).join(spark.handle(), &room);
            }
            Ok(())
        });
        registrar.incoming(Priority::APPLICATION, move |spark, message| match message.decode::<Letter<'_>>() {
            Ok(letter) => ledger.letter(spark, &letter),
            Err(_) => Flow::Next,
        });
        let ledger = Arc::clone(self);
        registrar.disconnection(Priority::APPLICATION, move |spark, _| ledger.book().close(spark.handle()));
        let (ledger, events) = (Arc::clone(self), Emitter::new(registrar.host()));
        emitter::on(registrar, "tally", move |spark, (number,): (u64,)| {
            ledger.enter(spark, Stream::Event, number);
            events.emit(spark.handle(), "tallied", &(number,)).map_err(|error| error.to_string())?;
            Ok(number)
        });
    }

    fn reconfigure(&self, config: Config) -> Result<bool, StartError> {
        Ok(config.edition.is_multiple_of(2))
    }

    fn save(&self) -> Option<Vec<u8>> {
        value::to_vec(&*self.book()).ok()
    }

    fn restore(&self, state: &[u8]) -> Result<(), StartError> {
        *self.book() = value::decode(state).map_err(|error| StartError::new(format!("the book can't be read: {error}")))?;
        Ok(())
    }
}

impl Ledger {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn letter(&self, spark: Spark<'_>, letter: &Letter<'_>) -> Flow {
        match *letter {
            Letter::Numbered("echo", number) => {
                self.enter(spark, Stream::Echo, number);
                write(spark, &("echo", number, self.started));
            }
            Letter::Sized("room", number, size) => {
                self.enter(spark, Stream::Room, number);
                if let Err(reason) = to_room(spark, number, size) {
                    write(spark, &("refused", "room", number, reason));
                }
            }
            Letter::Packet { data: ("tally", number) } => {
                self.enter(spark, Stream::Event, number);
                write(spark, &("refused", "event", number, "there is no emitter"));
            }
            Letter::Bare(("panic",)) => panic!("the ledger is asked to panic"),
            _ => return Flow::Next,
        }
        Flow::Stop
    }

    fn enter(&self, spark: Spark<'_>, stream: Stream, number: u64) {
        let entered = self.book().enter(spark.handle(), stream, number);
        match entered {
            Entry::Next => {}
            Entry::First => write(spark, &("first", stream.name(), number)),
            Entry::Fault { last } => write(spark, &("fault", stream.name(), number, last)),
        }
    }
}

/// Sends a number to the sender's room. A room that has lost members, since the plugin `rooms` was away, gets them back first.
fn to_room(spark: Spark<'_>, number: u64, size: u64) -> Result<(), String> {
    let host = spark.host();
    let info = spark.info().ok_or("the sender is gone")?;
    let room = info.query_value("room").ok_or("the sender has no room")?;
    let name = info.query_value("name").unwrap_or_default();
    let rooms = rooms(host);
    let text = |error: plugin_api::ServiceError| error.to_string();
    let count = |members: Vec<SparkId>| members.len() as u64;
    if count(rooms.members(&room).map_err(text)?) < size {
        for other in host.sparks() {
            if room_of(host.spark(other)).as_ref() == Some(&room) {
                rooms.join(other, &room).map_err(text)?;
            }
        }
        let found = count(rooms.members(&room).map_err(text)?);
        if found < size {
            return Err(format!("the room has {found} members of {size}"));
        }
        write(spark, &("gathered", &room));
    }
    let payload = Payload::of(&("room", name, number)).map_err(|error| error.to_string())?;
    rooms.broadcast(vec![&room], Except::default(), payload).map(drop).map_err(text)
}

fn room_of(spark: Spark<'_>) -> Option<String> {
    spark.info()?.query_value("room")
}

fn rooms(host: &Host) -> RoomsClient {
    RoomsClient::new(host.clone())
}

/// Writes; a spark that is gone or over its limit is the host's business.
fn write(spark: Spark<'_>, answer: &impl Serialize) {
    let _ = spark.write(answer);
}
