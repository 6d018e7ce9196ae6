//! Whether a request may come in: all authorizers are asked, and what waits is waited for.

use plugin_api::abi::host::{Answer, Fault, RequestHook, with_raw};
use plugin_api::abi::status;
use plugin_api::{Refusal, Request};
use tokio::sync::oneshot;

use crate::house::House;
use crate::snapshot::{Ref, Snapshot};

/// Asks all authorizers.
///
/// # Errors
///
/// The first refusal.
pub(super) async fn authorize(house: &House, snapshot: &Snapshot, request: &Request<'static>) -> Result<(), Refusal> {
    for authorizer in &snapshot.authorizers {
        if authorizer.generation.is_quarantined() {
            // Who may come in is not known any more: nobody.
            return Err(Refusal::new("the authorizing plugin is in quarantine").with_status(503));
        }
        let (token, answer) = house.wait();
        let called = with_raw(request, |raw| authorizer.get().call(raw, token));
        if let Answer::Refused(refusal) = settled(house, authorizer, "an authorizer", called, token, answer).await {
            return Err(refusal);
        }
    }
    Ok(())
}

/// Waits for an answer where it is pending. A panic is a refusal with status 500.
pub(super) async fn settled(
    house: &House,
    hook: &Ref<RequestHook>,
    entry: &str,
    called: Result<Answer, Fault>,
    token: u64,
    answer: oneshot::Receiver<(u32, Vec<u8>)>,
) -> Answer {
    match hook.settle(entry, called) {
        Some(Answer::Pending) => match answer.await {
            Ok((status::PANICKED, report)) => {
                hook.panicked(entry, &report);
                Answer::of(status::PANICKED, &[])
            }
            Ok((status, reply)) => Answer::of(status, &reply),
            Err(_) => Answer::Refused(Refusal::new("the plugin was stopped before it answered").with_status(503)),
        },
        Some(ready) => {
            house.forget(token);
            ready
        }
        None => {
            house.forget(token);
            Answer::of(status::PANICKED, &[])
        }
    }
}
