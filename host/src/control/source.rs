//! What is known of one library file: how it looked, what it was loaded as, what of it serves, and what is wrong with it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use plugin_api::abi::module::PluginModuleRef;

use crate::config::PluginConfig;
use crate::generation::Generation;
use crate::loader::{self, Loaded};

/// How old a file's last change must be: a younger one may still be written. One that is missing may come back for as long.
pub(super) const SETTLED: Duration = Duration::from_millis(150);

/// How a file looked when it was last dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    len: u64,
    modified: SystemTime,
    inode: u64,
}

impl Stamp {
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::metadata(path)?;
        Ok(Self { len: metadata.len(), modified: metadata.modified()?, inode: metadata.ino() })
    }

    pub(super) fn is_settled(&self) -> bool {
        self.modified.elapsed().is_ok_and(|age| age >= SETTLED)
    }
}

/// What else decides whether a file is trusted: its permissions and its names (their last change), and its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    changed: Option<(i64, i64)>,
    signed: Option<SystemTime>,
}

impl Marks {
    pub(super) fn of(path: &Path) -> Self {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::metadata(path).ok();
        let signature = std::fs::metadata(loader::signature_path(path)).ok();
        Self {
            changed: metadata.map(|metadata| (metadata.ctime(), metadata.ctime_nsec())),
            signed: signature.and_then(|signature| signature.modified().ok()),
        }
    }
}

/// What is known of one library file, or of one plugin that is linked in.
#[derive(Default)]
pub(super) struct Source {
    pub(super) stamp: Option<Stamp>,
    /// How it looked otherwise when it was not trusted.
    pub(super) distrusted: Option<Marks>,
    pub(super) linked: Option<PluginModuleRef>,
    /// Loaded and not started yet: after a change, or where it is disabled.
    pub(super) loaded: Option<Loaded>,
    /// The plugin's name, once it was loaded.
    pub(super) name: Option<String>,
    pub(super) requires: Vec<String>,
    pub(super) schema: serde_json::Value,
    /// What serves now.
    pub(super) generation: Option<Arc<Generation>>,
    /// The names of the transports that it brought when it served last.
    pub(super) transports: Vec<String>,
    /// The configuration that was last tried.
    pub(super) tried: Option<PluginConfig>,
    /// Why it does not serve, or why a newer file or configuration does not.
    pub(super) trouble: Option<String>,
    /// Since when the file is missing, as it is for a moment where it is deleted and written anew.
    pub(super) missing_since: Option<Instant>,
    /// The file has gone; what it brought goes, too.
    pub(super) gone: bool,
}

impl Source {
    /// Takes what loading has come to.
    pub(super) fn take(&mut self, loaded: Result<Loaded, loader::LoadError>) {
        match loaded {
            Ok(loaded) => {
                self.trouble = None;
                self.name = Some(loaded.manifest.name.clone());
                self.requires.clone_from(&loaded.manifest.requires);
                self.schema = loaded.manifest.config.clone();
                self.loaded = Some(loaded);
            }
            Err(error) => {
                // What the file was before does not start any more either.
                self.loaded = None;
                self.trouble = Some(error.to_string());
            }
        }
    }

    /// Keeps why it does not serve; whether that is news.
    pub(super) fn is_news(&mut self, trouble: &str) -> bool {
        self.trouble.replace(trouble.to_owned()).as_deref() != Some(trouble)
    }
}
