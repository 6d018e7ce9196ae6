//! A session that HTTP exchanges carry, as a state machine: parts of responses in, messages and requests out.
//!
//! Engine.IO 4 by polling: a GET waits for packets, a POST brings some. SockJS by XHR streaming: the response to one POST goes
//! on, another POST brings messages. One of each is under way at a time, as with the clients that browsers run; what is to be
//! sent meanwhile leaves with the next. Knows no socket.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail, ensure};

use crate::dialect::{Dialect, Role, SEPARATOR, Said};
use crate::http::Part;
use crate::quoted;

/// One session.
#[derive(Debug)]
pub struct Session {
    dialect: Dialect,
    host: String,
    /// The target of all requests, without a session's id where the server gives it.
    target: String,
    /// The request for messages, once the session is open.
    poll: Vec<u8>,
    /// The head of a request with messages, up to their length.
    post: String,
    /// Whether the next request for messages may be sent.
    wants_poll: bool,
    is_open: bool,
    is_posting: bool,
    /// Wrapped messages that wait for the next request.
    queued: Vec<u8>,
    /// What of the response's body is not read yet.
    body: Vec<u8>,
    /// The last request with messages that was made.
    request: Vec<u8>,
}

impl Session {
    /// A session that is not open.
    pub fn new(dialect: Dialect, host: &str, path: &str, role: Role) -> Self {
        Self {
            dialect,
            host: host.to_owned(),
            target: dialect.target(path, role),
            poll: Vec::new(),
            post: String::new(),
            wants_poll: false,
            is_open: false,
            is_posting: false,
            queued: Vec::new(),
            body: Vec::new(),
            request: Vec::new(),
        }
    }

    /// The request that opens it.
    pub fn opening(&mut self) -> Vec<u8> {
        if self.dialect == Dialect::EngineIoPolling {
            return self.head("GET", &self.target, "\r\n").into_bytes();
        }
        self.address("");
        self.poll.clone()
    }

    /// Whether the server has opened it.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Makes the requests of a session with this id (that the server gave).
    fn address(&mut self, id: &str) {
        let sending = "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: ";
        if self.dialect == Dialect::EngineIoPolling {
            let target = format!("{}&sid={id}", self.target);
            self.poll = self.head("GET", &target, "\r\n").into_bytes();
            self.post = self.head("POST", &target, sending);
        } else {
            let (path, query) = self.target.split_at(self.target.find('?').unwrap_or(self.target.len()));
            self.poll = self.head("POST", &format!("{path}/xhr_streaming{query}"), "Content-Length: 0\r\n\r\n").into_bytes();
            self.post = self.head("POST", &format!("{path}/xhr_send{query}"), sending);
        }
    }

    fn head(&self, method: &str, target: &str, rest: &str) -> String {
        format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\n{rest}", self.host)
    }

    /// Adds wrapped messages to what is to be sent.
    pub fn push(&mut self, wrapped: &[u8]) {
        self.queued.extend_from_slice(wrapped);
    }

    /// The request for messages, if one has to be sent.
    pub fn poll(&mut self) -> Option<&[u8]> {
        std::mem::take(&mut self.wants_poll).then_some(&self.poll)
    }

    /// A request with all messages that wait, if one may be sent.
    pub fn post(&mut self) -> Option<&[u8]> {
        if self.is_posting || self.queued.is_empty() {
            return None;
        }
        self.is_posting = true;
        // What separates the last message from the next is not sent.
        let messages = &self.queued[..self.queued.len() - 1];
        let (open, close): (&[u8], &[u8]) = match self.dialect {
            Dialect::SockJsStreaming => (b"[", b"]"),
            _ => (b"", b""),
        };
        let begun = self.post.len();
        let _ = write!(self.post, "{}\r\n\r\n", open.len() + messages.len() + close.len());
        self.request.clear();
        for piece in [self.post.as_bytes(), open, messages, close] {
            self.request.extend_from_slice(piece);
        }
        self.post.truncate(begun);
        self.queued.clear();
        Some(&self.request)
    }

    /// Whether a request with messages waits for its answer.
    pub fn is_posting(&self) -> bool {
        self.is_posting
    }

