//! The end of generations: one that nothing refers to any more is stopped, once, on a thread of its own, so that a plugin that
//! hangs in `stop` holds up nobody. Its library stays mapped.
//!
//! Of plugins that go away together, those stop first that require the others.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::{Duration, Instant};

use concurrency::retirement::{Held, is_last};

use super::Control;
use crate::generation::Generation;
use crate::inbox::control::Request;
use crate::operator::protocol::RetiredReport;
use crate::snapshot::Snapshot;

/// A generation that is no longer in force, and is still in use.
pub(super) struct Retiring {
    generation: Arc<Generation>,
    end: End,
}

/// What comes after a generation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Another one.
    Replaced,
    /// None: the plugin goes away.
    Gone,
}

/// A generation that was told to stop.
pub(super) struct Stopping {
    plugin: String,
    number: u64,
    copy: Option<PathBuf>,
    requires: Vec<String>,
    end: End,
    since: Instant,
    /// Whether it was told that it takes too long.
    late: bool,
    stopped: Receiver<()>,
}

/// A generation that has stopped, and whose library stays mapped.
pub(super) struct Retired {
    plugin: String,
    number: u64,
    copy: Option<PathBuf>,
}

impl Control {
    /// Takes a generation out of service. It is stopped when nothing refers to it any more.
    pub(super) fn retire_later(&mut self, generation: Arc<Generation>, end: End) {
        self.retiring.push(Retiring { generation, end });
    }

    /// The generations that are out of service and still in use.
    pub(super) fn retiring_generations(&self) -> impl Iterator<Item = Arc<Generation>> {
        self.retiring.iter().map(|one| Arc::clone(&one.generation))
    }

    /// Stops what nothing refers to any more.
    pub(super) fn retire(&mut self) {
        self.reap();
        loop {
            let next = self.retiring.iter().position(|one| is_idle(&one.generation) && !self.is_required(one));
            let Some(at) = next else { return };
            let Retiring { generation, end } = self.retiring.remove(at);
            self.stop(generation, end);
        }
    }

    /// Whether another one that goes away as well still needs it.
    fn is_required(&self, one: &Retiring) -> bool {
        let needs = |requires: &[String]| requires.iter().any(|name| name == one.generation.name());
        one.end == End::Gone
            && (self.retiring.iter().any(|other| other.end == End::Gone && needs(&other.generation.manifest.requires))
                || self.stopping.iter().any(|other| other.end == End::Gone && !other.late && needs(&other.requires)))
    }

    fn stop(&mut self, generation: Arc<Generation>, end: End) {
        let (done, stopped) = channel();
        self.stopping.push(Stopping {
            plugin: generation.name().to_owned(),
            number: generation.number,
            copy: generation.copy.clone(),
            requires: generation.manifest.requires.clone(),
            end,
            since: Instant::now(),
            late: false,
            stopped,
        });
        let control = self.house.control.clone();
        let thread = std::thread::Builder::new().name(format!("stop {}", generation.name()));
        let spawned = thread.spawn(move || {
            generation.stop();
            drop(generation);
            // The control thread may have ended, and does not care any more.
            let _ = done.send(());
            control.send(Request::Stopped);
        });
        if let Err(error) = spawned {
            tracing::error!(%error, "there is no thread to stop a plugin on: it is left to itself");
        }
    }

    /// Sees who has stopped, and who takes too long for it.
    fn reap(&mut self) {
        let timeout = self.config.server.stop_timeout;
        for mut one in std::mem::take(&mut self.stopping) {
            match one.stopped.try_recv() {
                Err(TryRecvError::Empty) => {
                    if !one.late && one.since.elapsed() >= timeout {
                        one.late = true;
                        tracing::error!(
                            plugin = one.plugin,
                            generation = one.number,
                            "has not stopped within {timeout:?} (stop_timeout): it is left to itself"
                        );
                    }
                    self.stopping.push(one);
                }
                Ok(()) | Err(TryRecvError::Disconnected) => self.has_stopped(one),
            }
        }
    }

