//! Named events, where the plugin `emitter` is there: the application answers some, and sends some when it is told to.

use std::sync::OnceLock;

use plugin_api::services::emitter::{self, Emitter, Requests};
use plugin_api::{Plugin, Registrar, Spark, Value};
use serde::Serialize;

use crate::commands::{Application, write};

/// Requests of the application to its clients.
#[derive(Default)]
pub struct Events(OnceLock<Requests>);

#[derive(Serialize)]
struct Times {
    times: u32,
}

#[derive(Serialize)]
struct Acknowledged {
    acknowledged: Vec<Value>,
}

#[derive(Serialize)]
struct Unacknowledged {
    unacknowledged: String,
}

impl Events {
    /// Declares the events that are answered.
    pub fn register(&self, registrar: &mut Registrar<'_>) {
        emitter::on(registrar, "double", |_, (number,): (i64,)| {
            number.checked_mul(2).ok_or_else(|| format!("twice {number} is too much"))
        });
        let emitter = Emitter::new(registrar.host());
        emitter::on(registrar, "shout", move |spark, (text, times): (String, u32)| {
            let arguments = (text.to_uppercase(), Times { times });
            emitter.emit(spark.handle(), "shouted", &arguments).map_err(|error| error.to_string())
        });
        // The reply is dropped: who waits for it waits in vain.
        emitter::on_later(registrar, "silence", |_, _: Vec<Value>, _| {});
        let requests = Requests::new(registrar, Application::NAME);
        assert!(self.0.set(requests).is_ok(), "an instance is registered once");
    }

    /// Sends an event.
    pub fn send(&self, spark: Spark<'_>, event: &str, arguments: &[Value]) {
        let sent = Emitter::new(spark.host().clone()).emit(spark.handle(), event, &arguments);
        if let Err(error) = sent {
            write(spark, &Unacknowledged { unacknowledged: error.to_string() });
        }
    }

    /// Sends an event, and writes how it was acknowledged.
    pub fn request(&self, spark: Spark<'_>, event: &str, arguments: &[Value]) {
        let requests = self.0.get().expect("hooks are called after registration");
        let answer = requests.send::<Vec<Value>>(spark.handle(), event, &arguments, None);
        let (spark, host) = (spark.handle(), spark.host().clone());
        // A hook may not wait, so a thread does; a real application has a runtime for it.
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers needs nothing");
            match runtime.block_on(answer) {
                Ok(acknowledged) => write(host.spark(spark), &Acknowledged { acknowledged }),
                Err(error) => write(host.spark(spark), &Unacknowledged { unacknowledged: error.to_string() }),
            }
        });
    }
}
