//! A generation: one loaded and started copy of a plugin, with all that it has registered.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use plugin_api::Manifest;
use plugin_api::abi::host::{Fault, Instance, Registrations};

/// One started copy of a plugin.
pub struct Generation {
    /// What its library says about itself.
    pub manifest: Manifest,
    /// Which of the plugin's copies this is, from 1.
    pub number: u64,
    /// The file in the plugins folder that it was loaded from; `None` for one that is linked in.
    pub file: Option<PathBuf>,
    /// Its place among the plugins: `order` of its table.
    pub order: i64,
    /// What it brings.
    pub registrations: Registrations,
    /// The started plugin. Freed after `registrations`, whose closures may refer to it.
    pub instance: Instance,
    /// Its counters, in the order of its registrations.
    pub counters: Vec<AtomicU64>,
    quarantined: AtomicBool,
    reason: Mutex<Option<String>>,
}

impl Generation {
    /// A generation that has registered.
    pub fn new(
        manifest: Manifest,
        number: u64,
        file: Option<PathBuf>,
        order: i64,
        registrations: Registrations,
        instance: Instance,
    ) -> Arc<Self> {
        let counters = registrations.counters.iter().map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self {
            manifest,
            number,
            file,
            order,
            registrations,
            instance,
            counters,
            quarantined: AtomicBool::new(false),
            reason: Mutex::new(None),
        })
    }

    /// The plugin's name.
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// Whether it has been taken out of service.
    #[inline]
    pub fn is_quarantined(&self) -> bool {
        self.quarantined.load(Ordering::Relaxed)
    }

    /// Takes it out of service after a panic: its hooks are skipped, its new sessions refused. Logged once.
    pub fn quarantine(&self, entry: &str, fault: &Fault) {
        let line = panicked(entry, fault);
        if !self.quarantined.swap(true, Ordering::Relaxed) {
            *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(line.clone());
            tracing::error!(
                plugin = self.name(),
                generation = self.number,
                "{line}; the plugin is in quarantine until it is replaced or configured anew"
            );
            tracing::debug!(plugin = self.name(), report = fault.report, "the whole report");
        }
    }

    /// Ends the plugin's work; a panic meanwhile is logged. `[control]`, once.
    pub fn stop(&self) {
        if let Err(fault) = self.instance.stop() {
            tracing::error!(plugin = self.name(), generation = self.number, "{}", panicked("stop", &fault));
            tracing::debug!(plugin = self.name(), report = fault.report, "the whole report");
        }
    }

    /// Why it is in quarantine.
    pub fn reason(&self) -> Option<String> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Where it panicked and with which message, in one line: what follows in the report is the backtrace.
pub fn panicked(entry: &str, fault: &Fault) -> String {
    let first: Vec<&str> = fault.report.lines().take(2).collect();
    format!("panicked in {entry}: {}", first.join(" "))
}