    fn has_stopped(&mut self, one: Stopping) {
        tracing::info!(plugin = one.plugin, generation = one.number, "is retired");
        self.retired.push(Retired { plugin: one.plugin, number: one.number, copy: one.copy });
        let (count, most) = (self.retired.len(), self.config.server.max_retired);
        if count > most && !std::mem::replace(&mut self.told_of_retired, true) {
            tracing::warn!(
                "{count} retired generations stay mapped (max_retired is {most}): `switchboard upgrade` gives their memory back"
            );
        }
    }

    /// Stops all plugins, those that require others before these, and waits for each as long as it may take.
    pub(super) fn stop_all(&mut self) {
        let generations = self.house.snapshot.load().generations.clone();
        let empty = Snapshot::new(self.config.clone(), Vec::new(), &self.house.numbers);
        self.house.snapshot.store(Arc::new(empty));
        let timeout = self.config.server.stop_timeout;
        self.wait_for_stops(timeout);
        let retiring: Vec<Arc<Generation>> = self.retiring.drain(..).map(|one| one.generation).collect();
        for generation in retiring.into_iter().chain(generations.into_iter().rev()) {
            self.stop(generation, End::Gone);
            self.wait_for_stops(timeout);
        }
    }

    fn wait_for_stops(&mut self, timeout: Duration) {
        for one in std::mem::take(&mut self.stopping) {
            let left = timeout.saturating_sub(one.since.elapsed());
            if one.stopped.recv_timeout(left) == Err(RecvTimeoutError::Timeout) && !one.late {
                tracing::error!(
                    plugin = one.plugin,
                    "has not stopped within {timeout:?} (stop_timeout): the server ends without it"
                );
            }
        }
    }

    /// The generations of a plugin that are no longer in force, the oldest first.
    pub(super) fn retired_of(&self, plugin: &str, memory: impl Fn(Option<&PathBuf>) -> u64) -> Vec<RetiredReport> {
        let retiring = self.retiring.iter().filter(|one| one.generation.name() == plugin).map(|one| RetiredReport {
            generation: one.generation.number,
            held_by: self.holders(&one.generation),
            memory_kib: memory(one.generation.copy.as_ref()),
        });
        let stopping = self.stopping.iter().filter(|one| one.plugin == plugin).map(|one| RetiredReport {
            generation: one.number,
            held_by: vec![if one.late { "its stop, which hangs" } else { "its stop" }.to_owned()],
            memory_kib: memory(one.copy.as_ref()),
        });
        let retired = self.retired.iter().filter(|one| one.plugin == plugin).map(|one| RetiredReport {
            generation: one.number,
            held_by: Vec::new(),
            memory_kib: memory(one.copy.as_ref()),
        });
        let mut reports: Vec<RetiredReport> = retired.chain(stopping).chain(retiring).collect();
        reports.sort_by_key(|report| report.generation);
        reports
    }

    /// What still holds a generation.
    fn holders(&self, generation: &Arc<Generation>) -> Vec<String> {
        let registrations = &generation.registrations;
        let timers = self
            .timers
            .iter()
            .filter(|(_, plugin, number, _)| plugin.as_str() == generation.name() && *number == generation.number);
        let counts = [
            (
                "session",
                "sessions",
                registrations.transports.iter().map(|(_, transport)| Arc::strong_count(transport) - 1).sum::<usize>(),
            ),
            ("parser in use", "parsers in use", registrations.parsers.iter().map(|parser| Arc::strong_count(parser) - 1).sum()),
            ("call", "calls", Arc::strong_count(generation) - 1),
            ("timer", "timers", timers.count()),
        ];
        let held = counts.into_iter().filter(|(.., count)| *count > 0);
        let mut holders: Vec<String> =
            held.map(|(one, many, count)| format!("{count} {}", if count == 1 { one } else { many })).collect();
        if holders.is_empty() {
            holders.push("those that require it".to_owned());
        }
        holders
    }
}

/// Whether a retiring generation has no session, no parser in use and no place in a picture any more.
fn is_idle(generation: &Arc<Generation>) -> bool {
    let registrations = &generation.registrations;
    let transports = registrations.transports.iter().map(|(_, transport)| transport as &dyn Held);
    is_last(generation, transports.chain(registrations.parsers.iter().map(|parser| parser as &dyn Held)))
}
