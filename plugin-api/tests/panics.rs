//! Panics at every entry point of a plugin: caught on its side, reported, and not printed; others are printed as ever.
#![forbid(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use plugin_api::prelude::*;
use plugin_api::testing::{Bench, Fate, ParserHarness, SessionHarness, TransportHarness, json};
use plugin_api::{
    Carrier, Close, Events, ExchangeId, FrameClass, Out, ParseError, Parser, Route, ServiceReply, Session, TimerId, Transport,
};

/// What the process has printed of panics, by their messages.
static PRINTED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Watches the hook that prints. To be there before a plugin is started.
fn watch_panics() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PRINTED.lock().unwrap_or_else(PoisonError::into_inner).push(info.to_string());
            print(info);
        }));
    });
}

fn was_printed(message: &str) -> bool {
    PRINTED.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|printed| {
        // The bench's own panic holds the report.
        printed.contains(message) && !printed.contains("the plugin")
    })
}

/// The test's panic that a plugin's panic at `place` leads to.
#[track_caller]
fn failure(place: &str, call: impl FnOnce()) {
    let payload = catch_unwind(AssertUnwindSafe(call)).expect_err("the plugin panics");
    let report = payload.downcast_ref::<String>().expect("the bench panics with a text");
    assert!(report.contains(&format!("boom in {place}")), "{report}");
    assert!(report.contains("panics.rs"), "the report names the place: {report}");
    assert!(!was_printed(&format!("boom in {place}")), "it is reported, not printed");
}

/// Panics at the place that its configuration names.
struct Bomb {
    place: String,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Config {
    place: String,
}

fn armed(place: &str) -> serde_json::Value {
    json!({ "place": place })
}

impl Bomb {
    fn pass(&self, place: &str) {
        assert_ne!(self.place, place, "boom in {place}");
    }
}

impl Plugin for Bomb {
    const NAME: &'static str = "bomb";
    type Config = Config;

    fn start(config: Config, host: Host) -> Result<Self, StartError> {
        host.set_timer(1, Duration::from_secs(1));
        let bomb = Self { place: config.place };
        bomb.pass("start");
        Ok(bomb)
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        let bomb = || Arc::clone(self);
        let plugin = bomb();
        registrar.middleware(Priority::GUARD, move |_| {
            plugin.pass("middleware");
            None
        });
        let plugin = bomb();
        registrar.authorizer(Priority::GUARD, move |_| {
            let plugin = Arc::clone(&plugin);
            async move {
                plugin.pass("the first poll");
                tokio::task::yield_now().await;
                plugin.pass("a later poll");
                Ok(())
            }
        });
        let plugin = bomb();
        registrar.connection(Priority::GUARD, move |_| {
            plugin.pass("connection");
            Ok(())
        });
        let plugin = bomb();
        registrar.disconnection(Priority::GUARD, move |_, _| plugin.pass("disconnection"));
        let plugin = bomb();
        registrar.incoming(Priority::GUARD, move |spark, _| {
            plugin.pass("incoming");
            spark.write("heard").map_or(Flow::Next, |()| Flow::Stop)
        });
        let plugin = bomb();
        registrar.outgoing(Priority::GUARD, move |_, _| {
            plugin.pass("outgoing");
            Flow::Next
        });
        let plugin = bomb();
        registrar.route("GET", "/", move |_| {
            plugin.pass("route");
            std::future::ready(Response::new(200))
        });
        let plugin = bomb();
        registrar.service("bomb", move |_, _| {
            plugin.pass("service");
            ServiceReply::NoSuchMethod
        });
        self.pass("register");
    }

    fn reconfigure(&self, _: Config) -> Result<bool, StartError> {
        self.pass("reconfigure");
        Ok(true)
    }

    fn save(&self) -> Option<Vec<u8>> {
        self.pass("save");
        Some(Vec::new())
    }

    fn restore(&self, _: &[u8]) -> Result<(), StartError> {
        self.pass("restore");
        Ok(())
    }

    fn timer(&self, _: u64) {
        self.pass("timer");
    }

