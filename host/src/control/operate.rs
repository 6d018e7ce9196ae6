//! What operators want of the control thread: how plugins stand, a plugin anew, and word of when a change is in force.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use plugin_api::{SparkInfo, value};
use tokio::sync::oneshot;

use super::Control;
use super::source::Source;
use crate::config::canonical;
use crate::demands::name_of;
use crate::generation::Generation;
use crate::inbox::control::Order;
use crate::loader;
use crate::memory;
use crate::operator::protocol::{Answer, PluginReport, State};

/// Orders that may wait. Those beyond are refused.
const WAITING: usize = 64;

/// How long an order waits for files that are being written.
const SETTLES_WITHIN: Duration = Duration::from_secs(5);

/// An order that is answered after the next look.
pub(super) struct Waiting {
    order: Order,
    since: Instant,
    reply: oneshot::Sender<Answer>,
}

/// What is counted for a report, and takes its time.
#[derive(Default)]
pub(super) struct Costs {
    /// The private memory of libraries, in KiB by their copies.
    memory: HashMap<PathBuf, u64>,
    /// Sparks by transport, and by parser.
    transports: HashMap<String, u64>,
    parsers: HashMap<String, u64>,
}

/// How long what was counted is good enough.
const COUNTED_FOR: Duration = Duration::from_secs(2);

impl Control {
    /// Shows the figures how plugins stand.
    pub(super) fn show_standing(&mut self) {
        let memory = if self.retired.is_empty() { HashMap::new() } else { memory::of_files_in(self.copies.folder()) };
        let standing = self.report_with(&Costs { memory, ..Costs::default() });
        *self.house.standing.lock().unwrap_or_else(PoisonError::into_inner) = standing;
        *self.house.troubles.lock().unwrap_or_else(PoisonError::into_inner) = self.troubles();
    }

    /// What is wrong with the configuration or the folder, and so with no plugin alone.
    fn troubles(&self) -> Vec<String> {
        let config = self.config_trouble.iter().map(|trouble| format!("the old configuration stays in force: {trouble}"));
        let names = self.names.trouble().into_iter().map(|trouble| format!("what it was before stays in force: {trouble}"));
        let folder = self.folder_trouble.iter().map(|trouble| format!("nothing is loaded from the plugins folder: {trouble}"));
        config.chain(names).chain(folder).collect()
    }

    /// Counts sparks and memory, unless that was just done.
    fn count(&mut self) {
        if self.costs.as_ref().is_some_and(|(at, _)| at.elapsed() < COUNTED_FOR) {
            return;
        }
        let mut costs = Costs { memory: memory::of_files_in(self.copies.folder()), ..Costs::default() };
        for info in self.house.infos() {
            if let Ok(known) = value::decode::<SparkInfo>(&info.encoded) {
                *costs.transports.entry(known.transport).or_default() += 1;
                *costs.parsers.entry(known.parser).or_default() += 1;
            }
        }
        self.costs = Some((Instant::now(), costs));
    }

    /// Takes an order; whether it wants a look.
    pub(super) fn take_order(&mut self, order: Order, reply: oneshot::Sender<Answer>) -> bool {
        // Who asked may have left: nobody has to hear the answer.
        if self.has_handed_over {
            let _ = reply.send(Answer::Moved);
            return false;
        }
        if order == Order::Report {
            let _ = reply.send(Answer::Plugins(self.report()));
            return false;
        }
        if self.orders.len() >= WAITING {
            let _ = reply.send(Answer::Refused(format!("{WAITING} orders are waiting already; try again")));
            return false;
        }
        if order == (Order::Settle { plugin: None }) {
            // Read again in any case: a fault is to be told again.
            self.config_stamp = None;
        }
        self.orders.push(Waiting { order, since: Instant::now(), reply });
        true
    }

