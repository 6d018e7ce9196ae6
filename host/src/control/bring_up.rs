//! Bringing it about: plugins are started, configured anew, replaced and dropped until what is there is what is wanted.

use std::path::Path;
use std::sync::Arc;

use plugin_api::abi::functions::raw_host;
use plugin_api::abi::host::StartFailure;

use super::Control;
use crate::config::PluginConfig;
use crate::functions::Functions;
use crate::generation::Generation;
use crate::house::House;
use crate::loader::{self, Loaded};
use crate::order::{self, Wanted};

impl Control {
    /// Starts, replaces and drops plugins until what is there is what is wanted, then puts the new picture into force.
    pub(super) fn reconcile(&mut self) {
        let wanted: Vec<Wanted> = self
            .sources
            .iter()
            .filter(|(_, source)| !source.gone)
            .filter_map(|(path, source)| {
                let name = source.name.clone()?;
                let config = self.config.plugin_or_default(&name);
                Some(Wanted {
                    path: path.clone(),
                    enabled: config.enabled,
                    order: config.order,
                    requires: source.requires.clone(),
                    serves: source.generation.is_some(),
                    name,
                })
            })
            .collect();
        let plan = order::plan(wanted);
        for refusal in &plan.refused {
            if let Some(source) = self.sources.get_mut(&refusal.path)
                && source.trouble.as_deref() != Some(&refusal.reason)
            {
                if refusal.is_error {
                    tracing::error!("{} {}", refusal.path.display(), refusal.reason);
                }
                source.trouble = Some(refusal.reason.clone());
            }
        }
        let mut former: Vec<Arc<Generation>> = self.serving().collect();
        let mut replaced: Vec<(Arc<Generation>, Arc<Generation>)> = Vec::new();
        for path in &plan.order {
            self.bring_up(path, &mut replaced);
        }
        for (path, source) in &mut self.sources {
            if !plan.order.contains(path) {
                source.generation = None;
                source.tried = None;
            }
        }
        self.sources.retain(|_, source| !source.gone);
        let generations: Vec<Arc<Generation>> =
            plan.order.iter().filter_map(|path| self.sources.get(path)?.generation.clone()).collect();
        for line in self.config.unclaimed(self.sources.values().filter_map(|source| source.name.as_deref())) {
            tracing::info!("{line}");
        }
        self.publish(generations.clone(), &replaced);
        former.retain(|old| !generations.iter().any(|new| Arc::ptr_eq(old, new)));
        for old in &former {
            if !replaced.iter().any(|(of, _)| Arc::ptr_eq(of, old)) {
                tracing::info!(plugin = old.name(), "goes away");
            }
        }
        self.retiring.append(&mut former);
        self.retire();
    }

    /// Makes the plugin of one file serve with the configuration in force. On failure, what served goes on.
    fn bring_up(&mut self, path: &Path, replaced: &mut Vec<(Arc<Generation>, Arc<Generation>)>) {
        let Some(source) = self.sources.get_mut(path) else { return };
        let Some(name) = source.name.clone() else { return };
        let config = self.config.plugin_or_default(&name);
        let same_config = source.tried.as_ref() == Some(&config);
        if source.loaded.is_none() && same_config {
            return;
        }
        if source.loaded.is_none()
            && let Some(generation) = &source.generation
            && !generation.is_quarantined()
        {
            source.tried = Some(config.clone());
            match generation.instance.reconfigure(&config.table.to_string()) {
                Ok(true) => {
                    source.trouble = None;
                    tracing::info!(plugin = name, "has taken its new configuration");
                    return;
                }
                Ok(false) => {}
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
        let started = start(&self.house, loaded, number, path, &config);
        let Some(source) = self.sources.get_mut(path) else { return };
        source.tried = Some(config.clone());
        match started {
            Ok(generation) => {
                source.trouble = None;
                if let Some(old) = source.generation.replace(Arc::clone(&generation)) {
                    replaced.push((old, generation));
                } else {
                    let version = &generation.manifest.version;
                    tracing::info!(plugin = name, version, "is live");
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

    /// A further copy of a plugin's library, for a generation that differs by its configuration only: two instances in one copy
    /// would share its statics.
    fn load_again(&mut self, path: &Path) -> Option<Loaded> {
        let source = self.sources.get(path)?;
        let loaded = match source.linked {
            Some(module) => loader::linked(module),
            None => loader::load(path, self.pins(path).as_deref(), &mut self.copies),
        };
        match loaded {
            Ok(loaded) => Some(loaded),
            Err(error) => {
                tracing::error!("{} {error}; the former generation goes on", path.display());
                None
            }
        }
    }
}

/// Starts and registers a generation.
fn start(
    house: &Arc<House>,
    loaded: Loaded,
    number: u64,
    path: &Path,
    config: &PluginConfig,
) -> Result<Arc<Generation>, StartFailure> {
    let functions = Functions::new(Arc::clone(house), loaded.manifest.name.clone(), number);
    let instance = loaded.module.start(raw_host(Arc::clone(&functions)), &config.table.to_string())?;
    let registrations = instance.register()?;
    let generation = Generation::new(loaded.manifest, number, Some(path.to_owned()), config.order, registrations, instance);
    functions.belongs_to(&generation);
    Ok(generation)
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
