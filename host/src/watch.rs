//! Watches the plugins folder and the folder of `plugins.toml`, and tells the control thread that something has changed.
//!
//! What has changed is not asked of the events: the control thread looks at the folder itself. Folders are watched, not files:
//! editors and installers rename.

use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

use crate::config::Config;
use crate::inbox::control::{ControlSender, Request};

/// Starts to watch; dropped, it ends. Without events the control thread's own rounds find a change, only later.
pub fn start(config: &Config, control: ControlSender) -> Option<RecommendedWatcher> {
    let told = move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| is_change(&event)) {
            control.send(Request::Changed);
        }
    };
    let mut watcher = match notify::recommended_watcher(told) {
        Ok(watcher) => watcher,
        Err(error) => {
            tracing::warn!(%error, "changes of plugins are found by looking, not by events");
            return None;
        }
    };
    for folder in [config.server.plugins.clone(), folder_of(config.file())] {
        if let Err(error) = watcher.watch(&folder, RecursiveMode::NonRecursive) {
            tracing::warn!(folder = %folder.display(), %error, "its changes are found by looking, not by events");
        }
    }
    Some(watcher)
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Whether something was changed: our own reading is told as well.
fn is_change(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}
