//! The bench's host: its sparks, and what plugins asked of it. The way of a message is in [`messages`].
//!
//! The lock on the state is never held while a plugin is called. Plugins are called on the thread that works with the bench; what
//! they ask on other threads, or about later, goes through the inbox.

mod messages;

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tracing::Level;

use super::log::Log;
use super::plugged::{Plugged, by_priority};
use crate::abi::host::{Answer, Fault};
use crate::abi::status;
use crate::message::{Flow, Kind, Payload};
use crate::plugin::Refusal;
use crate::request::Request;
use crate::spark::{EndOptions, SparkId, SparkInfo};
use crate::transport::DisconnectReason;
use crate::value;

/// How long a plugin may take for what the bench waits for. Only a test that fails comes near it.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(in crate::testing) struct World {
    plugins: RwLock<Vec<Arc<Plugged>>>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    sparks: BTreeMap<SparkId, SparkState>,
    inbox: VecDeque<Job>,
    last_token: u64,
    /// What pending calls have come to.
    answers: HashMap<u64, (u32, Vec<u8>)>,
    /// Tokens of messages that are still with the hook that defers them, with the decision where it came already.
    deferring: HashMap<u64, Option<Flow>>,
    now: Duration,
    /// By generation and number.
    timers: BTreeMap<(u64, u64), Duration>,
    /// By generation and number.
    counts: HashMap<(u64, u32), u64>,
    logs: Vec<Log>,
    faults: Vec<String>,
    /// Counts what others may wait for.
    version: u64,
}

struct SparkState {
    info: SparkInfo,
    /// Neither ended nor closed.
    open: bool,
    /// The disconnection hooks have run.
    gone: bool,
    ended: Option<EndOptions>,
    received: VecDeque<(Kind, Vec<u8>)>,
    deferred: Option<Deferred>,
    /// Messages behind the deferred one.
    waiting: VecDeque<Payload<'static>>,
}

/// A message that waits for a hook's decision.
struct Deferred {
    token: u64,
    /// The place of the next hook.
    next: usize,
    payload: Payload<'static>,
}

/// What is done at the next turn.
enum Job {
    Send(SparkId, Payload<'static>),
    End(SparkId, EndOptions),
    Resume(SparkId, u64, Flow),
    Disconnected(SparkId, DisconnectReason),
}

thread_local! {
    /// The world whose turn it is on this thread, by its address.
    static TURN: Cell<usize> = const { Cell::new(0) };
}

/// This thread is the shard of a world.
struct Turn {
    before: usize,
}

impl Turn {
    fn of(world: &World) -> Self {
        Self { before: TURN.replace(std::ptr::from_ref(world).addr()) }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        TURN.set(self.before);
    }
}

impl World {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The plugins in the order of their start.
    pub(in crate::testing) fn plugins(&self) -> Vec<Arc<Plugged>> {
        self.plugins.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts other plugins in place, between two messages.
    pub(in crate::testing) fn set_plugins(&self, plugins: Vec<Arc<Plugged>>) {
        let mut live = self.plugins.write().unwrap_or_else(PoisonError::into_inner);
        let former = std::mem::replace(&mut *live, plugins);
        drop(live);
        // What the closures of a plugin have captured may call the host when it is dropped.
        drop(former);
    }

    // ---- turns ------------------------------------------------------------------------------------------------------------

    /// Does something as the shard, and all that follows from it.
    ///
    /// # Panics
    ///
    /// A plugin panicked or broke its contract.
    #[track_caller]
    pub(in crate::testing) fn turn<T>(&self, work: impl FnOnce() -> T) -> T {
        let turn = Turn::of(self);
        self.empty_inbox();
        let result = work();
        self.empty_inbox();
        drop(turn);
        self.raise();
        result
    }

    /// Waits, as the shard, until `ready` finds something.
    ///
    /// # Panics
    ///
    /// A plugin panicked or broke its contract, or nothing was found for too long.
    #[track_caller]
    pub(in crate::testing) fn wait<T>(&self, what: &str, mut ready: impl FnMut(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.state().version;
            if let Some(found) = self.turn(|| ready(self)) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what}: waited for {PATIENCE:?} in vain");
            let waited = self.changed.wait_timeout_while(self.state(), left, |state| state.version == seen);
            drop(waited);
        }
    }

