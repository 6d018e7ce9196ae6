//! What is not seen from outside: how many passwords are checked at once, and what a check costs.

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::runtime::{Builder, Runtime};

use super::*;

fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

fn gate(max_checks: usize, max_waiting: usize) -> Arc<Gate> {
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
    let hash = |password: &[u8]| hasher.hash_password(password).unwrap().to_string();
    let users = [("ann", hash(b"sesame")), ("ben", hash(b"sesame"))];
    let users = users.into_iter().map(|(name, hash)| (name.to_owned(), hash)).collect();
    Arc::new(Gate::new(&Config { users, max_checks, max_waiting, ..Config::default() }).unwrap())
}

/// `ann:sesame`
const RIGHT: &str = "Basic YW5uOnNlc2FtZQ==";
/// `ann:wrong`
const WRONG: &str = "Basic YW5uOndyb25n";

#[test]
fn passwords_beyond_those_that_may_wait_are_refused_unchecked() {
    let gate = gate(1, 1);
    let busy = Arc::clone(&gate.places).try_acquire_many_owned(2).unwrap();
    let refusal = runtime().block_on(Arc::clone(&gate).admit(Some(RIGHT.to_owned()))).unwrap_err();
    assert_eq!((refusal.status, refusal.authenticate), (503, None));
    drop(busy);
    runtime().block_on(Arc::clone(&gate).admit(Some(RIGHT.to_owned()))).unwrap();
    assert_eq!(gate.places.available_permits(), 2);
}

#[test]
fn a_password_that_is_known_needs_no_check() {
    let gate = gate(1, 0);
    runtime().block_on(Arc::clone(&gate).admit(Some(RIGHT.to_owned()))).unwrap();
    let _busy = gate.places.try_acquire().unwrap();
    runtime().block_on(Arc::clone(&gate).admit(Some(RIGHT.to_owned()))).unwrap();
    let refusal = runtime().block_on(Arc::clone(&gate).admit(Some(WRONG.to_owned()))).unwrap_err();
    assert_eq!(refusal.status, 503);
}

#[test]
fn a_name_that_nobody_has_costs_the_hash_of_one_of_the_users() {
    let users = &gate(1, 0).users;
    for name in ["nobody", "", "root"] {
        let chosen = users.stand_in(name);
        assert!(chosen.is_some_and(|place| place < 2));
        assert_eq!(users.stand_in(name), chosen, "always the same for a name");
    }
}

#[test]
fn a_check_that_nobody_waits_for_keeps_its_place_until_it_is_done() {
    let gate = gate(1, 0);
    let runtime = runtime();
    runtime.block_on(async {
        let mut admitted = Box::pin(Arc::clone(&gate).admit(Some(RIGHT.to_owned())));
        // Now it is at work, or done already.
        let _begun = std::future::poll_fn(|context| std::task::Poll::Ready(admitted.as_mut().poll(context))).await;
        drop(admitted);
        let _place = gate.places.acquire().await.unwrap();
        assert!(gate.users.is_known(&header::credentials(RIGHT).unwrap()));
    });
}
