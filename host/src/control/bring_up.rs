//! Bringing it about: plugins are started, configured anew, replaced and dropped until what is there is what is wanted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use plugin_api::StartError;
use plugin_api::abi::functions::raw_host;
use plugin_api::abi::host::StartFailure;

use super::Control;
use super::deadline::within;
use super::retire::End;
use super::source::Marks;
use crate::config::{PluginConfig, Quarantine, Unclaimed};
use crate::demands::{self, name_of};
use crate::functions::Functions;
use crate::gateway::streams;
use crate::generation::{Generation, line_on};
use crate::loader::{self, Loaded};
use crate::order::{self, Plan, Wanted};

impl Control {
    /// Starts, replaces and drops plugins until what is there is what is wanted, then puts the new picture into force.
    pub(super) fn reconcile(&mut self) {
        let mut held_back = BTreeSet::new();
        let plan = loop {
            let plan = order::plan(self.wanted(&held_back));
            let more = self.hold_back(&plan);
            if more.is_empty() {
                break plan;
            }
            held_back.extend(more);
        };
        for refusal in &plan.refused {
            let Some(source) = self.sources.get_mut(&refusal.path) else { continue };
            if source.is_news(&refusal.reason) && refusal.is_error {
                tracing::error!("{} {}", refusal.path.display(), refusal.reason);
            }
        }
        let mut former: Vec<Arc<Generation>> = self.serving().collect();
        let mut replaced: Vec<(Arc<Generation>, Arc<Generation>)> = Vec::new();
        for (path, source) in &mut self.sources {
            if !plan.order.contains(path) {
                source.generation = None;
                source.tried = None;
            }
        }
        for path in plan.order.iter().filter(|path| !held_back.contains(*path)) {
            match self.unmet(path) {
                Some(missing) => self.take_down(path, &missing),
                None => self.bring_up(path, &mut replaced),
            }
        }
        self.sources.retain(|_, source| !source.gone);
        for generation in self.serving() {
            generation.govern(self.config.quarantine_of(generation.name()));
        }
        self.tell_of_unclaimed();
        self.settle_names(&plan);
        self.publish(self.in_order(&plan), &replaced);
        let wanted: Vec<_> = streams::places(&self.house.snapshot.load()).collect();
        self.house.listeners.retain(|place| wanted.contains(place));
        // Not what was published: a generation that could not take over the state has given way to the former one.
        let generations = self.in_order(&plan);
        for new in &generations {
            let is_among = |some: &[Arc<Generation>]| some.iter().any(|one| Arc::ptr_eq(one, new));
            if !is_among(&former) && !replaced.iter().any(|(_, by)| Arc::ptr_eq(by, new)) {
                tracing::info!(plugin = new.name(), version = new.manifest.version, "is live");
            }
        }
        former.retain(|old| !generations.iter().any(|new| Arc::ptr_eq(old, new)));
        for old in former {
            let end = if replaced.iter().any(|(of, _)| Arc::ptr_eq(of, &old)) { End::Replaced } else { End::Gone };
            if end == End::Gone {
                tracing::info!(plugin = old.name(), "goes away");
            }
            self.retire_later(old, end);
        }
        self.retire();
    }

    /// Warns of each table that belongs to no plugin, once for as long as it does.
    fn tell_of_unclaimed(&mut self) {
        let unclaimed = self.unclaimed();
        for table in unclaimed.iter().filter(|table| !self.told_of_unclaimed.contains(&table.name)) {
            tracing::warn!("{}", table.line);
        }
        self.told_of_unclaimed = unclaimed.into_iter().map(|table| table.name).collect();
    }

    /// The tables that belong to no plugin. Where the folder can't be trusted, nobody knows.
    pub(super) fn unclaimed(&self) -> Vec<Unclaimed> {
        if self.folder_trouble.is_some() {
            return Vec::new();
        }
        let files = loader::libraries(&self.config.server.plugins).unwrap_or_default();
        let known = self.sources.iter().filter(|(_, source)| !source.gone);
        let known = known.map(|(path, source)| source.name.clone().unwrap_or_else(|| name_of(path)));
        let new = files.iter().filter(|file| !self.sources.contains_key(*file)).map(|file| name_of(file));
        let known: Vec<String> = known.chain(new).collect();
        self.config.unclaimed(known.iter().map(String::as_str))
    }