    /// Changes the state so that who waits looks again.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        state.version += 1;
        let result = change(&mut state);
        drop(state);
        self.changed.notify_all();
        result
    }

    fn is_shard(&self) -> bool {
        TURN.get() == std::ptr::from_ref(self).addr()
    }

    fn empty_inbox(&self) {
        loop {
            let Some(job) = self.state().inbox.pop_front() else { return };
            match job {
                Job::Send(spark, payload) => drop(self.send_now(spark, &payload)),
                Job::End(spark, options) => self.end_now(spark, options),
                Job::Resume(spark, token, flow) => self.resume_now(spark, token, flow),
                Job::Disconnected(spark, reason) => self.disconnect(spark, &reason),
            }
        }
    }

    /// Whether nothing is under way: no message is deferred.
    pub(in crate::testing) fn is_settled(&self) -> bool {
        let state = self.state();
        state.inbox.is_empty() && state.sparks.values().all(|spark| spark.gone || spark.deferred.is_none())
    }

    // ---- faults and logs --------------------------------------------------------------------------------------------------

    /// A plugin failed. The test learns of it at the end of the turn: who called the host must not be unwound.
    pub(in crate::testing) fn fault(&self, plugin: &str, place: &str, fault: &Fault) {
        self.broken(format!("the plugin `{plugin}` panicked in {place}:\n{}", fault.report));
    }

    /// A plugin broke its contract with the host.
    pub(in crate::testing) fn broken(&self, report: String) {
        self.change(|state| state.faults.push(report));
    }

    /// Fails the test by what plugins did.
    #[track_caller]
    pub(in crate::testing) fn raise(&self) {
        let faults = std::mem::take(&mut self.state().faults);
        assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    }

    pub(in crate::testing) fn log(&self, log: Log) {
        self.change(|state| state.logs.push(log));
    }

    pub(in crate::testing) fn logs(&self) -> Vec<Log> {
        self.state().logs.clone()
    }

    fn warn(&self, message: String) {
        let (plugin, target) = ("bench".to_owned(), module_path!().to_owned());
        self.log(Log { plugin, level: Level::WARN, target, message, fields: Vec::new() });
    }

    // ---- calls that may wait ----------------------------------------------------------------------------------------------

    /// The answer of a call that may wait, waited for.
    #[track_caller]
    pub(in crate::testing) fn answer(
        &self,
        plugged: &Plugged,
        place: &str,
        call: impl FnOnce(u64) -> Result<Answer, Fault>,
    ) -> Result<Vec<u8>, Refusal> {
        let token = self.token();
        let answer = match plugged.enter(|| call(token)) {
            Ok(Answer::Pending) => {
                let what = format!("{place} of the plugin `{}` has not answered", plugged.name);
                let (status, reply) = self.wait(&what, |world| world.state().answers.remove(&token));
                if status == status::PANICKED {
                    let report = String::from_utf8_lossy(&reply).into_owned();
                    self.fault(&plugged.name, place, &Fault { report });
                }
                Answer::of(status, &reply)
            }
            Ok(answer) => answer,
            Err(fault) => {
                self.fault(&plugged.name, place, &fault);
                Answer::of(status::PANICKED, &[])
            }
        };
        match answer {
            Answer::Done(reply) => Ok(reply),
            Answer::Refused(refusal) => Err(refusal),
            Answer::Pending => {
                self.broken(format!("{place} of the plugin `{}` was completed with PENDING", plugged.name));
                Err(Refusal::new("no answer").with_status(500))
            }
        }
    }

    /// A number that no other thing has: a token, or a generation.
    pub(in crate::testing) fn token(&self) -> u64 {
        let mut state = self.state();
        state.last_token += 1;
        state.last_token
    }

    pub(in crate::testing) fn complete(&self, token: u64, status: u32, reply: &[u8]) {
        self.change(|state| state.answers.insert(token, (status, reply.to_vec())));
    }

