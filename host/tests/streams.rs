//! Connections that are a session's from their first byte: those of a plugin's own address, and those that a plugin brings.

mod support;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::mpsc;

use plugin_api::prelude::*;
use serde::Deserialize;
use support::journal::{self, note};
use support::{PATIENCE, Server, lines};

/// A plugin with a transport, an address, and a handle to its host that tests use as its own threads would.
mod carrier {
    use super::*;

    #[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
    #[serde(deny_unknown_fields, default)]
    struct Config {
        /// Names the generation.
        name: String,
        listen: Option<std::net::SocketAddr>,
    }

    struct Carrier {
        config: Config,
    }

    static HOSTS: Mutex<Vec<(String, Host)>> = Mutex::new(Vec::new());

    /// The host as a generation has it.
    pub fn host(name: &str) -> Host {
        let hosts = HOSTS.lock().unwrap();
        hosts.iter().find(|(known, _)| known == name).expect("it has started").1.clone()
    }

    impl Plugin for Carrier {
        const NAME: &'static str = "carrier";
        type Config = Config;

        fn start(config: Config, host: Host) -> Result<Self, StartError> {
            if config.name == "stubborn" {
                note("stubborn is tried");
                return Err(StartError::new("it does not start"));
            }
            HOSTS.lock().unwrap().push((config.name.clone(), host));
            Ok(Self { config })
        }

        fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
            note(format!("{} registers", self.config.name));
            registrar.transport(Priority(9), lines::Lines);
            if let Some(address) = self.config.listen {
                registrar.listen("lines", address, &format!("?{}", self.config.name));
            }
            let name = self.config.name.clone();
            registrar.route("GET", "/carrier", move |_| std::future::ready(Response::new(200).with_body(name.clone())));
        }

        fn stop(&self) {
            note(format!("{} stops", self.config.name));
        }
    }

    export_plugin!(Carrier);
}

/// Echoes, refuses who is named so, and tells of ends.
mod app {
    use super::*;

    struct App;

    impl Plugin for App {
        const NAME: &'static str = "app";
        type Config = NoConfig;

        fn start(_: NoConfig, _: Host) -> Result<Self, StartError> {
            Ok(Self)
        }

        fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
            registrar
                .middleware(Priority(1), |request| (request.query() == "blocked").then(|| Response::text(418, "blocked here")));
            registrar.authorizer(Priority(1), |request| async move {
                // An answer that comes later, from the plugin's own thread.
                tokio::task::yield_now().await;
                match request.query() {
                    "uninvited" => Err(Refusal::new("not you")),
                    _ => Ok(()),
                }
            });
            registrar.connection(Priority(1), |spark| {
                note(format!("{} comes by {}", name(spark), spark.info().unwrap().transport));
                Ok(())
            });
            registrar.disconnection(Priority(1), |spark, reason| note(format!("{} goes: {reason:?}", name(spark))));
            registrar.message(|spark, message| match message.decode::<String>().as_deref() {
                Ok("flood") => {
                    for _ in 0..64 {
                        let _ = spark.write(&"x".repeat(64 * 1024));
                    }
                }
                Ok("end") => spark.end(),
                Ok(text) => drop(spark.write(text)),
                Err(_) => {}
            });
        }
    }

    fn name(spark: Spark<'_>) -> String {
        spark.info().map_or_else(|| "nobody".to_owned(), |info| info.query)
    }

    export_plugin!(App);
}

fn server(tables: &str) -> Server {
    Server::start(tables, vec![carrier::switchboard_module(), app::switchboard_module()])
}

/// The peer's end of a stream that a plugin has brought.
struct Peer {
    stream: BufReader<UnixStream>,
    outcome: mpsc::Receiver<Result<SparkId, Refusal>>,
}

impl Peer {
    fn outcome(&self) -> Result<SparkId, Refusal> {
        self.outcome.recv_timeout(PATIENCE).expect("who brings a stream is told what became of it")
    }

    fn refusal(mut self) -> (u16, String) {
        let refusal = self.outcome().expect_err("it is refused");
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty(), "nothing is written to who is refused");
        (refusal.status, refusal.message)
    }

    fn say(&mut self, line: &str) {
        writeln!(self.stream.get_mut(), "{line}").unwrap();
    }

    fn line(&mut self) -> Option<String> {
        line(&mut self.stream)
    }
}

fn line(stream: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    match stream.read_line(&mut line) {
        Ok(0) => None,
        Ok(_) => Some(line.trim_end().to_owned()),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
        Err(error) => panic!("{error}"),
    }
}

