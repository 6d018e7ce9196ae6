//! The physical limit of the benchmark: a server without framing, parser or plugins, on bare epoll.
//!
//! The first byte of a connection is its role: `e` gets back what it sends, what a `p` sends goes to every `r`. One
//! read a turn and connection, one write of all that was read: no server on this kernel interface does with less.
//! A connection that begins with `G` or `P` speaks HTTP ([`exchanges`]): what messages cost at least that requests carry.
//! It refuses to know what a message is.

#![forbid(unsafe_code)]

mod exchanges;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::exchanges::Exchanges;

const LISTENER: Token = Token(usize::MAX);

/// What one read takes at most: four of the largest benchmarked messages.
const BUFFER: usize = 64 * 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Unknown,
    Echo,
    Publisher,
    Receiver,
    Http,
}

struct Connection {
    stream: TcpStream,
    role: Role,
    /// What the socket didn't take: leaves when it is writable again.
    unsent: Vec<u8>,
    /// The beginning of a request.
    input: Vec<u8>,
}

struct Server {
    poll: Poll,
    listener: TcpListener,
    /// By token; a closed one leaves a gap, which the next one fills.
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    receivers: Vec<usize>,
    exchanges: Exchanges,
    /// What is being written of an answer.
    answer: Vec<u8>,
}

fn main() -> Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).context("usage: limit PORT")?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut server = Server::listen(address)?;
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; BUFFER];
    loop {
        if let Err(error) = server.poll.poll(&mut events, None)
            && error.kind() != ErrorKind::Interrupted
        {
            return Err(error.into());
        }
        for event in &events {
            if event.token() == LISTENER {
                server.accept()?;
            } else {
                server.turn(event.token().0, &mut buffer);
            }
        }
        server.settle();
    }
}

impl Server {
    fn listen(address: SocketAddr) -> Result<Self> {
        let mut listener = TcpListener::bind(address).with_context(|| format!("can't listen on {address}"))?;
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let (connections, free, receivers, answer) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Ok(Self { poll, listener, connections, free, receivers, exchanges: Exchanges::default(), answer })
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("can't accept"),
            };
            stream.set_nodelay(true)?;
            let index = self.free.pop().unwrap_or(self.connections.len());
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(index), interest)?;
            let connection = Connection { stream, role: Role::Unknown, unsent: Vec::new(), input: Vec::new() };
            match self.connections.get_mut(index) {
                Some(slot) => *slot = Some(connection),
                None => self.connections.push(Some(connection)),
            }
        }
    }

    /// Serves one connection's event; a connection that fails is dropped.
    fn turn(&mut self, index: usize, buffer: &mut [u8]) {
        if self.serve(index, buffer).is_none() {
            self.receivers.retain(|receiver| *receiver != index);
            if let Some(connection) = self.connections[index].take() {
                self.free.push(index);
                if connection.role == Role::Http {
                    self.exchanges.gone(index);
                }
            }
        }
    }

    fn serve(&mut self, index: usize, buffer: &mut [u8]) -> Option<()> {
        loop {
            let connection = self.connections.get_mut(index)?.as_mut()?;
            connection.flush()?;
            let read = match connection.stream.read(buffer) {
                Ok(0) => return None,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Some(()),
                Err(_) => return None,
            };
            let mut bytes = &buffer[..read];
            if connection.role == Role::Unknown {
                connection.role = match bytes[0] {
                    b'e' => Role::Echo,
                    b'p' => Role::Publisher,
                    b'r' => Role::Receiver,
                    b'G' | b'P' => Role::Http,
                    _ => return None,
                };
                if connection.role != Role::Http {
                    bytes = &bytes[1..];
                }
                if connection.role == Role::Receiver {
                    self.receivers.push(index);
                }
            }
            match connection.role {
                Role::Echo => connection.send(bytes)?,
                Role::Publisher => self.fan_out(bytes),
                Role::Http => {
                    self.answer.clear();
                    connection.ask(bytes, index, &mut self.exchanges, &mut self.answer)?;
                    connection.send(&self.answer)?;
                }
                Role::Unknown | Role::Receiver => {}
            }
            // A short read of a stream has emptied it: epoll(7).
            if read < buffer.len() {
                return Some(());
            }
        }
    }

    /// What waits for whom of those that speak HTTP is written.
    fn settle(&mut self) {
        let connections = &mut self.connections;
        self.exchanges.settle(&mut self.answer, |index, bytes| {
            if let Some(connection) = connections.get_mut(index).and_then(Option::as_mut) {
                // As in `fan_out`.
                let _ = connection.send(bytes);
            }
        });
    }

    fn fan_out(&mut self, bytes: &[u8]) {
        for index in &self.receivers {
            if let Some(receiver) = &mut self.connections[*index] {
                // A receiver that is gone has an event of its own, which drops it.
                let _ = receiver.send(bytes);
            }
        }
    }
}

impl Connection {
    /// Takes all requests that are whole.
    fn ask(&mut self, bytes: &[u8], index: usize, exchanges: &mut Exchanges, answer: &mut Vec<u8>) -> Option<()> {
        let mut held = std::mem::take(&mut self.input);
        let mut rest = if held.is_empty() {
            bytes
        } else {
            held.extend_from_slice(bytes);
            &held
        };
        while !rest.is_empty() {
            match exchanges.take(rest, index, answer).ok()? {
                Some(taken) => rest = &rest[taken..],
                None => {
                    self.input = rest.to_vec();
                    break;
                }
            }
        }
        Some(())
    }

    fn send(&mut self, bytes: &[u8]) -> Option<()> {
        if bytes.is_empty() {
            return Some(());
        }
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return Some(());
        }
        let written = write(&mut self.stream, bytes)?;
        self.unsent.extend_from_slice(&bytes[written..]);
        Some(())
    }

    fn flush(&mut self) -> Option<()> {
        if !self.unsent.is_empty() {
            let written = write(&mut self.stream, &self.unsent)?;
            self.unsent.drain(..written);
        }
        Some(())
    }
}

fn write(stream: &mut TcpStream, bytes: &[u8]) -> Option<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(_) => return None,
        }
    }
    Some(written)
}
