//! The chat as a state machine: who is here, which rooms there are, and who is to hear of what happens.
//!
//! Performs no I/O and reads no clock: the time of day is an argument, and what is to be done is appended to the caller's
//! [`Effects`]. Notices may be delivered in any order: those that could contradict each other carry a revision.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use plugin_api::SparkId;
use serde::{Deserialize, Serialize};

use crate::events::{Entered, Joined, Lengths, RoomCount, Sent, ServerEvent};
use crate::name::{MAX_NAME, MAX_ROOM, PersonName, RoomName};
use crate::refusal::Refusal;
use crate::room::{Posted, Room};

/// How long somebody counts as typing who does not say so again. Pages say it every three seconds.
pub const TYPING_LASTS: Duration = Duration::from_secs(5);

/// How many rooms one connection may be in.
const MAX_JOINED: usize = 50;

/// What the configuration decides.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Rooms that are always there; the first is where newcomers come in.
    pub rooms: Vec<RoomName>,
    /// How many messages of a room are kept.
    pub history: usize,
    /// The longest text of a message, in characters.
    pub max_text: usize,
    /// How many rooms there may be.
    pub max_rooms: usize,
}

/// Something that happened, and who is to hear of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Who hears it.
    pub audience: Audience,
    /// What happened.
    pub event: ServerEvent,
}

/// Who is to hear of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Everybody who has entered.
    Everybody,
    /// The members of a room.
    Members(RoomName),
    /// The members of a room, except one connection.
    Others(RoomName, SparkId),
}

/// What is to be done after something has happened.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Who is to hear of it.
    pub notices: Vec<Notice>,
    /// Timers to set, by number: after [`TYPING_LASTS`], [`Chat::timeout`] is to be called. Setting one again replaces it.
    pub timers: Vec<u64>,
}

impl Effects {
    fn tell(&mut self, audience: Audience, event: ServerEvent) {
        self.notices.push(Notice { audience, event });
    }
}

/// One connection that has entered.
#[derive(Debug, Serialize, Deserialize)]
struct Seat {
    person: PersonName,
    rooms: Vec<RoomName>,
}

/// One person, on one or more connections.
#[derive(Debug, Serialize, Deserialize)]
struct Person {
    key: String,
    connections: u32,
}

/// The chat.
#[derive(Debug, Serialize, Deserialize)]
pub struct Chat {
    #[serde(skip)]
    settings: Settings,
    seats: HashMap<SparkId, Seat>,
    /// By folded name.
    people: HashMap<String, Person>,
    rooms: BTreeMap<RoomName, Room>,
    /// Rooms that nobody is in, the one that has been empty for longest first.
    empty: Vec<RoomName>,
    revision: u64,
    /// Who types in which room, by folded name, and the timer that ends it.
    #[serde(skip)]
    typists: HashMap<(RoomName, String), u64>,
    #[serde(skip)]
    last_timer: u64,
}

impl Chat {
    /// A chat in which nobody is yet.
    pub fn new(settings: Settings) -> Self {
        let mut chat = Self {
            settings: Settings::default(),
            seats: HashMap::new(),
            people: HashMap::new(),
            rooms: BTreeMap::new(),
            empty: Vec::new(),
            revision: 0,
            typists: HashMap::new(),
            last_timer: 0,
        };
        chat.set_settings(settings);
        chat
    }