/// A stream that a generation of `carrier` brings.
fn bring(generation: &str, request: Request<'_>) -> Peer {
    let (peer, stream) = UnixStream::pair().unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let (tell, outcome) = mpsc::channel();
    carrier::host(generation).adopt(stream, "lines", &request, move |outcome| tell.send(outcome).unwrap());
    Peer { stream: BufReader::new(peer), outcome }
}

fn named(name: &str) -> Request<'static> {
    Request::new("CONNECT", &format!("/primus?{name}"))
}

#[test]
fn a_stream_that_a_plugin_brings_is_a_spark_like_others() {
    let _server = server("[carrier]\nname = \"plain\"");
    let mut peer = bring("plain", named("anna"));
    let spark = peer.outcome().unwrap();
    assert_eq!(carrier::host("plain").spark_info(spark).unwrap().query, "anna");
    peer.say("\"hello\"");
    assert_eq!(peer.line().as_deref(), Some("\"hello\""));
    peer.say("\"end\"");
    assert_eq!(peer.line().as_deref(), Some("\"primus::server::close\""));
    assert_eq!(peer.line().as_deref(), Some("close 0"));
    peer.say("ok");
    assert_eq!(peer.line(), None);
    journal::until("anna comes by lines");
    journal::until("anna goes: Server");
}

#[test]
fn what_has_come_before_the_stream_was_taken_is_read() {
    let _server = server("[carrier]\nname = \"early\"");
    let (mut peer, stream) = UnixStream::pair().unwrap();
    peer.write_all(b"\"first\"\n").unwrap();
    carrier::host("early").adopt(stream, "lines", &named("early-bird"), |_| {});
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(line(&mut BufReader::new(peer)).as_deref(), Some("\"first\""));
}

#[test]
fn a_peer_that_leaves_ends_its_spark() {
    let _server = server("[carrier]\nname = \"left\"");
    let peer = bring("left", named("leaver"));
    peer.outcome().unwrap();
    drop(peer);
    journal::until("leaver goes: Lost");
}

#[test]
fn who_is_refused_is_told_by_the_plugin_and_no_spark_is_made() {
    let server = server("[carrier]\nname = \"doorman\"");
    let foreign = named("foreigner").with_header("origin", "https://elsewhere.example");
    assert_eq!(bring("doorman", named("uninvited")).refusal(), (401, "not you".to_owned()));
    assert_eq!(bring("doorman", named("blocked")).refusal(), (418, "blocked here".to_owned()));
    assert_eq!(bring("doorman", foreign).refusal().0, 403);
    let own = bring("doorman", named("own").with_header("origin", "http://localhost:8080"));
    own.outcome().unwrap();
    assert_eq!(bring("doorman", named("x&_parser=unknown")).refusal().0, 400);
    let gently = Request::new("CONNECT", "/refuse?gently");
    assert_eq!(bring("doorman", gently).refusal().0, 400, "a session may refuse, too");
    for name in ["uninvited", "blocked", "foreigner"] {
        assert_eq!(journal::count(&format!("{name} comes by lines")), 0);
    }
    assert!(server.get("/metrics").1.contains("sparks 1\n"), "{}", server.get("/metrics").1);
}

#[test]
fn a_transport_that_panics_refuses_and_goes_into_quarantine() {
    let server = server("[carrier]\nname = \"mad\"");
    let (status, _) = bring("mad", Request::new("CONNECT", "/panic?x")).refusal();
    assert_eq!(status, 503);
    server.until("/primus/spec", "quarantined");
    assert_eq!(bring("mad", named("later")).refusal(), (503, "the transport plugin is in quarantine".to_owned()));
}

#[test]
fn a_peer_that_does_not_read_is_ended_at_the_limit() {
    let _server = server("max_message = \"512KiB\"\nmax_buffered = \"1MiB\"\n[carrier]\nname = \"flooded\"");
    let mut peer = bring("flooded", named("sleeper"));
    peer.outcome().unwrap();
    peer.say("\"flood\"");
    journal::until("sleeper goes: Limit(\"max_buffered\")");
}

#[test]
fn a_plugin_is_not_stopped_while_a_stream_of_it_is_carried_and_new_ones_are_the_next_generations() {
    let server = server("[carrier]\nname = \"elder\"");
    let mut old = bring("elder", named("old"));
    old.outcome().unwrap();
    server.configure("[carrier]\nname = \"younger\"");
    server.until("/carrier", "younger");
    let mut new = bring("elder", named("new"));
    new.outcome().unwrap();
    for peer in [&mut old, &mut new] {
        peer.say("\"still\"");
        assert_eq!(peer.line().as_deref(), Some("\"still\""));
    }
    drop(old);
    journal::until("old goes: Lost");
    // Its session is the younger one's, its bytes go through the elder one.
    new.say("\"here\"");
    assert_eq!(new.line().as_deref(), Some("\"here\""));
    assert_eq!(journal::count("elder stops"), 0);
    drop(new);
    journal::until("elder stops");
}