    // ---- sparks -----------------------------------------------------------------------------------------------------------

    /// Opens a spark whose request was agreed to, and announces it.
    #[track_caller]
    pub(in crate::testing) fn open(&self, request: &Request<'_>) -> Result<SparkId, Refusal> {
        let plugins = self.plugins();
        let id = self.change(|state| {
            let number = state.sparks.len() as u32 + 1;
            let id = SparkId::from_parts(0, number, 1).expect("a generation is not 0");
            let spark = SparkState {
                info: info(request, number, messages::parser(&plugins).name()),
                open: true,
                gone: false,
                ended: None,
                received: VecDeque::new(),
                deferred: None,
                waiting: VecDeque::new(),
            };
            state.sparks.insert(id, spark);
            id
        });
        for (plugged, hook) in by_priority(&plugins, |registrations| &registrations.connection) {
            if let Err(refusal) = self.answer(plugged, "a connection hook", |token| hook.call(id, token)) {
                self.close(id, DisconnectReason::Server);
                return Err(refusal);
            }
        }
        Ok(id)
    }

    /// A spark is over by something else than its end by a plugin.
    pub(in crate::testing) fn close(&self, id: SparkId, reason: DisconnectReason) {
        self.change(|state| {
            if let Some(spark) = state.sparks.get_mut(&id).filter(|spark| spark.open) {
                spark.open = false;
                state.inbox.push_back(Job::Disconnected(id, reason));
            }
        });
    }

    fn disconnect(&self, id: SparkId, reason: &DisconnectReason) {
        for (plugged, hook) in by_priority(&self.plugins(), |registrations| &registrations.disconnection) {
            if let Err(fault) = plugged.enter(|| hook.call(id, reason)) {
                self.fault(&plugged.name, "a disconnection hook", &fault);
            }
        }
        self.change(|state| {
            if let Some(spark) = state.sparks.get_mut(&id) {
                spark.gone = true;
                spark.deferred = None;
                spark.waiting.clear();
            }
        });
    }

    /// A plugin ends a spark.
    pub(in crate::testing) fn end(&self, plugin: &str, id: SparkId, options: &[u8]) -> u32 {
        let options = match value::decode::<EndOptions>(options) {
            Ok(options) => options,
            Err(error) => {
                self.broken(format!("the plugin `{plugin}` ended a spark with wrong options: {error}"));
                return status::FAILED;
            }
        };
        if !self.is_open(id) {
            return status::MISSING;
        }
        if self.is_shard() {
            self.end_now(id, options);
        } else {
            self.change(|state| state.inbox.push_back(Job::End(id, options)));
        }
        status::OK
    }

    fn end_now(&self, id: SparkId, options: EndOptions) {
        if let Some(last) = &options.last {
            self.send_now(id, &Payload::Value(last.into()));
        }
        self.end_for(id, options, DisconnectReason::Server);
    }

    /// A spark ends, and this is why.
    fn end_for(&self, id: SparkId, options: EndOptions, reason: DisconnectReason) {
        self.change(|state| {
            if let Some(spark) = state.sparks.get_mut(&id).filter(|spark| spark.open) {
                spark.open = false;
                spark.ended = Some(options);
                // Not before the hook that ended it has returned.
                state.inbox.push_back(Job::Disconnected(id, reason));
            }
        });
    }

    pub(in crate::testing) fn is_open(&self, id: SparkId) -> bool {
        self.state().sparks.get(&id).is_some_and(|spark| spark.open)
    }

    pub(in crate::testing) fn ended(&self, id: SparkId) -> Option<EndOptions> {
        self.state().sparks.get(&id)?.ended.clone()
    }

    pub(in crate::testing) fn info(&self, id: SparkId) -> Option<SparkInfo> {
        self.state().sparks.get(&id).filter(|spark| !spark.gone).map(|spark| spark.info.clone())
    }

    pub(in crate::testing) fn spark_info(&self, id: SparkId) -> Option<Vec<u8>> {
        value::to_vec(&self.info(id)?).ok()
    }

