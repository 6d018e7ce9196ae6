//! Putting a picture into force on all shards, with the state of replaced generations carried over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use concurrency::switch::Switch;
use plugin_api::abi::host::StartFailure;

use super::Control;
use super::deadline::within;
use super::retire::End;
use crate::config::ByteCount;
use crate::generation::{Generation, line_on};
use crate::house::ClientLibrary;
use crate::http::library::Library;
use crate::inbox::Command;
use crate::snapshot::Snapshot;

impl Control {
    /// Puts a picture into force on all shards. They stop between two messages meanwhile, so that what a message meets on its way,
    /// hooks and services and whatever thread, is of one picture; and the state of replaced generations is carried over.
    pub(super) fn publish(&mut self, mut generations: Vec<Arc<Generation>>, replaced: &[(Arc<Generation>, Arc<Generation>)]) {
        let switch = Arc::<Switch>::default();
        if self.has_begun {
            for inbox in &self.house.inboxes {
                inbox.post(Command::Switch(Switch::invite(&switch)));
            }
        }
        let out_of_service = self.sources.values().filter(|source| source.generation.is_none() && !source.gone);
        let away = out_of_service.flat_map(|source| source.transports.iter().cloned()).collect();
        let began = Instant::now();
        let most = self.config.server.max_state;
        let limit = self.config.server.state_timeout;
        let config = self.config_in_force();
        let given_up = switch.change(|| {
            let mut given_up = Vec::new();
            for (old, new) in replaced {
                if let Err(reason) = carry_over_within(limit, old, new, most) {
                    for generation in &mut generations {
                        if Arc::ptr_eq(generation, new) {
                            *generation = Arc::clone(old);
                        }
                    }
                    given_up.push((Arc::clone(old), Arc::clone(new), reason));
                }
            }
            let mut snapshot = Snapshot::new(config, generations, &self.house.numbers);
            snapshot.away = away;
            self.house.snapshot.store(Arc::new(snapshot));
            given_up
        });
        let pause = began.elapsed();
        for (_, new) in replaced.iter().filter(|(_, new)| !given_up.iter().any(|(_, failed, _)| Arc::ptr_eq(failed, new))) {
            tracing::info!(plugin = new.name(), generation = new.number, version = new.manifest.version, ?pause, "is replaced");
        }
        for (old, new, reason) in given_up {
            tracing::error!(plugin = new.name(), "is not replaced: {reason}; the former generation goes on");
            for source in self.sources.values_mut() {
                if source.generation.as_ref().is_some_and(|generation| Arc::ptr_eq(generation, &new)) {
                    source.generation = Some(Arc::clone(&old));
                    source.trouble = Some(reason.clone());
                }
            }
            self.retire_later(new, End::Replaced);
        }
        self.assemble_client();
    }

    /// Assembles the client of the picture in force, beside everything else: compressing takes its time. One that is made of the
    /// same parts as the last is that one.
    fn assemble_client(&self) {
        let version = self.house.snapshot.load().number;
        let made_of = self.house.snapshot.load().client();
        let is_known = self.house.library.send_if_modified(|state| {
            let same = state.made_of.as_ref() == Some(&made_of);
            if same {
                state.version = version;
            }
            same
        });
        if is_known {
            return;
        }
        let house = Arc::clone(&self.house);
        std::thread::spawn(move || {
            let library = Library::build(made_of.0.clone(), &made_of.1).map(Arc::new).map_err(|error| error.to_string());
            if let Err(error) = &library {
                tracing::error!("the client can't be assembled: {error}");
            }
            house.library.send_if_modified(|state| {
                let newer = version > state.version;
                if newer {
                    *state = ClientLibrary { version, made_of: Some(made_of), library: Some(library) };
                }
                newer
            });
        });
    }
}

/// Hands the state of one generation to the next, if that does not take too long.
fn carry_over_within(limit: Duration, old: &Arc<Generation>, new: &Arc<Generation>, most: ByteCount) -> Result<(), String> {
    let (former, next) = (Arc::clone(old), Arc::clone(new));
    within(limit, format!("state {}", old.name()), move || carry_over(&former, &next, most))
        .unwrap_or_else(|error| Err(format!("the hand-over of its state {error} (state_timeout in [server])")))
}

/// Hands the state of one generation to the next, at most so many bytes of it.
fn carry_over(old: &Generation, new: &Generation, most: ByteCount) -> Result<(), String> {
    if old.is_quarantined() {
        // Its state may be half changed.
        return Ok(());
    }
    match old.instance.save() {
        Ok(Some(state)) if state.len() > most.as_usize() => {
            let size = ByteCount(state.len() as u64);
            Err(format!("its state has {size}, and max_state in [server] lets it hand over {most}"))
        }
        Ok(Some(state)) => new.instance.restore(&state).map_err(|failure| match failure {
            StartFailure::Refused(error) => error.to_string(),
            StartFailure::Fault(fault) => line_on("restore", &fault),
        }),
        Ok(None) => Ok(()),
        Err(fault) => {
            old.panicked("save", &fault);
            Ok(())
        }
    }
}
