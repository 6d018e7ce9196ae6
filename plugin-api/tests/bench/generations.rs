//! Configurations, reloads and the end of plugins.

use std::sync::Mutex;

use plugin_api::prelude::*;
use plugin_api::testing::{Bench, Fate, json};

/// Remembers the last message.
struct Memory {
    name: String,
    last: Mutex<String>,
}

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    name: String,
}

fn config(name: &str) -> Config {
    Config { name: name.to_owned() }
}

impl Plugin for Memory {
    const NAME: &'static str = "memory";
    type Config = Config;

    fn start(config: Config, host: Host) -> Result<Self, StartError> {
        if config.name.is_empty() {
            return Err(StartError::at("name", "it must not be empty"));
        }
        host.set_timer(1, std::time::Duration::from_secs(1));
        Ok(Self { name: config.name, last: Mutex::default() })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        let plugin = Arc::clone(self);
        registrar.message(move |spark, message| {
            let mut last = plugin.last.lock().unwrap();
            spark.write(&(&plugin.name, &*last)).unwrap();
            *last = message.decode().unwrap();
        });
    }

    fn reconfigure(&self, config: Config) -> Result<bool, StartError> {
        Ok(config.name == self.name)
    }

    fn save(&self) -> Option<Vec<u8>> {
        Some(self.last.lock().unwrap().clone().into_bytes())
    }

    fn restore(&self, state: &[u8]) -> Result<(), StartError> {
        let last = String::from_utf8(state.to_vec()).map_err(|error| StartError::new(error.to_string()))?;
        if last == "poison" {
            return Err(StartError::new("not that state"));
        }
        *self.last.lock().unwrap() = last;
        Ok(())
    }

    fn timer(&self, _: u64) {
        tracing::info!(name = self.name, "rang");
    }
}

export_plugin!(Memory);

type Answer = (String, String);

fn answer(name: &str, last: &str) -> Answer {
    (name.to_owned(), last.to_owned())
}

#[test]
fn a_wrong_configuration_says_what_is_wrong() {
    let error = Bench::start::<Memory>(json!({ "nam": "x" })).unwrap_err().to_string();
    assert!(error.contains("unknown field `nam`"), "{error}");
    assert_eq!(Bench::start::<Memory>(config("")).unwrap_err().to_string(), "it must not be empty");
}

#[test]
fn a_reload_carries_the_state_over_and_keeps_the_sparks() {
    let mut bench = Bench::start::<Memory>(config("old")).unwrap();
    let ann = bench.connect("/primus").unwrap();
    ann.send("first");
    bench.reload::<Memory>(config("new")).unwrap();
    assert_eq!(ann.send("second"), Fate::Consumed);
    assert_eq!(ann.received::<Answer>(), [answer("old", ""), answer("new", "first")]);
}

#[test]
fn a_generation_that_does_not_start_leaves_the_former_one_in_service() {
    let mut bench = Bench::start::<Memory>(config("old")).unwrap();
    let ann = bench.connect("/primus").unwrap();
    bench.reload::<Memory>(config("")).unwrap_err();
    ann.send("poison");
    assert_eq!(bench.reload::<Memory>(config("new")).unwrap_err().to_string(), "not that state");
    ann.send("more");
    assert_eq!(ann.received::<Answer>(), [answer("old", ""), answer("old", "poison")]);
}

#[test]
fn timers_of_a_former_generation_do_not_come() {
    let mut bench = Bench::start::<Memory>(config("old")).unwrap();
    bench.reload::<Memory>(config("new")).unwrap();
    bench.advance(std::time::Duration::from_secs(2));
    let rang: Vec<_> = bench.logs().iter().filter_map(|log| log.field("name").map(str::to_owned)).collect();
    assert_eq!(rang, ["new"]);
}

#[test]
fn a_changed_configuration_is_taken_or_wants_a_reload() {
    let bench = Bench::start::<Memory>(config("one")).unwrap();
    assert!(bench.reconfigure::<Memory>(config("one")).unwrap());
    assert!(!bench.reconfigure::<Memory>(config("two")).unwrap());
    assert!(bench.reconfigure::<Memory>(json!({ "name": 1 })).is_err());
}
