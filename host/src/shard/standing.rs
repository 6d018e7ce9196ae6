//! Where a shard stands between its beginning and its end, and what of HTTP is under way meanwhile: connections that have not said
//! anything yet, requests that are not answered.

use std::cell::Cell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Shard;

/// Where a shard stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It serves.
    Serving,
    /// It is about to hand over to another process: nothing new begins, and it may yet go on.
    HandingOver,
    /// It ends all that it has, and itself then: no new connections and no new sparks.
    GoingDown,
}

/// A connection that speaks HTTP: the shard does not end before it is dropped.
pub struct Visit(Rc<Shard>);

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.visits.set(self.0.visits.get() - 1);
        if self.0.is_going_down() {
            self.0.wake();
        }
    }
}

/// A request that may bring a spark, or that a plugin answers: the shard does not hand over before it is dropped.
pub struct Arrival(Rc<Shard>);

impl Drop for Arrival {
    fn drop(&mut self) {
        self.0.arrivals.set(self.0.arrivals.get() - 1);
        if *self.0.stage.borrow() == Stage::HandingOver {
            self.0.wake();
        }
    }
}

/// Connections that have not said anything yet.
#[derive(Default)]
pub(super) struct Silent {
    next: Cell<u64>,
    pub(super) all: HashMap<u64, (Rc<TcpStream>, SocketAddr)>,
}

impl Shard {
    /// Where it stands, now and from now on.
    pub fn stage(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    /// Whether it goes down.
    pub fn is_going_down(&self) -> bool {
        *self.stage.borrow() == Stage::GoingDown
    }

    /// A connection that speaks HTTP.
    pub fn visit(self: &Rc<Self>) -> Visit {
        self.visits.set(self.visits.get() + 1);
        Visit(Rc::clone(self))
    }

    /// A request that may bring a spark, or that a plugin answers.
    pub fn arrival(self: &Rc<Self>) -> Arrival {
        self.arrivals.set(self.arrivals.get() + 1);
        Arrival(Rc::clone(self))
    }

    /// Takes in a connection that has not said anything yet: from now on it goes over with the others.
    pub fn accepted(self: &Rc<Self>, stream: TcpStream, peer: SocketAddr) -> Accepted {
        let stream = Rc::new(stream);
        let mut silent = self.silent.borrow_mut();
        let number = silent.next.replace(silent.next.get() + 1);
        silent.all.insert(number, (Rc::clone(&stream), peer));
        Accepted { listed: Listed { shard: Rc::clone(self), number }, stream }
    }
}

/// A connection that has not said anything yet.
pub struct Accepted {
    listed: Listed,
    stream: Rc<TcpStream>,
}

impl Accepted {
    /// Waits until it says something. `None`: it is another process's now, or the shard goes down.
    pub async fn speaks(self) -> Option<TcpStream> {
        let mut stage = self.listed.shard.stage();
        let mut first = [0];
        // Being told that it is readable is not enough: a new connection is taken for readable until it was tried.
        let heard = tokio::select! {
            heard = self.stream.peek(&mut first) => heard,
            _ = stage.wait_for(|stage| *stage == Stage::GoingDown) => return None,
        };
        // While it is handed over it stays as it is: what it has said is read by whoever serves it then.
        let stage = *stage.wait_for(|stage| *stage != Stage::HandingOver).await.ok()?;
        drop(self.listed);
        heard.ok()?;
        if stage == Stage::Serving { Rc::into_inner(self.stream) } else { None }
    }
}

/// A place among the silent connections.
struct Listed {
    shard: Rc<Shard>,
    number: u64,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.shard.silent.borrow_mut().all.remove(&self.number);
    }
}
