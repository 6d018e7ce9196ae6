//! A spark's life: its hooks, its requests and its end, also where clients leave at the wrong moment and plugins fail.

mod support;

use std::sync::Mutex;

use plugin_api::prelude::*;
use support::Server;
use support::journal::{self, note};

/// The application: sends messages back, and does what some names and messages ask for.
mod app {
    use super::*;

    struct App;

    /// Clients whose connection hook waits: their names, and how it goes on.
    static WAITING: Mutex<Vec<(String, tokio::sync::oneshot::Sender<()>)>> = Mutex::new(Vec::new());

    /// What a plugin would keep under a lock.
    static BOARD: Mutex<()> = Mutex::new(());

    /// Lets the connection hook of a client go on.
    pub fn release(name: &str) {
        let mut waiting = WAITING.lock().unwrap();
        let at = waiting.iter().position(|(known, _)| known == name).expect("it waits");
        waiting.remove(at).1.send(()).unwrap();
    }

    fn name(spark: Spark<'_>) -> String {
        spark.info().map_or_else(|| "nobody".to_owned(), |info| info.query)
    }

    impl Plugin for App {
        const NAME: &'static str = "app";
        type Config = NoConfig;

        fn start(_: NoConfig, _: Host) -> Result<Self, StartError> {
            Ok(Self)
        }

        fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
            registrar.connection_async(Priority(1), |spark, host| async move {
                let name = name(host.spark(spark));
                if name.starts_with("slow") {
                    let (go_on, waits) = tokio::sync::oneshot::channel();
                    WAITING.lock().unwrap().push((name.clone(), go_on));
                    note(format!("{name} waits"));
                    waits.await.unwrap();
                }
                // All answers come from the plugin's own thread: in the order in which they were decided.
                tokio::task::yield_now().await;
                assert!(name != "slow-and-broken", "as it was asked to");
                Ok(())
            });
            registrar.connection(Priority(2), |spark| {
                note(format!("{} comes", name(spark)));
                Ok(())
            });
            registrar.disconnection(Priority(1), |spark, _| {
                let _board = BOARD.lock().unwrap();
                note(format!("{} goes", name(spark)));
            });
            registrar.error(Priority(1), |spark, error| note(format!("{}: {error}", name(spark))));
            registrar.outgoing(Priority(1), |_, message| {
                assert_ne!(message.decode::<String>().as_deref(), Ok("unsayable"));
                Flow::Next
            });
            registrar
                .route("POST", "/echo", |request| std::future::ready(Response::new(200).with_body(request.body().to_vec())));
            registrar.message(|spark, message| match message.decode::<String>().as_deref() {
                Ok("flood") => {
                    let _board = BOARD.lock().unwrap();
                    while spark.write("a wave").is_ok() {}
                    note(format!("{} is over its limit", name(spark)));
                }
                Ok("inflate") => drop(spark.write(&"a".repeat(4096))),
                Ok("end") => {
                    let last = plugin_api::value::to_vec("unsayable").ok();
                    spark.end_with(&EndOptions { last, reconnect: true, ..EndOptions::default() });
                }
                _ => drop(spark.relay(message)),
            });
        }
    }

    export_plugin!(App);
}

fn server() -> Server {
    Server::start("", vec![app::switchboard_module()])
}

#[test]
fn a_message_comes_back() {
    let server = server();
    let mut client = server.connect("ann");
    client.say("\"hello\"");
    assert_eq!(client.line().as_deref(), Some("\"hello\""));
}

#[test]
fn a_message_that_can_not_be_read_is_told_to_the_error_hooks_and_the_spark_goes_on() {
    let server = server();
    let mut client = server.connect("stammerer");
    client.say("{no json");
    journal::the_one_with("stammerer: the client's message can't be decoded: ");
    client.say("\"hello\"");
    assert_eq!(client.line().as_deref(), Some("{no json"), "the application relays what it can't read");
    assert_eq!(client.line().as_deref(), Some("\"hello\""));
}

#[test]
fn a_message_over_a_limit_of_the_parser_ends_the_spark_after_the_error_hooks() {
    let server = server();
    let mut client = server.connect("builder");
    client.say("\"maze\"");
    journal::until("builder: the client's message can't be decoded: too deep");
    assert_eq!(client.rest().last().map(String::as_str), Some("close 1008"));
    journal::until("builder goes");
}

#[test]
fn a_request_names_the_host_that_it_is_for() {
    let server = server();
    let status = |version: &str, hosts: &str| {
        server.send(&format!("GET /healthz HTTP/{version}\r\nconnection: close\r\n{hosts}\r\n")).answer().0
    };
    for hosts in ["", "host:\r\n", "host: a\r\nhost: a\r\n", "host: a b/c@d\r\n"] {
        assert_eq!(status("1.1", hosts), 400, "{hosts:?}");
    }
    assert_eq!(status("1.1", "host: chat.example:8080\r\n"), 200);
    assert_eq!(status("1.0", ""), 200);
    let named_badly = "GET /primus/wait?x HTTP/1.1\r\nhost: a/b\r\nconnection: close\r\n\r\n";
    assert_eq!(server.send(named_badly).answer().0, 400);
}

#[test]
fn a_body_arrives_though_its_client_offers_another_protocol() {
    let head = "POST /echo HTTP/1.1\r\nhost: test\r\nconnection: upgrade, close\r\nupgrade: h2c\r\ncontent-length: 4\r\n\r\n";
    assert_eq!(server().send(&format!("{head}body")).answer(), (200, "body".to_owned()));
}