    /// Takes other settings, and opens the rooms that they name.
    pub fn set_settings(&mut self, settings: Settings) {
        for room in &settings.rooms {
            if !self.rooms.contains_key(room) {
                self.rooms.insert(room.clone(), Room::default());
                self.empty.push(room.clone());
            }
        }
        self.settings = settings;
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether a connection has entered.
    pub fn has(&self, spark: SparkId) -> bool {
        self.seats.contains_key(&spark)
    }

    /// A connection enters under a name. Doing it twice is no error.
    ///
    /// # Errors
    ///
    /// The name can't be one, is somebody else's, or the connection has another one.
    pub fn enter(&mut self, spark: SparkId, name: &str, key: &str) -> Result<Entered, Refusal> {
        let person = PersonName::parse(name)?;
        let folded = person.folded();
        match self.seats.get(&spark) {
            Some(seat) if seat.person.folded() == folded => return Ok(self.entered(&seat.person)),
            Some(_) => return Err(Refusal::AlreadyEntered),
            None => {}
        }
        let there = self.people.entry(folded).or_insert_with(|| Person { key: key.to_owned(), connections: 0 });
        if there.key != key {
            return Err(Refusal::NameTaken(person.as_str().to_owned()));
        }
        there.connections += 1;
        let entered = self.entered(&person);
        self.seats.insert(spark, Seat { person, rooms: Vec::new() });
        Ok(entered)
    }

    /// Whether a connection may join a room, which need not be there yet.
    ///
    /// # Errors
    ///
    /// It has not entered, is in too many rooms, or the room's name can't be one.
    pub fn may_join(&self, spark: SparkId, room: &str) -> Result<RoomName, Refusal> {
        let seat = self.seats.get(&spark).ok_or(Refusal::NotEntered)?;
        let room = RoomName::parse(room)?;
        if seat.rooms.len() >= MAX_JOINED && !seat.rooms.contains(&room) {
            return Err(Refusal::TooManyJoined(MAX_JOINED));
        }
        Ok(room)
    }

    /// A connection joins a room that it may join. From then on it must hear the room's notices: the answer is the state that
    /// they build on.
    ///
    /// # Errors
    ///
    /// It has not entered, or the room would be one too many.
    pub fn join(&mut self, spark: SparkId, room: &RoomName, effects: &mut Effects) -> Result<Joined, Refusal> {
        let seat = self.seats.get(&spark).ok_or(Refusal::NotEntered)?;
        let person = seat.person.clone();
        if !seat.rooms.contains(room) {
            self.open(room, effects)?;
            self.seats.entry(spark).and_modify(|seat| seat.rooms.push(room.clone()));
            if self.rooms.entry(room.clone()).or_default().enter(&person) {
                self.empty.retain(|empty| empty != room);
                self.crowd_changed(room, &person, true, effects);
            }
        }
        let there = self.rooms.entry(room.clone()).or_default();
        Ok(Joined {
            room: room.as_str().to_owned(),
            history: there.history().cloned().collect(),
            complete: there.is_complete(),
            members: there.members().map(|member| member.as_str().to_owned()).collect(),
            revision: self.revision,
        })
    }

    /// A connection leaves a room. Not having been in it is no error; whether it was.
    pub fn leave(&mut self, spark: SparkId, room: &RoomName, effects: &mut Effects) -> bool {
        let Some(seat) = self.seats.get_mut(&spark) else { return false };
        let Some(index) = seat.rooms.iter().position(|joined| joined == room) else { return false };
        seat.rooms.remove(index);
        let person = seat.person.clone();
        self.depart(room, &person, effects);
        true
    }

    /// A connection is gone, from all its rooms too.
    pub fn gone(&mut self, spark: SparkId, effects: &mut Effects) {
        let Some(Seat { person, rooms }) = self.seats.remove(&spark) else { return };
        for room in &rooms {
            self.depart(room, &person, effects);
        }
        let folded = person.folded();
        if let Some(there) = self.people.get_mut(&folded) {
            there.connections -= 1;
            if there.connections == 0 {
                self.people.remove(&folded);
            }
        }
    }

    /// Says something in a room. A message that comes again is answered as the first time, and nobody hears of it.
    ///
    /// # Errors
    ///
    /// The connection is not in the room, or the text or the id can't be one.
    pub fn say(
        &mut self,
        spark: SparkId,
        room: &RoomName,
        id: &str,
        text: &str,
        now_ms: u64,
        effects: &mut Effects,
    ) -> Result<Sent, Refusal> {
        let seat = self.seats.get(&spark).ok_or(Refusal::NotEntered)?;
        let there = self.rooms.get_mut(room).filter(|_| seat.rooms.contains(room)).ok_or(Refusal::NotAMember)?;
        if text.trim().is_empty() || text.chars().count() > self.settings.max_text {
            return Err(Refusal::TextInvalid(self.settings.max_text));
        }
        let at = match there.post(&seat.person, id, text, now_ms, self.settings.history)? {
            Posted::Known { at } => at,
            Posted::New(message) => {
                let at = message.at;
                self.typists.remove(&(room.clone(), seat.person.folded()));
                let event = ServerEvent::Message { room: room.as_str().to_owned(), message };
                effects.tell(Audience::Members(room.clone()), event);
                at
            }
        };
        Ok(Sent { id: id.to_owned(), at })
    }

    /// A connection's person types or has stopped. Nobody is told twice.
    ///
    /// # Errors
    ///
    /// The connection is not in the room.
    pub fn type_in(&mut self, spark: SparkId, room: &RoomName, is_typing: bool, effects: &mut Effects) -> Result<(), Refusal> {
        let seat = self.seats.get(&spark).ok_or(Refusal::NotEntered)?;
        if !seat.rooms.contains(room) {
            return Err(Refusal::NotAMember);
        }
        let typist = (room.clone(), seat.person.folded());
        let known = self.typists.remove(&typist);
        if is_typing {
            let timer = known.unwrap_or_else(|| {
                self.last_timer += 1;
                self.last_timer
            });
            self.typists.insert(typist, timer);
            effects.timers.push(timer);
        }
        if known.is_some() != is_typing {
            effects.tell(Audience::Others(room.clone(), spark), typing_event(room, &seat.person, is_typing));
        }
        Ok(())
    }

    /// A timer has come: its typist has been silent and counts as having stopped. One that has stopped before is no error.
    pub fn timeout(&mut self, timer: u64, effects: &mut Effects) {
        let Some(typist) = self.typists.iter().find(|(_, ends)| **ends == timer).map(|(typist, _)| typist.clone()) else {
            return;
        };
        self.typists.remove(&typist);
        let (room, folded) = typist;
        let Some(person) = self.rooms.get(&room).and_then(|there| there.member(&folded)) else { return };
        let event = typing_event(&room, person, false);
        effects.tell(Audience::Members(room), event);
    }

    /// Forgets the connections that `is_there` denies: they ended while nobody listened.
    pub fn retain(&mut self, is_there: impl Fn(SparkId) -> bool, effects: &mut Effects) {
        let gone: Vec<SparkId> = self.seats.keys().copied().filter(|spark| !is_there(*spark)).collect();
        for spark in gone {
            self.gone(spark, effects);
        }
    }

    fn entered(&self, person: &PersonName) -> Entered {
        let count = |(room, there): (&RoomName, &Room)| RoomCount {
            room: room.as_str().to_owned(),
            members: Some(there.crowd()),
            revision: self.revision,
        };
        Entered {
            name: person.as_str().to_owned(),
            home: self.settings.rooms.first().map_or_else(String::new, |home| home.as_str().to_owned()),
            limits: Lengths { name: MAX_NAME, room: MAX_ROOM, text: self.settings.max_text },
            rooms: self.rooms.iter().map(count).collect(),
        }
    }

    /// Makes a room, if it isn't there, at the cost of the one that has been empty for longest.
    fn open(&mut self, room: &RoomName, effects: &mut Effects) -> Result<(), Refusal> {
        if self.rooms.contains_key(room) {
            return Ok(());
        }
        if self.rooms.len() >= self.settings.max_rooms {
            let spare = self.empty.iter().position(|empty| !self.settings.rooms.contains(empty));
            let spare = self.empty.remove(spare.ok_or(Refusal::TooManyRooms)?);
            self.close(&spare, effects);
        }
        self.rooms.insert(room.clone(), Room::default());
        Ok(())
    }

    fn close(&mut self, room: &RoomName, effects: &mut Effects) {
        self.rooms.remove(room);
        self.revision += 1;
        let event = ServerEvent::Rooms(RoomCount { room: room.as_str().to_owned(), members: None, revision: self.revision });
        effects.tell(Audience::Everybody, event);
    }

    /// One connection of a person is out of a room. A room without people stays as long as somebody might come back to read in
    /// it.
    fn depart(&mut self, room: &RoomName, person: &PersonName, effects: &mut Effects) {
        let Some(there) = self.rooms.get_mut(room) else { return };
        if !there.leave(person) {
            return;
        }
        self.typists.remove(&(room.clone(), person.folded()));
        let is_empty = there.crowd() == 0;
        let is_spare = is_empty && there.history().next().is_none() && !self.settings.rooms.contains(room);
        if is_spare {
            return self.close(room, effects);
        }
        if is_empty {
            self.empty.push(room.clone());
        }
        self.crowd_changed(room, person, false, effects);
    }

    fn crowd_changed(&mut self, room: &RoomName, person: &PersonName, present: bool, effects: &mut Effects) {
        self.revision += 1;
        let revision = self.revision;
        let members = self.rooms.get(room).map(Room::crowd);
        let name = person.as_str().to_owned();
        let event = ServerEvent::Members { room: room.as_str().to_owned(), name, present, revision };
        effects.tell(Audience::Members(room.clone()), event);
        let event = ServerEvent::Rooms(RoomCount { room: room.as_str().to_owned(), members, revision });
        effects.tell(Audience::Everybody, event);
    }
}

fn typing_event(room: &RoomName, person: &PersonName, typing: bool) -> ServerEvent {
    ServerEvent::Typing { room: room.as_str().to_owned(), name: person.as_str().to_owned(), typing }
}
