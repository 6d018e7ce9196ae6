//! A plugin's life under changes of the configuration: what requires it, a state that is not taken over, a panic.

mod support;

use plugin_api::prelude::*;
use serde::Deserialize;
use support::journal::{self, note};
use support::{Server, lines};

/// Configured by one text; does not start as `broken`.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Text {
    text: String,
}

/// Says its text at `/base`.
mod base {
    use super::*;

    struct Base {
        text: String,
    }

    impl Plugin for Base {
        const NAME: &'static str = "base";
        type Config = Text;

        fn start(Text { text }: Text, _: Host) -> Result<Self, StartError> {
            if text == "broken" { Err(StartError::new("it is broken")) } else { Ok(Self { text }) }
        }

        fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
            let text = self.text.clone();
            registrar.route("GET", "/base", move |_| std::future::ready(Response::new(200).with_body(text.clone())));
        }
    }

    export_plugin!(Base);
}

/// Stands on `base`.
mod upper {
    use super::*;

    struct Upper;

    impl Plugin for Upper {
        const NAME: &'static str = "upper";
        const REQUIRES: &'static [&'static str] = &["base"];
        type Config = NoConfig;

        fn start(_: NoConfig, _: Host) -> Result<Self, StartError> {
            Ok(Self)
        }

        fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
            registrar.route("GET", "/upper", |_| std::future::ready(Response::new(200)));
        }
    }

    export_plugin!(Upper);
}

/// Has a state, which it does not take over when it is configured as `stubborn`; panics when it is configured as `mad`.
mod keeper {
    use super::*;

    struct Keeper {
        text: String,
    }

    impl Plugin for Keeper {
        const NAME: &'static str = "keeper";
        type Config = Text;

        fn start(Text { text }: Text, _: Host) -> Result<Self, StartError> {
            Ok(Self { text })
        }

        fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
            let text = self.text.clone();
            registrar.route("GET", "/keeper", move |_| std::future::ready(Response::new(200).with_body(text.clone())));
        }

        fn reconfigure(&self, Text { text }: Text) -> Result<bool, StartError> {
            assert_ne!(text, "mad");
            Ok(false)
        }

        fn save(&self) -> Option<Vec<u8>> {
            Some(self.text.clone().into_bytes())
        }

        fn restore(&self, _: &[u8]) -> Result<(), StartError> {
            if self.text == "stubborn" { Err(StartError::new("not mine")) } else { Ok(()) }
        }

        fn stop(&self) {
            note(format!("{} stops", self.text));
        }
    }

    export_plugin!(Keeper);
}

#[test]
fn what_requires_a_plugin_comes_and_goes_with_it() {
    let server = Server::start("[base]\nenabled = false", vec![base::switchboard_module(), upper::switchboard_module()]);
    assert_eq!(server.get("/upper").0, 404);
    server.configure("[base]\ntext = \"one\"");
    server.until("/base", "one");
    assert_eq!(server.get("/upper").0, 200);
    server.configure("[base]\nenabled = false");
    server.until("/base", "nothing is here");
    assert_eq!(server.get("/upper").0, 404);
}

#[test]
fn what_requires_a_plugin_that_does_not_start_does_not_serve() {
    let linked = vec![base::switchboard_module(), upper::switchboard_module(), keeper::switchboard_module()];
    let server = Server::start("[base]\nenabled = false\n[keeper]\ntext = \"before\"", linked);
    server.configure("[base]\ntext = \"broken\"\n[keeper]\ntext = \"after\"");
    server.until("/keeper", "after");
    assert_eq!(server.get("/base").0, 404);
    assert_eq!(server.get("/upper").0, 404);
    server.configure("[base]\ntext = \"mended\"\n[keeper]\ntext = \"after\"");
    server.until("/base", "mended");
    assert_eq!(server.get("/upper").0, 200);
}

#[test]
fn a_generation_that_gave_way_to_the_former_one_is_stopped_and_so_is_that_each_once() {
    let linked = vec![base::switchboard_module(), keeper::switchboard_module()];
    let mut server = Server::start("[keeper]\ntext = \"first\"\n[base]\ntext = \"1\"", linked);
    server.configure("[keeper]\ntext = \"stubborn\"\n[base]\ntext = \"2\"");
    server.until("/base", "2");
    assert_eq!(server.get("/keeper").1, "first");
    journal::until("stubborn stops");
    assert_eq!(journal::count("first stops"), 0);
    server.stop().join().unwrap();
    assert_eq!((journal::count("first stops"), journal::count("stubborn stops")), (1, 1));
}

#[test]
fn a_plugin_that_panics_at_its_configuration_is_replaced() {
    let server = Server::start("[keeper]\ntext = \"sane\"", vec![keeper::switchboard_module()]);
    server.configure("[keeper]\ntext = \"mad\"");
    server.until("/keeper", "mad");
    drop(server.ask("/primus?anybody", lines::UPGRADE).connected());
}