    /// What the folder and the configuration ask for. Of a source that is held back it is what serves already.
    fn wanted(&self, held_back: &BTreeSet<PathBuf>) -> Vec<Wanted> {
        let there = self.sources.iter().filter(|(_, source)| !source.gone);
        there
            .filter_map(|(path, source)| {
                let name = source.name.clone()?;
                let config = self.config.plugin_or_default(&name);
                let former = source.generation.as_ref().filter(|_| held_back.contains(path));
                Some(Wanted {
                    path: path.clone(),
                    enabled: config.enabled,
                    order: config.order,
                    requires: former.map_or(&source.requires, |former| &former.manifest.requires).clone(),
                    serves: source.generation.is_some(),
                    name,
                })
            })
            .collect()
    }

    /// Newer libraries that require what is not there, unlike the generations of them that serve: those go on.
    fn hold_back(&mut self, plan: &Plan) -> Vec<PathBuf> {
        let mut held_back = Vec::new();
        for refusal in plan.refused.iter().filter(|refusal| refusal.is_error) {
            let Some(source) = self.sources.get_mut(&refusal.path) else { continue };
            let asks_for_more = source.generation.as_ref().is_some_and(|former| former.manifest.requires != source.requires);
            if source.loaded.is_some() && asks_for_more {
                if source.is_news(&refusal.reason) {
                    tracing::error!("{} {}; the former generation goes on", refusal.path.display(), refusal.reason);
                }
                held_back.push(refusal.path.clone());
            }
        }
        held_back
    }

    /// What serves, in the order of the plan.
    pub(super) fn in_order(&self, plan: &Plan) -> Vec<Arc<Generation>> {
        plan.order.iter().filter_map(|path| self.sources.get(path)?.generation.clone()).collect()
    }

    /// A plugin that this one requires and that does not serve, since it did not start.
    fn unmet(&self, path: &Path) -> Option<String> {
        let serves = |name: &String| self.serving().any(|generation| generation.name() == name);
        self.sources.get(path)?.requires.iter().find(|name| !serves(name)).cloned()
    }

    /// Takes a plugin down that requires what does not serve. It comes back with that.
    fn take_down(&mut self, path: &Path, missing: &str) {
        let Some(source) = self.sources.get_mut(path) else { return };
        source.generation = None;
        source.tried = None;
        let reason = format!("requires the plugin `{missing}`, which does not serve");
        if source.is_news(&reason) {
            tracing::error!("{} {reason}", path.display());
        }
    }

    /// Makes the plugin of one file serve with the configuration in force. On failure, what served goes on.
    fn bring_up(&mut self, path: &Path, replaced: &mut Vec<(Arc<Generation>, Arc<Generation>)>) {
        let Some(source) = self.sources.get_mut(path) else { return };
        let Some(name) = source.name.clone() else { return };
        let config = self.config.plugin_or_default(&name);
        // What the host's own keys say, pins perhaps, is none of the plugin's business.
        let same_config = source.tried.as_ref().is_some_and(|tried| tried.table == config.table);
        if source.loaded.is_none() && same_config {
            return;
        }
        if source.loaded.is_none()
            && let Some(generation) = &source.generation
            && !generation.is_quarantined()
        {
            source.tried = Some(config.clone());
            let (asked, table) = (Arc::clone(generation), config.table.to_string());
            let answer = within(self.config.server.start_timeout, format!("reconfigure {name}"), move || {
                asked.instance.reconfigure(&table)
            });
            match answer.unwrap_or_else(|error| Err(StartError::new(format!("it {error} (start_timeout in [server])")).into()))
            {
                Ok(true) => {
                    source.trouble = None;
                    tracing::info!(plugin = name, "has taken its new configuration");
                    return;
                }
                Ok(false) => {}
                Err(StartFailure::Fault(fault)) => generation.panicked("reconfigure", &fault),
                Err(failure) => {
                    let line = explain(&config, &source.schema, failure);
                    tracing::error!(plugin = name, "goes on with its old configuration: {line}");
                    source.trouble = Some(line);
                    return;
                }
            }
        }
        let loaded = match source.loaded.take() {
            Some(loaded) => loaded,
            None => match self.load_again(path) {
                Some(loaded) => loaded,
                None => return,
            },
        };
        let number = *self.numbers.entry(name.clone()).and_modify(|number| *number += 1).or_insert(1);
        let policy = self.config.quarantine_of(&name);
        let tally = self.house.panics_of(&name);
        let started = self.start(loaded, number, path, &config, policy, tally);
        let Some(source) = self.sources.get_mut(path) else { return };
        source.tried = Some(config.clone());
        match started {
            Ok(generation) => {
                source.trouble = None;
                let transports = generation.registrations.transports.iter();
                source.transports = transports.map(|(_, transport)| transport.name().to_owned()).collect();
                if let Some(old) = source.generation.replace(Arc::clone(&generation)) {
                    replaced.push((old, generation));
                }
            }
            Err(failure) => {
                let line = explain(&config, &source.schema, failure);
                let goes_on = if source.generation.is_some() { "; the former generation goes on" } else { "" };
                tracing::error!(plugin = name, "does not start: {line}{goes_on}");
                source.trouble = Some(line);
            }
        }
    }

