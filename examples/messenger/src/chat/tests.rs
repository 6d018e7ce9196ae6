//! What the chat does, and who hears of it.

use super::*;

fn spark(number: u32) -> SparkId {
    SparkId::from_parts(0, number, 1).unwrap()
}

fn room(name: &str) -> RoomName {
    RoomName::parse(name).unwrap()
}

fn chat() -> Chat {
    Chat::new(Settings { rooms: vec![room("lobby")], history: 3, max_text: 10, max_rooms: 3 })
}

/// A chat with Ada on connection 1 and Bob on connection 2, both in the lobby.
fn ada_and_bob() -> Chat {
    let mut chat = chat();
    for (number, name) in [(1, "Ada"), (2, "Bob")] {
        chat.enter(spark(number), name, name).unwrap();
        chat.join(spark(number), &room("lobby"), &mut Effects::default()).unwrap();
    }
    chat
}

/// Does something, and shows who heard of what: `audience event details`.
fn heard<T>(chat: &mut Chat, act: impl FnOnce(&mut Chat, &mut Effects) -> T) -> (T, Vec<String>) {
    let mut effects = Effects::default();
    let result = act(chat, &mut effects);
    (result, effects.notices.iter().map(shown).collect())
}

fn shown(notice: &Notice) -> String {
    let audience = match &notice.audience {
        Audience::Everybody => "all".to_owned(),
        Audience::Members(room) => format!("#{}", room.as_str()),
        Audience::Others(room, spark) => format!("#{} but {}", room.as_str(), spark.slot()),
    };
    let event = match &notice.event {
        ServerEvent::Message { room, message } => format!("{}: {} in {room}", message.author, message.text),
        ServerEvent::Members { name, present: true, .. } => format!("{name} came"),
        ServerEvent::Members { name, present: false, .. } => format!("{name} went"),
        ServerEvent::Typing { name, typing: true, .. } => format!("{name} types"),
        ServerEvent::Typing { name, typing: false, .. } => format!("{name} stopped"),
        ServerEvent::Rooms(RoomCount { room, members: Some(members), .. }) => format!("{room} has {members}"),
        ServerEvent::Rooms(RoomCount { room, members: None, .. }) => format!("{room} is gone"),
    };
    format!("{audience}: {event}")
}

#[test]
fn a_name_belongs_to_the_key_that_came_with_it_until_its_last_connection_is_gone() {
    let mut chat = chat();
    assert_eq!(chat.enter(spark(1), "Ada", "key").unwrap().name, "Ada");
    assert_eq!(chat.enter(spark(2), "ADA", "other"), Err(Refusal::NameTaken("ADA".to_owned())));
    assert!(chat.enter(spark(3), "ada", "key").is_ok(), "the same person, on a second connection");
    chat.gone(spark(1), &mut Effects::default());
    assert!(chat.enter(spark(2), "Ada", "other").is_err());
    chat.gone(spark(3), &mut Effects::default());
    assert!(chat.enter(spark(2), "Ada", "other").is_ok());
}

#[test]
fn a_connection_has_one_name() {
    let mut chat = chat();
    chat.enter(spark(1), "Ada", "key").unwrap();
    assert!(chat.enter(spark(1), "Ada", "key").is_ok());
    assert_eq!(chat.enter(spark(1), "Bob", "key"), Err(Refusal::AlreadyEntered));
    chat.gone(spark(1), &mut Effects::default());
    assert!(chat.enter(spark(2), "Ada", "other").is_ok(), "entering twice counts once");
}

#[test]
fn nothing_goes_without_a_name_or_outside_of_ones_rooms() {
    let mut chat = ada_and_bob();
    let effects = &mut Effects::default();
    assert_eq!(chat.may_join(spark(9), "lobby"), Err(Refusal::NotEntered));
    assert_eq!(chat.say(spark(9), &room("lobby"), "1", "hi", 0, effects), Err(Refusal::NotEntered));
    assert_eq!(chat.type_in(spark(9), &room("lobby"), true, effects), Err(Refusal::NotEntered));
    assert_eq!(chat.say(spark(1), &room("attic"), "1", "hi", 0, effects), Err(Refusal::NotAMember));
    assert_eq!(chat.type_in(spark(1), &room("attic"), true, effects), Err(Refusal::NotAMember));
    assert!(!chat.leave(spark(1), &room("attic"), effects));
    assert_eq!(*effects, Effects::default());
}

