//! `tracing` in a plugin: its events go to the host's subscriber with the plugin's name.
//!
//! A library has its own copy of `tracing`, so it needs a subscriber of its own: this one. Spans are not passed on.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, NoSubscriber};
use tracing::{Event, Level, Metadata, Subscriber, dispatcher};

use crate::host::Host;

/// Passes events on to the host.
pub(crate) struct Forwarder {
    host: Host,
}

impl Forwarder {
    /// To `host`.
    pub(crate) fn new(host: Host) -> Self {
        Self { host }
    }

    /// Makes this library's events go to `host`, unless somebody listens already: in tests, the bench has a subscriber for each
    /// plugin. Linked statically, plugins share the host's.
    pub(crate) fn install(host: Host) {
        if !cfg!(switchboard_static) && dispatcher::get_default(|dispatch| dispatch.is::<NoSubscriber>()) {
            let _ = tracing::subscriber::set_global_default(Self::new(host));
        }
    }
}

impl Subscriber for Forwarder {
    /// The host's level may change at any time, so that nothing is decided once for all.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.is_event() { Interest::sometimes() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && number(*metadata.level()) <= self.host.raw.log_level()
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut texts = Texts::default();
        event.record(&mut texts);
        let metadata = event.metadata();
        self.host.raw.log(number(*metadata.level()), metadata.target(), &texts.message, &texts.fields);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The number of a level at the boundary: 1 (error) to 5 (trace).
fn number(level: Level) -> u8 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

#[derive(Default)]
struct Texts {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl Visit for Texts {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            self.fields.push((field.name(), format!("{value:?}")));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.fields.push((field.name(), value.to_owned()));
        }
    }
}