    /// Takes a part of the answer to a request with messages.
    pub fn posted(&mut self, part: &Part<'_>) -> Result<()> {
        match part {
            Part::Head(status) => ensure!(matches!(status, 200 | 204), "messages were answered by status {status}"),
            Part::Body(_) => {}
            Part::End => self.is_posting = false,
        }
        Ok(())
    }

    /// Takes a part of the answer to a request for messages, hands out the messages in it and says how many.
    pub fn polled(&mut self, part: &Part<'_>, mut message: impl FnMut(&[u8]) -> Result<()>) -> Result<usize> {
        let mut messages = 0;
        match part {
            Part::Head(status) => ensure!(*status == 200, "a request for messages was answered by status {status}"),
            Part::Body(piece) if self.dialect == Dialect::EngineIoPolling => self.body.extend_from_slice(piece),
            Part::Body(piece) => {
                self.body.extend_from_slice(piece);
                let body = std::mem::take(&mut self.body);
                let mut rest = &body[..];
                while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                    messages += self.frame(&rest[..end], &mut message)?;
                    rest = &rest[end + 1..];
                }
                self.body.extend_from_slice(rest);
            }
            Part::End => {
                let mut body = std::mem::take(&mut self.body);
                if self.dialect == Dialect::EngineIoPolling {
                    for packet in body.split(|byte| *byte == SEPARATOR) {
                        messages += self.packet(packet, &mut message)?;
                    }
                } else {
                    ensure!(body.is_empty(), "a response ended within a frame");
                }
                body.clear();
                self.body = body;
                self.wants_poll = true;
            }
        }
        Ok(messages)
    }

    /// A frame of SockJS.
    fn frame(&mut self, frame: &[u8], message: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<usize> {
        match frame {
            [b'a', array @ ..] => {
                let mut messages = 0;
                quoted::read(array, |text| {
                    messages += self.said(text, message)?;
                    anyhow::Ok(())
                })?;
                Ok(messages)
            }
            b"o" if !self.is_open => {
                self.is_open = true;
                Ok(0)
            }
            [b'h', rest @ ..] if rest.iter().all(|byte| *byte == b'h') => Ok(0),
            other => bail!("not expected of SockJS: {}", excerpt(other)),
        }
    }

    /// A packet of Engine.IO.
    fn packet(&mut self, packet: &[u8], message: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<usize> {
        match packet {
            [b'4', text @ ..] => self.said(text, message),
            b"2" => {
                self.queued.extend_from_slice(&[b'3', SEPARATOR]);
                Ok(0)
            }
            b"6" => Ok(0),
            [b'0', open @ ..] if !self.is_open => {
                let open: serde_json::Value = serde_json::from_slice(open).context("the open packet is not JSON")?;
                let id = open.get("sid").and_then(|id| id.as_str()).context("the open packet has no sid")?;
                self.address(id);
                self.is_open = true;
                Ok(0)
            }
            other => bail!("not expected of Engine.IO: {}", excerpt(other)),
        }
    }

    fn said(&mut self, text: &[u8], message: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<usize> {
        match Said::of(text) {
            Said::Message(text) => message(text).map(|()| 1),
            Said::Ping(answer) => {
                self.queued.extend(self.dialect.wrap(&answer));
                Ok(0)
            }
            Said::Control => Ok(0),
        }
    }
}

fn excerpt(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(dialect: Dialect) -> Session {
        Session::new(dialect, "localhost", "/primus/", Role::Echo)
    }

    /// Takes a whole response to a request for messages, in pieces of `step` bytes.
    fn polled(session: &mut Session, body: &[u8], step: usize, ends: bool) -> Result<Vec<String>> {
        let mut all = Vec::new();
        let mut message = |text: &[u8]| {
            all.push(String::from_utf8_lossy(text).into_owned());
            Ok(())
        };
        session.polled(&Part::Head(200), &mut message)?;
        for piece in body.chunks(step) {
            session.polled(&Part::Body(piece), &mut message)?;
        }
        if ends {
            session.polled(&Part::End, &mut message)?;
        }
        Ok(all)
    }

    fn text(bytes: Option<&[u8]>) -> String {
        String::from_utf8_lossy(bytes.unwrap_or(b"none")).into_owned()
    }

    #[test]
    fn engine_io_opens_and_then_always_waits() {
        let mut session = session(Dialect::EngineIoPolling);
        assert!(text(Some(&session.opening())).starts_with("GET /primus/?EIO=4&transport=polling HTTP/1.1\r\n"));
        assert!(session.poll().is_none());
        polled(&mut session, br#"0{"sid":"abc","upgrades":[]}"#, 7, true).unwrap();
        assert!(session.is_open());
        assert!(text(session.poll()).starts_with("GET /primus/?EIO=4&transport=polling&sid=abc HTTP/1.1\r\n"));
        assert!(session.poll().is_none(), "one waits at a time");
        let messages = polled(&mut session, b"4\"one\"\x1e6\x1e4\"two\"", 3, true).unwrap();
        assert_eq!(messages, [r#""one""#, r#""two""#]);
        assert!(session.poll().is_some());
    }

    #[test]
    fn messages_that_wait_leave_together_once_the_request_before_is_answered() {
        let mut session = session(Dialect::EngineIoPolling);
        polled(&mut session, br#"0{"sid":"abc"}"#, 99, true).unwrap();
        let wrapped = session.dialect.wrap(b"\"m\"");
        session.push(&wrapped);
        assert!(text(session.post()).ends_with("Content-Length: 4\r\n\r\n4\"m\""));
        session.push(&wrapped);
        session.push(&wrapped);
        assert!(session.post().is_none());
        session.posted(&Part::Head(200)).unwrap();
        assert!(session.post().is_none());
        session.posted(&Part::End).unwrap();
        assert!(text(session.post()).ends_with("Content-Length: 9\r\n\r\n4\"m\"\x1e4\"m\""));
    }

    #[test]
    fn heartbeats_of_both_kinds_are_answered() {
        let mut session = session(Dialect::EngineIoPolling);
        polled(&mut session, br#"0{"sid":"abc"}"#, 99, true).unwrap();
        assert!(polled(&mut session, b"2\x1e4\"primus::ping::7\"", 99, true).unwrap().is_empty());
        assert!(text(session.post()).ends_with("\r\n\r\n3\x1e4\"primus::pong::7\""));
    }

    #[test]
    fn sock_js_streams_until_the_response_ends_and_asks_again() {
        let mut session = session(Dialect::SockJsStreaming);
        let opening = text(Some(&session.opening()));
        assert!(opening.starts_with("POST /primus/000/") && opening.contains("/xhr_streaming HTTP/1.1\r\n"), "{opening}");
        for step in [1, 5, 999] {
            session.is_open = false;
            let body = b"hhhhhhh\no\na[\"\\\"one\\\"\",\"\\\"two\\\"\"]\nh\na[\"\\\"three\\\"\"]\n";
            assert_eq!(polled(&mut session, body, step, false).unwrap(), [r#""one""#, r#""two""#, r#""three""#]);
            assert!(session.is_open() && session.poll().is_none());
            session.polled(&Part::End, |_| Ok(())).unwrap();
            assert_eq!(text(session.poll()), opening);
        }
        session.push(&session.dialect.wrap(b"\"m\""));
        let post = text(session.post());
        assert!(
            post.contains("/xhr_send HTTP/1.1\r\n") && post.ends_with("Content-Length: 9\r\n\r\n[\"\\\"m\\\"\"]"),
            "{post}"
        );
    }

    #[test]
    fn what_a_server_must_not_say_ends_the_run() {
        for body in ["1", "0{}", "", "5"] {
            let mut session = session(Dialect::EngineIoPolling);
            session.is_open = true;
            assert!(polled(&mut session, body.as_bytes(), 99, true).is_err(), "{body:?}");
        }
        for body in ["c[3000,\"Go away!\"]\n", "o\n", "a[\"x\"]"] {
            let mut session = session(Dialect::SockJsStreaming);
            session.is_open = true;
            assert!(polled(&mut session, body.as_bytes(), 99, true).is_err(), "{body:?}");
        }
        let mut session = session(Dialect::EngineIoPolling);
        assert!(session.polled(&Part::Head(400), |_| Ok(())).is_err());
        assert!(session.posted(&Part::Head(400)).is_err());
    }
}
