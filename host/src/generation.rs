//! A generation: one loaded and started copy of a plugin, with all that it has registered.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use concurrency::quarantine::Quarantine;
use plugin_api::Manifest;
use plugin_api::abi::host::{Fault, Instance, Registrations};

use crate::config;
use crate::panics::Panics;

/// One started copy of a plugin.
pub struct Generation {
    /// What its library says about itself.
    pub manifest: Manifest,
    /// Which of the plugin's copies this is, from 1.
    pub number: u64,
    /// The file in the plugins folder that it was loaded from; `None` for one that is linked in.
    pub file: Option<PathBuf>,
    /// The private copy that it is mapped from.
    pub copy: Option<PathBuf>,
    /// What it brings.
    pub registrations: Registrations,
    /// The started plugin. Freed after `registrations`, whose closures may refer to it.
    pub instance: Instance,
    /// Its counters, in the order of its registrations.
    pub counters: Vec<AtomicU64>,
    /// All panics of the plugin, those of its other generations, too.
    pub tally: Arc<AtomicU64>,
    panics: Mutex<Panics>,
    quarantine: Quarantine,
}

impl Generation {
    /// A generation that has registered.
    #[expect(clippy::too_many_arguments, reason = "each is another thing, and there is one caller")]
    pub fn new(
        manifest: Manifest,
        number: u64,
        file: Option<PathBuf>,
        copy: Option<PathBuf>,
        registrations: Registrations,
        instance: Instance,
        policy: config::Quarantine,
        tally: Arc<AtomicU64>,
    ) -> Arc<Self> {
        let counters = registrations.counters.iter().map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self {
            manifest,
            number,
            file,
            copy,
            registrations,
            instance,
            counters,
            tally,
            panics: Mutex::new(Panics::new(policy)),
            quarantine: Quarantine::new(),
        })
    }

    /// The plugin's name.
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// Whether it has been taken out of service.
    #[inline]
    pub fn is_quarantined(&self) -> bool {
        self.quarantine.is_entered()
    }

    /// Takes another policy.
    pub fn govern(&self, policy: config::Quarantine) {
        self.panics.lock().unwrap_or_else(PoisonError::into_inner).govern(policy);
    }

    /// It panicked: that is counted and logged; where it was once too often, the plugin is taken out of service, its hooks
    /// skipped, its new sessions refused.
    pub fn panicked(&self, entry: &str, fault: &Fault) {
        self.tally.fetch_add(1, Ordering::Relaxed);
        let verdict = self.panics.lock().unwrap_or_else(PoisonError::into_inner).add(Instant::now());
        let line = line_on(entry, fault);
        if self.is_quarantined() {
            // It was told of already: what was under way meets the same.
            tracing::debug!(plugin = self.name(), report = fault.report, "{line}, again");
            return;
        }
        let consequence = if verdict.too_many && self.quarantine.enter(&line) {
            "; the plugin is in quarantine until it is replaced, reloaded or configured anew"
        } else {
            ""
        };
        let (plugin, generation) = (self.name(), self.number);
        let backtrace = fault.report.splitn(3, '\n').nth(2).unwrap_or_default();
        if verdict.in_full && !backtrace.is_empty() {
            tracing::error!(plugin, generation, backtrace = %format_args!("\n{backtrace}"), "{line}{consequence}");
        } else {
            tracing::error!(plugin, generation, "{line}{consequence}");
        }
    }

    /// Ends the plugin's work; a panic meanwhile is logged. `[control]`, once.
    pub fn stop(&self) {
        if let Err(fault) = self.instance.stop() {
            self.tally.fetch_add(1, Ordering::Relaxed);
            tracing::error!(plugin = self.name(), generation = self.number, "{}", line_on("stop", &fault));
            tracing::debug!(plugin = self.name(), report = fault.report, "the whole report");
        }
    }

    /// Why it is in quarantine.
    pub fn reason(&self) -> Option<String> {
        self.quarantine.why()
    }
}

/// Where it panicked and with which message, in one line: what follows in the report is the backtrace.
pub fn line_on(entry: &str, fault: &Fault) -> String {
    let first: Vec<&str> = fault.report.lines().take(2).collect();
    format!("panicked in {entry}: {}", first.join(" "))
}
