//! Sessions that HTTP exchanges carry, with the least that they can do: Engine.IO 4 by polling, SockJS by XHR streaming.
//!
//! Knows just enough of requests to tell them apart, and of both protocols that the load generator understands the answers.
//! Messages are never looked at. What was sent in a turn leaves at its end, in one piece for each client. Knows no socket.

use std::collections::HashMap;
use std::io::Write as _;

/// Separates two packets of Engine.IO.
const SEPARATOR: u8 = 0x1e;

/// What the body of a SockJS stream begins with, and the frame that opens it, as two chunks.
const PRELUDE: usize = 2048;

/// Who speaks HTTP: by the number of its connection, where an answer has to wait for messages.
#[derive(Default)]
pub struct Exchanges {
    sessions: Vec<Session>,
    /// Those of SockJS, by the part of the path that a client makes up.
    names: HashMap<Box<[u8]>, usize>,
    receivers: Vec<usize>,
    /// Those that have something to be written.
    dirty: Vec<usize>,
}

struct Session {
    role: Role,
    /// The connection whose request waits, or whose answer goes on.
    down: Option<usize>,
    is_stream: bool,
    /// What waits for it: packets, or chunks as they are written.
    pending: Vec<u8>,
    is_dirty: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Echo,
    Publisher,
    Receiver,
}

/// What is no request of the two protocols' clients.
#[derive(Debug)]
pub struct Foreign;

impl Exchanges {
    /// Takes the request at the start of `input`, and appends what is answered at once. How long it was; `None`: more has to come.
    pub fn take(&mut self, input: &[u8], connection: usize, out: &mut Vec<u8>) -> Result<Option<usize>, Foreign> {
        let Some(end) = find(input, b"\r\n\r\n") else { return Ok(None) };
        let head = &input[..end];
        let length = match find(head, b"Content-Length: ") {
            Some(at) => number(&head[at + b"Content-Length: ".len()..]),
            None => 0,
        };
        let end = end + 4;
        let Some(body) = input.get(end..end + length) else { return Ok(None) };
        let target = head.split(|byte| *byte == b' ').nth(1).ok_or(Foreign)?;
        if find(target, b"transport=polling").is_some() {
            self.polling(head[0] == b'G', target, body, connection, out)?;
        } else {
            self.streaming(target, body, connection, out)?;
        }
        Ok(Some(end + length))
    }

    fn polling(
        &mut self,
        is_get: bool,
        target: &[u8],
        body: &[u8],
        connection: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Foreign> {
        let Some(at) = find(target, b"sid=") else {
            let session = self.open(target, false);
            let open = format!(
                r#"0{{"sid":"{session}","upgrades":[],"pingInterval":60000,"pingTimeout":60000,"maxPayload":1000000}}"#
            );
            whole(out, open.as_bytes());
            return Ok(());
        };
        let number = number(&target[at + 4..]);
        if is_get {
            let session = self.sessions.get_mut(number).ok_or(Foreign)?;
            session.down = Some(connection);
            if !session.pending.is_empty() {
                self.mark_dirty(number);
            }
            return Ok(());
        }
        whole(out, b"ok");
        self.sent(number, |pending| {
            if !pending.is_empty() {
                pending.push(SEPARATOR);
            }
            pending.extend_from_slice(body);
        })
    }

    fn streaming(&mut self, target: &[u8], body: &[u8], connection: usize, out: &mut Vec<u8>) -> Result<(), Foreign> {
        let path = target.split(|byte| *byte == b'?').next().ok_or(Foreign)?;
        let at = path.iter().rposition(|byte| *byte == b'/').ok_or(Foreign)?;
        let (name, way) = (&path[..at], &path[at..]);
        if way == b"/xhr_streaming" {
            let session = self.open(target, true);
            self.names.insert(name.into(), session);
            self.sessions[session].down = Some(connection);
            out.extend_from_slice(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/javascript\r\ntransfer-encoding: chunked\r\n\r\n",
            );
            chunk(out, &[&[b'h'; PRELUDE], b"\n"]);
            chunk(out, &[b"o\n"]);
            return Ok(());
        }
        let number = *self.names.get(name).ok_or(Foreign)?;
        out.extend_from_slice(b"HTTP/1.1 204 No Content\r\n\r\n");
        self.sent(number, |pending| chunk(pending, &[b"a", body, b"\n"]))
    }

    fn open(&mut self, target: &[u8], is_stream: bool) -> usize {
        let role = if find(target, b"publish=").is_some() {
            Role::Publisher
        } else if find(target, b"room=").is_some() {
            self.receivers.push(self.sessions.len());
            Role::Receiver
        } else {
            Role::Echo
        };
        self.sessions.push(Session { role, down: None, is_stream, pending: Vec::new(), is_dirty: false });
        self.sessions.len() - 1
    }

    /// A client has sent messages.
    fn sent(&mut self, number: usize, append: impl Fn(&mut Vec<u8>)) -> Result<(), Foreign> {
        let session = self.sessions.get_mut(number).ok_or(Foreign)?;
        if session.role != Role::Publisher {
            append(&mut session.pending);
            self.mark_dirty(number);
            return Ok(());
        }
        for at in 0..self.receivers.len() {
            let receiver = self.receivers[at];
            append(&mut self.sessions[receiver].pending);
            self.mark_dirty(receiver);
        }
        Ok(())
    }

    fn mark_dirty(&mut self, number: usize) {
        if !std::mem::replace(&mut self.sessions[number].is_dirty, true) {
            self.dirty.push(number);
        }
    }

    /// The end of a turn: calls with each connection that something is to be written to.
    pub fn settle(&mut self, out: &mut Vec<u8>, mut write: impl FnMut(usize, &[u8])) {
        for number in self.dirty.drain(..) {
            let session = &mut self.sessions[number];
            session.is_dirty = false;
            let Some(connection) = session.down else { continue };
            if session.is_stream {
                write(connection, &session.pending);
            } else {
                session.down = None;
                out.clear();
                whole(out, &session.pending);
                write(connection, out);
            }
            session.pending.clear();
        }
    }

    /// A connection is gone, and with it who waited on it.
    pub fn gone(&mut self, connection: usize) {
        for (number, session) in self.sessions.iter_mut().enumerate() {
            if session.down == Some(connection) {
                session.down = None;
                self.receivers.retain(|receiver| *receiver != number);
            }
        }
    }
}

fn whole(out: &mut Vec<u8>, body: &[u8]) {
    let _ = write!(out, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n", body.len());
    out.extend_from_slice(body);
}

fn chunk(out: &mut Vec<u8>, pieces: &[&[u8]]) {
    let _ = write!(out, "{:x}\r\n", pieces.iter().map(|piece| piece.len()).sum::<usize>());
    pieces.iter().for_each(|piece| out.extend_from_slice(piece));
    out.extend_from_slice(b"\r\n");
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    let first = what[0];
    let mut from = 0;
    loop {
        let at = from + text[from..].iter().position(|byte| *byte == first)?;
        if text[at..].starts_with(what) {
            return Some(at);
        }
        from = at + 1;
    }
}

fn number(digits: &[u8]) -> usize {
    digits.iter().take_while(|digit| digit.is_ascii_digit()).fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
}
