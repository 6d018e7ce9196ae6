//! Futures of a plugin. They are polled once where the host calls; what is not ready then goes on in the plugin's own runtime.
//!
//! A library has its own copy of tokio. A started plugin has a runtime of it, which begins when the first `async` hook is
//! registered and ends when the plugin is stopped. So a ready answer costs no thread change, and a waiting one never blocks a shard.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tracing::instrument::WithSubscriber;

use crate::abi::status;
use crate::host::Host;
use crate::plugin::Refusal;
use crate::value;

/// A call's status and its encoded reply.
pub(crate) type Answer = (u32, Vec<u8>);

/// The runtime of one started plugin. There is none until the first `async` hook is registered.
#[derive(Default)]
pub(crate) struct PluginRuntime(Mutex<Option<Runtime>>);

impl PluginRuntime {
    /// Starts the runtime if there is none. Called while the plugin registers.
    pub(crate) fn handle(&self) -> Handle {
        let mut runtime = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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

    /// Ends the runtime; waiting futures are dropped, which answers their calls.
    pub(crate) fn stop(&self) {
        let runtime = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match runtime {
            // Linked statically, the host shares this copy of tokio, which lets none of its own threads wait for a runtime.
            Some(runtime) if cfg!(switchboard_static) => runtime.shutdown_background(),
            Some(runtime) => runtime.shutdown_timeout(Duration::from_secs(5)),
            None => {}
        }
    }
}

impl Drop for PluginRuntime {
    /// For a plugin that was freed without having been stopped.
    fn drop(&mut self) {
        let runtime = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
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
            let mut completion = Completion { host: host.clone(), token: Some(token) };
            handle.spawn(
                async move {
                    let (status, reply) = Caught(future).await;
                    completion.answer(status, &reply);
                }
                .with_current_subscriber(),
            );
            None
        }
    }
}

/// The answer that the host waits for. It comes also where the future is dropped: a call must not wait for ever.
struct Completion {
    host: Host,
    token: Option<u64>,
}

impl Completion {
    fn answer(&mut self, status: u32, reply: &[u8]) {
        if let Some(token) = self.token.take() {
            self.host.raw.complete(token, status, reply);
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        if self.token.is_some() {
            let refusal = Refusal::new("the plugin was stopped").with_status(503);
            self.answer(status::MISSING, &value::to_vec(&refusal).unwrap_or_default());
        }
    }
}

/// A future whose panic is its answer.
struct Caught<F>(Pin<Box<F>>);

impl<F: Future<Output = Answer>> Future for Caught<F> {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let future = self.0.as_mut();
        crate::abi::plugin::polled(|| future.poll(context))
            .unwrap_or_else(|report| Poll::Ready((status::PANICKED, report.into_bytes())))
    }
}
