//! The plugin in memory, as its page talks to it.

mod board;

use std::time::Duration;

use board::{ask, bench, heard};
use messenger::Messenger;
use plugin_api::DisconnectReason;
use plugin_api::abi::host::StartFailure;
use plugin_api::testing::{Bench, Client, json};
use serde_json::Value;

/// Somebody who has entered and is in the lobby.
#[track_caller]
fn person(bench: &Bench, name: &str) -> Client {
    let client = bench.connect("/primus").unwrap();
    let entered = ask(&client, "enter", json!({ "name": name, "key": name }));
    assert_eq!(entered["name"], name, "{entered}");
    ask(&client, "join", json!({ "room": "lobby" }));
    client
}

/// An event without what differs from run to run.
fn news(event: &str, argument: Value) -> (String, Value) {
    (event.to_owned(), argument)
}

fn without(mut received: Vec<(String, Value)>, keys: &[&str]) -> Vec<(String, Value)> {
    for (_, argument) in &mut received {
        keys.iter().for_each(|key| drop(argument.as_object_mut().unwrap().remove(*key)));
    }
    received
}

#[test]
fn who_enters_learns_their_name_the_rooms_and_what_is_allowed() {
    let bench = bench(json!({ "rooms": ["Lobby", "help"], "max_text": 50 }));
    let client = bench.connect("/primus").unwrap();
    let entered = ask(&client, "enter", json!({ "name": " Ada  Lovelace ", "key": "k" }));
    assert_eq!(
        entered,
        json!({
            "name": "Ada Lovelace",
            "home": "lobby",
            "limits": { "name": 24, "room": 32, "text": 50 },
            "rooms": [
                { "room": "help", "members": 0, "revision": 0 },
                { "room": "lobby", "members": 0, "revision": 0 },
            ],
        })
    );
}

#[test]
fn a_refusal_has_a_code_for_the_page_and_a_sentence_for_the_reader() {
    let bench = bench(json!({}));
    let _ada = person(&bench, "Ada");
    let other = bench.connect("/primus").unwrap();
    assert_eq!(ask(&other, "join", json!({ "room": "lobby" }))["error"]["code"], "not_entered");
    assert_eq!(
        ask(&other, "enter", json!({ "name": "ada", "key": "another" })),
        json!({ "error": { "code": "name_taken", "message": "ada is already here. Please choose another name." } })
    );
    assert_eq!(ask(&other, "enter", json!({ "name": "", "key": "k" }))["error"]["code"], "name_invalid");
    assert_eq!(heard(&other), [], "who has not entered hears nothing");
}

#[test]
fn a_message_reaches_everybody_in_the_room_and_nobody_else() {
    let bench = bench(json!({}));
    let (ada, bob) = (person(&bench, "Ada"), person(&bench, "Bob"));
    let eve = bench.connect("/primus").unwrap();
    ask(&eve, "enter", json!({ "name": "Eve", "key": "e" }));
    for client in [&ada, &bob, &eve] {
        heard(client);
    }
    ada.send(&("message", json!({ "room": "lobby", "id": "1", "text": "hello" })));
    let said = news("message", json!({ "room": "lobby", "id": "1", "author": "Ada", "text": "hello" }));
    assert_eq!(without(heard(&ada), &["at"]), [said.clone(), news("message", json!({ "id": "1" }))]);
    assert_eq!(without(heard(&bob), &["at"]), [said]);
    assert_eq!(heard(&eve), []);
}

#[test]
fn a_message_that_is_sent_again_after_a_lost_connection_is_not_doubled() {
    let bench = bench(json!({}));
    let (ada, bob) = (person(&bench, "Ada"), person(&bench, "Bob"));
    let message = json!({ "room": "lobby", "id": "1", "text": "hello" });
    let first = ask(&ada, "message", message.clone());
    // The old connection is still there when the new one enters, as it is when a network goes away without a word.
    let again = person(&bench, "Ada");
    ada.close(DisconnectReason::Lost);
    heard(&bob);
    assert_eq!(ask(&again, "message", message), first);
    assert_eq!(heard(&bob), [], "Bob has it, and Ada never was away");
}

#[test]
fn coming_and_going_is_told_to_the_room_and_to_the_list_of_rooms() {
    let bench = bench(json!({}));
    let ada = person(&bench, "Ada");
    heard(&ada);
    let bob = person(&bench, "Bob");
    let came = [
        news("members", json!({ "room": "lobby", "name": "Bob", "present": true })),
        news("rooms", json!({ "room": "lobby", "members": 2 })),
    ];
    assert_eq!(without(heard(&ada), &["revision"]), came);
    bob.close(DisconnectReason::Lost);
    let went = [
        news("members", json!({ "room": "lobby", "name": "Bob", "present": false })),
        news("rooms", json!({ "room": "lobby", "members": 1 })),
    ];
    assert_eq!(without(heard(&ada), &["revision"]), went);
}

