//! A messenger: people pick a name, join rooms, talk, and see who is there and who is typing. The demo of Switchboard.
//!
//! `chat` is the state machine, without I/O; `room` and `name` are its parts; `events` is what travels; `page` serves the files
//! of `page/`, whose scripts speak the protocol below. This file joins them with the host.
//!
//! # The protocol
//!
//! Named events on the plugin `emitter`. Each has one argument, an object. Clients send, and the server acknowledges:
//!
//! | event | argument | acknowledgement |
//! | --- | --- | --- |
//! | `enter` | `{name, key}` | `{name, home, limits: {name, room, text}, rooms: [{room, members, revision}]}` |
//! | `join` | `{room}` | `{room, history: [{id, author, text, at}], complete, members: [name], revision}` |
//! | `leave` | `{room}` | `{}` |
//! | `message` | `{room, id, text}` | `{id, at}` |
//! | `typing` | `{room, typing}` | `{}` |
//!
//! An acknowledgement `{error: {code, message}}` is a refusal: a code for the program, a sentence for the reader. The codes are
//! listed in `refusal`.
//!
//! The server sends:
//!
//! | event | argument | to |
//! | --- | --- | --- |
//! | `message` | `{room, id, author, text, at}` | the room's members, the author included |
//! | `members` | `{room, name, present, revision}` | the room's members |
//! | `typing` | `{room, name, typing}` | the room's other members |
//! | `rooms` | `{room, members, revision}`; `members` is `null` when the room is no more | all who have entered |
//!
//! What a client may rely on:
//!
//! - After a lost connection it enters and joins again, with the same `key`: its name is still its own, also while the server has
//!   not noticed yet that the old connection is gone.
//! - A `message` with an `id` that the room knows is acknowledged as the first time and not sent to anybody. So what was not
//!   acknowledged can be sent again.
//! - `at` (milliseconds since 1970) grows from message to message in a room, so it orders them.
//! - News may overtake each other. Of two facts about one room or one member, the one with the higher `revision` is true.
#![forbid(unsafe_code)]

mod chat;
mod events;
mod name;
mod page;
mod refusal;
mod room;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use plugin_api::prelude::*;
use plugin_api::services::emitter::{self, Emitter};
use plugin_api::services::rooms::{Except, RoomsClient};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::chat::{Audience, Chat, Effects, Notice, Settings, TYPING_LASTS};
use crate::events::{Answer, Done, Enter, Entered, InRoom, Joined, Say, Sent, Typing};
use crate::name::RoomName;
use crate::refusal::Refusal;

/// The room of the plugin `rooms` in which everybody is who has entered. A room of the chat has the prefix and its name.
const EVERYBODY: &str = "messenger";

/// The table `[plugins.messenger]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Rooms that are always there; newcomers come into the first. Default: `["lobby"]`.
    rooms: Vec<String>,
    /// How many messages of a room are kept for those who join. Default: 100.
    history: usize,
    /// The longest message, in characters. Default: 2000.
    max_text: usize,
    /// How many rooms there may be. With `history` and `max_text` this bounds the memory. Default: 200.
    max_rooms: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { rooms: vec!["lobby".to_owned()], history: 100, max_text: 2000, max_rooms: 200 }
    }
}

impl Config {
    fn settings(self) -> Result<Settings, StartError> {
        let parse = |(index, room): (usize, &String)| {
            RoomName::parse(room).map_err(|refusal| StartError::at(format!("rooms[{index}]"), refusal.to_string()))
        };
        let rooms = self.rooms.iter().enumerate().map(parse).collect::<Result<Vec<_>, _>>()?;
        if rooms.is_empty() {
            return Err(StartError::at("rooms", "newcomers need a room to come into"));
        }
        if self.max_rooms < rooms.len() {
            let message = format!("`rooms` names {} already", rooms.len());
            return Err(StartError::at("max_rooms", message));
        }
        Ok(Settings { rooms, history: self.history, max_text: self.max_text, max_rooms: self.max_rooms })
    }
}

/// The plugin.
pub struct Messenger {
    host: Host,
    emitter: Emitter,
    rooms: RoomsClient,
    chat: Mutex<Chat>,
}