#[test]
fn who_joins_gets_the_history_and_the_members_and_the_others_hear_of_it() {
    let mut chat = ada_and_bob();
    for id in ["1", "2", "3", "4"] {
        chat.say(spark(1), &room("lobby"), id, id, 5, &mut Effects::default()).unwrap();
    }
    chat.enter(spark(3), "Eve", "key").unwrap();
    let (joined, notices) = heard(&mut chat, |chat, effects| chat.join(spark(3), &room("lobby"), effects).unwrap());
    assert_eq!(joined.history.iter().map(|message| message.text.as_str()).collect::<Vec<_>>(), ["2", "3", "4"]);
    assert!(!joined.complete);
    assert_eq!(joined.members, ["Ada", "Bob", "Eve"]);
    assert_eq!(notices, ["#lobby: Eve came", "all: lobby has 3"]);
    let (again, notices) = heard(&mut chat, |chat, effects| chat.join(spark(3), &room("lobby"), effects).unwrap());
    assert_eq!(again, joined);
    assert_eq!(notices, Vec::<String>::new(), "joining twice is no news");
}

#[test]
fn all_members_hear_a_message_once_even_when_it_is_sent_twice() {
    let mut chat = ada_and_bob();
    let say = |chat: &mut Chat, effects: &mut Effects| chat.say(spark(1), &room("lobby"), "id", "hello", 7, effects);
    let (first, notices) = heard(&mut chat, say);
    assert_eq!(notices, ["#lobby: Ada: hello in lobby"]);
    let (second, notices) = heard(&mut chat, say);
    assert_eq!(notices, Vec::<String>::new());
    assert_eq!(first, second);
    assert_eq!(first.unwrap().at, 7);
}

#[test]
fn a_message_is_recognised_on_the_connection_that_follows_a_lost_one() {
    let mut chat = ada_and_bob();
    chat.say(spark(1), &room("lobby"), "id", "hello", 7, &mut Effects::default()).unwrap();
    chat.gone(spark(1), &mut Effects::default());
    chat.enter(spark(3), "Ada", "Ada").unwrap();
    chat.join(spark(3), &room("lobby"), &mut Effects::default()).unwrap();
    let (sent, notices) =
        heard(&mut chat, |chat, effects| chat.say(spark(3), &room("lobby"), "id", "hello", 9, effects).unwrap());
    assert_eq!((sent.at, notices), (7, Vec::new()));
}

#[test]
fn a_text_has_to_say_something_and_to_fit() {
    let mut chat = ada_and_bob();
    let effects = &mut Effects::default();
    for text in ["", " \n\t ", "eleven char"] {
        assert_eq!(chat.say(spark(1), &room("lobby"), "1", text, 0, effects), Err(Refusal::TextInvalid(10)), "{text:?}");
    }
    assert!(chat.say(spark(1), &room("lobby"), "1", "äöüäöüäöüä", 0, effects).is_ok(), "characters count, not bytes");
}

#[test]
fn typing_is_told_to_the_others_once_and_ends_with_silence() {
    let mut chat = ada_and_bob();
    let mut effects = Effects::default();
    chat.type_in(spark(1), &room("lobby"), true, &mut effects).unwrap();
    chat.type_in(spark(1), &room("lobby"), true, &mut effects).unwrap();
    assert_eq!(effects.notices.iter().map(shown).collect::<Vec<_>>(), ["#lobby but 1: Ada types"]);
    let [first, second] = effects.timers[..] else { panic!("each time the timer is set anew: {effects:?}") };
    assert_eq!(first, second);
    let (_, notices) = heard(&mut chat, |chat, effects| chat.timeout(first, effects));
    assert_eq!(notices, ["#lobby: Ada stopped"]);
    let (_, notices) = heard(&mut chat, |chat, effects| chat.timeout(first, effects));
    assert_eq!(notices, Vec::<String>::new());
}

#[test]
fn a_message_ends_typing_and_so_does_saying_so() {
    let mut chat = ada_and_bob();
    let mut effects = Effects::default();
    chat.type_in(spark(1), &room("lobby"), true, &mut effects).unwrap();
    chat.type_in(spark(2), &room("lobby"), true, &mut effects).unwrap();
    let (_, notices) = heard(&mut chat, |chat, effects| chat.type_in(spark(2), &room("lobby"), false, effects));
    assert_eq!(notices, ["#lobby but 2: Bob stopped"]);
    chat.say(spark(1), &room("lobby"), "1", "done", 0, &mut Effects::default()).unwrap();
    for timer in effects.timers {
        let (_, notices) = heard(&mut chat, |chat, effects| chat.timeout(timer, effects));
        assert_eq!(notices, Vec::<String>::new());
    }
}

