//! The application that the conformance tests talk to: it echoes, and does what it is told.
//!
//! It is the same application as `reference.js`, which runs on the original. What both have to do is said there and here once
//! each; the tests are the judge that it is the same.
#![forbid(unsafe_code)]

mod commands;
mod events;
mod gates;
mod rooms;

use std::sync::Arc;

use plugin_api::services::rooms::RoomsGuardClient;
use plugin_api::{Host, NoConfig, Plugin, Priority, Refusal, Registrar, Request, StartError, export_plugin};

use commands::Application;

export_plugin!(Application);

impl Plugin for Application {
    const NAME: &'static str = "conformance_app";
    const DESCRIPTION: &'static str = "echoes, and does what the conformance tests tell it";

    type Config = NoConfig;

    fn start(_: NoConfig, _: Host) -> Result<Self, StartError> {
        Ok(Self::default())
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.authorizer(Priority::APPLICATION, |request| std::future::ready(authorize(&request)));

        let application = Arc::clone(self);
        registrar.connection_async(Priority::APPLICATION, move |spark, host| {
            let application = Arc::clone(&application);
            async move { application.connected(spark, &host).await }
        });
        let application = Arc::clone(self);
        registrar.message(move |spark, message| application.message(spark, message));
        let application = Arc::clone(self);
        registrar.disconnection(Priority::APPLICATION, move |spark, _| application.disconnected(spark));
        let application = Arc::clone(self);
        registrar.error(Priority::APPLICATION, move |spark, error| application.went_wrong(spark, error));
        self.events.register(registrar);
        RoomsGuardClient::offer(registrar, Arc::clone(self));
    }
}

/// `?refuse=403:reason` refuses with that status and message.
fn authorize(request: &Request<'_>) -> Result<(), Refusal> {
    let Some(refuse) = request.query_value("refuse") else {
        return Ok(());
    };
    let (status, message) = refuse.split_once(':').unwrap_or((&refuse, "refused"));
    Err(Refusal::new(message).with_status(status.parse().unwrap_or(401)))
}
