//! A thread's mailbox: any thread puts letters in, its owner takes all of them out at once.
//!
//! One wake a batch, not one a letter. Knows nothing of what is in the letters.

use std::sync::PoisonError;

use crate::sync::{AtomicBool, AtomicU64, Mutex, MutexGuard, Notify, Ordering};

/// The mailbox.
pub struct Mailbox<Letter> {
    letters: Mutex<Letters<Letter>>,
    notify: Notify,
    /// Whether the owner was woken since it took letters out.
    woken: AtomicBool,
    turns: AtomicU64,
}

struct Letters<Letter> {
    waiting: Vec<Letter>,
    /// Nobody reads them any more.
    closed: bool,
    diversion: Option<Diversion<Letter>>,
}

/// Where letters go instead; it gives back those that are not for there.
type Diversion<Letter> = Box<dyn Fn(Letter) -> Option<Letter> + Send>;

impl<Letter> Mailbox<Letter> {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            letters: Mutex::new(Letters { waiting: Vec::new(), closed: false, diversion: None }),
            notify: Notify::new(),
            woken: AtomicBool::new(false),
            turns: AtomicU64::new(0),
        }
    }

    /// Puts letters back that were taken out, before all others. `[owner]`
    pub fn put_back(&self, mut taken: Vec<Letter>) {
        {
            let mut letters = self.letters();
            taken.append(&mut letters.waiting);
            letters.waiting = taken;
        }
        self.woken.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    /// Sends letters elsewhere from now on, and first those that are there, also when the mailbox is closed. `[any]`
    pub fn divert(&self, diversion: impl Fn(Letter) -> Option<Letter> + Send + 'static) {
        let mut letters = self.letters();
        letters.waiting = std::mem::take(&mut letters.waiting).into_iter().filter_map(&diversion).collect();
        letters.diversion = Some(Box::new(diversion));
    }

    /// Whether letters go elsewhere. `[any]`
    pub fn is_diverted(&self) -> bool {
        self.letters().diversion.is_some()
    }

    /// Puts a letter in; after [`Mailbox::close`] it is dropped. `[any]`
    pub fn post(&self, letter: Letter) {
        {
            let mut letters = self.letters();
            let letter = match &letters.diversion {
                Some(diversion) => diversion(letter),
                None => Some(letter),
            };
            match letter {
                Some(letter) if !letters.closed => letters.waiting.push(letter),
                _ => return,
            }
        }
        // After the letter is there: the owner, which takes the mark away before it looks, finds one of the two.
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.notify.notify_one();
        }
    }

    /// Brings about a turn without a letter. `[any]`
    pub fn wake_own(&self) {
        self.notify.notify_one();
    }

    /// Waits for something. Cancel safe: a wake is kept for the next call. `[owner]`
    pub async fn wait(&self) {
        self.notify.notified().await;
    }

    /// Takes all letters out, once a turn. `[owner]`
    pub fn take(&self) -> Vec<Letter> {
        // One thread counts, others only look: a store is enough.
        self.turns.store(self.turns.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        if !self.woken.swap(false, Ordering::AcqRel) {
            return Vec::new();
        }
        std::mem::take(&mut self.letters().waiting)
    }

    /// How many turns the owner has had. `[any]`
    pub fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    /// Whether the owner has ended. `[any]`
    pub fn is_closed(&self) -> bool {
        self.letters().closed
    }

    /// The owner has ended: nobody is to wait for it. `[owner]`
    pub fn close(&self) {
        let unread = {
            let mut letters = self.letters();
            letters.closed = true;
            std::mem::take(&mut letters.waiting)
        };
        // Not under the lock: what letters do when they are dropped is theirs.
        drop(unread);
    }

    /// How many times the owner was woken, in a model.
    #[cfg(loom)]
    pub fn rung(&self) -> usize {
        self.notify.rung()
    }

    fn letters(&self) -> MutexGuard<'_, Letters<Letter>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Letter> Default for Mailbox<Letter> {
    fn default() -> Self {
        Self::new()
    }
}
