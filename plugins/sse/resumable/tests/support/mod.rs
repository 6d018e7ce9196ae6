//! A client of a resumable session whose network does its worst: responses break at any byte, answers get lost, and requests come
//! late and twice. Used by the tests of both transports, each with its own reader of bodies.
#![allow(dead_code, reason = "each test file uses its own part")]

use plugin_api::testing::{Event, SessionHarness, TransportHarness};
use plugin_api::{Carrier, ExchangeId, Kind, Request, Response, TimerId};
use proptest::prelude::*;
use resumable::frames;
use resumable::session::{FLUSH, LIFE, STREAM};

/// What stands in a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The session's beginning.
    Open(serde_json::Value),
    /// A message with its number.
    Message(u64, Kind, Vec<u8>),
    /// The session's end.
    Close(serde_json::Value),
}

/// Reads what has come whole of a body.
pub type Reader = fn(&[u8]) -> Vec<Heard>;

/// How a transport is asked.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// The path with the pathname.
    pub path: &'static str,
    /// Reads what has come whole of a response.
    pub read: Reader,
}

/// What happens.
#[derive(Debug, Clone)]
pub enum Step {
    /// The server sends a message of so many bytes.
    Send(u8),
    /// The server's turn ends.
    Flush,
    /// The client asks for messages.
    Carry,
    /// The client takes what has come.
    Read,
    /// So many bytes in a hundred of what was written arrive, then the response breaks.
    Cut(u8),
    /// The client writes so many messages.
    Write(u8),
    /// The client sends what it has written.
    Post(Fate),
    /// A request that was sent before comes once more.
    Ghost(prop::sample::Index),
    /// The carrier was silent for long.
    Beat,
    /// A stream has lasted for long.
    Last,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is answered.
    Answered,
    /// It never comes.
    Lost,
    /// It comes, and the answer does not.
    Unanswered,
}

/// Any life of a session.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fate = prop::sample::select(vec![Fate::Answered, Fate::Answered, Fate::Lost, Fate::Unanswered]);
    let step = prop_oneof![
        6 => (0u8..40).prop_map(Step::Send),
        5 => Just(Step::Flush),
        4 => Just(Step::Carry),
        3 => Just(Step::Read),
        2 => (0u8..100).prop_map(Step::Cut),
        4 => (1u8..4).prop_map(Step::Write),
        4 => fate.prop_map(Step::Post),
        2 => any::<prop::sample::Index>().prop_map(Step::Ghost),
        1 => Just(Step::Beat),
        1 => Just(Step::Last),
    ];
    prop::collection::vec(step, 0..120)
}

/// The client and its session.
pub struct Client {
    pub session: SessionHarness,
    dialect: Dialect,
    name: String,
    carrier: Option<(ExchangeId, Vec<u8>)>,
    /// Whether the server has not ended it yet.
    is_carried: bool,
    received: u64,
    heard: Vec<(Kind, Vec<u8>)>,
    /// Messages that are not known to have arrived, and the number of the first.
    writing: Vec<Vec<u8>>,
    first: u64,
    posted: Vec<Request<'static>>,
    /// What the server was told by the client, and what it was given to send.
    arrived: Vec<Vec<u8>>,
    sent: Vec<Vec<u8>>,
    written: Vec<Vec<u8>>,
}

impl Client {
    /// Opens a session.
    #[track_caller]
    pub fn open(transport: &TransportHarness, dialect: Dialect) -> Self {
        let session = transport.open(Request::new("GET", &format!("{}?_v=1", dialect.path)));
        let opening = session.opening().to_vec();
        let mut client = Self {
            session,
            dialect,
            name: String::new(),
            carrier: Some((ExchangeId(1), Vec::new())),
            is_carried: true,
            received: 0,
            heard: Vec::new(),
            writing: Vec::new(),
            first: 1,
            posted: Vec::new(),
            arrived: Vec::new(),
            sent: Vec::new(),
            written: Vec::new(),
        };
        client.take(opening);
        client.read();
        assert!(!client.name.is_empty(), "the session is named at once");
        client
    }

