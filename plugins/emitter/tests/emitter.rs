//! What applications and clients see of events.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use emitter::EmitterPlugin;
use plugin_api::services::emitter::{self as events, Emitter, Reply, RequestError, Requests};
use plugin_api::services::rooms::{Except, RoomsClient};
use plugin_api::testing::{Bench, Client, Fate, Setup, json};
use plugin_api::value::{self, Date};
use plugin_api::{DisconnectReason, Kind, Payload, Registrar, ServiceError, ServiceReply, Value};
use serde_json::Value as Json;

/// A bench with the plugin, and an application that declares this.
fn application(declare: impl FnOnce(&mut Registrar<'_>) + 'static) -> Bench {
    with_application(json!({}), declare).start().unwrap()
}

fn with_application(config: Json, declare: impl FnOnce(&mut Registrar<'_>) + 'static) -> Setup {
    Bench::with::<EmitterPlugin>(config).and_standing_in("application", declare)
}

fn connect(bench: &Bench) -> Client {
    bench.connect("/primus").unwrap()
}

fn wire(client: &Client) -> Vec<String> {
    client.received_wire().into_iter().map(|(_, bytes)| String::from_utf8(bytes).unwrap()).collect()
}

/// Sends a packet and takes the one that answers it.
#[track_caller]
fn ask(client: &Client, packet: Json) -> Json {
    assert_eq!(client.send(&packet), Fate::Consumed);
    let mut received = client.received::<Json>();
    assert_eq!(received.len(), 1, "{received:?}");
    received.remove(0)
}

/// The requests of an application, which are made while it registers.
#[derive(Clone, Default)]
struct Asking(Arc<Mutex<Option<Requests>>>);

impl Asking {
    fn declare(&self) -> impl FnOnce(&mut Registrar<'_>) + use<> {
        let asking = self.clone();
        move |registrar| *asking.0.lock().unwrap() = Some(Requests::new(registrar, "application"))
    }

    fn requests(&self) -> Requests {
        self.0.lock().unwrap().clone().unwrap()
    }
}

type Answer<T> = std::pin::Pin<Box<dyn Future<Output = Result<T, RequestError>> + Send>>;

/// What a request has come to up to now.
#[track_caller]
fn outcome<T>(answer: &mut Answer<T>) -> Option<Result<T, RequestError>> {
    match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

#[test]
fn an_event_of_a_client_reaches_its_handler_with_its_arguments() {
    let bench = application(|registrar| {
        events::on(registrar, "say", |spark, (text, count, rest): (String, u32, Vec<Value>)| {
            spark.write(&format!("{text} {count} {rest:?}")).map_err(|error| error.to_string())
        });
        events::on(registrar, "nothing", |spark, (): ()| spark.write("nothing").map_err(|error| error.to_string()));
    });
    let ann = connect(&bench);
    assert_eq!(ann.send(&json!({ "type": 0, "data": ["say", "hello", 2, [null]] })), Fate::Consumed);
    assert_eq!(ann.send(&json!({ "type": 0, "data": ["nothing"] })), Fate::Consumed);
    assert_eq!(ann.received::<String>(), ["hello 2 [Null]", "nothing"]);
}

#[test]
fn a_handlers_value_is_the_acknowledgement() {
    let bench = application(|registrar| {
        events::on(registrar, "double", |_, (number,): (i64,)| Ok(2 * number));
        events::on(registrar, "two", |_, (): ()| Ok(("a", json!({ "b": 1 }))));
        events::on(registrar, "none", |_, (): ()| Ok(()));
    });
    let ann = connect(&bench);
    ann.send(&json!({ "type": 0, "data": ["double", 7], "id": 1 }));
    ann.send(&json!({ "type": 0, "data": ["double", 7] }));
    ann.send(&json!({ "type": 0, "data": ["two"], "id": 2 }));
    ann.send(&json!({ "type": 0, "data": ["none"], "id": 3.5 }));
    let expected =
        [r#"{"id":1,"type":1,"data":[14]}"#, r#"{"id":2,"type":1,"data":["a",{"b":1}]}"#, r#"{"id":3.5,"type":1,"data":[]}"#];
    assert_eq!(wire(&ann), expected);
}

#[test]
fn a_handlers_error_is_an_acknowledgement_with_an_error() {
    let bench = application(|registrar| {
        events::on(registrar, "enter", |_, (name,): (String,)| -> Result<(), String> { Err(format!("{name} is banned")) });
    });
    let ann = connect(&bench);
    ann.send(&json!({ "type": 0, "data": ["enter", "Ann"], "id": 4 }));
    assert_eq!(wire(&ann), [r#"{"id":4,"type":1,"data":[],"error":"Ann is banned"}"#]);
    ann.send(&json!({ "type": 0, "data": ["enter", "Ann"] }));
    assert_eq!(wire(&ann), [""; 0]);

    let refused = ask(&ann, json!({ "type": 0, "data": ["enter", 1], "id": 5 }));
    let error = refused["error"].as_str().unwrap();
    assert!(error.starts_with("the arguments of the event `enter` are wrong: invalid type: integer `1`"), "{error}");
}

#[test]
fn a_handler_may_acknowledge_later_from_any_thread() {
    let replies: Arc<Mutex<Vec<Reply>>> = Arc::default();
    let kept = Arc::clone(&replies);
    let bench = application(move |registrar| {
        events::on_later(registrar, "slow", move |_, (): (), reply| kept.lock().unwrap().push(reply));
    });
    let ann = connect(&bench);
    for id in [Some(1), Some(2), None] {
        ann.send(&json!({ "type": 0, "data": ["slow"], "id": id }));
    }
    assert_eq!(wire(&ann), [""; 0]);

    let replies = std::mem::take(&mut *replies.lock().unwrap());
    assert_eq!(replies.iter().map(Reply::is_wanted).collect::<Vec<_>>(), [true, true, false]);
    std::thread::spawn(move || {
        let mut replies = replies.into_iter();
        replies.next().unwrap().acknowledge("done").unwrap();
        replies.next().unwrap().refuse("not done").unwrap();
        replies.next().unwrap().acknowledge("nobody asked").unwrap();
    })
    .join()
    .unwrap();
    assert_eq!(ann.next::<Json>(), json!({ "id": 1, "type": 1, "data": ["done"] }));
    assert_eq!(ann.next::<Json>(), json!({ "id": 2, "type": 1, "data": [], "error": "not done" }));
    assert_eq!(wire(&ann), [""; 0]);
}

#[test]
fn what_nobody_handles_goes_on_as_a_message() {
    let bench = application(|registrar| {
        events::on(registrar, "known", |_, (): ()| Ok(()));
        events::on(registrar, "data", |_, (): ()| Ok(()));
        registrar.message(|spark, message| drop(spark.relay(message)));
    });
    let ann = connect(&bench);
    let messages = [
        json!({ "type": 0, "data": ["unknown"], "id": 1 }),
        json!({ "type": 0, "data": ["data"] }),
        json!({ "type": 0, "data": ["incoming::open"] }),
        json!({ "type": 0, "data": [] }),
        json!({ "type": 0, "data": [7] }),
        json!({ "type": 0, "data": "known" }),
        json!({ "type": 0, "data": ["known"], "id": "1" }),
        json!({ "type": 1, "data": [] }),
        json!({ "type": 2, "data": ["known"] }),
        json!({ "type": "known", "data": ["known"] }),
        json!({ "type": 0 }),
        json!([0, ["known"]]),
        json!("type"),
        json!(null),
    ];
    for message in &messages {
        ann.send(message);
        assert_eq!(ann.received::<Json>(), std::slice::from_ref(message));
    }
    ann.send_wire(Kind::Text, "{\"type\":0,\"data\":[\"known\"");
    assert_eq!(wire(&ann), ["{\"type\":0,\"data\":[\"known\""]);
}

#[test]
fn a_packet_is_known_whatever_the_order_of_its_keys() {
    let bench = application(|registrar| events::on(registrar, "ping", |_, (_,): (String,)| Ok("pong")));
    let ann = connect(&bench);
    let long = "x".repeat(500);
    let orders = [
        format!(r#"{{"data":["ping","{long}"],"id":1,"type":0}}"#),
        format!(r#"{{"id":1,"type":0,"data":["ping","{long}"]}}"#),
        format!(r#" {{ "type" : 0, "id" : 1, "data" : [ "ping", "{long}" ] }}"#),
        format!(r#"{{"data":["ping","{long}"],"type":0,"id":1,"extra":null}}"#),
    ];
    for packet in orders {
        assert_eq!(ann.send_wire(Kind::Text, &packet), Fate::Consumed, "{packet}");
        assert_eq!(wire(&ann), [r#"{"id":1,"type":1,"data":["pong"]}"#]);
    }
}

#[test]
fn events_are_sent_to_sparks_and_broadcast_to_all() {
    let bench = application(|_| {});
    let emitter = Emitter::new(bench.host());
    let (ann, ben, cid) = (connect(&bench), connect(&bench), connect(&bench));
    emitter.emit(ann.handle(), "one", &("a", 1)).unwrap();
    emitter.emit(ann.handle(), "none", &()).unwrap();
    emitter.emit(ann.handle(), "struct", &json!({ "k": Date(5).0 })).unwrap();
    assert_eq!(emitter.emit_many(vec![ann.handle(), ben.handle()], "some", &([1, 2],)).unwrap(), 2);
    assert_eq!(emitter.broadcast(&[ben.handle()], "all", &[true]).unwrap(), 2);

    let expected = [
        r#"{"type":0,"data":["one","a",1]}"#,
        r#"{"type":0,"data":["none"]}"#,
        r#"{"type":0,"data":["struct",{"k":5}]}"#,
        r#"{"type":0,"data":["some",[1,2]]}"#,
        r#"{"type":0,"data":["all",true]}"#,
    ];
    assert_eq!(wire(&ann), expected);
    assert_eq!(wire(&ben), [expected[3]]);
    assert_eq!(wire(&cid), [expected[4]]);
}

#[test]
fn events_are_sent_to_rooms() {
    let bench = application(|registrar| {
        let host = registrar.host();
        let broadcast = move |method: &str, arguments: &[u8]| {
            assert_eq!(method, "broadcast");
            let (rooms, except, payload): (Vec<&str>, Except, Payload<'_>) = value::decode(arguments).unwrap();
            assert_eq!(rooms, ["lobby", "tea"]);
            let sent = host.broadcast(&payload, &except.sparks);
            ServiceReply::Done(value::to_vec(&sent).unwrap())
        };
        registrar.service(RoomsClient::NAME, broadcast);
    });
    let (emitter, ann, ben) = (Emitter::new(bench.host()), connect(&bench), connect(&bench));
    let except = Except { sparks: vec![ann.handle()], rooms: Vec::new() };
    assert_eq!(emitter.emit_to_rooms(&["lobby", "tea"], except, "said", &("hello",)).unwrap(), 1);
    assert_eq!(wire(&ann), [""; 0]);
    assert_eq!(wire(&ben), [r#"{"type":0,"data":["said","hello"]}"#]);
}

#[test]
fn without_rooms_nothing_is_sent_to_rooms() {
    let bench = application(|_| {});
    let error = Emitter::new(bench.host()).emit_to_rooms(&["lobby"], Except::default(), "said", &()).unwrap_err();
    assert!(error.to_string().contains("`rooms`"), "{error}");
}

#[test]
fn names_that_clients_keep_for_themselves_are_refused() {
    let bench = application(|_| {});
    let (emitter, ann) = (Emitter::new(bench.host()), connect(&bench));
    for name in ["data", "reconnect timeout", "outgoing::open"] {
        let error = emitter.emit(ann.handle(), name, &()).unwrap_err();
        assert!(matches!(&error, ServiceError::Refused(reason) if reason.contains(name)), "{error}");
    }
    assert_eq!(wire(&ann), [""; 0]);
}

#[test]
fn a_request_waits_for_the_clients_acknowledgement() {
    let asking = Asking::default();
    let bench = application(asking.declare());
    let ann = connect(&bench);
    let mut answer: Answer<(i64, String)> = asking.requests().send(ann.handle(), "ask", &(7,), None);
    assert_eq!(wire(&ann), [r#"{"type":0,"data":["ask",7],"id":1}"#]);
    assert!(outcome(&mut answer).is_none());
    ann.send(&json!({ "id": 1, "type": 1, "data": [14, "twice"] }));
    assert_eq!(outcome(&mut answer).unwrap().unwrap(), (14, "twice".to_owned()));

    bench.advance(Duration::from_secs(60));
    assert_eq!(bench.logs().iter().filter(|log| log.plugin == "emitter").count(), 0);
}

#[test]
fn a_request_may_be_refused_or_answered_by_something_else() {
    let asking = Asking::default();
    let bench = application(asking.declare());
    let ann = connect(&bench);
    let requests = asking.requests();
    let mut refused: Answer<()> = requests.send(ann.handle(), "ask", &(), None);
    let mut odd: Answer<(i64,)> = requests.send(ann.handle(), "ask", &(), None);
    ann.send(&json!({ "id": 1, "type": 1, "data": [], "error": "ask somebody else" }));
    ann.send(&json!({ "id": 2, "type": 1, "data": ["x"] }));
    assert!(matches!(outcome(&mut refused).unwrap(), Err(RequestError::Refused(why)) if why == "ask somebody else"));
    assert!(matches!(outcome(&mut odd).unwrap(), Err(RequestError::Answer(_))));
}

#[test]
fn a_request_is_given_up_after_its_time() {
    let asking = Asking::default();
    let bench = with_application(json!({ "ack_timeout_ms": 500 }), asking.declare()).start().unwrap();
    let ann = connect(&bench);
    let requests = asking.requests();
    let mut usual: Answer<()> = requests.send(ann.handle(), "ask", &(), None);
    let mut patient: Answer<()> = requests.send(ann.handle(), "ask", &(), Some(Duration::from_secs(2)));
    bench.advance(Duration::from_millis(499));
    assert!(outcome(&mut usual).is_none());
    bench.advance(Duration::from_millis(1));
    assert!(matches!(outcome(&mut usual).unwrap(), Err(RequestError::TimedOut)));
    assert!(outcome(&mut patient).is_none());

    // A late one is dropped, and doesn't become a message.
    assert_eq!(ann.send(&json!({ "id": 1, "type": 1, "data": [] })), Fate::Consumed);
    ann.send(&json!({ "id": 2, "type": 1, "data": [] }));
    outcome(&mut patient).unwrap().unwrap();
}

#[test]
fn a_request_ends_with_its_spark() {
    let asking = Asking::default();
    let bench = application(asking.declare());
    let ann = connect(&bench);
    let requests = asking.requests();
    let mut owed: Answer<()> = requests.send(ann.handle(), "ask", &(), None);
    ann.close(DisconnectReason::Lost);
    assert!(matches!(outcome(&mut owed).unwrap(), Err(RequestError::Gone)));
    let mut too_late: Answer<()> = requests.send(ann.handle(), "ask", &(), None);
    assert!(matches!(outcome(&mut too_late).unwrap(), Err(RequestError::Gone)));
}

#[test]
fn nobody_acknowledges_for_another() {
    let asking = Asking::default();
    let bench = application(asking.declare());
    let (ann, ben) = (connect(&bench), connect(&bench));
    let mut answer: Answer<(String,)> = asking.requests().send(ann.handle(), "ask", &(), None);
    for id in [json!(1), json!(1.5), json!(-1), json!(1e300), json!(0)] {
        ben.send(&json!({ "id": id, "type": 1, "data": ["forged"] }));
    }
    assert!(outcome(&mut answer).is_none());
    ann.send(&json!({ "id": 1, "type": 1, "data": ["real"] }));
    assert_eq!(outcome(&mut answer).unwrap().unwrap().0, "real");
}

#[test]
fn what_one_client_may_owe_is_bounded() {
    let asking = Asking::default();
    let bench = with_application(json!({ "max_pending_per_spark": 1 }), asking.declare()).start().unwrap();
    let (ann, ben) = (connect(&bench), connect(&bench));
    let requests = asking.requests();
    let mut first: Answer<()> = requests.send(ann.handle(), "ask", &(), None);
    let mut second: Answer<()> = requests.send(ann.handle(), "ask", &(), None);
    let mut of_another: Answer<()> = requests.send(ben.handle(), "ask", &(), None);
    assert!(matches!(outcome(&mut second).unwrap(), Err(RequestError::Service(ServiceError::Refused(_)))));
    assert!(outcome(&mut first).is_none() && outcome(&mut of_another).is_none());
}

#[test]
fn a_reload_waits_on_for_what_clients_owe() {
    let asking = Asking::default();
    let mut bench = application(asking.declare());
    let (ann, ben) = (connect(&bench), connect(&bench));
    let mut answered: Answer<()> = asking.requests().send(ann.handle(), "ask", &(), None);
    let mut unanswered: Answer<()> = asking.requests().send(ben.handle(), "ask", &(), None);
    bench.reload::<EmitterPlugin>(json!({})).unwrap();
    ann.send(&json!({ "id": 1, "type": 1, "data": [] }));
    outcome(&mut answered).unwrap().unwrap();
    bench.advance(Duration::from_secs(10));
    assert!(matches!(outcome(&mut unanswered).unwrap(), Err(RequestError::TimedOut)));
    let mut next: Answer<()> = asking.requests().send(ann.handle(), "ask", &(), None);
    ann.send(&json!({ "id": 3, "type": 1, "data": [] }));
    outcome(&mut next).unwrap().unwrap();
}

#[test]
fn the_client_part_is_the_extension_of_that_name() {
    let bench = application(|_| {});
    let parts = bench.client_parts();
    assert_eq!(
        parts.iter().map(|part| (part.kind.as_str(), part.name.as_str())).collect::<Vec<_>>(),
        [("extension", "emitter")]
    );
}