    pub(in crate::testing) fn find_spark(&self, public: &str) -> Option<SparkId> {
        let state = self.state();
        state.sparks.iter().find(|(_, spark)| spark.open && spark.info.id == public).map(|(id, _)| *id)
    }

    pub(in crate::testing) fn sparks(&self) -> Vec<SparkId> {
        self.state().sparks.iter().filter(|(_, spark)| spark.open).map(|(id, _)| *id).collect()
    }

    // ---- services, timers, counters ---------------------------------------------------------------------------------------

    pub(in crate::testing) fn call_service(&self, name: &str, method: &str, arguments: &[u8]) -> (u32, Vec<u8>) {
        for plugged in self.plugins() {
            for (_, service) in plugged.registrations.services.iter().filter(|(offered, _)| offered == name) {
                match plugged.enter(|| service.call(method, arguments)) {
                    Ok((status::MISSING, _)) => {}
                    Ok(answer) => return answer,
                    Err(fault) => {
                        self.fault(&plugged.name, &format!("the service `{name}`"), &fault);
                        return (status::PANICKED, Vec::new());
                    }
                }
            }
        }
        (status::MISSING, Vec::new())
    }

    pub(in crate::testing) fn set_timer(&self, generation: u64, timer: u64, after: Duration) {
        let mut state = self.state();
        let due = state.now + after;
        state.timers.insert((generation, timer), due);
    }

    pub(in crate::testing) fn clear_timer(&self, generation: u64, timer: u64) {
        self.state().timers.remove(&(generation, timer));
    }

    /// Drops the timers of a generation that was stopped.
    pub(in crate::testing) fn forget(&self, generation: u64) {
        self.state().timers.retain(|(of, _), _| *of != generation);
    }

    /// The time since the bench began.
    pub(in crate::testing) fn now(&self) -> Duration {
        self.state().now
    }

    /// The first timer that is due until a time, which it becomes; without one it becomes `until`.
    pub(in crate::testing) fn next_timer(&self, until: Duration) -> Option<(u64, u64)> {
        let mut state = self.state();
        let first = state.timers.iter().min_by_key(|(_, due)| **due).filter(|(_, due)| **due <= until);
        let (timer, due) = match first {
            Some((timer, due)) => (Some(*timer), *due),
            None => (None, until),
        };
        state.now = due.max(state.now);
        if let Some(timer) = &timer {
            state.timers.remove(timer);
        }
        timer
    }

    pub(in crate::testing) fn count(&self, generation: u64, counter: u32, by: u64) {
        *self.state().counts.entry((generation, counter)).or_default() += by;
    }

    pub(in crate::testing) fn counted(&self, generation: u64, counter: u32) -> u64 {
        self.state().counts.get(&(generation, counter)).copied().unwrap_or(0)
    }
}

fn info(request: &Request<'_>, number: u32, parser: &str) -> SparkInfo {
    SparkInfo {
        id: format!("spark-{number}"),
        address: request.address.to_string(),
        scheme: request.scheme.to_string(),
        path: request.path.to_string(),
        query: request.query.to_string(),
        headers: request
            .headers()
            .map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned()))
            .collect(),
        transport: "bench".to_owned(),
        parser: parser.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::PluginRuntime;
    use crate::testing::boundary::{host_of, registered, with_raw};
    use crate::testing::plugged::PluginHost;

    #[test]
    fn a_call_that_waits_is_answered_when_the_plugin_is_stopped() {
        let world = Arc::<World>::default();
        let host = host_of(PluginHost::new(&world, "slow", 1));
        let runtime = PluginRuntime::default();
        let registrations = registered(&host, &runtime, |registrar| {
            registrar.route("GET", "/", |_| std::future::pending());
        });
        let (_, _, route) = &registrations.routes[0];
        assert_eq!(with_raw(&"/".into(), |raw| route.call(raw, 7)), Ok(Answer::Pending));
        runtime.stop();
        let (status, reply) = world.state().answers.remove(&7).expect("the future was dropped");
        assert_eq!(status, status::MISSING);
        assert!(matches!(Answer::of(status, &reply), Answer::Refused(refusal) if refusal.status == 503));
    }
}
