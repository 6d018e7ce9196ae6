//! A plugin whose hooks wait: at a spark with `?hold` before its first message, at each message of one with `?defer`.
//!
//! `"until PATH"` keeps its thread, and makes `PATH.waits`, until there is such a file. `GET /patient/waiting` says how many wait, `GET /patient/go` lets all of them go on.
#![forbid(unsafe_code)]

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use plugin_api::Deferred;
use plugin_api::prelude::*;
use tokio::sync::oneshot;

#[derive(Default)]
struct Waiting {
    sparks: Vec<oneshot::Sender<()>>,
    messages: Vec<Deferred>,
}

struct Patient {
    waiting: Mutex<Waiting>,
}

export_plugin!(Patient);

impl Patient {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Longer than a test waits for anything.
const AT_MOST: Duration = Duration::from_secs(60);

/// Keeps the thread until there is such a file.
fn stand_still(until: &Path) {
    let began = Instant::now();
    let waits = std::fs::write(until.with_extension("waits"), "");
    while waits.is_ok() && !until.exists() && began.elapsed() < AT_MOST {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn asks(spark: Spark<'_>, key: &str) -> bool {
    spark.info().is_some_and(|info| info.query_value(key).is_some())
}

impl Plugin for Patient {
    const NAME: &'static str = "patient";

    type Config = NoConfig;

    fn start(_: NoConfig, _: Host) -> Result<Self, StartError> {
        Ok(Self { waiting: Mutex::default() })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        let patient = Arc::clone(self);
        registrar.connection_async(Priority::GUARD, move |spark, host| {
            let (go, gone) = oneshot::channel();
            if asks(host.spark(spark), "hold") {
                patient.waiting().sparks.push(go);
            }
            // One that is not held has let go of the other end: that is an answer, too.
            async move {
                let _ = gone.await;
                Ok(())
            }
        });
        let patient = Arc::clone(self);
        registrar.incoming(Priority::GUARD, move |spark, message| {
            if let Some(path) = message.decode::<&str>().ok().and_then(|text| text.strip_prefix("until ")) {
                stand_still(Path::new(path));
                return Flow::Stop;
            }
            if !asks(spark, "defer") {
                return Flow::Next;
            }
            let deferred = message.defer(spark);
            patient.waiting().messages.push(deferred);
            Flow::Defer
        });
        let patient = Arc::clone(self);
        registrar.route("GET", "/patient/waiting", move |_| {
            let waiting = patient.waiting();
            let count = waiting.sparks.len() + waiting.messages.len();
            std::future::ready(Response::text(200, count.to_string()))
        });
        let patient = Arc::clone(self);
        registrar.route("GET", "/patient/go", move |_| {
            let Waiting { sparks, messages } = std::mem::take(&mut *patient.waiting());
            for go in sparks {
                // Who waited may be gone.
                let _ = go.send(());
            }
            messages.into_iter().for_each(Deferred::next);
            std::future::ready(Response::new(204))
        });
    }
}
