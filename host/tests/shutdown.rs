//! The server goes down: what is asked is answered, and nobody is let in meanwhile.

mod support;

use std::sync::Mutex;

use plugin_api::prelude::*;
use support::journal::{self, note};
use support::{Server, lines};

/// Answers that wait until a test lets them go.
mod gate {
    use super::*;

    struct Gate;

    static WAITING: Mutex<Vec<(String, tokio::sync::oneshot::Sender<()>)>> = Mutex::new(Vec::new());

    pub fn open(name: &str) {
        let mut waiting = WAITING.lock().unwrap();
        let at = waiting.iter().position(|(known, _)| known == name).expect("it waits");
        waiting.remove(at).1.send(()).unwrap();
    }

    async fn wait(name: String) {
        let (open, opened) = tokio::sync::oneshot::channel();
        WAITING.lock().unwrap().push((name.clone(), open));
        note(format!("{name} waits"));
        opened.await.unwrap();
    }

    impl Plugin for Gate {
        const NAME: &'static str = "gate";
        type Config = NoConfig;

        fn start(_: NoConfig, _: Host) -> Result<Self, StartError> {
            Ok(Self)
        }

        fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
            registrar.route("GET", "/slow", |request| async move {
                wait(request.query().to_owned()).await;
                Response::new(200).with_body(b"answered")
            });
            registrar.authorizer(Priority::GUARD, |request| async move {
                if request.query().starts_with("late") {
                    wait(request.query().to_owned()).await;
                }
                Ok(())
            });
            registrar.message(|spark, message| drop(spark.relay(message)));
        }
    }

    export_plugin!(Gate);
}

fn server() -> Server {
    Server::start("", vec![gate::switchboard_module()])
}

#[test]
fn a_request_that_waits_is_answered() {
    let mut server = server();
    let asking = server.ask("/slow?asker", "");
    journal::until("asker waits");
    let mut client = server.connect("one");
    let stopped = server.stop();
    assert_eq!(client.rest(), ["close 0"]);
    drop(client);
    gate::open("asker");
    assert_eq!(asking.answer(), (200, "answered".to_owned()));
    stopped.join().unwrap();
}

#[test]
fn a_client_that_is_let_in_only_then_is_sent_away() {
    let mut server = server();
    let asking = server.ask("/primus?late", lines::UPGRADE);
    journal::until("late waits");
    let mut client = server.connect("two");
    let stopped = server.stop();
    assert_eq!(client.rest(), ["close 0"]);
    gate::open("late");
    assert_eq!(asking.answer().0, 503);
    assert_eq!(journal::count("late asks"), 0);
    drop(client);
    stopped.join().unwrap();
}

#[test]
fn connections_that_ask_nothing_do_not_hold_it_up() {
    let mut server = server();
    let idle = server.idle();
    let mut client = server.connect("three");
    let stopped = server.stop();
    assert_eq!(client.rest(), ["close 0"]);
    drop(client);
    stopped.join().unwrap();
    drop(idle);
}
