//! A spark goes on in another session: by its ticket, at its client's word, between two messages.

mod support;

use plugin_api::prelude::*;
use plugin_api::{
    Carrier, Close, DisconnectReason, Events, ExchangeId, FrameClass, Kind, Out, Route, Session, TimerId, Transport,
};
use support::journal::{self, note};
use support::{Client, Server, lines};

/// A transport whose sessions have no carrier: they keep what is sent until another session takes it over.
mod keeper {
    use super::*;

    struct Keeper;

    impl Plugin for Keeper {
        const NAME: &'static str = "keeper";
        type Config = NoConfig;

        fn start(_: NoConfig, _: Host) -> Result<Self, StartError> {
            Ok(Self)
        }

        fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
            registrar.transport(Priority(-1), Keeping);
        }
    }

    export_plugin!(Keeper);

    struct Keeping;

    impl Transport for Keeping {
        type Session = Kept;

        fn name(&self) -> &str {
            "keeper"
        }

        fn route(&self, request: &Request<'_>) -> Route {
            match request.path() {
                "/keep" => Route::Open,
                "/kept" => Route::Session(request.query().to_owned()),
                _ => Route::Pass,
            }
        }

        fn open(&self, _: &Request<'_>) -> Kept {
            Kept { messages: Vec::new(), waiting: None }
        }

        fn frame(&self, _: FrameClass, _: Kind, _: &[u8], _: &mut Out<'_>) {}
    }

    /// One session. Its clients say by a number how many messages they have.
    pub struct Kept {
        messages: Vec<(Kind, Vec<u8>)>,
        waiting: Option<ExchangeId>,
    }

    impl Session for Kept {
        fn request(&mut self, exchange: ExchangeId, request: &Request<'_>, events: &mut Events<'_>) {
            match request.spark_id() {
                Some(id) => {
                    events.ticket("sesame");
                    let answer = Response::new(200).with_header("connection", "close");
                    events.respond(exchange, answer.with_body(id.to_owned()));
                }
                None => {
                    note(format!("{} messages are kept", self.messages.len()));
                    self.waiting = Some(exchange);
                }
            }
        }

        fn receive(&mut self, _: &mut [u8], _: &mut Events<'_>) {}

        fn send(&mut self, kind: Kind, payload: &[u8], _: &mut Events<'_>) {
            self.messages.push((kind, payload.to_vec()));
        }

        fn timeout(&mut self, _: TimerId, _: &mut Events<'_>) {}

        fn close(&mut self, _: &Close, events: &mut Events<'_>) {
            events.close(DisconnectReason::Server);
        }

        fn disconnected(&mut self, _: Carrier, _: &mut Events<'_>) {}

        fn succeed(&mut self, word: &str, events: &mut Events<'_>) -> bool {
            assert_ne!(word, "panic");
            let Some(has) = word.parse().ok().filter(|has| *has <= self.messages.len()) else { return false };
            if let Some(exchange) = self.waiting.take() {
                events.respond(exchange, Response::new(200).with_header("connection", "close").with_body("moved"));
            }
            for (kind, payload) in self.messages.drain(..).skip(has) {
                events.remains(kind, payload);
            }
            true
        }
    }
}

/// Greets whoever comes with three messages, echoes, and tells of ends and of what carries a spark.
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
            registrar.connection(Priority(1), |spark| {
                for greeting in ["one", "two", "three"] {
                    let _ = spark.write(greeting);
                }
                note(format!("{} has come", name(spark)));
                Ok(())
            });
            registrar.disconnection(Priority(1), |spark, reason| note(format!("{} goes: {reason:?}", name(spark))));
            registrar.outgoing(Priority(1), |spark, message| {
                if message.decode::<String>().is_ok_and(|text| text == "two") {
                    note(format!("two goes to {}", name(spark)));
                }
                Flow::Next
            });
            registrar.message(|spark, message| match message.decode::<String>().as_deref() {
                Ok("transport") => drop(spark.write(&spark.info().unwrap().transport)),
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
    Server::start(tables, vec![keeper::switchboard_module(), app::switchboard_module()])
}

/// Opens a session that keeps what is sent to `name`; the spark's public id.
fn kept(server: &Server, name: &str) -> String {
    let (status, id) = server.get(&format!("/primus/keep?{name}"));
    assert_eq!(status, 200);
    journal::until(&format!("{name} has come"));
    id
}

/// A connection that is to take a spark over.
fn heir(server: &Server, ticket: &str) -> Client {
    server.ask(&format!("/primus?_move={ticket}"), lines::UPGRADE).connected()
}

#[test]
fn a_spark_goes_on_with_what_its_client_lacks() {
    let server = server("");
    let id = kept(&server, "anna");
    let mut client = heir(&server, &format!("{id}~sesame"));
    client.say("\"primus::move::1\"");
    let expected = ["\"primus::moved::\"", "\"two\"", "\"three\""];
    assert_eq!(expected.map(|_| client.line().unwrap()), expected);
    client.say("\"hello\"");
    assert_eq!(client.line().as_deref(), Some("\"hello\""));
    client.say("\"primus::id::\"");
    assert_eq!(client.line(), Some(format!("\"primus::id::{id}\"")), "it is the same spark");
    client.say("\"transport\"");
    assert_eq!(client.line().as_deref(), Some("\"lines\""));
    assert_eq!(journal::count("two goes to anna"), 1, "hooks have seen it before");
    assert_eq!(journal::count("anna has come"), 1);
    client.say("\"end\"");
    client.rest();
    journal::until("anna goes: Server");
}

#[test]
fn who_waits_for_the_former_session_is_answered_and_it_is_there_no_more() {
    let server = server("");
    let id = kept(&server, "bert");
    let waiting = server.ask(&format!("/primus/kept?{id}"), "");
    journal::until("3 messages are kept");
    let mut client = heir(&server, &format!("{id}~sesame"));
    client.say("\"primus::move::3\"");
    assert_eq!(client.line().as_deref(), Some("\"primus::moved::\""));
    assert_eq!(waiting.answer(), (200, "moved".to_owned()));
    assert_eq!(server.get(&format!("/primus/kept?{id}")).0, 404, "it is another transport's now");
}

#[test]
fn a_ticket_is_good_once_and_nobody_comes_without() {
    let server = server("");
    let id = kept(&server, "carl");
    let (status, why) = server.ask("/primus?_move=nonsense", "connection: close\r\n").answer();
    assert_eq!(status, 410);
    assert!(why.contains("ticket"), "{why}");

    let mut thief = heir(&server, &format!("{id}~guess"));
    thief.say("\"primus::move::0\"");
    assert_eq!(thief.line(), None, "the secret is another one");

    let ticket = format!("{id}~sesame");
    let (mut first, mut second) = (heir(&server, &ticket), heir(&server, &ticket));
    first.say("\"primus::move::3\"");
    assert_eq!(first.line().as_deref(), Some("\"primus::moved::\""));
    second.say("\"primus::move::3\"");
    assert_eq!(second.line(), None);
    first.say("\"still here\"");
    assert_eq!(first.line().as_deref(), Some("\"still here\""));
}

#[test]
fn a_spark_goes_on_as_before_when_an_heir_comes_to_nothing() {
    let server = server("");
    let id = kept(&server, "dora");
    let ticket = format!("{id}~sesame");
    drop(heir(&server, &ticket));

    let mut premature = heir(&server, &ticket);
    premature.say("\"not a word of moving\"");
    premature.say("\"primus::move::4\"");
    assert_eq!(premature.line(), None, "nobody has four of three messages");

    let mut client = heir(&server, &ticket);
    client.say("\"primus::move::2\"");
    let expected = ["\"primus::moved::\"", "\"three\""];
    assert_eq!(expected.map(|_| client.line().unwrap()), expected);
}

#[test]
fn a_spark_is_taken_over_from_any_shard() {
    let server = server("shards = 3");
    for round in 0..12 {
        let id = kept(&server, &format!("emil{round}"));
        let mut client = heir(&server, &format!("{id}~sesame"));
        client.say("\"primus::move::2\"");
        let expected = ["\"primus::moved::\"", "\"three\""];
        assert_eq!(expected.map(|_| client.line().unwrap()), expected);
        client.say("\"hello\"");
        assert_eq!(client.line().as_deref(), Some("\"hello\""));
    }
    server.until("/metrics", "switchboard_successions_total 12");
}

/// The ticket that a client of a connection asks for.
fn ticket_of(client: &mut Client) -> String {
    client.say("\"primus::ticket::\"");
    let answer = client.line().expect("a ticket");
    answer.trim_matches('"').strip_prefix("primus::ticket::").expect("a ticket").to_owned()
}

/// A connection of its own, after its greetings.
fn greeted(server: &Server, name: &str) -> Client {
    let mut client = server.ask(&format!("/primus?{name}"), lines::UPGRADE).connected();
    let expected = ["\"one\"", "\"two\"", "\"three\""];
    assert_eq!(expected.map(|_| client.line().unwrap()), expected);
    client
}

#[test]
fn a_client_leaves_a_connection_for_another_one() {
    let server = server("shards = 3");
    for round in 0..12 {
        let mut old = greeted(&server, &format!("gustav{round}"));
        let ticket = ticket_of(&mut old);
        let mut new = heir(&server, &ticket);
        old.say("\"before\"");
        old.say("\"primus::leave::\"");
        assert_eq!(old.line().as_deref(), Some("\"before\""));
        assert_eq!(old.line().as_deref(), Some("\"primus::left::\""));
        new.say("\"primus::move::\"");
        assert_eq!(old.line().as_deref(), Some("\"primus::moved::\""));
        assert_eq!(old.line(), None, "it was the last message");
        assert_eq!(new.line().as_deref(), Some("\"primus::moved::\""));
        new.say("\"after\"");
        assert_eq!(new.line().as_deref(), Some("\"after\""));
        // And once more, from there.
        let ticket = ticket_of(&mut new);
        let mut third = heir(&server, &ticket);
        new.say("\"primus::leave::\"");
        assert_eq!(new.line().as_deref(), Some("\"primus::left::\""));
        third.say("\"primus::move::\"");
        assert_eq!(third.line().as_deref(), Some("\"primus::moved::\""));
    }
    server.until("/metrics", "switchboard_successions_total 24");
    assert_eq!(journal::count("gustav0 has come"), 1, "it is the same spark");
}

#[test]
fn nobody_takes_a_connection_over_that_its_client_has_not_left() {
    let server = server("");
    let mut old = greeted(&server, "heinz");
    old.say("\"primus::leave::\"");
    old.say("\"no ticket, no leave\"");
    assert_eq!(old.line().as_deref(), Some("\"no ticket, no leave\""));
    let ticket = ticket_of(&mut old);
    let mut early = heir(&server, &ticket);
    early.say("\"primus::move::\"");
    assert_eq!(early.line(), None);
    let (public, _) = ticket.split_once('~').unwrap();
    let mut thief = heir(&server, &format!("{public}~guess"));
    old.say("\"primus::leave::\"");
    assert_eq!(old.line().as_deref(), Some("\"primus::left::\""));
    thief.say("\"primus::move::\"");
    assert_eq!(thief.line(), None, "the secret is another one");
    old.say("\"still here\"");
    assert_eq!(old.line().as_deref(), Some("\"still here\""));
}

#[test]
fn a_session_that_panics_at_it_ends_with_its_spark() {
    let server = server("");
    let id = kept(&server, "fritz");
    let mut client = heir(&server, &format!("{id}~sesame"));
    client.say("\"primus::move::panic\"");
    assert_eq!(client.line(), None);
    journal::until("fritz goes: Fault(\"a session's succeed\")");
}
