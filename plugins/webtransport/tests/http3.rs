//! The plugin in a server of this process, and clients of HTTP/3.

#[path = "../../../host/tests/support/mod.rs"]
mod support;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use plugin_api::prelude::*;
use support::journal::{self, note};
use support::{PATIENCE, Server};
use wtransport::endpoint::endpoint_side;
use wtransport::error::ConnectingError;
use wtransport::tls::Sha256Digest;
use wtransport::{ClientConfig, Connection, Endpoint, RecvStream, SendStream};

/// The application: sends messages back, refuses who is named so.
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
            registrar.authorizer(Priority(1), |request| {
                let refused = request.query() == "uninvited" && request.method() == "CONNECT";
                std::future::ready(if refused { Err(Refusal::new("not you").with_status(403)) } else { Ok(()) })
            });
            registrar.route("GET", "/app", |_| std::future::ready(Response::new(200)));
            registrar.connection(Priority(1), |spark| {
                note(format!("{} comes", name(spark)));
                Ok(())
            });
            registrar.disconnection(Priority(1), |spark, reason| note(format!("{} goes: {reason:?}", name(spark))));
            registrar.message(|spark, message| match message.decode::<String>().as_deref() {
                Ok("who") => {
                    let info = spark.info().unwrap();
                    let _ = spark.write(&format!("{} {} {}", info.transport, info.scheme, info.path));
                }
                Ok("flood") => {
                    for _ in 0..64 {
                        let _ = spark.write(&"x".repeat(64 * 1024));
                    }
                }
                Ok("end") => {
                    let _ = spark.write("last");
                    spark.end();
                }
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

const TABLE: &str = "[webtransport]\nlisten = \"127.0.0.1:0\"\nself_signed = true\n";

fn server(tables: &str) -> Server {
    Server::start(tables, vec![webtransport::switchboard_module(), app::switchboard_module()])
}

/// Where the sessions are, as the server's page says.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
struct Offer {
    port: u16,
    hashes: Vec<String>,
}

fn offer(server: &Server) -> Offer {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let (status, body) = server.get("/primus/webtransport");
        if status == 200 {
            return serde_json::from_str(&body).unwrap();
        }
        assert!(std::time::Instant::now() < deadline, "nothing is offered: {status} {body}");
        std::thread::yield_now();
    }
}

/// Runs a client with a deadline.
fn client<T>(acts: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, acts).await.expect("it takes too long") })
}

async fn connect(offer: &Offer, target: &str) -> Result<Connection, ConnectingError> {
    let endpoint = endpoint(offer);
    endpoint.connect(format!("https://127.0.0.1:{}{target}", offer.port)).await
}

fn endpoint(offer: &Offer) -> Endpoint<endpoint_side::Client> {
    let hashes = offer.hashes.iter().map(|hash| {
        let bytes: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&hash[2 * at..2 * at + 2], 16).unwrap()).collect();
        Sha256Digest::new(bytes.try_into().unwrap())
    });
    let here: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let config = ClientConfig::builder().with_bind_address(here).with_server_certificate_hashes(hashes).build();
    Endpoint::client(config).unwrap()
}

/// An open stream of messages.
struct Peer {
    endpoint: Endpoint<endpoint_side::Client>,
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
}

impl Peer {
    async fn open(offer: &Offer, target: &str) -> Self {
        let endpoint = endpoint(offer);
        let connecting = endpoint.connect(format!("https://127.0.0.1:{}{target}", offer.port));
        let connection = connecting.await.expect("it is let in");
        let (send, receive) = connection.open_bi().await.unwrap().await.unwrap();
        let mut peer = Self { endpoint, connection, send, receive };
        peer.send.write_all(&[0]).await.unwrap();
        peer
    }

    /// Leaves, and says so.
    async fn leave(self) {
        self.connection.close(0_u32.into(), b"");
        self.endpoint.wait_idle().await;
    }

