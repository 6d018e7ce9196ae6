//! What `plugins.toml` demands of a library file before it is loaded, in the loader's words.

use std::path::Path;

use crate::config::{Config, canonical};
use crate::loader::{self, Demands, Links, Vouchers};

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

/// Whether `plugins.toml` itself can be trusted, where it says which libraries may be loaded.
///
/// # Errors
///
/// Others may write it: then they say what is loaded.
pub fn check(config: &Config) -> Result<(), Untrusted> {
    let pins = config.trust.pin || config.plugins().iter().any(|plugin| !plugin.sha256.is_empty());
    if pins { loader::check_file(config.file()).map_err(Untrusted) } else { Ok(()) }
}

/// Others could change which libraries are loaded.
#[derive(Debug, thiserror::Error)]
#[error("the file says which libraries may be loaded, but {0}")]
pub struct Untrusted(#[source] loader::TrustError);

/// The plugin's name that a file's name suggests: what is pinned by name must be known before any code of it runs.
pub fn name_of(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    canonical(stem.strip_prefix("lib").unwrap_or(&stem))
}