#[test]
fn a_timer_comes_though_nothing_else_happens() {
    let server = server();
    assert_eq!(server.ask("/primus/later?timer", "").answer(), (200, "later".to_owned()));
}

#[test]
fn a_session_hears_when_the_client_of_a_waiting_request_leaves() {
    let server = server();
    let asking = server.ask("/primus/wait?impatient", "");
    journal::until("impatient asks");
    drop(asking);
    journal::until("impatient's request is gone");
}

#[test]
fn a_session_hears_when_the_reader_of_an_open_body_leaves_though_it_says_nothing() {
    let server = server();
    let asking = server.ask("/primus/stream?reader", "");
    journal::until("reader comes");
    drop(asking);
    journal::until("reader's request is gone");
    journal::until("reader goes");
}

#[test]
fn a_session_that_is_over_at_once_is_never_announced() {
    let server = server();
    assert_eq!(server.get("/primus/refuse?stillborn").0, 400);
    let _after = server.connect("after-the-stillborn");
    journal::until("after-the-stillborn comes");
    assert_eq!(journal::count("nobody comes"), 0);
}

#[test]
fn hooks_are_not_told_of_a_client_that_left_while_a_hook_before_them_waited() {
    let server = server();
    let client = server.connect("slow-and-gone");
    journal::until("slow-and-gone waits");
    drop(client);
    journal::until("slow-and-gone goes");
    app::release("slow-and-gone");
    let _after = server.connect("after-the-slow");
    journal::until("after-the-slow comes");
    assert_eq!(journal::count("nobody comes"), 0);
}

#[test]
fn messages_wait_for_the_hooks_of_the_connection() {
    let server = server();
    let mut client = server.connect("slow-but-there");
    journal::until("slow-but-there waits");
    client.say("1");
    client.say("2");
    app::release("slow-but-there");
    assert_eq!(client.line().as_deref(), Some("1"));
    assert_eq!(client.line().as_deref(), Some("2"));
}

#[test]
fn a_hook_that_panics_after_it_has_waited_puts_its_plugin_into_quarantine() {
    let server = server();
    let mut client = server.connect("slow-and-broken");
    journal::until("slow-and-broken waits");
    app::release("slow-and-broken");
    assert_eq!(client.rest(), ["close 1011"]);
    let (_, spec) = server.get("/primus/spec");
    assert!(spec.contains("as it was asked to"), "{spec}");
}

#[test]
fn what_waits_too_long_is_dropped_where_that_is_the_policy() {
    let server =
        Server::start("max_message = \"10 B\"\nmax_buffered = \"15 B\"\noverflow = \"drop\"", vec![app::switchboard_module()]);
    let mut client = server.connect("slow-and-eager");
    journal::until("slow-and-eager waits");
    for line in ["\"1234\"", "\"56\"", "\"7890\""] {
        client.say(line);
    }
    server.until("/metrics", "\nswitchboard_messages_dropped_total 1\n");
    app::release("slow-and-eager");
    assert_eq!(client.line().as_deref(), Some("\"1234\""));
    assert_eq!(client.line().as_deref(), Some("\"56\""));
    client.say("3");
    assert_eq!(client.line().as_deref(), Some("3"));
}

#[test]
fn what_can_only_be_read_is_only_read_and_figures_go_through_no_strange_proxy() {
    let server = server();
    for target in ["/healthz", "/readyz", "/metrics", "/primus/spec", "/primus/primus.js"] {
        let request = format!("POST {target} HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        assert_eq!(server.send(&request).answer().0, 405, "{target}");
    }
    assert_eq!(server.get("/metrics").0, 200);
    for said in ["x-forwarded-for: 192.0.2.1", "forwarded: for=192.0.2.1", "x-forwarded-proto: https"] {
        let asking = server.ask("/metrics", &format!("{said}\r\nconnection: close\r\n"));
        assert_eq!(asking.answer().0, 404, "{said}");
    }
}

#[test]
fn a_spark_is_told_to_close_once_also_where_its_last_word_fails() {
    let server = server();
    let mut client = server.connect("mute");
    client.say("\"end\"");
    assert_eq!(client.rest(), ["close 1011"]);
    assert_eq!(journal::count("mute is told to close"), 1);
}

#[test]
fn a_plugin_that_holds_a_lock_while_it_sends_is_not_asked_for_it_meanwhile() {
    let server = Server::start("max_message = \"1 KiB\"\nmax_buffered = \"1 KiB\"", vec![app::switchboard_module()]);
    let mut client = server.connect("flooded");
    client.say("\"flood\"");
    journal::until("flooded is over its limit");
    journal::until("flooded goes");
    server.until("/metrics", "\nswitchboard_sparks_overflowed_total 1\n");
}

#[test]
fn one_long_message_is_no_slow_reader() {
    let server = Server::start("max_message = \"1 KiB\"\nmax_buffered = \"1 KiB\"", vec![app::switchboard_module()]);
    let mut client = server.connect("balloon");
    client.say("\"inflate\"");
    assert_eq!(client.line().map(|line| line.len()), Some(4098));
    client.say("\"hello\"");
    assert_eq!(client.line().as_deref(), Some("\"hello\""));
}

#[test]
fn a_parser_that_panics_is_put_into_quarantine() {
    let server = server();
    let mut client = server.connect("poisoner");
    client.say("\"poison\"");
    assert_eq!(client.line().as_deref(), Some("\"poison\""), "relayed as it came");
    assert!(server.get("/primus/spec").1.contains("a parser's decode"));
    assert_eq!(server.get("/primus/wait?late").0, 503);
}