    /// A text of fewer than 32 bytes.
    async fn say(&mut self, text: &str) {
        let frame = [&[(text.len() as u8) << 1], text.as_bytes()].concat();
        self.send.write_all(&frame).await.unwrap();
    }

    /// The next short text; `None` at the end.
    async fn hear(&mut self) -> Option<String> {
        let mut head = [0];
        self.receive.read_exact(&mut head).await.ok()?;
        assert!(head[0] < 64 && head[0] & 1 == 0, "it is a short text");
        let mut text = vec![0; usize::from(head[0] >> 1)];
        self.receive.read_exact(&mut text).await.ok()?;
        Some(String::from_utf8(text).unwrap())
    }
}

#[test]
fn a_session_is_a_spark_like_others() {
    let server = server(TABLE);
    let offer = offer(&server);
    client(async {
        let mut peer = Peer::open(&offer, "/primus?anna").await;
        peer.say("\"hello\"").await;
        assert_eq!(peer.hear().await.as_deref(), Some("\"hello\""));
        peer.say("\"who\"").await;
        assert_eq!(peer.hear().await.as_deref(), Some("\"webtransport https /primus\""));
        peer.say("\"end\"").await;
        assert_eq!(peer.hear().await.as_deref(), Some("\"last\""));
        assert_eq!(peer.hear().await.as_deref(), Some("\"primus::server::close\""));
        assert_eq!(peer.hear().await, None);
    });
    journal::until("anna goes: Server");
}

#[test]
fn a_client_that_leaves_ends_its_spark() {
    let server = server(TABLE);
    let offer = offer(&server);
    client(async {
        let mut by_stream = Peer::open(&offer, "/primus?finisher").await;
        by_stream.say("\"in\"").await;
        assert!(by_stream.hear().await.is_some());
        by_stream.send.finish().await.unwrap();
        let mut by_connection = Peer::open(&offer, "/primus?closer").await;
        by_connection.say("\"in\"").await;
        assert!(by_connection.hear().await.is_some());
        by_connection.connection.close(0u32.into(), b"");
        tokio::task::spawn_blocking(|| {
            journal::until("finisher goes: Client { code: None, reason: \"\" }");
            journal::until("closer goes: Client { code: None, reason: \"\" }");
        })
        .await
        .unwrap();
    });
}

#[test]
fn who_is_refused_gets_no_session() {
    let server = server(TABLE);
    let offer = offer(&server);
    client(async {
        for target in ["/primus?uninvited", "/elsewhere?x", "/primus/deeper?x", "/primus?x&_parser=unknown"] {
            let refused = connect(&offer, target).await;
            assert!(matches!(refused, Err(ConnectingError::SessionRejected)), "{target}: {refused:?}");
        }
        let mut welcome = Peer::open(&offer, "/primus?welcome").await;
        welcome.say("\"in\"").await;
        assert_eq!(welcome.hear().await.as_deref(), Some("\"in\""));
    });
    assert_eq!(journal::count("uninvited comes"), 0);
}

#[test]
fn an_address_has_so_many_sessions_and_no_more() {
    let server = server(&format!("{TABLE}max_sessions_per_address = 1\n"));
    let offer = offer(&server);
    client(async {
        let first = Peer::open(&offer, "/primus?first").await;
        assert!(connect(&offer, "/primus?second").await.is_err());
        first.connection.close(0u32.into(), b"");
        // The server sees the end a moment later.
        while connect(&offer, "/primus?third").await.is_err() {}
    });
}

#[test]
fn a_session_without_a_stream_is_ended() {
    let server = server(&format!("{TABLE}stream_timeout_ms = 4000\n"));
    let offer = offer(&server);
    client(async {
        let idle = connect(&offer, "/primus?idle").await.expect("it is let in");
        idle.closed().await;
    });
    journal::until("idle goes: Client { code: None, reason: \"\" }");
}

