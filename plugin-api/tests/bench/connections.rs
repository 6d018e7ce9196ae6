//! Authorizers, connection and disconnection hooks, and the end of sparks.

use plugin_api::prelude::*;
use plugin_api::testing::{Bench, json};

/// Lets people in and greets them.
struct Door;

impl Plugin for Door {
    const NAME: &'static str = "door";
    type Config = NoConfig;

    fn start(_: NoConfig, _: Host) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.authorizer(Priority::GUARD, |request| async move {
            tokio::task::yield_now().await;
            match request.query_value("name").as_deref() {
                Some("mallory") => Err(Refusal::new("not you").with_status(403)),
                _ => Ok(()),
            }
        });
        registrar.connection(Priority::APPLICATION, |spark| {
            let name = spark.info().and_then(|info| info.query_value("name")).unwrap_or_default();
            spark.write(&format!("hello {name}")).map_err(|error| Refusal::new(error.to_string()))
        });
        registrar.connection_async(Priority::APPLICATION, |spark, host| async move {
            tokio::task::yield_now().await;
            match host.spark_info(spark).and_then(|info| info.header("x-late").map(str::to_owned)) {
                Some(why) => Err(Refusal::new(why)),
                None => Ok(()),
            }
        });
        let left = registrar.counter("left", "sparks that have left");
        registrar.disconnection(Priority::APPLICATION, move |spark, reason| {
            tracing::info!(?reason, known = spark.info().is_some(), "left");
            left.increment();
        });
        registrar.message(|spark, _| {
            let last = plugin_api::value::to_vec("bye").ok();
            spark.end_with(&EndOptions { last, reconnect: true, ..EndOptions::default() });
            assert!(spark.info().is_some(), "it is there until its disconnection hooks have run");
        });
    }
}

export_plugin!(Door);

fn bench() -> Bench {
    Bench::start::<Door>(json!({})).unwrap()
}

#[test]
fn a_client_is_authorized_and_greeted() {
    let bench = bench();
    let ann = bench.connect("/primus?name=ann").unwrap();
    assert_eq!(ann.received::<String>(), ["hello ann"]);
    assert_eq!(bench.host().sparks(), [ann.handle()]);
    assert_eq!(bench.host().find_spark(&ann.info().unwrap().id), Some(ann.handle()));
}

#[test]
fn an_authorizer_refuses_before_there_is_a_spark() {
    let bench = bench();
    let refusal = bench.connect("/primus?name=mallory").unwrap_err();
    assert_eq!((refusal.status, refusal.message.as_str()), (403, "not you"));
    assert_eq!((bench.host().sparks(), bench.counter("left")), (vec![], 0));
}

#[test]
fn a_connection_hook_may_wait_and_refuse() {
    let bench = bench();
    let request = Request::new("GET", "/primus").with_header("X-Late", "too late");
    assert_eq!(bench.connect(request).unwrap_err().message, "too late");
    assert_eq!(bench.counter("left"), 1, "the hooks that saw it come see it go");
}

#[test]
fn a_spark_that_a_plugin_ends_is_gone_after_its_disconnection_hooks() {
    let bench = bench();
    let ann = bench.connect("/primus?name=ann").unwrap();
    assert_eq!(ann.ended(), None);
    ann.send("leave");
    assert!(ann.ended().is_some_and(|options| options.reconnect));
    assert_eq!(ann.received::<String>(), ["hello ann", "bye"]);
    let logs = bench.logs();
    let left = logs.iter().find(|log| log.message == "left").unwrap();
    assert_eq!([left.field("reason"), left.field("known")], [Some("Server"), Some("true")]);
    assert!(ann.info().is_none() && bench.host().sparks().is_empty());
    assert!(bench.host().spark(ann.handle()).write("late").is_err());
}

#[test]
fn a_client_that_closes_runs_the_disconnection_hooks_once() {
    let bench = bench();
    let ann = bench.connect("/primus").unwrap();
    ann.close(DisconnectReason::Lost);
    ann.close(DisconnectReason::Lost);
    assert_eq!(bench.counter("left"), 1);
    assert!(!ann.is_open());
    assert_eq!(ann.ended(), None, "no plugin ended it");
}
