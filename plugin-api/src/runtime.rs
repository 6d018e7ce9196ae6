//! Futures of a plugin. They are polled once where the host calls; what is not ready then goes on in the plugin's own runtime.
//!
//! A library has its own copy of tokio, whose runtime is started when the first `async` hook is registered and ended when the
//! plugin is stopped. So a ready answer costs no thread change, and a waiting one never blocks a shard.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::abi::status;
use crate::host::Host;

static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);

/// A call's status and its encoded reply.
pub(crate) type Answer = (u32, Vec<u8>);

/// Starts the runtime if there is none. Called while the plugin registers.
pub(crate) fn start() -> Handle {
    let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    runtime
        .get_or_insert_with(|| {
            Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("plugin")
                .enable_all()
                .build()
                .expect("the system gives a thread and a poller")
        })
        .handle()
        .clone()
}

/// Ends the runtime; waiting futures are dropped.
pub(crate) fn stop() {
    let runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(runtime) = runtime {
        runtime.shutdown_timeout(Duration::from_secs(5));
    }
}

/// The answer of a future where it is ready at once; else `None`, and `host.complete(token, …)` follows.
pub(crate) fn answer<F>(handle: &Handle, host: &Host, token: u64, future: F) -> Option<Answer>
where
    F: Future<Output = Answer> + Send + 'static,
{
    let mut future = Box::pin(future);
    let entered = handle.enter();
    let first = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    drop(entered);
    match first {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => {
            let host = host.clone();
            handle.spawn(async move {
                let (status, reply) = Caught(future).await;
                host.raw.complete(token, status, &reply);
            });
            None
        }
    }
}

/// A future whose panic is its answer.
struct Caught<F>(Pin<Box<F>>);

impl<F: Future<Output = Answer>> Future for Caught<F> {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let future = self.0.as_mut();
        match std::panic::catch_unwind(AssertUnwindSafe(|| future.poll(context))) {
            Ok(poll) => poll,
            Err(payload) => {
                // Dropping a payload may panic again.
                std::mem::forget(payload);
                let report = crate::abi::plugin::panic_report();
                Poll::Ready((status::PANICKED, report.into_bytes()))
            }
        }
    }
}