#[test]
fn a_host_that_is_gone_takes_no_stream_and_says_so() {
    let mut server = server("[carrier]\nname = \"late\"");
    server.stop().join().unwrap();
    assert_eq!(bring("late", named("nobody")).refusal().0, 503);
}

/// A connection to a plugin's own address.
struct Device(BufReader<TcpStream>);

impl Device {
    fn connect(address: std::net::SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    fn says(&mut self, word: &str) -> Option<String> {
        writeln!(self.0.get_mut(), "\"{word}\"").unwrap();
        line(&mut self.0)
    }
}

fn listening(name: &str) -> String {
    format!("[carrier]\nname = \"{name}\"\nlisten = \"127.0.0.1:0\"")
}

#[test]
fn a_connection_to_a_plugins_own_address_is_a_spark_like_others() {
    let server = server(&listening("device"));
    let mut device = Device::connect(server.addresses_of("carrier")[0]);
    assert_eq!(device.says("hello").as_deref(), Some("\"hello\""));
    journal::until("device comes by lines");
    drop(device);
    journal::until("device goes: Lost");
}

#[test]
fn who_is_refused_at_a_plugins_own_address_is_told_in_the_transports_words() {
    let server = server(&listening("uninvited"));
    let mut device = Device::connect(server.addresses_of("carrier")[0]);
    assert_eq!(line(&mut device.0).as_deref(), Some("refused: not you"));
    assert_eq!(line(&mut device.0), None);
}

#[test]
fn an_address_outlives_the_generations_and_no_connection_is_lost() {
    let mut tables = listening("before");
    let server = server(&format!("shards = 2\n{tables}"));
    let addresses = server.addresses_of("carrier");
    let mut devices: Vec<Device> = Vec::new();
    for round in 0..3 {
        devices.extend((0..20).map(|_| Device::connect(addresses[0])));
        tables = listening(&format!("generation-{round}"));
        server.configure(&format!("shards = 2\n{tables}"));
        // While one replaces the other, too.
        devices.extend((0..20).map(|_| Device::connect(addresses[0])));
        server.until("/carrier", &format!("generation-{round}"));
        assert_eq!(server.addresses_of("carrier"), addresses);
    }
    for device in &mut devices {
        assert_eq!(device.says("all here").as_deref(), Some("\"all here\""));
    }
}

#[test]
fn a_generation_that_does_not_start_leaves_the_address_to_the_former_one() {
    let server = server(&listening("steady"));
    let addresses = server.addresses_of("carrier");
    server.configure(&listening("stubborn"));
    journal::until("stubborn is tried");
    server.configure(&listening("steadier"));
    server.until("/carrier", "steadier");
    assert_eq!(server.addresses_of("carrier"), addresses);
    assert_eq!(Device::connect(addresses[0]).says("still").as_deref(), Some("\"still\""));
}

#[test]
fn an_address_that_nobody_asks_for_any_more_is_closed() {
    let server = server(&listening("open"));
    let address = server.addresses_of("carrier")[0];
    let mut device = Device::connect(address);
    assert_eq!(device.says("in").as_deref(), Some("\"in\""));
    server.configure("[carrier]\nname = \"closed\"");
    server.until("/carrier", "closed");
    let deadline = std::time::Instant::now() + PATIENCE;
    while TcpStream::connect(address).is_ok() {
        assert!(std::time::Instant::now() < deadline, "somebody listens still");
        std::thread::yield_now();
    }
    assert_eq!(device.says("stays").as_deref(), Some("\"stays\""), "who was let in stays");
}

#[test]
fn an_address_that_is_taken_is_a_plugin_that_does_not_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let server = server("[carrier]\nname = \"free\"");
    server.configure(&format!("[carrier]\nname = \"crowded\"\nlisten = \"{address}\""));
    journal::until("crowded registers");
    assert_eq!(server.get("/carrier").1, "free", "the former generation goes on");
    server.configure("[carrier]\nname = \"free again\"");
    server.until("/carrier", "free again");
    assert!(server.addresses_of("carrier").is_empty());
    drop(taken);
    server.configure(&format!("[carrier]\nname = \"at last\"\nlisten = \"{address}\""));
    server.until("/carrier", "at last");
    assert_eq!(server.addresses_of("carrier"), [address]);
}
