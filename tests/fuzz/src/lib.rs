//! A session that is driven as a host would, whatever its client asks: what each transport that requests carry has to keep.
//!
//! - Nothing panics.
//! - An exchange that was asked is answered once, and what follows goes to bodies that are open.
//! - A session ends at most once, and nothing comes after that (the harness sees to it).
//! - No message is longer than the limit.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use arbitrary::Arbitrary;
use plugin_api::testing::{Event, SessionHarness, TransportHarness};
use plugin_api::{Carrier, ExchangeId, Kind, Request, Route, TimerId};

/// The longest message that the targets allow.
pub const LIMIT: usize = 64;

/// What a client of a transport would say: targets as `METHOD PATH`, or as `UPGRADE PATH` for the handshake of a WebSocket, and
/// bodies. `{}` stands for the session's name.
pub struct Vocabulary {
    /// What opens a session.
    pub opens: &'static [&'static str],
    /// What is asked of one.
    pub asks: &'static [&'static str],
    /// Bodies, and texts of frames.
    pub bodies: &'static [&'static str],
    /// How a session's name is found in what answers its first request: between these two.
    pub name: Option<(&'static str, &'static str)>,
}

/// A session's life.
#[derive(Debug, Arbitrary)]
pub struct Life {
    open: u8,
    steps: Vec<Step>,
}

/// What happens to a session.
#[derive(Debug, Arbitrary)]
enum Step {
    Ask {
        which: u8,
        /// Goes on with the query.
        more: String,
        header: Option<(u8, String)>,
        body: Said,
    },
    /// What is no frame.
    Bytes(Vec<u8>),
    /// A frame of a WebSocket.
    Frame {
        first: u8,
        payload: Said,
    },
    Send {
        is_text: bool,
        payload: String,
    },
    /// One of the timers that are set comes.
    Timer(u8),
    /// One of the exchanges that are not over is cut.
    Cut(u8),
    /// The connection is.
    CutStream,
    Close,
}

/// What a client says.
#[derive(Debug, Arbitrary)]
enum Said {
    Known(u8),
    Text(String),
    Bytes(Vec<u8>),
}

const HEADERS: [&str; 6] = ["content-type", "last-event-id", "origin", "accept", "cookie", "if-none-match"];

const CONTENT_TYPES: [&str; 4] =
    ["text/plain;charset=UTF-8", "application/octet-stream", "application/x-www-form-urlencoded", "application/json"];

impl Life {
    /// Lives it.
    ///
    /// # Panics
    ///
    /// The transport or its session does what it must not do.
    pub fn live(&self, transport: &TransportHarness, words: &Vocabulary) {
        let opening = request(one_of(words.opens, self.open), "");
        assert!(matches!(transport.route(opening.clone()), Route::Open | Route::OpenBare), "a session opens");
        let session = transport.open(opening);
        let mut client = Client::of(session, words);
        for step in &self.steps {
            if client.session.is_over() {
                break;
            }
            client.step(transport, words, step);
        }
    }
}

struct Client {
    session: SessionHarness,
    name: String,
    asked: BTreeSet<u64>,
    /// Bodies that go on.
    open: BTreeSet<u64>,
    has_stream: bool,
    timers: BTreeSet<u32>,
}

impl Client {
    fn of(session: SessionHarness, words: &Vocabulary) -> Self {
        let name = words.name.and_then(|(before, after)| {
            let opening = session.opening().iter().map(|event| match event {
                Event::Respond(_, response) | Event::RespondOpen(_, response) => &response.body[..],
                Event::Chunk(_, bytes) => bytes,
                _ => &[],
            });
            let opening = String::from_utf8_lossy(&opening.collect::<Vec<_>>().concat()).into_owned();
            Some(opening.split_once(before)?.1.split_once(after)?.0.to_owned())
        });
        let events = session.opening().to_vec();
        let mut client = Self {
            session,
            name: name.unwrap_or_default(),
            asked: BTreeSet::from([1]),
            open: BTreeSet::new(),
            has_stream: false,
            timers: BTreeSet::new(),
        };
        client.take(events);
        client
    }