    fn stop(&self) {
        self.pass("stop");
    }
}

export_plugin!(Bomb);

#[track_caller]
fn bench(place: &str) -> Bench {
    watch_panics();
    Bench::start::<Bomb>(armed(place)).unwrap()
}

#[test]
fn a_plugin_that_panics_while_it_starts_or_registers_is_refused_with_the_report() {
    watch_panics();
    for place in ["start", "register"] {
        let error = Bench::start::<Bomb>(armed(place)).unwrap_err().to_string();
        assert!(error.contains(&format!("boom in {place}")), "{error}");
        assert!(!was_printed(&format!("boom in {place}")));
    }
}

#[test]
fn a_generation_that_panics_is_given_up() {
    let mut dying = bench("save");
    assert!(dying.reload::<Bomb>(armed("nowhere")).unwrap_err().to_string().contains("boom in save"));
    let mut well = bench("nowhere");
    assert!(well.reload::<Bomb>(armed("restore")).unwrap_err().to_string().contains("boom in restore"));
    assert!(well.connect("/primus").is_ok(), "the former generation goes on");
    let stubborn = bench("reconfigure");
    assert!(stubborn.reconfigure::<Bomb>(armed("nowhere")).unwrap_err().to_string().contains("boom in reconfigure"));
}

#[test]
fn a_hook_that_panics_fails_the_test_with_the_report() {
    let connect = |place: &str| drop(bench(place).connect("/primus"));
    for place in ["middleware", "the first poll", "a later poll", "connection"] {
        failure(place, || connect(place));
    }
    for place in ["incoming", "outgoing"] {
        let bench = bench(place);
        let client = bench.connect("/primus").unwrap();
        failure(place, || assert!(client.send("hi") != Fate::Waiting));
    }
    let left = bench("disconnection");
    let client = left.connect("/primus").unwrap();
    failure("disconnection", || client.close(DisconnectReason::Lost));
    let routed = bench("route");
    failure("route", || drop(routed.request("/")));
    let timed = bench("timer");
    failure("timer", || timed.advance(Duration::from_secs(1)));
}

#[test]
fn a_service_that_panics_is_told_to_its_caller_and_fails_the_test() {
    let bench = bench("service");
    let error = bench.host().call::<()>("bomb", "method", &()).unwrap_err().to_string();
    assert_eq!(error, "the service `bomb` panicked");
    failure("service", || drop(bench.connect("/primus")));
}

#[test]
fn a_plugin_that_panics_at_its_end_fails_the_test() {
    let bench = bench("stop");
    failure("stop", || drop(bench));
}

#[test]
fn a_panic_that_nobody_catches_is_printed() {
    let bench = bench("nowhere");
    let client = bench.connect("/primus").unwrap();
    client.send("hi");
    let unwound = catch_unwind(|| panic!("on the test's own thread")).is_err();
    let thread = std::thread::spawn(|| panic!("on a thread of its own")).join();
    assert!(unwound && thread.is_err());
    assert!(was_printed("on the test's own thread") && was_printed("on a thread of its own"));
}

mod undescribed {
    //! A plugin whose configuration can't be described.

    use std::borrow::Cow;

    use plugin_api::prelude::*;

    pub struct Undescribed;

    #[derive(serde::Deserialize)]
    pub struct Config {}

    impl schemars::JsonSchema for Config {
        fn schema_name() -> Cow<'static, str> {
            "Config".into()
        }

        fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
            panic!("boom in the schema");
        }
    }

    impl Plugin for Undescribed {
        const NAME: &'static str = "undescribed";
        type Config = Config;

        fn start(_: Config, _: Host) -> Result<Self, StartError> {
            Ok(Self)
        }

        fn register(self: &Arc<Self>, _: &mut Registrar<'_>) {}
    }

    export_plugin!(Undescribed);
}

#[test]
fn a_manifest_that_panics_is_an_error_with_the_report() {
    // The hook that keeps the report is there once a plugin was started.
    drop(bench("nowhere"));
    let error = Bench::start::<undescribed::Undescribed>(json!({})).unwrap_err().to_string();
    assert!(error.contains("boom in the schema"), "{error}");
}

