//! Incoming and outgoing hooks, deferral, relays and broadcasts.

use std::sync::Mutex;

use plugin_api::prelude::*;
use plugin_api::testing::{Bench, Fate, json};
use plugin_api::{Deferred, SendError};

/// Does what the message says.
#[derive(Default)]
struct Obedient {
    late: Mutex<Vec<Deferred>>,
}

impl Plugin for Obedient {
    const NAME: &'static str = "obedient";
    type Config = NoConfig;

    fn start(_: NoConfig, _: Host) -> Result<Self, StartError> {
        Ok(Self::default())
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        let plugin = Arc::clone(self);
        // Registered first, but of the last priority.
        registrar.incoming(Priority::APPLICATION, move |spark, message| plugin.obey(spark, message).unwrap());
        let guarded = registrar.counter("guarded", "messages that were looked at");
        let plugin = Arc::clone(self);
        registrar.incoming(Priority::GUARD, move |spark, message| {
            guarded.increment();
            plugin.look_at(spark, message)
        });
        registrar.outgoing(Priority::TRANSFORM, |_, message| match message.decode::<String>().as_deref() {
            Ok("secret") => Flow::Stop,
            Ok("shout") => message.replace("SHOUT").map_or(Flow::Stop, |()| Flow::Next),
            _ => Flow::Next,
        });
    }
}

impl Obedient {
    fn look_at(&self, spark: Spark<'_>, message: &mut Message<'_>) -> Flow {
        match message.decode::<String>().as_deref() {
            Ok("wait") => {
                self.late.lock().unwrap().push(message.defer(spark));
                Flow::Defer
            }
            Ok("at once") => {
                message.defer(spark).next();
                Flow::Defer
            }
            Ok("not after all") => {
                message.defer(spark).stop();
                Flow::Next
            }
            Ok("swap") => message.replace("swapped").map_or(Flow::Stop, |()| Flow::Next),
            _ => Flow::Next,
        }
    }

    fn obey(&self, spark: Spark<'_>, message: &mut Message<'_>) -> Result<Flow, SendError> {
        let host = spark.host().clone();
        match message.decode::<String>().as_deref() {
            Ok("go on") => self.late.lock().unwrap().drain(..).for_each(Deferred::next),
            Ok("forget it") => self.late.lock().unwrap().clear(),
            Ok("go on elsewhere") => {
                let late = std::mem::take(&mut *self.late.lock().unwrap());
                std::thread::spawn(move || late.into_iter().for_each(Deferred::next));
            }
            Ok("all") => drop(host.broadcast(&Payload::of("for all")?, &[spark.handle()])),
            Ok("many") => assert_eq!(host.send_many(&host.sparks(), &message.payload()?), 2),
            Ok("elsewhere") => {
                let id = spark.handle();
                std::thread::spawn(move || host.spark(id).write("from a thread"));
            }
            Ok("for nobody") => return Ok(Flow::Next),
            _ => spark.relay(message)?,
        }
        Ok(Flow::Stop)
    }
}

export_plugin!(Obedient);

fn bench() -> Bench {
    Bench::start::<Obedient>(json!({})).unwrap()
}

#[test]
fn messages_pass_the_hooks_by_priority_until_one_takes_them() {
    let bench = bench();
    let ann = bench.connect("/primus").unwrap();
    assert_eq!(ann.send(&7), Fate::Consumed);
    assert_eq!(ann.received::<u8>(), [7]);
    assert_eq!(ann.send("swap"), Fate::Consumed);
    assert_eq!(ann.received::<String>(), ["swapped"], "the guard comes before the application");
    assert_eq!(ann.send("for nobody"), Fate::Unclaimed);
    assert_eq!(bench.counter("guarded"), 3);
}

#[test]
fn a_message_is_relayed_as_it_came() {
    let bench = bench();
    let ann = bench.connect("/primus").unwrap();
    ann.send_wire(Kind::Text, "{ \"a\" : 1 }");
    assert_eq!(ann.received_wire(), [(Kind::Text, b"{ \"a\" : 1 }".to_vec())]);
}

#[test]
fn what_the_parser_refuses_is_logged_and_goes_on() {
    let bench = bench();
    let ann = bench.connect("/primus").unwrap();
    assert_eq!(ann.send_wire(Kind::Binary, "{"), Fate::Consumed);
    assert!(bench.logs().iter().any(|log| log.message.contains("refuses a message")));
    assert_eq!(ann.received_wire(), [(Kind::Binary, b"{".to_vec())]);
}

#[test]
fn outgoing_hooks_stop_and_replace() {
    let bench = bench();
    let ann = bench.connect("/primus").unwrap();
    for text in ["secret", "shout", "plain"] {
        ann.send(text);
    }
    assert_eq!(ann.received::<String>(), ["SHOUT", "plain"]);
}

#[test]
fn a_deferred_message_holds_back_the_later_ones_in_order() {
    let bench = bench();
    let [ann, bob] = [(); 2].map(|()| bench.connect("/primus").unwrap());
    assert_eq!(["wait", "second", "third"].map(|text| ann.send(text)), [Fate::Waiting; 3]);
    assert!(ann.received_wire().is_empty());
    bob.send("go on");
    assert_eq!(ann.received::<String>(), ["wait", "second", "third"]);
}

#[test]
fn a_deferred_message_that_is_dropped_is_consumed() {
    let bench = bench();
    let [ann, bob] = [(); 2].map(|()| bench.connect("/primus").unwrap());
    ann.send("wait");
    ann.send("second");
    bob.send("forget it");
    assert_eq!(ann.received::<String>(), ["second"]);
}

#[test]
fn a_deferred_message_may_be_decided_before_its_hook_returns() {
    let bench = bench();
    let ann = bench.connect("/primus").unwrap();
    assert_eq!(ann.send("at once"), Fate::Consumed);
    assert_eq!(ann.send("not after all"), Fate::Consumed);
    assert_eq!(ann.received::<String>(), ["at once", "not after all"]);
}

#[test]
fn a_deferred_message_goes_on_from_another_thread() {
    let bench = bench();
    let [ann, bob] = [(); 2].map(|()| bench.connect("/primus").unwrap());
    ann.send("wait");
    bob.send("go on elsewhere");
    bench.settle();
    assert_eq!(ann.received::<String>(), ["wait"]);
}

#[test]
fn another_thread_reaches_a_spark() {
    let bench = bench();
    let ann = bench.connect("/primus").unwrap();
    ann.send("elsewhere");
    assert_eq!(ann.next::<String>(), "from a thread");
}

#[test]
fn a_broadcast_leaves_out_who_is_excepted() {
    let bench = bench();
    let [ann, bob] = [(); 2].map(|()| bench.connect("/primus").unwrap());
    ann.send("all");
    ann.send("many");
    assert_eq!(ann.received::<String>(), ["many"]);
    assert_eq!(bob.received::<String>(), ["for all", "many"]);
}
