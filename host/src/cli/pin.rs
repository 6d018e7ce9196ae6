//! `switchboard pin [NAME…]`: the hashes of the libraries that are there, written into `plugins.toml`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use super::inspection::{self, Inspection, Origin};
use super::output::print;
use super::plugins::libraries;
use super::running;
use crate::config::{Config, Pin, canonical, edit};
use crate::demands::{self, name_of};
use crate::loader;
use crate::operator::ask::AskError;
use crate::operator::protocol::Question;

/// What becomes of a hash that was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Former {
    /// It goes.
    Dropped,
    /// It stays behind the new one: the former library may come back.
    Kept,
}

/// Writes the hashes of these plugins' libraries, or of all, and waits for the server that runs with the file, if one does.
pub(super) fn run(config: &Config, names: &[String], former: Former) -> anyhow::Result<ExitCode> {
    let file = config.file();
    let mut pinned = Vec::new();
    for library in chosen(config, names)? {
        let name = name_of(&library);
        // Who could change the file could change it again: such a hash is worth nothing.
        let hash = Pin(loader::fingerprint(&library, &demands::of(config, &library))?);
        check_name(&library, &name, file)?;
        let hashes = hashes(hash, config.plugin(&name).map(|plugin| plugin.sha256.as_slice()).unwrap_or_default(), former);
        pinned.push((name, hashes));
    }
    edit::change(file, |text| {
        pinned.iter().try_fold(text.to_owned(), |text, (name, hashes)| edit::with_hashes(&text, name, hashes))
    })
    .with_context(|| format!("{} stays as it is", file.display()))?;
    for (name, hashes) in &pinned {
        print(format_args!("{name}: {}\n", hashes.first().map(Pin::to_string).unwrap_or_default()))?;
    }
    if !config.trust.pin {
        print("Libraries of other plugins are loaded as before; to have only pinned ones loaded, write: [trust] pin = true\n")?;
    }
    match running::conclude(config, &Question::Settle { plugin: None }) {
        Err(AskError::NobodyThere(_)) => Ok(ExitCode::SUCCESS),
        answer => running::told(answer?),
    }
}

/// Whether the plugin has its file's name: by that its table is found before any code of it runs. What can't be looked at is not
/// loaded anyway.
fn check_name(library: &Path, name: &str, config: &Path) -> anyhow::Result<()> {
    if let Ok(Inspection { name: own, .. }) = inspection::inspect(library, config, Origin::Anywhere) {
        let (path, file) = (library.display(), canonical(&own).replace('-', "_"));
        anyhow::ensure!(
            canonical(&own) == name,
            "{path} is the plugin `{own}`, and a hash in [{name}] would say nothing of that; rename it to lib{file}.so"
        );
    }
    Ok(())
}

/// The libraries that are meant.
fn chosen(config: &Config, names: &[String]) -> anyhow::Result<Vec<PathBuf>> {
    let all = libraries(&config.server.plugins)?;
    for name in names {
        let known: Vec<String> = all.iter().map(|library| name_of(library)).collect();
        let folder = config.server.plugins.display();
        anyhow::ensure!(known.contains(&canonical(name)), "{folder} has no library of `{name}`; it has: {}", known.join(", "));
    }
    let is_meant = |library: &PathBuf| names.is_empty() || names.iter().any(|name| canonical(name) == name_of(library));
    Ok(all.into_iter().filter(is_meant).collect())
}

/// The new hash, and behind it the last former one where that is kept.
fn hashes(new: Pin, old: &[Pin], former: Former) -> Vec<Pin> {
    let kept = old.iter().find(|hash| **hash != new).filter(|_| former == Former::Kept);
    std::iter::once(new).chain(kept.copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_former_hash_stays_where_it_is_asked_for() {
        let [a, b, c] = [1, 2, 3].map(|byte| Pin([byte; 32]));
        assert_eq!(hashes(a, &[b, c], Former::Dropped), [a]);
        assert_eq!(hashes(a, &[b, c], Former::Kept), [a, b]);
        assert_eq!(hashes(a, &[a, b], Former::Kept), [a, b]);
        assert_eq!(hashes(a, &[], Former::Kept), [a]);
    }
}