    /// The next process is to be asked what was not carried out here.
    pub(super) fn send_orders_on(&mut self) {
        for waiting in self.orders.drain(..) {
            let _ = waiting.reply.send(Answer::Moved);
        }
    }

    /// Answers the orders after a look; those stay that wait for files.
    pub(super) fn answer_orders(&mut self, settled: bool) {
        for waiting in std::mem::take(&mut self.orders) {
            if !settled && waiting.since.elapsed() < SETTLES_WITHIN {
                self.orders.push(waiting);
                continue;
            }
            let answer = match &waiting.order {
                Order::Report => Answer::Plugins(self.report()),
                Order::Reload { plugin } => self.reload(plugin),
                Order::Settle { plugin } => self.settled(plugin.as_deref()),
            };
            let _ = waiting.reply.send(answer);
        }
    }

    fn settled(&mut self, plugin: Option<&str>) -> Answer {
        if let Some(trouble) = &self.config_trouble {
            return Answer::Refused(format!("the old configuration stays in force: {trouble}"));
        }
        let Some(plugin) = plugin else {
            if let Some(trouble) = self.names.trouble() {
                return Answer::Refused(format!("what it was before stays in force: {trouble}"));
            }
            return Answer::Done(format!("{} is in force", self.config.file().display()));
        };
        let Some(report) = self.report().into_iter().find(|report| is_named(&report.name, plugin)) else {
            return Answer::Refused(format!("there is no plugin `{plugin}`"));
        };
        let name = &report.name;
        let reason = report.reason.unwrap_or_default();
        match report.state {
            State::Disabled => Answer::Done(format!("{name} is disabled")),
            State::Serving if reason.is_empty() => Answer::Done(serves(name, report.version.as_deref(), report.generation)),
            State::Serving => Answer::Refused(format!("{name}: {reason}; the former generation goes on")),
            State::Quarantined => Answer::Refused(format!("{name} is in quarantine: {reason}; run: switchboard reload {name}")),
            State::Refused | State::Missing | State::Enabled => Answer::Refused(format!("{name}: {reason}")),
        }
    }

    /// Makes a new generation of a plugin, out of quarantine, too.
    fn reload(&mut self, plugin: &str) -> Answer {
        let found = self.sources.iter().find(|(path, source)| !source.gone && is_named(&shown_name(path, source), plugin));
        let Some((path, source)) = found else {
            let disabled =
                self.report().into_iter().any(|report| is_named(&report.name, plugin) && report.state == State::Disabled);
            return Answer::Refused(if disabled {
                format!("{plugin} is disabled; run: switchboard enable {plugin}")
            } else {
                let names: Vec<String> = self.report().into_iter().map(|report| report.name).collect();
                format!("there is no plugin `{plugin}`; there are: {}", names.join(", "))
            });
        };
        let (path, name, before) = (path.clone(), shown_name(path, source), number(source));
        if !self.config.plugin_or_default(&name).enabled {
            return Answer::Refused(format!("{name} is disabled; run: switchboard enable {name}"));
        }
        let loaded = self.load_again(&path);
        if let (Some(loaded), Some(source)) = (loaded, self.sources.get_mut(&path)) {
            source.take(Ok(loaded));
            self.reconcile();
        }
        let source = self.sources.get(&path);
        match source.and_then(number) {
            after @ Some(_) if after != before => {
                let version = source.and_then(|source| source.generation.as_ref()).map(|of| of.manifest.version.as_str());
                Answer::Done(serves(&name, version, after))
            }
            still => {
                let trouble = source.and_then(|source| source.trouble.clone()).unwrap_or_else(|| "it did not start".to_owned());
                let goes_on = if still.is_some() { "; the former generation goes on" } else { "" };
                Answer::Refused(format!("{name}: {trouble}{goes_on}"))
            }
        }
    }

    /// How all plugins stand: those with a library, by `order` and name, then those that only the configuration names.
    pub(super) fn report(&mut self) -> Vec<PluginReport> {
        self.count();
        match &self.costs {
            Some((_, costs)) => self.report_with(costs),
            None => self.report_with(&Costs::default()),
        }
    }

