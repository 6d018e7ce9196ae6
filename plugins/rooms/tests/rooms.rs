//! What other plugins and clients see of rooms.

use std::sync::Arc;

use plugin_api::services::rooms::{Except, RoomsClient, RoomsGuard, RoomsGuardClient};
use plugin_api::testing::{Bench, Client, Fate, Setup, json};
use plugin_api::{DisconnectReason, Host, Kind, Payload, Priority, ServiceError, SparkId, Value};
use rooms::RoomsPlugin;

/// Consents to rooms whose name begins with `open`.
struct Guard;

impl RoomsGuard for Guard {
    fn join(&self, _spark: SparkId, room: &str) -> Result<(), String> {
        if room.starts_with("open") { Ok(()) } else { Err(format!("{room} is not for everyone")) }
    }
}

fn guarded() -> Setup {
    Bench::with::<RoomsPlugin>(json!({}))
        .and_standing_in("application", |registrar| RoomsGuardClient::offer(registrar, Arc::new(Guard)))
}

fn bench() -> Bench {
    Bench::start::<RoomsPlugin>(json!({})).unwrap()
}

fn rooms(bench: &Bench) -> RoomsClient {
    RoomsClient::new(bench.host())
}

fn connect(bench: &Bench) -> Client {
    bench.connect("/primus").unwrap()
}

/// What a service refused.
#[track_caller]
fn refusal<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> String {
    match result.unwrap_err() {
        ServiceError::Refused(reason) => reason,
        error => panic!("{error}"),
    }
}

fn lost() -> DisconnectReason {
    DisconnectReason::Lost
}

fn payload(value: impl Into<Value>) -> Payload<'static> {
    Payload::of(&value.into()).unwrap()
}

/// A client's request, and its answer.
#[track_caller]
fn ask(client: &Client, request: serde_json::Value) -> serde_json::Value {
    assert_eq!(client.send(&json!({ "primus::rooms": request })), Fate::Consumed);
    let mut received = client.received::<serde_json::Value>();
    assert_eq!(received.len(), 1, "{received:?}");
    received[0]["primus::rooms"].take()
}

#[test]
fn a_spark_is_in_the_rooms_that_it_joined_and_did_not_leave() {
    let bench = bench();
    let (rooms, ann, ben) = (rooms(&bench), connect(&bench), connect(&bench));
    for room in ["lobby", "tea", "lobby", "Käse*"] {
        rooms.join(ann.handle(), room).unwrap();
    }
    rooms.join(ben.handle(), "tea").unwrap();

    assert_eq!(rooms.rooms_of(ann.handle()).unwrap(), ["lobby", "tea", "Käse*"]);
    assert_eq!(rooms.members("tea").unwrap(), [ann.handle(), ben.handle()]);
    assert_eq!(rooms.rooms().unwrap(), ["Käse*", "lobby", "tea"]);

    assert!(rooms.leave(ann.handle(), "tea").unwrap());
    assert!(!rooms.leave(ann.handle(), "tea").unwrap());
    assert_eq!(rooms.members("tea").unwrap(), [ben.handle()]);
    assert_eq!(rooms.leave_all(ann.handle()).unwrap(), ["lobby", "Käse*"]);
    assert_eq!(rooms.rooms_of(ann.handle()).unwrap(), Vec::<String>::new());
}

#[test]
fn an_empty_room_is_no_room() {
    let bench = bench();
    let (rooms, ann) = (rooms(&bench), connect(&bench));
    assert!(rooms.is_empty("lobby").unwrap());
    rooms.join(ann.handle(), "lobby").unwrap();
    assert!(!rooms.is_empty("lobby").unwrap());
    rooms.leave(ann.handle(), "lobby").unwrap();
    assert!(rooms.is_empty("lobby").unwrap());
    assert_eq!(rooms.rooms().unwrap(), Vec::<String>::new());
}