    /// The request for messages as it would be now.
    pub fn get(&self) -> Request<'static> {
        Request::new("GET", &format!("{}?_session={}&_ack={}", self.dialect.path, self.name, self.received))
    }

    /// A request with messages.
    pub fn post(&self, body: Vec<u8>) -> Request<'static> {
        let target = format!("{}?_session={}&_ack={}", self.dialect.path, self.name, self.received);
        Request::new("POST", &target).with_header("content-type", "application/octet-stream").with_body(body)
    }

    /// One step.
    pub fn step(&mut self, step: &Step) {
        match step {
            Step::Send(length) => {
                let payload = format!("{} {}", self.sent.len() + 1, "\r\n".repeat(usize::from(*length))).into_bytes();
                let kind = if length % 3 == 0 { Kind::Binary } else { Kind::Text };
                let events = self.session.send(kind, &payload);
                self.sent.push(payload);
                self.take(events);
            }
            Step::Flush => self.timer(FLUSH),
            Step::Beat => {
                // Without a carrier, it would be the end.
                if self.is_carried {
                    self.timer(LIFE);
                }
            }
            Step::Last => self.timer(STREAM),
            Step::Carry => self.carry(),
            Step::Read => self.read(),
            Step::Cut(percent) => self.cut(usize::from(*percent)),
            Step::Write(count) => {
                for _ in 0..*count {
                    let payload = format!("from the client {}", self.written.len() + 1).into_bytes();
                    self.written.push(payload.clone());
                    self.writing.push(payload);
                }
            }
            Step::Post(fate) => self.send_written(*fate),
            Step::Ghost(which) => {
                if !self.posted.is_empty() {
                    let request = which.get(&self.posted).clone();
                    let (_, events) = self.session.request(request);
                    self.take(events);
                }
            }
        }
    }

    /// Nothing is in the way any more: what is missing arrives.
    pub fn settle(&mut self) {
        self.read();
        for _ in 0..self.sent.len() + 2 {
            self.carry();
            self.timer(FLUSH);
            self.read();
        }
        self.send_written(Fate::Answered);
    }

    /// Everything came, once and in its order.
    #[track_caller]
    pub fn assert_nothing_is_lost_or_doubled(&self) {
        let heard: Vec<&Vec<u8>> = self.heard.iter().map(|(_, payload)| payload).collect();
        assert_eq!(heard, self.sent.iter().collect::<Vec<_>>());
        assert_eq!(self.arrived, self.written);
    }

    fn timer(&mut self, timer: TimerId) {
        let events = self.session.timeout(timer);
        self.take(events);
    }

    fn carry(&mut self) {
        self.read();
        let (exchange, events) = self.session.request(self.get());
        self.carrier = Some((exchange, Vec::new()));
        self.is_carried = true;
        self.take(events);
    }

    fn read(&mut self) {
        if let Some((_, bytes)) = &self.carrier {
            let heard = (self.dialect.read)(bytes);
            self.hear(heard);
        }
    }

    fn cut(&mut self, percent: usize) {
        if let Some((exchange, mut bytes)) = self.carrier.take() {
            self.is_carried = false;
            bytes.truncate(bytes.len() * percent / 100);
            let heard = (self.dialect.read)(&bytes);
            self.hear(heard);
            let events = self.session.disconnected(Carrier::Exchange(exchange));
            self.take(events);
        }
    }

    fn hear(&mut self, heard: Vec<Heard>) {
        for heard in heard {
            match heard {
                Heard::Open(opening) => self.name = opening["session"].as_str().unwrap_or_default().to_owned(),
                Heard::Message(number, ..) if number <= self.received => {}
                Heard::Message(number, kind, payload) => {
                    assert_eq!(number, self.received + 1, "a message is missing");
                    self.received = number;
                    self.heard.push((kind, payload));
                }
                Heard::Close(_) => {}
            }
        }
    }

    fn send_written(&mut self, fate: Fate) {
        let mut body = Vec::new();
        frames::begin(self.first, &mut body);
        self.writing.iter().for_each(|message| frames::write(frames::TEXT, message, &mut body));
        let request = self.post(if self.writing.is_empty() { Vec::new() } else { body });
        self.posted.push(request.clone());
        if fate == Fate::Lost {
            return;
        }
        let (exchange, events) = self.session.request(request);
        let answer = events.iter().find_map(|event| match event {
            Event::Respond(of, response) if *of == exchange => Some(response.clone()),
            _ => None,
        });
        self.take(events);
        if fate == Fate::Answered {
            let received = received(&answer.expect("it is answered at once"));
            let known = (received + 1 - self.first) as usize;
            self.writing.drain(..known);
            self.first = received + 1;
        }
    }

    fn take(&mut self, events: Vec<Event>) {
        for event in events {
            let carrier = self.carrier.as_ref().map(|(exchange, _)| *exchange);
            match &event {
                Event::Respond(of, _) | Event::Finish(of) if Some(*of) == carrier => self.is_carried = false,
                // It is another one's now, which is sent to nobody.
                Event::RespondOpen(of, _) if Some(*of) != carrier => self.is_carried = false,
                _ => {}
            }
            match event {
                Event::Message(_, payload) => self.arrived.push(payload),
                Event::Chunk(of, chunk) => {
                    if let Some((exchange, bytes)) = &mut self.carrier
                        && *exchange == of
                    {
                        bytes.extend(chunk);
                    }
                }
                Event::Respond(of, response) | Event::RespondOpen(of, response) => {
                    if let Some((exchange, bytes)) = &mut self.carrier
                        && *exchange == of
                    {
                        assert_eq!(response.status, 200);
                        bytes.extend(response.body);
                    }
                }
                Event::Close(reason) => panic!("the session has ended: {reason:?}"),
                _ => {}
            }
        }
    }
}

/// What an answer to a request with messages says.
#[track_caller]
pub fn received(response: &Response) -> u64 {
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    let body: serde_json::Value = serde_json::from_slice(&response.body).expect("it is JSON");
    body["received"].as_u64().expect("it has a number")
}
