//! What `plugins.toml` demands of a library file before it is loaded, in the loader's words.

use std::path::Path;

use crate::config::{Config, canonical};
use crate::loader::{Demands, Links, Vouchers};

/// What a file of the plugins folder must be like.
pub fn of<'a>(config: &'a Config, file: &Path) -> Demands<'a> {
    let links = if config.trust.symlinks { Links::Anywhere } else { Links::Inside };
    let hashes: Vec<[u8; 32]> =
        config.plugin(&name_of(file)).map(|plugin| plugin.sha256.iter().map(|pin| pin.0).collect()).unwrap_or_default();
    // A table that names hashes means them, also where nothing else is pinned.
    let pinned = config.trust.pin || !hashes.is_empty();
    let keys = config.trust.keys.iter().map(|key| key.public()).collect();
    Demands { folder: Some((&config.server.plugins, links)), vouchers: pinned.then_some(Vouchers { hashes, keys }) }
}

/// The plugin's name that a file's name suggests: what is pinned by name must be known before any code of it runs.
pub fn name_of(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    canonical(stem.strip_prefix("lib").unwrap_or(&stem))
}
