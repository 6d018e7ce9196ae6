//! A client that speaks BrowserChannel: requests are written down, answers are read back.
#![allow(dead_code, reason = "each test file uses its own part")]

use browserchannel::BrowserChannelTransport;
use browserchannel::config::Config;
use plugin_api::testing::{Event, SessionHarness, TransportHarness};
use plugin_api::{ExchangeId, Request, Response, Route};

/// A transport with the default configuration.
pub fn transport() -> TransportHarness {
    with(Config::default())
}

/// A transport with a configuration.
pub fn with(config: Config) -> TransportHarness {
    TransportHarness::new(BrowserChannelTransport::new(&config).unwrap())
}

/// A request as `METHOD path?query`, whose version need not be named.
pub fn asked(what: &str) -> Request<'static> {
    let (method, target) = what.split_once(' ').expect("a method and a target");
    let separator = if target.contains('?') { '&' } else { '?' };
    Request::new(method, &format!("/primus{target}{separator}VER=8"))
}

/// The answer that needs no session.
#[track_caller]
pub fn response(route: Route) -> Response {
    match route {
        Route::Respond(response) => response,
        other => panic!("this is not answered at once: {other:?}"),
    }
}

/// Status and body of a response.
pub fn status_and_body(response: &Response) -> (u16, &str) {
    (response.status, std::str::from_utf8(&response.body).unwrap())
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

/// The messages among events.
pub fn messages_of(events: &[Event]) -> Vec<&str> {
    let texts = events.iter().filter_map(|event| match event {
        Event::Message(_, bytes) => Some(std::str::from_utf8(bytes).unwrap()),
        _ => None,
    });
    texts.collect()
}

/// The texts of chunks; each has its length before it.
#[track_caller]
pub fn texts_of(body: &str) -> Vec<String> {
    let (mut rest, mut texts) = (body, Vec::new());
    while !rest.is_empty() {
        let (length, text) = rest.split_once('\n').expect("a length");
        let units = text.encode_utf16().take(length.parse().unwrap()).collect::<Vec<u16>>();
        let chunk = String::from_utf16(&units).unwrap();
        rest = &text[chunk.len()..];
        texts.push(chunk);
    }
    texts
}

/// An open session.
pub struct Client {
    pub session: SessionHarness,
    /// Its secret.
    pub sid: String,
    /// What the first answer said after the id.
    pub hello: String,
    rid: u64,
}

impl Client {
    /// With the default configuration.
    #[track_caller]
    pub fn open() -> Self {
        Self::of(&transport())
    }

    /// A session of a transport.
    #[track_caller]
    pub fn of(transport: &TransportHarness) -> Self {
        let session = transport.open(asked("POST /bind?RID=100").with_body("count=0"));
        let [text] = &texts_of(&body_of(session.opening()))[..] else { panic!("one chunk is the answer") };
        let rest = text.strip_prefix("[[0,[\"c\",\"").expect("the first array says who one is");
        let (sid, hello) = rest.split_once('"').unwrap();
        Self { sid: sid.to_owned(), hello: hello.to_owned(), session, rid: 100 }
    }

    /// One more request of the session.
    #[track_caller]
    pub fn ask(&mut self, method: &str, query: &str, body: &str) -> (ExchangeId, Vec<Event>) {
        let target = format!("{method} /bind?SID={}&{query}", self.sid);
        self.session.request(asked(&target).with_body(body))
    }

    /// The next request with messages; its answer, and what the host gets.
    #[track_caller]
    pub fn forward(&mut self, body: &str) -> Vec<Event> {
        self.rid += 1;
        let query = format!("RID={}", self.rid);
        self.ask("POST", &query, body).1
    }

    /// Asks for arrays in a response that goes on.
    #[track_caller]
    pub fn stream(&mut self, acknowledged: i64) -> (ExchangeId, Vec<Event>) {
        self.ask("GET", &format!("RID=rpc&CI=0&TYPE=xmlhttp&AID={acknowledged}"), "")
    }

    /// Asks for arrays in a response that ends with the first chunk.
    #[track_caller]
    pub fn poll(&mut self, acknowledged: i64) -> (ExchangeId, Vec<Event>) {
        self.ask("GET", &format!("RID=rpc&CI=1&TYPE=xmlhttp&AID={acknowledged}"), "")
    }
}