    /// Starts and registers a generation.
    fn start(
        &self,
        loaded: Loaded,
        number: u64,
        path: &Path,
        config: &PluginConfig,
        policy: Quarantine,
        tally: Arc<AtomicU64>,
    ) -> Result<Arc<Generation>, StartFailure> {
        let functions = Functions::new(Arc::clone(&self.house), loaded.manifest.name.clone(), number);
        let (own, table) = (Arc::clone(&functions), config.table.to_string());
        let started = within(self.config.server.start_timeout, format!("start {}", loaded.manifest.name), move || {
            let instance = loaded.module.start(raw_host(own), &table).map_err(|failure| at("start", failure))?;
            let registrations = instance.register().map_err(|failure| at("register", failure.into()))?;
            Ok::<_, StartFailure>((instance, registrations))
        });
        let (instance, registrations) =
            started.map_err(|error| StartError::new(format!("its start {error} (start_timeout in [server])")))??;
        for listen in &registrations.listens {
            let place = (loaded.manifest.name.clone(), listen.address.clone());
            self.house.listeners.open(place).map_err(|error| StartError::new(error.to_string()))?;
        }
        let generation = Generation::new(
            loaded.manifest,
            number,
            Some(path.to_owned()),
            loaded.copy,
            registrations,
            instance,
            policy,
            tally,
        );
        functions.belongs_to(&generation);
        Ok(generation)
    }

    /// A further copy of a plugin's library, for a generation that differs by its configuration only: two instances in one copy
    /// would share its statics.
    pub(super) fn load_again(&mut self, path: &Path) -> Option<Loaded> {
        let source = self.sources.get(path)?;
        let marks = Marks::of(path);
        let loaded = match source.linked {
            Some(module) => loader::linked(module),
            None => loader::load(path, &demands::of(&self.config, path), &mut self.copies),
        };
        match loaded {
            Ok(loaded) => Some(loaded),
            Err(error) => {
                let source = self.sources.get_mut(path)?;
                let goes_on = if source.generation.is_some() { "; the former generation goes on" } else { "" };
                tracing::error!("{}{goes_on}", error.on(path));
                // Once it can be trusted again it is taken, and the trouble is over.
                source.distrusted = error.is_of_trust().then_some(marks);
                source.trouble = Some(error.to_string());
                None
            }
        }
    }
}

/// A failure at an entry point, which is named where it was a panic.
fn at(entry: &str, failure: StartFailure) -> StartFailure {
    match failure {
        StartFailure::Fault(fault) => StartError::new(line_on(entry, &fault)).into(),
        StartFailure::Refused(error) => StartFailure::Refused(error),
    }
}

/// One line on a plugin that does not take its configuration or does not start.
fn explain(config: &PluginConfig, schema: &serde_json::Value, failure: StartFailure) -> String {
    match failure {
        StartFailure::Refused(error) if !error.path.is_empty() || error.message.contains("unknown field") => {
            config.explain(&error.path, &error.message, schema).to_string()
        }
        StartFailure::Refused(error) => error.message,
        StartFailure::Fault(fault) => fault.to_string().lines().take(2).collect::<Vec<_>>().join(" "),
    }
}