#[test]
fn a_lost_connection_leaves_all_its_rooms() {
    let mut chat = ada_and_bob();
    chat.join(spark(1), &room("attic"), &mut Effects::default()).unwrap();
    chat.say(spark(1), &room("attic"), "1", "dusty", 0, &mut Effects::default()).unwrap();
    let (_, notices) = heard(&mut chat, |chat, effects| chat.gone(spark(1), effects));
    let expected = ["#lobby: Ada went", "all: lobby has 1", "#attic: Ada went", "all: attic has 0"];
    assert_eq!(notices, expected);
}

#[test]
fn a_room_in_which_nothing_was_said_goes_with_its_last_member() {
    let mut chat = ada_and_bob();
    chat.join(spark(1), &room("attic"), &mut Effects::default()).unwrap();
    let (was_in_it, notices) = heard(&mut chat, |chat, effects| chat.leave(spark(1), &room("attic"), effects));
    assert!(was_in_it);
    assert_eq!(notices, ["all: attic is gone"]);
    chat.gone(spark(1), &mut Effects::default());
    let (_, notices) = heard(&mut chat, |chat, effects| chat.gone(spark(2), effects));
    assert_eq!(notices, ["#lobby: Bob went", "all: lobby has 0"], "a room of the configuration stays");
}

#[test]
fn the_room_that_has_been_empty_for_longest_makes_place_for_a_new_one() {
    let mut chat = ada_and_bob();
    for name in ["attic", "cellar"] {
        chat.join(spark(1), &room(name), &mut Effects::default()).unwrap();
        chat.say(spark(1), &room(name), "1", "dusty", 0, &mut Effects::default()).unwrap();
    }
    assert_eq!(chat.join(spark(1), &room("garden"), &mut Effects::default()), Err(Refusal::TooManyRooms));
    chat.leave(spark(1), &room("cellar"), &mut Effects::default());
    chat.leave(spark(1), &room("attic"), &mut Effects::default());
    let (_, notices) = heard(&mut chat, |chat, effects| chat.join(spark(1), &room("garden"), effects).unwrap());
    assert_eq!(notices, ["all: cellar is gone", "#garden: Ada came", "all: garden has 1"]);
}

#[test]
fn the_number_of_rooms_that_one_may_be_in_is_bounded() {
    let mut chat = Chat::new(Settings { max_rooms: MAX_JOINED + 5, ..chat().settings });
    chat.enter(spark(1), "Ada", "key").unwrap();
    for number in 0..MAX_JOINED {
        chat.join(spark(1), &room(&number.to_string()), &mut Effects::default()).unwrap();
    }
    assert_eq!(chat.may_join(spark(1), "one-more"), Err(Refusal::TooManyJoined(MAX_JOINED)));
    assert!(chat.may_join(spark(1), "0").is_ok(), "a room that one is in already");
}

#[test]
fn newer_facts_have_higher_revisions() {
    let mut chat = ada_and_bob();
    let mut effects = Effects::default();
    chat.leave(spark(1), &room("lobby"), &mut effects);
    let joined = chat.join(spark(1), &room("lobby"), &mut effects).unwrap();
    let revisions: Vec<u64> = effects
        .notices
        .iter()
        .filter_map(|notice| match &notice.event {
            ServerEvent::Members { revision, .. } => Some(*revision),
            _ => None,
        })
        .collect();
    assert!(revisions.is_sorted_by(|one, next| one < next), "{revisions:?}");
    assert_eq!(revisions.last(), Some(&joined.revision));
}

#[test]
fn the_next_generation_goes_on_where_the_former_one_was() {
    let mut chat = ada_and_bob();
    chat.say(spark(1), &room("lobby"), "1", "hello", 5, &mut Effects::default()).unwrap();
    let saved = plugin_api::value::to_vec(&chat).unwrap();
    let mut next: Chat = plugin_api::value::decode(&saved).unwrap();
    next.set_settings(chat.settings.clone());
    let (_, notices) = heard(&mut next, |chat, effects| chat.retain(|there| there != spark(2), effects));
    assert_eq!(notices, ["#lobby: Bob went", "all: lobby has 1"], "Bob's connection ended meanwhile");
    let joined = next.join(spark(1), &room("lobby"), &mut Effects::default()).unwrap();
    assert_eq!(joined.history.len(), 1);
    assert_eq!(next.say(spark(1), &room("lobby"), "1", "hello", 9, &mut Effects::default()).unwrap().at, 5);
}