#[test]
fn who_has_left_a_room_hears_no_more_of_it() {
    let bench = bench(json!({}));
    let (ada, bob) = (person(&bench, "Ada"), person(&bench, "Bob"));
    assert_eq!(ask(&bob, "leave", json!({ "room": "lobby" })), json!({}));
    heard(&bob);
    ask(&ada, "message", json!({ "room": "lobby", "id": "1", "text": "hello" }));
    assert_eq!(heard(&bob), []);
    let refused = ask(&bob, "message", json!({ "room": "lobby", "id": "2", "text": "hello" }));
    assert_eq!(refused["error"]["code"], "not_a_member");
}

#[test]
fn somebody_who_stops_typing_without_a_word_has_stopped_after_a_while() {
    let bench = bench(json!({}));
    let (ada, bob) = (person(&bench, "Ada"), person(&bench, "Bob"));
    heard(&bob);
    let typing = |is_typing| [news("typing", json!({ "room": "lobby", "name": "Ada", "typing": is_typing }))];
    ask(&ada, "typing", json!({ "room": "lobby", "typing": true }));
    assert_eq!(heard(&bob), typing(true));
    assert_eq!(heard(&ada), [], "Ada knows");
    bench.advance(Duration::from_secs(3));
    ask(&ada, "typing", json!({ "room": "lobby", "typing": true }));
    bench.advance(Duration::from_secs(3));
    assert_eq!(heard(&bob), [], "she goes on");
    bench.advance(Duration::from_secs(3));
    assert_eq!(heard(&bob), typing(false));
}

#[test]
fn a_reload_loses_nobody_and_nothing() {
    let mut bench = bench(json!({}));
    let (ada, bob) = (person(&bench, "Ada"), person(&bench, "Bob"));
    ask(&ada, "message", json!({ "room": "lobby", "id": "1", "text": "hello" }));
    heard(&bob);
    bench.reload::<Messenger>(json!({ "max_text": 5 })).unwrap();
    assert_eq!(ask(&ada, "message", json!({ "room": "lobby", "id": "2", "text": "longer" }))["error"]["code"], "text_invalid");
    ask(&ada, "message", json!({ "room": "lobby", "id": "3", "text": "still" }));
    assert_eq!(heard(&bob)[0].1["text"], "still");
    let joined = ask(&bob, "join", json!({ "room": "lobby" }));
    assert_eq!(joined["history"].as_array().unwrap().len(), 2);
    assert_eq!(joined["members"], json!(["Ada", "Bob"]));
}

#[test]
fn a_changed_configuration_counts_at_once() {
    let bench = bench(json!({}));
    let ada = person(&bench, "Ada");
    assert!(bench.reconfigure::<Messenger>(json!({ "rooms": ["lobby", "help"], "max_text": 3 })).unwrap());
    assert_eq!(ask(&ada, "message", json!({ "room": "lobby", "id": "1", "text": "four" }))["error"]["code"], "text_invalid");
    let entered = ask(&ada, "enter", json!({ "name": "Ada", "key": "Ada" }));
    assert_eq!(entered["rooms"].as_array().unwrap().len(), 2);
}

#[test]
fn a_configuration_that_can_not_be_names_its_key() {
    let bench = bench(json!({}));
    for (config, path) in [
        (json!({ "rooms": [] }), "rooms"),
        (json!({ "rooms": ["lobby", "no/where"] }), "rooms[1]"),
        (json!({ "rooms": ["a", "b"], "max_rooms": 1 }), "max_rooms"),
    ] {
        match bench.reconfigure::<Messenger>(config) {
            Err(StartFailure::Refused(error)) => assert_eq!(error.path, path, "{error}"),
            other => panic!("{path}: {other:?}"),
        }
    }
}

#[test]
fn the_page_is_served_with_its_scripts_and_styles() {
    let bench = bench(json!({}));
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/style/tokens.css", "text/css; charset=utf-8"),
    ] {
        let response = bench.request(path);
        assert_eq!(response.status, 200, "{path}");
        let found = response.headers.iter().find(|(name, _)| name == "content-type");
        assert_eq!(found.map(|(_, value)| value.as_str()), Some(content_type), "{path}");
    }
    assert_eq!(bench.request("/nothing.js").status, 404);
}