#[test]
fn a_spark_that_ends_leaves_its_rooms_after_the_applications_have_seen_them() {
    let bench = Bench::with::<RoomsPlugin>(json!({}))
        .and_standing_in("application", |registrar| {
            let rooms = RoomsClient::new(registrar.host());
            registrar.disconnection(Priority::APPLICATION, move |spark, _| {
                let joined = rooms.rooms_of(spark.handle()).unwrap();
                rooms.broadcast(vec!["lobby"], Except::default(), payload(format!("bye from {joined:?}"))).unwrap();
            });
        })
        .start()
        .unwrap();
    let (rooms, ann, ben) = (rooms(&bench), connect(&bench), connect(&bench));
    rooms.join(ann.handle(), "lobby").unwrap();
    rooms.join(ben.handle(), "lobby").unwrap();

    ann.close(lost());
    assert_eq!(ben.received::<String>(), [r#"bye from ["lobby"]"#]);
    assert_eq!(rooms.members("lobby").unwrap(), [ben.handle()]);
    ben.close(lost());
    assert_eq!(rooms.rooms().unwrap(), Vec::<String>::new());
    assert_eq!(refusal(rooms.join(ann.handle(), "lobby")), "the spark is gone");
}

#[test]
fn a_broadcast_reaches_each_member_of_its_rooms_once_the_sender_too() {
    let bench = bench();
    let (rooms, ann, ben, cid) = (rooms(&bench), connect(&bench), connect(&bench), connect(&bench));
    rooms.join(ann.handle(), "lobby").unwrap();
    rooms.join(ann.handle(), "tea").unwrap();
    rooms.join(ben.handle(), "tea").unwrap();

    assert_eq!(rooms.broadcast(vec!["lobby", "tea", "none"], Except::default(), payload("hello")).unwrap(), 2);
    assert_eq!(rooms.broadcast(vec!["none"], Except::default(), payload("hello")).unwrap(), 0);
    assert_eq!(ann.received::<String>(), ["hello"]);
    assert_eq!(ben.received::<String>(), ["hello"]);
    assert_eq!(cid.received::<String>(), Vec::<String>::new());
}

#[test]
fn a_broadcast_leaves_out_sparks_and_members_of_rooms() {
    let bench = bench();
    let rooms = rooms(&bench);
    let clients: Vec<Client> = (0..6).map(|_| connect(&bench)).collect();
    for client in &clients {
        rooms.join(client.handle(), "all").unwrap();
    }
    rooms.join(clients[1].handle(), "muted").unwrap();
    rooms.join(clients[4].handle(), "muted").unwrap();

    let except = Except { sparks: vec![clients[5].handle(), clients[0].handle()], rooms: vec!["muted".into(), "none".into()] };
    assert_eq!(rooms.broadcast(vec!["all"], except, payload(1)).unwrap(), 2);
    let received: Vec<usize> = clients.iter().map(|client| client.received::<i64>().len()).collect();
    assert_eq!(received, [0, 0, 1, 1, 0, 0]);
}

#[test]
fn a_relayed_message_keeps_its_wire_bytes() {
    let bench = Bench::with::<RoomsPlugin>(json!({}))
        .and_standing_in("application", |registrar| {
            let rooms = RoomsClient::new(registrar.host());
            registrar.message(move |spark, message| {
                let except = Except { sparks: vec![spark.handle()], rooms: Vec::new() };
                rooms.broadcast(vec!["lobby"], except, message.payload().unwrap()).unwrap();
            });
        })
        .start()
        .unwrap();
    let (rooms, ann, ben) = (rooms(&bench), connect(&bench), connect(&bench));
    rooms.join(ann.handle(), "lobby").unwrap();
    rooms.join(ben.handle(), "lobby").unwrap();

    // Neither would survive a parser.
    ann.send_wire(Kind::Text, r#"  {"primus":  1.50}"#);
    ann.send_wire(Kind::Binary, b"\xff\xfe");
    let expected = [(Kind::Text, br#"  {"primus":  1.50}"#.to_vec()), (Kind::Binary, b"\xff\xfe".to_vec())];
    assert_eq!(ben.received_wire(), expected);
    assert_eq!(ann.received_wire(), []);
}

#[test]
fn names_and_numbers_are_bounded() {
    let limits = json!({ "max_rooms": 3, "max_rooms_per_spark": 2, "max_name_bytes": 5 });
    let bench = Bench::start::<RoomsPlugin>(limits).unwrap();
    let (rooms, ann, ben) = (rooms(&bench), connect(&bench), connect(&bench));
    let join = |client: &Client, room| rooms.join(client.handle(), room);
    assert_eq!(refusal(join(&ann, "")), "a room needs a name");
    assert_eq!(refusal(join(&ann, "größe")), "the name of a room has at most 5 bytes");
    for name in ["a b", "a\u{a0}b", "a\n", "\u{7f}"] {
        assert_eq!(refusal(join(&ann, name)), "the name of a room has neither spaces nor control characters");
    }
    join(&ann, "1").unwrap();
    join(&ann, "2").unwrap();
    join(&ann, "2").unwrap();
    assert_eq!(refusal(join(&ann, "3")), "already in 2 rooms, which is the most");
    join(&ben, "3").unwrap();
    assert_eq!(refusal(join(&ben, "4")), "there are 3 rooms already, which is the most");
    join(&ben, "1").unwrap();
}

#[test]
fn limits_change_while_it_runs_and_take_nobody_out() {
    let bench = bench();
    let (rooms, ann) = (rooms(&bench), connect(&bench));
    rooms.join(ann.handle(), "1").unwrap();
    rooms.join(ann.handle(), "2").unwrap();
    assert!(bench.reconfigure::<RoomsPlugin>(json!({ "max_rooms_per_spark": 1 })).unwrap());
    assert_eq!(rooms.rooms_of(ann.handle()).unwrap(), ["1", "2"]);
    assert_eq!(refusal(rooms.join(ann.handle(), "3")), "already in 1 rooms, which is the most");
}

#[test]
fn a_reload_keeps_everybody_in_their_rooms() {
    let mut bench = bench();
    let (rooms, ann, ben) = (rooms(&bench), connect(&bench), connect(&bench));
    for room in ["z", "a"] {
        rooms.join(ann.handle(), room).unwrap();
        rooms.join(ben.handle(), room).unwrap();
    }
    bench.reload::<RoomsPlugin>(json!({})).unwrap();
    assert_eq!(rooms.rooms_of(ann.handle()).unwrap(), ["z", "a"]);
    assert_eq!(rooms.broadcast(vec!["a"], Except::default(), payload(1)).unwrap(), 2);
    ben.close(lost());
    assert_eq!(rooms.members("z").unwrap(), [ann.handle()]);
}

#[test]
fn a_client_joins_where_the_guard_consents() {
    let bench = guarded().start().unwrap();
    let (rooms, ann) = (rooms(&bench), connect(&bench));
    assert_eq!(ask(&ann, json!({ "op": "join", "room": "open-1", "id": 1 })), json!({ "id": 1, "ok": true }));
    assert_eq!(
        ask(&ann, json!({ "op": "join", "room": "staff", "id": 2 })),
        json!({ "id": 2, "error": "staff is not for everyone" })
    );
    assert_eq!(rooms.rooms_of(ann.handle()).unwrap(), ["open-1"]);
    assert_eq!(
        ask(&ann, json!({ "op": "join", "room": "open sesame", "id": 3 })),
        json!({ "id": 3, "error": "the name of a room has neither spaces nor control characters" })
    );
}

#[test]
fn a_client_asks_for_its_rooms_and_leaves_them() {
    let bench = guarded().start().unwrap();
    let (rooms, ann) = (rooms(&bench), connect(&bench));
    for (id, room) in ["open-1", "open-2", "open-3"].into_iter().enumerate() {
        ask(&ann, json!({ "op": "join", "room": room, "id": id }));
    }
    assert_eq!(ask(&ann, json!({ "op": "leave", "room": "open-2", "id": 4 })), json!({ "id": 4, "ok": true }));
    assert_eq!(ask(&ann, json!({ "op": "leave", "room": "open-2", "id": 5 })), json!({ "id": 5, "ok": true }));
    let answer = ask(&ann, json!({ "op": "rooms", "id": 6 }));
    assert_eq!(answer, json!({ "id": 6, "ok": true, "rooms": ["open-1", "open-3"] }));
    assert_eq!(ask(&ann, json!({ "op": "leaveAll", "id": 7.5 })), json!({ "id": 7.5, "ok": true }));
    assert_eq!(rooms.rooms_of(ann.handle()).unwrap(), Vec::<String>::new());
}

#[test]
fn without_a_guard_a_client_joins_only_where_rooms_are_open() {
    let bench = bench();
    let ann = connect(&bench);
    let join = || json!({ "op": "join", "room": "r", "id": 1 });
    assert_eq!(ask(&ann, join()), json!({ "id": 1, "error": "no room may be joined by clients here" }));
    bench.reconfigure::<RoomsPlugin>(json!({ "client_rooms": "open" })).unwrap();
    assert_eq!(ask(&ann, join()), json!({ "id": 1, "ok": true }));
    bench.reconfigure::<RoomsPlugin>(json!({ "client_rooms": "none" })).unwrap();
    let answer = ask(&ann, json!({ "op": "rooms", "id": 2 }));
    assert_eq!(answer, json!({ "id": 2, "error": "clients have nothing to ask of rooms here" }));
}

#[test]
fn a_request_that_cannot_be_understood_reaches_no_application() {
    let bench = bench();
    let ann = connect(&bench);
    for request in [json!(null), json!({ "op": "burn", "id": 1 }), json!({ "op": "join", "room": 1, "id": 1 }), json!([])] {
        assert_eq!(ann.send(&json!({ "primus::rooms": request })), Fate::Consumed, "{request}");
    }
    assert_eq!(ann.received_wire(), []);
    let answer = ask(&ann, json!({ "op": "leave", "id": 1 }));
    assert_eq!(answer, json!({ "id": 1, "error": "which room?" }));
    assert_eq!(ann.send_wire(Kind::Text, b"{ \"primus::rooms\" : { \"op\": \"rooms\", \"id\": 2 } }"), Fate::Consumed);
}

#[test]
fn other_messages_pass_by_unparsed() {
    let bench = bench();
    let ann = connect(&bench);
    for wire in [&b"{\"a\":\"primus::rooms\"}"[..], b"{not json", b"", b"{", b"[\"primus::rooms\"]", b"\"primus::rooms\""] {
        assert_eq!(ann.send_wire(Kind::Text, wire), Fate::Unclaimed, "{}", wire.escape_ascii());
    }
    assert_eq!(ann.send_wire(Kind::Binary, b"\x81\xadprimus"), Fate::Unclaimed);
}

#[test]
fn wrong_keys_of_the_configuration_are_refused() {
    let failure = Bench::start::<RoomsPlugin>(json!({ "max_room": 1 })).map(drop).unwrap_err();
    assert!(failure.to_string().contains("max_room"), "{failure}");
}

#[test]
fn a_broadcast_from_another_thread_is_delivered_at_the_next_turn() {
    let bench = bench();
    let (rooms, ann) = (rooms(&bench), connect(&bench));
    rooms.join(ann.handle(), "lobby").unwrap();
    let host: Host = bench.host();
    std::thread::spawn(move || {
        RoomsClient::new(host).broadcast(vec!["lobby"], Except::default(), payload("from afar")).unwrap();
    })
    .join()
    .unwrap();
    assert_eq!(ann.next::<String>(), "from afar");
}
