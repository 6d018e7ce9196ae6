//! The moment of a hand-over: all shards stand still between two messages, tell what they have, and wait for what becomes of it.
//!
//! Knows when shards stop and when they go on. Knows nothing of what they tell, of where (`Way`), and of what is not taken
//! (`Refused`).

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::sync::{Arc, AtomicUsize, Condvar, Mutex, MutexGuard, Ordering, wait_at_most, wait_while};

/// How much longer than to `until` shards are waited for: they stop by then at the end of a turn.
const GRACE: Duration = Duration::from_secs(5);

/// How often the control thread has a look at what else there is to do, while it waits for shards to stop.
const MEANWHILE: Duration = Duration::from_millis(5);

/// How long shards may take to tell what they have.
const TOLD_WITHIN: Duration = Duration::from_secs(30);

/// What has become of it.
pub enum Outcome<Refused> {
    /// The other process has everything, except this.
    Taken(Arc<Refused>),
    /// This one goes on as if nothing had been.
    Kept,
}

// Not derived: what is refused is shared, not cloned.
impl<Refused> Clone for Outcome<Refused> {
    fn clone(&self) -> Self {
        match self {
            Self::Taken(refused) => Self::Taken(Arc::clone(refused)),
            Self::Kept => Self::Kept,
        }
    }
}

/// The moment, as all who take part in it see it.
pub struct Moment<Way, Refused> {
    shards: usize,
    until: Instant,
    /// Shards whose requests are not all answered.
    asked: AtomicUsize,
    state: Mutex<State<Way, Refused>>,
    changed: Condvar,
}

struct State<Way, Refused> {
    /// Shards that stand still.
    still: usize,
    /// Where they tell what they have, once all do.
    way: Option<Arc<Way>>,
    /// Shards that have told everything.
    told: usize,
    trouble: Option<String>,
    outcome: Option<Outcome<Refused>>,
}

impl<Way, Refused> Moment<Way, Refused> {
    /// For so many shards, which stop when nothing is under way, and by `until` in any case.
    pub fn new(shards: usize, until: Instant) -> Arc<Self> {
        let state = State { still: 0, way: None, told: 0, trouble: None, outcome: None };
        Arc::new(Self { shards, until, asked: AtomicUsize::new(shards), state: Mutex::new(state), changed: Condvar::new() })
    }

    /// By when a shard stops in any case.
    pub fn until(&self) -> Instant {
        self.until
    }

    /// A shard has answered all requests; whether it is the last one. Said once.
    pub fn has_answered(&self) -> bool {
        self.asked.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Whether all shards have answered all requests.
    pub fn is_answered(&self) -> bool {
        self.asked.load(Ordering::Acquire) == 0
    }

    /// A shard stops: waits until all do. Where it is to tell what it has; `None`: nowhere, it has come to nothing.
    pub fn stop(&self) -> Option<Arc<Way>> {
        let mut state = self.state();
        state.still += 1;
        self.changed.notify_all();
        let state = wait_while(&self.changed, state, |state| state.way.is_none() && state.outcome.is_none());
        state.way.clone().filter(|_| state.outcome.is_none())
    }

    /// A shard has told what it has, or could not: waits for what becomes of it.
    pub fn told(&self, result: Result<(), String>) -> Outcome<Refused> {
        let mut state = self.state();
        state.told += 1;
        if let Err(trouble) = result {
            state.trouble.get_or_insert(trouble);
        }
        self.changed.notify_all();
        let state = wait_while(&self.changed, state, |state| state.outcome.is_none());
        state.outcome.clone().unwrap_or(Outcome::Kept)
    }

    /// The control thread's side: waits until all shards stand still. Again and again it does `meanwhile` what is to be done:
    /// a plugin that the shards wait for may wait for it.
    ///
    /// # Errors
    ///
    /// One does not.
    pub fn gather(&self, mut meanwhile: impl FnMut()) -> Result<(), String> {
        let until = self.until + GRACE;
        loop {
            match self.wait(MEANWHILE, |state| state.still < self.shards, "a shard does not come to a stop") {
                Ok(()) => return Ok(()),
                Err(late) if Instant::now() >= until => return Err(late),
                Err(_) => meanwhile(),
            }
        }
    }

    /// Lets the shards tell what they have.
    pub fn tell(&self, way: &Arc<Way>) {
        self.state().way = Some(Arc::clone(way));
        self.changed.notify_all();
    }

    /// Waits until all have told it.
    ///
    /// # Errors
    ///
    /// One could not.
    pub fn all_told(&self) -> Result<(), String> {
        self.wait(TOLD_WITHIN, |state| state.told < self.shards, "a shard does not tell what it has")?;
        self.state().trouble.take().map_or(Ok(()), Err)
    }

    /// What has become of it; only the first word counts.
    pub fn over(&self, outcome: Outcome<Refused>) {
        self.state().outcome.get_or_insert(outcome);
        self.changed.notify_all();
    }

    fn wait(&self, within: Duration, waits: impl Fn(&State<Way, Refused>) -> bool, else_: &str) -> Result<(), String> {
        if wait_at_most(&self.changed, self.state(), within, waits) { Err(else_.to_owned()) } else { Ok(()) }
    }

    fn state(&self) -> MutexGuard<'_, State<Way, Refused>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the shards go on as if nothing had been, unless something has: also where what comes between panics.
pub struct Kept<'a, Way, Refused>(pub &'a Moment<Way, Refused>);

impl<Way, Refused> Drop for Kept<'_, Way, Refused> {
    fn drop(&mut self) {
        self.0.over(Outcome::Kept);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    type Moment = super::Moment<&'static str, ()>;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    /// Shards that tell this, and what each is told in the end.
    fn shards(moment: &Arc<Moment>, tells: Result<(), String>) -> Vec<std::thread::JoinHandle<bool>> {
        let shard = |_| {
            let (moment, tells) = (Arc::clone(moment), tells.clone());
            std::thread::spawn(move || {
                moment.stop().is_some_and(|way| *way == "there") && matches!(moment.told(tells), Outcome::Taken(_))
            })
        };
        (0..3).map(shard).collect()
    }

    #[test]
    fn shards_go_on_only_when_it_is_known_what_becomes_of_them() {
        let moment = Moment::new(3, soon());
        let shards = shards(&moment, Ok(()));
        moment.gather(|| {}).unwrap();
        moment.tell(&Arc::new("there"));
        moment.all_told().unwrap();
        moment.over(Outcome::Taken(Arc::default()));
        drop(Kept(&moment));
        assert!(shards.into_iter().all(|shard| shard.join().unwrap()));
    }

    #[test]
    fn what_one_shard_can_not_tell_keeps_all() {
        let moment = Moment::new(3, soon());
        let shards = shards(&moment, Err("no room".to_owned()));
        moment.gather(|| {}).unwrap();
        moment.tell(&Arc::new("there"));
        assert_eq!(moment.all_told(), Err("no room".to_owned()));
        drop(Kept(&moment));
        assert!(!shards.into_iter().any(|shard| shard.join().unwrap()));
    }

    #[test]
    fn shards_that_stopped_go_on_where_another_does_not_stop() {
        let moment = Moment::new(4, Instant::now());
        let shards = shards(&moment, Ok(()));
        let waited = moment.wait(Duration::from_millis(50), |state| state.still < moment.shards, "late");
        assert_eq!(waited, Err("late".to_owned()));
        drop(Kept(&moment));
        assert!(!shards.into_iter().any(|shard| shard.join().unwrap()));
    }
}
