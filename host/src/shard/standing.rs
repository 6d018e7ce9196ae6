//! Where a shard stands between its beginning and its end, and what of HTTP is under way meanwhile: connections, and requests that
//! are not answered.

use std::rc::Rc;

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
            // Also in a turn: it has seen already whether any are left.
            self.0.wake_soon();
        }
    }
}

impl Shard {
    /// Where it stands, now and from now on.
    pub fn stage(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    /// Whether it serves, and neither goes down nor hands over.
    pub fn is_serving(&self) -> bool {
        *self.stage.borrow() == Stage::Serving
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
}