    fn report_with(&self, costs: &Costs) -> Vec<PluginReport> {
        let known = self.sources.iter().filter(|(_, source)| !source.gone);
        let mut reports: Vec<PluginReport> = known.map(|(path, source)| self.report_on(path, source, costs)).collect();
        // What is not wanted is not loaded, and so not known but by its file.
        let files = loader::libraries(&self.config.server.plugins).unwrap_or_default();
        for path in files.iter().filter(|path| !self.sources.contains_key(*path)) {
            reports.push(self.report_on(path, &Source::default(), costs));
        }
        reports.sort_by_key(|report| (self.config.plugin_or_default(&report.name).order, report.name.clone()));
        for config in self.config.plugins() {
            if !reports.iter().any(|report| is_named(&report.name, &config.name)) {
                reports.push(PluginReport {
                    name: config.name.clone(),
                    version: None,
                    file: None,
                    state: if config.enabled { State::Missing } else { State::Disabled },
                    reason: Some(format!("no library of it is in {}", self.config.server.plugins.display())),
                    generation: None,
                    sparks: 0,
                    retired: self.retired_of(&config.name, |copy| memory_of(costs, copy)),
                });
            }
        }
        reports
    }

    fn report_on(&self, path: &Path, source: &Source, costs: &Costs) -> PluginReport {
        let name = shown_name(path, source);
        let enabled = self.config.plugin_or_default(&name).enabled;
        let (state, reason) = match &source.generation {
            Some(generation) if generation.is_quarantined() => (State::Quarantined, generation.reason()),
            Some(_) => (State::Serving, source.trouble.clone()),
            None if !enabled && self.config.plugin(&name).is_none() => {
                (State::Disabled, Some("not named, and auto_load is off".to_owned()))
            }
            None if !enabled => (State::Disabled, None),
            None => {
                let trouble = source.trouble.clone().or_else(|| self.folder_trouble.clone());
                (State::Refused, Some(trouble.unwrap_or_else(|| "its file is not loaded yet".to_owned())))
            }
        };
        PluginReport {
            version: source.generation.as_ref().map(|generation| generation.manifest.version.clone()),
            file: source.linked.is_none().then(|| file_name(path)),
            generation: number(source),
            sparks: source.generation.as_ref().map_or(0, |generation| sparks_of(costs, generation)),
            retired: self.retired_of(&name, |copy| memory_of(costs, copy)),
            name,
            state,
            reason,
        }
    }
}

/// The sparks that a plugin carries, or writes for.
fn sparks_of(costs: &Costs, generation: &Generation) -> u64 {
    let registrations = &generation.registrations;
    let carried = registrations.transports.iter().filter_map(|(_, transport)| costs.transports.get(transport.name()));
    let written = registrations.parsers.iter().filter_map(|parser| costs.parsers.get(parser.name()));
    carried.chain(written).sum()
}

fn memory_of(costs: &Costs, copy: Option<&PathBuf>) -> u64 {
    copy.and_then(|copy| costs.memory.get(copy)).copied().unwrap_or(0)
}

fn serves(name: &str, version: Option<&str>, generation: Option<u64>) -> String {
    format!("{name} {} serves, generation {}", version.unwrap_or_default(), generation.unwrap_or_default())
}

fn number(source: &Source) -> Option<u64> {
    source.generation.as_ref().map(|generation| generation.number)
}

/// A plugin's name, or what its file suggests.
fn shown_name(path: &Path, source: &Source) -> String {
    source.name.clone().unwrap_or_else(|| name_of(path))
}

fn is_named(name: &str, asked: &str) -> bool {
    canonical(name) == canonical(asked)
}

fn file_name(path: &Path) -> String {
    PathBuf::from(path.file_name().unwrap_or_default()).display().to_string()
}
