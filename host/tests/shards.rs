//! Sessions whose requests come to other shards than theirs.

mod support;

use plugin_api::prelude::*;
use support::journal::{self, note};
use support::{Server, lines};

/// So many sessions that some have all their requests on one shard, and others have not: the system deals connections out.
const SESSIONS: usize = 24;

/// Sends messages back, and tells of public ids.
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
                let info = spark.info().expect("it is there");
                note(format!("{} is {}", info.query, info.id));
                Ok(())
            });
            registrar.message(|spark, message| drop(spark.relay(message)));
        }
    }

    export_plugin!(App);
}

fn opened(server: &Server, name: &str) -> String {
    assert_eq!(server.get(&format!("/primus/open?{name}")).0, 200);
    journal::the_one_with(&format!("{name} is "))
}

#[test]
fn an_upgrade_reaches_its_session_on_whatever_shard_it_comes() {
    let server = Server::start("shards = 2", vec![app::switchboard_module()]);
    for session in 0..SESSIONS {
        let id = opened(&server, &format!("upgraded-{session}"));
        let mut client = server.ask(&format!("/primus/join?{id}"), lines::UPGRADE).connected();
        client.say("\"hello\"");
        assert_eq!(client.line().as_deref(), Some("\"hello\""));
    }
}

#[test]
fn a_request_that_meets_the_end_of_its_session_is_answered_as_one_that_comes_too_late() {
    let server = Server::start("shards = 2", vec![app::switchboard_module()]);
    for session in 0..SESSIONS {
        let name = format!("ended-{session}");
        let id = opened(&server, &name);
        let waiting = server.ask(&format!("/primus/join?{id}"), "x-wait: yes\r\nconnection: close\r\n");
        journal::until(&format!("{name} asks to wait"));
        let ending = server.ask(&format!("/primus/join?{id}"), "x-end: yes\r\nconnection: close\r\n");
        let late = (410, "over\n".to_owned());
        assert_eq!(ending.answer(), late);
        assert_eq!(waiting.answer(), late);
        assert_eq!(server.get(&format!("/primus/join?{id}")), late);
    }
}

#[test]
fn a_session_hears_of_a_client_that_left_on_whatever_shard_it_was() {
    let server = Server::start("shards = 2", vec![app::switchboard_module()]);
    for session in 0..SESSIONS {
        let name = format!("left-{session}");
        let id = opened(&server, &name);
        let asking = server.ask(&format!("/primus/join?{id}"), "x-wait: yes\r\n");
        journal::until(&format!("{name} asks to wait"));
        drop(asking);
        journal::until(&format!("{name}'s request is gone"));
    }
}
