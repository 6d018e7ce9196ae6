//! The trial of a client's way: a response in two pieces, two seconds apart. Where they arrive together, something on the way keeps
//! responses back, and the client asks for one that ends with each chunk.

use std::time::Duration;

use plugin_api::{DisconnectReason, Events, ExchangeId, Response, TimerId};
use seats::{Full, Seat};

use crate::answer;
use crate::ask::Ask;
use crate::carrier::Carrier;

/// The second piece.
pub const SECOND: TimerId = TimerId(0);

/// Between the pieces.
const PAUSE: Duration = Duration::from_secs(2);

/// A trial.
pub struct Trial {
    seat: Result<Seat, Full>,
    response: Option<(ExchangeId, Carrier)>,
}

impl Trial {
    /// Before its request.
    pub fn new(seat: Result<Seat, Full>) -> Self {
        Self { seat, response: None }
    }

    /// The request.
    pub fn request(&mut self, exchange: ExchangeId, ask: &Ask, domain: Option<String>, events: &mut Events<'_>) {
        let (Ask::Trial(form), None) = (ask, &self.response) else {
            return events.respond(exchange, Response::text(400, "a trial has a single request"));
        };
        if let Err(full) = self.seat {
            events.respond(exchange, answer::full(full));
            return events.close(DisconnectReason::Limit("max_sessions_per_address".to_owned()));
        }
        let mut carrier = Carrier::new(*form, domain);
        let mut head = carrier.head();
        let mut beginning = std::mem::take(&mut head.body);
        beginning.extend(carrier.trial("11111"));
        events.respond_open(exchange, head);
        events.chunk(exchange, beginning);
        events.set_timer(SECOND, PAUSE);
        self.response = Some((exchange, carrier));
    }

    /// The pause is over.
    pub fn timeout(&mut self, events: &mut Events<'_>) {
        let Some((exchange, mut carrier)) = self.response.take() else { return };
        let mut end = carrier.trial("2");
        end.extend(carrier.end().unwrap_or_default());
        events.chunk(exchange, end);
        events.finish(exchange);
        events.close(DisconnectReason::Client { code: None, reason: String::new() });
    }
}