    fn step(&mut self, transport: &TransportHarness, words: &Vocabulary, step: &Step) {
        let events = match step {
            Step::Ask { which, more, header, body } => {
                let mut request = request(&one_of(words.asks, *which).replace("{}", &self.name), more);
                if let Some((which, value)) = header {
                    let known = which.checked_sub(128).map(|content_type| one_of(&CONTENT_TYPES, content_type));
                    request = request.with_header(one_of(&HEADERS, *which), known.unwrap_or(value));
                }
                request = request.with_body(self.bytes_of(words, body));
                // As in a host, only what belongs to the session comes to it.
                let Route::Session(_) = transport.route(request.clone()) else { return };
                let (ExchangeId(number), events) = self.session.request(request);
                self.asked.insert(number);
                events
            }
            Step::Bytes(bytes) if self.has_stream => self.session.receive(bytes),
            Step::Frame { first, payload } if self.has_stream => {
                let payload = self.bytes_of(words, payload);
                self.session.receive(frame(*first, &payload))
            }
            Step::Send { is_text, payload } => self.session.send(if *is_text { Kind::Text } else { Kind::Binary }, payload),
            Step::Timer(which) => {
                let Some(timer) = nth(&self.timers, *which) else { return };
                self.timers.remove(&timer);
                self.session.timeout(TimerId(timer))
            }
            Step::Cut(which) => {
                let Some(number) = nth(&self.asked.union(&self.open).copied().collect(), *which) else { return };
                self.asked.remove(&number);
                self.open.remove(&number);
                self.session.disconnected(Carrier::Exchange(ExchangeId(number)))
            }
            Step::CutStream if self.has_stream => {
                self.has_stream = false;
                self.session.disconnected(Carrier::Stream)
            }
            Step::Bytes(_) | Step::Frame { .. } | Step::CutStream => return,
            Step::Close => self.session.close(None, "enough"),
        };
        self.take(events);
    }

    fn bytes_of(&self, words: &Vocabulary, said: &Said) -> Vec<u8> {
        match said {
            Said::Known(which) => one_of(words.bodies, *which).replace("{}", &self.name).into_bytes(),
            Said::Text(text) => text.clone().into_bytes(),
            Said::Bytes(bytes) => bytes.clone(),
        }
    }

    fn take(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Respond(ExchangeId(number), _) => assert!(self.asked.remove(&number), "{number} does not wait"),
                Event::RespondOpen(ExchangeId(number), _) => {
                    assert!(self.asked.remove(&number), "{number} does not wait");
                    self.open.insert(number);
                }
                Event::Upgrade { exchange: ExchangeId(number), .. } => {
                    assert!(self.asked.remove(&number), "{number} does not wait");
                    assert!(!self.has_stream, "it has a stream");
                    self.has_stream = true;
                }
                Event::Chunk(ExchangeId(number), _) => assert!(self.open.contains(&number), "{number} is not open"),
                Event::Finish(ExchangeId(number)) => assert!(self.open.remove(&number), "{number} is not open"),
                Event::SetTimer(TimerId(timer), _) => {
                    self.timers.insert(timer);
                }
                Event::ClearTimer(TimerId(timer)) => {
                    self.timers.remove(&timer);
                }
                Event::Message(_, bytes) => assert!(bytes.len() <= LIMIT, "a message of {} bytes", bytes.len()),
                _ => {}
            }
        }
    }
}

fn request(words: &str, more: &str) -> Request<'static> {
    let (method, target) = words.split_once(' ').expect("a method, then a target");
    let target = format!("{target}{more}");
    if method != "UPGRADE" {
        return Request::new(method, &target);
    }
    Request::new("GET", &target)
        .with_header("upgrade", "websocket")
        .with_header("connection", "Upgrade")
        .with_header("sec-websocket-version", "13")
        .with_header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

/// A client's frame; its key is zero.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = match payload.len() {
        length @ 0..126 => vec![0x80 | length as u8],
        length => [&[0xff][..], &(length as u64).to_be_bytes()].concat(),
    };
    [&[first][..], &length, &[0; 4], payload].concat()
}

fn one_of(words: &[&'static str], which: u8) -> &'static str {
    words[usize::from(which) % words.len()]
}

fn nth<T: Copy>(set: &BTreeSet<T>, which: u8) -> Option<T> {
    set.iter().nth(usize::from(which).checked_rem(set.len())?).copied()
}