impl Plugin for Messenger {
    const NAME: &'static str = "messenger";
    const DESCRIPTION: &'static str = "A chat in rooms, with its page.";
    const REQUIRES: &'static [&'static str] = &["emitter", "rooms"];
    type Config = Config;

    fn start(config: Config, host: Host) -> Result<Self, StartError> {
        Ok(Self {
            emitter: Emitter::new(host.clone()),
            rooms: RoomsClient::new(host.clone()),
            chat: Mutex::new(Chat::new(config.settings()?)),
            host,
        })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        for file in page::FILES {
            registrar.asset(file.path, file.content_type, file.bytes);
        }
        let index = page::index();
        registrar.asset("/", index.content_type, index.bytes);

        let this = Arc::clone(self);
        emitter::on(registrar, "enter", move |spark, (enter,): (Enter,)| Ok(Answer::from(this.enter(spark.handle(), &enter))));
        let this = Arc::clone(self);
        emitter::on(registrar, "join", move |spark, (join,): (InRoom,)| Ok(Answer::from(this.join(spark.handle(), &join))));
        let this = Arc::clone(self);
        emitter::on(registrar, "leave", move |spark, (leave,): (InRoom,)| Ok(Answer::from(this.leave(spark.handle(), &leave))));
        let this = Arc::clone(self);
        emitter::on(registrar, "message", move |spark, (say,): (Say,)| Ok(Answer::from(this.say(spark.handle(), &say))));
        let this = Arc::clone(self);
        emitter::on(registrar, "typing", move |spark, (typing,): (Typing,)| {
            Ok(Answer::from(this.type_in(spark.handle(), &typing)))
        });

        let this = Arc::clone(self);
        registrar.disconnection(Priority::APPLICATION, move |spark, _reason| {
            this.change(|chat, effects| chat.gone(spark.handle(), effects));
        });
    }

    fn reconfigure(&self, config: Config) -> Result<bool, StartError> {
        let settings = config.settings()?;
        self.chat().set_settings(settings);
        Ok(true)
    }

    fn save(&self) -> Option<Vec<u8>> {
        plugin_api::value::to_vec(&*self.chat()).ok()
    }

    fn restore(&self, state: &[u8]) -> Result<(), StartError> {
        let mut former: Chat = plugin_api::value::decode(state)
            .map_err(|error| StartError::new(format!("the chat of the former generation can't be read: {error}")))?;
        self.change(|chat, effects| {
            former.set_settings(chat.settings().clone());
            *chat = former;
            let sparks = self.host.sparks();
            chat.retain(|spark| sparks.contains(&spark), effects);
        });
        Ok(())
    }

    fn timer(&self, timer: u64) {
        self.change(|chat, effects| chat.timeout(timer, effects));
    }
}

impl Messenger {
    fn enter(&self, spark: SparkId, enter: &Enter) -> Result<Entered, Refusal> {
        // Before the state is read, so that no news falls between the two; news that is older than the state is recognised by
        // the page.
        self.put_into(spark, EVERYBODY);
        let entered = self.change(|chat, _| chat.enter(spark, &enter.name, &enter.key));
        if entered.is_err() && !self.chat().has(spark) {
            self.take_out_of(spark, EVERYBODY);
        }
        entered
    }

    fn join(&self, spark: SparkId, join: &InRoom) -> Result<Joined, Refusal> {
        let room = self.chat().may_join(spark, &join.room)?;
        self.put_into(spark, &channel(&room));
        let joined = self.change(|chat, effects| chat.join(spark, &room, effects));
        if joined.is_err() {
            self.take_out_of(spark, &channel(&room));
        }
        joined
    }

    fn leave(&self, spark: SparkId, leave: &InRoom) -> Result<Done, Refusal> {
        let room = RoomName::parse(&leave.room)?;
        if self.change(|chat, effects| chat.leave(spark, &room, effects)) {
            self.take_out_of(spark, &channel(&room));
        }
        Ok(Done {})
    }

    fn say(&self, spark: SparkId, say: &Say) -> Result<Sent, Refusal> {
        let room = RoomName::parse(&say.room)?;
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let now_ms = u64::try_from(now_ms).unwrap_or(u64::MAX);
        self.change(|chat, effects| chat.say(spark, &room, &say.id, &say.text, now_ms, effects))
    }

    fn type_in(&self, spark: SparkId, typing: &Typing) -> Result<Done, Refusal> {
        let room = RoomName::parse(&typing.room)?;
        self.change(|chat, effects| chat.type_in(spark, &room, typing.typing, effects))?;
        Ok(Done {})
    }

    /// Changes the chat, and then, without holding it, tells those who are to hear of it.
    fn change<T>(&self, change: impl FnOnce(&mut Chat, &mut Effects) -> T) -> T {
        let mut effects = Effects::default();
        let result = change(&mut self.chat(), &mut effects);
        for timer in effects.timers {
            self.host.set_timer(timer, TYPING_LASTS);
        }
        for notice in &effects.notices {
            self.tell(notice);
        }
        result
    }

    fn tell(&self, Notice { audience, event }: &Notice) {
        let (room, except) = match audience {
            Audience::Everybody => (EVERYBODY.to_owned(), Except::default()),
            Audience::Members(room) => (channel(room), Except::default()),
            Audience::Others(room, spark) => (channel(room), Except { sparks: vec![*spark], ..Except::default() }),
        };
        if let Err(error) = self.emitter.emit_to_rooms(&[&room], except, event.name(), &(event,)) {
            tracing::warn!(%error, event = event.name(), room, "nobody could be told");
        }
    }

    fn put_into(&self, spark: SparkId, channel: &str) {
        if let Err(error) = self.rooms.join(spark, channel) {
            tracing::warn!(%error, channel, "the connection will hear nothing");
        }
    }

    fn take_out_of(&self, spark: SparkId, channel: &str) {
        if let Err(error) = self.rooms.leave(spark, channel) {
            tracing::warn!(%error, channel, "the connection will go on hearing");
        }
    }

    fn chat(&self) -> MutexGuard<'_, Chat> {
        // A panic in between is a mistake of this plugin, and the host stops calling it then.
        self.chat.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The room of the plugin `rooms` whose members are those of a room of the chat.
fn channel(room: &RoomName) -> String {
    format!("{EVERYBODY}/{}", room.as_str())
}

export_plugin!(Messenger);