/// A transport whose path says where it panics, and whose sessions do.
struct Mine;

struct Step(String);

/// Panics in `place` where `planned` is that.
fn step(planned: &str, place: &str) {
    assert_ne!(planned, place, "boom in {place}");
}

impl Step {
    fn on(&self, place: &str) {
        step(&self.0, place);
    }
}

impl Transport for Mine {
    type Session = Step;

    fn name(&self) -> &str {
        "mine"
    }

    fn route(&self, request: &Request<'_>) -> Route {
        step(request.query(), "routing");
        Route::Open
    }

    fn open(&self, request: &Request<'_>) -> Step {
        step(request.query(), "open");
        Step(request.query().to_owned())
    }

    fn frame(&self, _: FrameClass, _: Kind, _: &[u8], _: &mut Out<'_>) {
        panic!("boom in frame");
    }

    fn restore(&self, _: &[u8]) -> Option<Step> {
        panic!("boom in restoring");
    }
}

impl Session for Step {
    fn request(&mut self, _: ExchangeId, _: &Request<'_>, _: &mut Events<'_>) {
        self.on("request");
    }

    fn receive(&mut self, _: &mut [u8], _: &mut Events<'_>) {
        self.on("receive");
    }

    fn send(&mut self, _: Kind, _: &[u8], _: &mut Events<'_>) {
        self.on("send");
    }

    fn timeout(&mut self, _: TimerId, _: &mut Events<'_>) {
        self.on("timeout");
    }

    fn close(&mut self, _: &Close, _: &mut Events<'_>) {
        self.on("close");
    }

    fn disconnected(&mut self, _: Carrier, _: &mut Events<'_>) {
        self.on("disconnected");
    }

    fn save(&self) -> Option<Vec<u8>> {
        self.on("saving");
        None
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        // A panic here is caught too, but nobody waits for its report.
        if !std::thread::panicking() {
            self.on("drop");
        }
    }
}

#[test]
fn a_session_that_panics_is_reported() {
    // The harnesses start no plugin, which is what puts the hook in place.
    drop(bench("nowhere"));
    let open = |place: &str| SessionHarness::open(Mine, format!("/primus?{place}").as_str());
    for place in ["routing", "open", "request"] {
        failure(place, || drop(open(place)));
    }
    failure("receive", || drop(open("receive").receive("x")));
    failure("send", || drop(open("send").send(Kind::Text, "x")));
    failure("timeout", || drop(open("timeout").timeout(TimerId(1))));
    failure("close", || drop(open("close").close(None, "")));
    failure("disconnected", || drop(open("disconnected").disconnected(Carrier::Stream)));
    failure("saving", || drop(open("saving").save()));
    drop(open("drop"));
    let class = FrameClass(std::num::NonZeroU32::MIN);
    failure("restoring", || drop(TransportHarness::new(Mine).restore(b"")));
    failure("frame", || drop(TransportHarness::new(Mine).frame(class, Kind::Text, "x")));
}

struct Fussy;

impl Parser for Fussy {
    fn name(&self) -> &str {
        "fussy"
    }

    fn decode(&self, _: Kind, _: &[u8], _: &mut Vec<u8>) -> Result<(), ParseError> {
        panic!("boom in decode");
    }

    fn encode(&self, _: &[u8], _: &mut Vec<u8>) -> Result<Option<Kind>, ParseError> {
        panic!("boom in encode");
    }

    fn decode_string(&self, _: Kind, _: &[u8], _: &str) -> Option<String> {
        panic!("boom in decode_string");
    }
}

#[test]
fn a_parser_that_panics_is_reported() {
    drop(bench("nowhere"));
    let parser = ParserHarness::new(Fussy);
    failure("decode", || drop(parser.decode::<u8>(Kind::Text, "1")));
    failure("encode", || drop(parser.encode(&1)));
    failure("decode_string", || drop(parser.decode_string(Kind::Text, "1", "")));
}
