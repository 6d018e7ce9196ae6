//! What is wanted: the plugins folder and `plugins.toml`, looked at for changes.

use std::path::Path;
use std::time::Instant;

use super::Control;
use super::source::{Marks, SETTLED, Stamp};
use crate::config::Config;
use crate::demands::{self, name_of};
use crate::loader::{self, LoadError};

impl Control {
    /// Whether the configuration has changed, and whether its file is at rest.
    pub(super) fn look_at_config(&mut self) -> (bool, bool) {
        let file = self.config.file().to_owned();
        // By what is in force: a file that others may write is not to say that nothing is pinned any more.
        if file.exists()
            && let Err(error) = demands::check(&self.config)
        {
            self.refuse_untrusted_config(&error);
            return (false, true);
        }
        let stamp = Stamp::of(&file).ok();
        if stamp == self.config_stamp {
            return (false, true);
        }
        self.config_stamp = stamp;
        match Config::load(&file) {
            Ok(config) if config == self.config => {
                self.config_trouble = None;
                (false, true)
            }
            // Editors and full disks leave an empty file for a moment, or for good: it would switch off what is checked and pinned.
            Ok(config) if config.is_blank() => {
                if stamp.is_some_and(|stamp| !stamp.is_settled()) {
                    self.config_stamp = None;
                    return (false, false);
                }
                let trouble = format!("{} is empty; if it is to say nothing, write a comment into it", file.display());
                tracing::warn!("the old configuration stays in force: {trouble}");
                self.config_trouble = Some(trouble);
                (false, true)
            }
            Ok(config) => {
                if let Err(error) = demands::check(&config) {
                    self.refuse_untrusted_config(&error);
                    return (false, true);
                }
                let changed = self.config.differences(&config).join(", ");
                tracing::info!(file = %file.display(), changed, "the configuration has changed");
                self.config_trouble = None;
                self.look_again_at_what_is_not_trusted();
                for key in changed_for_restart(&self.config, &config) {
                    tracing::warn!("[server] {key} takes effect at the next start only");
                }
                self.config = config;
                (true, true)
            }
            Err(error) => {
                tracing::error!("the old configuration stays in force: {error}");
                self.config_trouble = Some(error.to_string());
                (false, true)
            }
        }
    }

    /// Leaves it unread, and looks at it again as soon as it can be trusted.
    fn refuse_untrusted_config(&mut self, error: &demands::Untrusted) {
        self.config_stamp = None;
        let trouble = error.to_string();
        if self.config_trouble.as_ref() != Some(&trouble) {
            tracing::error!("the old configuration stays in force: {trouble}");
        }
        self.config_trouble = Some(trouble);
    }

    pub(super) fn look_at_folder(&mut self) -> (bool, bool) {
        let folder = self.config.server.plugins.clone();
        let files = loader::check_folder(&folder)
            .map_err(|error| error.to_string())
            .and_then(|()| loader::libraries(&folder).map_err(|error| format!("{}: {error}", folder.display())));
        let files = match files {
            Ok(files) => {
                if self.folder_trouble.take().is_some() {
                    tracing::info!("plugins are loaded from {} again", folder.display());
                    self.look_again_at_what_is_not_trusted();
                }
                files
            }
            Err(trouble) => {
                if self.folder_trouble.as_ref() != Some(&trouble) {
                    let serves = self.serving().next().is_some();
                    let what = if serves { "what serves goes on, and nothing else is loaded" } else { "no plugin is loaded" };
                    tracing::error!("{what}: {trouble}");
                    self.folder_trouble = Some(trouble);
                }
                // What serves goes on: a folder that is being replaced is gone for a moment.
                return (false, true);
            }
        };
        let mut changed = false;
        let mut settled = true;
        for (path, source) in self.sources.iter_mut().filter(|(_, source)| source.linked.is_none()) {
            if files.contains(path) {
                source.missing_since = None;
            } else if source.missing_since.get_or_insert_with(Instant::now).elapsed() < SETTLED {
                settled = false;
            } else {
                changed |= !std::mem::replace(&mut source.gone, true);
            }
        }
        for file in files {
            let Ok(stamp) = Stamp::of(&file) else { continue };
            let known = self.sources.get(&file).filter(|source| !source.gone).and_then(|source| source.stamp);
            let distrusted = self.sources.get(&file).and_then(|source| source.distrusted);
            let as_before = known == Some(stamp) && distrusted.is_none_or(|marks| marks == Marks::of(&file));
            if as_before || !self.may_load(&file) {
                continue;
            }
            if !stamp.is_settled() {
                settled = false;
                continue;
            }
            changed = true;
            self.load(&file, stamp);
        }
        for source in self.sources.values_mut().filter(|source| source.linked.is_some() && source.name.is_none()) {
            changed = true;
            if let Some(module) = source.linked {
                source.take(loader::linked(module));
            }
        }
        (changed, settled)
    }

    /// Loads a new or changed file.
    fn load(&mut self, file: &Path, stamp: Stamp) {
        // Before it is looked at: what changes meanwhile is looked at again.
        let marks = Marks::of(file);
        let loaded = loader::load(file, &demands::of(&self.config, file), &mut self.copies);
        if let Err(error) = &loaded {
            tracing::error!("{}", error.on(file));
        }
        let source = self.sources.entry(file.to_owned()).or_default();
        source.stamp = Some(stamp);
        let distrusted = loaded.as_ref().is_err_and(LoadError::is_of_trust);
        source.distrusted = distrusted.then_some(marks);
        source.gone = false;
        source.take(loaded);
    }

    /// What was refused may be trusted by another configuration.
    fn look_again_at_what_is_not_trusted(&mut self) {
        for source in self.sources.values_mut().filter(|source| source.distrusted.is_some()) {
            source.stamp = None;
        }
    }

    /// Whether a file's code may run at all: not where its table, or `auto_load`, says that it is not wanted.
    fn may_load(&self, file: &Path) -> bool {
        self.config.plugin_or_default(&name_of(file)).enabled
    }
}

/// The host's own keys that a running server can't change.
fn changed_for_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let (old, new) = (&old.server, &new.server);
    let mut keys = Vec::new();
    if old.listen != new.listen {
        keys.push("listen");
    }
    if old.shards != new.shards {
        keys.push("shards");
    }
    if old.control != new.control {
        keys.push("control");
    }
    if old.log != new.log {
        keys.push("log");
    }
    keys
}