#[test]
fn a_client_that_does_not_read_is_ended_at_the_limit() {
    let server = server(&format!("max_message = \"512KiB\"\nmax_buffered = \"1MiB\"\n{TABLE}"));
    let offer = offer(&server);
    client(async {
        let mut sleeper = Peer::open(&offer, "/primus?sleeper").await;
        sleeper.say("\"flood\"").await;
        tokio::task::spawn_blocking(|| journal::until("sleeper goes: Limit(\"max_buffered\")")).await.unwrap();
    });
}

#[test]
fn a_client_that_is_gone_without_a_word_is_noticed() {
    let server = server(&format!("{TABLE}idle_timeout_ms = 5000\n"));
    let offer = offer(&server);
    // The runtime of the client ends with it, and nothing answers any more.
    client(async {
        let mut lost = Peer::open(&offer, "/primus?lost").await;
        lost.say("\"in\"").await;
        assert!(lost.hear().await.is_some());
        std::mem::forget(lost);
    });
    journal::until("lost goes: Client { code: None, reason: \"\" }");
}

#[test]
fn sessions_outlive_the_generation_and_the_port_goes_on_to_the_next_once_they_have_ended() {
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let table = |idle| format!("[webtransport]\nlisten = \"127.0.0.1:{port}\"\nself_signed = true\nidle_timeout_ms = {idle}\n");
    let server = server(&table(30_000));
    let former = offer(&server);
    assert_eq!(former.port, port);
    client(async {
        let mut old = Peer::open(&former, "/primus?old").await;
        server.configure(&table(31_000));
        // Until the next one serves, and after it: the former one has the port, and lets in for the next.
        for round in 0..20 {
            let mut new = Peer::open(&former, "/primus?new").await;
            for peer in [&mut old, &mut new] {
                peer.say("\"here\"").await;
                assert_eq!(peer.hear().await.as_deref(), Some("\"here\""), "in round {round}");
            }
            new.leave().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        old.leave().await;
    });
    // All have left: the next generation's own certificate is on offer.
    let deadline = std::time::Instant::now() + PATIENCE;
    let next = loop {
        let next = offer(&server);
        if next != former {
            break next;
        }
        assert!(std::time::Instant::now() < deadline, "the former generation still has the port");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(next.port, port);
    client(async {
        let mut peer = Peer::open(&next, "/primus?next").await;
        peer.say("\"hello\"").await;
        assert_eq!(peer.hear().await.as_deref(), Some("\"hello\""));
    });
}

#[test]
fn a_port_that_a_stranger_has_is_a_plugin_that_does_not_start() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let server = server("");
    assert_eq!(server.get("/primus/webtransport").0, 404);
    server.configure(&format!("[webtransport]\nlisten = \"{address}\"\nself_signed = true\n[app]\nenabled = false\n"));
    server.until("/app", "nothing is here");
    assert_eq!(server.get("/primus/webtransport").0, 404);
    drop(taken);
    server.configure(&format!("[webtransport]\nlisten = \"{address}\"\nself_signed = true\nidle_timeout_ms = 1000\n"));
    assert_eq!(offer(&server).port, address.port());
}

#[test]
fn a_certificate_may_come_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| folder.path().join(name));
    let builder = wtransport::Identity::self_signed_builder().subject_alt_names(["127.0.0.1"]).from_now_utc().validity_days(10);
    let identity = builder.build().unwrap();
    client(async {
        identity.certificate_chain().store_pemfile(&certificate).await.unwrap();
        identity.private_key().store_secret_pemfile(&key).await.unwrap();
    });
    let files = format!("certificate = \"{}\"\nkey = \"{}\"", certificate.display(), key.display());
    let server = server(&format!("[webtransport]\nlisten = \"127.0.0.1:0\"\n{files}\n"));
    let mut offer = offer(&server);
    assert_eq!(offer.hashes, Vec::<String>::new(), "an authority is trusted, not a hash");
    let digest = identity.certificate_chain().as_slice()[0].hash();
    offer.hashes.push(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect());
    client(async {
        let mut peer = Peer::open(&offer, "/primus?file").await;
        peer.say("\"hello\"").await;
        assert_eq!(peer.hear().await.as_deref(), Some("\"hello\""));
    });
}
