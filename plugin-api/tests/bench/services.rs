//! Services between plugins, and what stands in for them.

use std::sync::Mutex;

use plugin_api::prelude::*;
use plugin_api::testing::{Bench, json};

plugin_api::service! {
    /// Counts.
    pub trait Tally as TallyClient = "tally" {
        /// Adds, and answers the sum.
        fn add(&self, by: u64) -> u64;
    }
}

/// Offers the service.
struct Counting(Mutex<u64>);

impl Tally for Counting {
    fn add(&self, by: u64) -> Result<u64, String> {
        let mut sum = self.0.lock().unwrap();
        *sum = sum.checked_add(by).ok_or("too much")?;
        Ok(*sum)
    }
}

impl Plugin for Counting {
    const NAME: &'static str = "counting";
    type Config = NoConfig;

    fn start(_: NoConfig, _: Host) -> Result<Self, StartError> {
        Ok(Self(Mutex::default()))
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        TallyClient::offer(registrar, Arc::clone(self));
    }
}

export_plugin!(Counting);

mod user {
    //! A plugin that calls it.

    use super::{Bench, TallyClient, json};
    use plugin_api::prelude::*;

    pub struct User;

    impl Plugin for User {
        const NAME: &'static str = "user";
        const REQUIRES: &'static [&'static str] = &["counting"];
        type Config = NoConfig;

        fn start(_: NoConfig, _: Host) -> Result<Self, StartError> {
            Ok(Self)
        }

        fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
            let tally = TallyClient::new(registrar.host());
            registrar.route("GET", "/sum", move |_| {
                let response = match tally.add(1) {
                    Ok(sum) => Response::text(200, sum.to_string()),
                    Err(error) => Response::text(503, error.to_string()),
                };
                std::future::ready(response)
            });
        }
    }

    export_plugin!(User);

    #[test]
    fn a_plugin_needs_what_it_requires() {
        let error = Bench::start::<User>(json!({})).unwrap_err().to_string();
        assert_eq!(error, "`user` requires the plugin `counting`, which is not started before it");
    }
}

use user::User;

#[test]
fn services_answer_typed_clients() {
    let bench = Bench::start::<Counting>(json!({})).unwrap();
    let tally = TallyClient::new(bench.host());
    assert_eq!(tally.add(2).unwrap(), 2);
    assert_eq!(tally.add(3).unwrap(), 5);
    assert_eq!(tally.add(u64::MAX).unwrap_err().to_string(), "too much");
}

#[test]
fn a_service_that_nobody_offers_is_missing() {
    let bench = Bench::standing_in("counting", |_| {}).and::<User>(json!({})).start().unwrap();
    let response = bench.request("/sum");
    assert_eq!(response.status, 503);
    assert_eq!(response.body, b"no enabled plugin offers `add` of the service `tally`");
}

#[test]
fn plugins_use_each_others_services() {
    let bench = Bench::with::<Counting>(json!({})).and::<User>(json!({})).start().unwrap();
    assert_eq!([bench.request("/sum").body, bench.request("/sum").body], [b"1", b"2"]);
}

#[test]
fn a_stand_in_offers_what_a_plugin_would() {
    let five = Arc::new(Counting(Mutex::new(4)));
    let bench =
        Bench::standing_in("counting", |registrar| TallyClient::offer(registrar, five)).and::<User>(json!({})).start().unwrap();
    assert_eq!(bench.request("/sum").body, b"5");
}
