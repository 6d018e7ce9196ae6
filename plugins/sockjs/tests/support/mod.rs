//! A client that speaks HTTP: requests are written down, answers are read back.
#![allow(dead_code, reason = "each test file uses its own part")]

use plugin_api::testing::{Event, SessionHarness, TransportHarness};
use plugin_api::{ExchangeId, Request, Response, Route};
use sockjs::SockJsTransport;
use sockjs::config::Config;

/// A transport with the default configuration.
pub fn transport() -> TransportHarness {
    with(Config::default())
}

/// A transport with a configuration.
pub fn with(config: Config) -> TransportHarness {
    TransportHarness::new(SockJsTransport::new(config).unwrap())
}

/// A request as `METHOD target`.
pub fn asked(what: &str) -> Request<'static> {
    let (method, target) = what.split_once(' ').unwrap_or(("GET", what));
    Request::new(method, target)
}

/// The answer that needs no session.
#[track_caller]
pub fn response(route: Route) -> Response {
    match route {
        Route::Respond(response) => response,
        other => panic!("this is not answered at once: {other:?}"),
    }
}

/// A header field of a response.
pub fn header_of<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// What the events write into responses.
pub fn body_of(events: &[Event]) -> String {
    let mut body = Vec::new();
    for event in events {
        match event {
            Event::Respond(_, response) | Event::RespondOpen(_, response) => body.extend(&response.body),
            Event::Chunk(_, bytes) => body.extend(bytes),
            _ => {}
        }
    }
    String::from_utf8(body).unwrap()
}

/// One session with what its first request was answered.
pub struct Client {
    pub session: SessionHarness,
    pub status: u16,
    pub head: Response,
    pub opening: String,
}

impl Client {
    /// With the default configuration.
    #[track_caller]
    pub fn open(what: &str) -> Self {
        Self::of(&transport(), what)
    }

    /// With a configuration.
    #[track_caller]
    pub fn with(config: Config, what: &str) -> Self {
        Self::of(&with(config), what)
    }

    /// A session of a transport.
    #[track_caller]
    pub fn of(transport: &TransportHarness, what: &str) -> Self {
        let session = transport.open(asked(what));
        let head = session.opening().iter().find_map(|event| match event {
            Event::Respond(_, response) | Event::RespondOpen(_, response) => Some(response.clone()),
            _ => None,
        });
        let head = head.expect("the request is answered");
        let opening = body_of(session.opening());
        Self { session, status: head.status, head, opening }
    }

    /// One more request, without a body.
    #[track_caller]
    pub fn get(&mut self, what: &str) -> Vec<Event> {
        self.ask(what).1
    }

    /// The same with the exchange's number.
    #[track_caller]
    pub fn ask(&mut self, what: &str) -> (ExchangeId, Vec<Event>) {
        self.session.request(asked(what))
    }

    /// One more request.
    #[track_caller]
    pub fn post(&mut self, what: &str, body: &[u8]) -> Vec<Event> {
        self.session.request(asked(what).with_body(body)).1
    }
}
