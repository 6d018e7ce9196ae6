//! Changing `plugins.toml` as a careful person would: one key at a time, everything else as it was, and the file replaced at once.
//!
//! Knows the file's text; does not know what reads it.

use std::ffi::OsStr;
use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use toml_edit::{DocumentMut, Item, Table, TomlError, Value};

use super::{Config, ConfigError, Pin, canonical};
use crate::lock;

/// How long another edit is waited for, and how often it is looked whether it is done.
const PATIENCE: Duration = Duration::from_secs(20);
const AGAIN_AFTER: Duration = Duration::from_millis(10);

/// Why the file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// It is no TOML.
    #[error(transparent)]
    Syntax(#[from] TomlError),
    /// It would be, or is already, a configuration that no server takes.
    #[error(transparent)]
    Faulty(#[from] ConfigError),
    /// Somebody else changes it, and does not come to an end.
    #[error("{} has been held for {} s by another command that changes the file", .0.display(), PATIENCE.as_secs())]
    Busy(PathBuf),
    /// It can't be read, locked or replaced.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// Replaces the file by what `edit` makes of its text, where that is a valid configuration. One that is not there is empty.
///
/// # Errors
///
/// See [`EditError`]; then the file is as it was.
pub fn change(file: &Path, edit: impl FnOnce(&str) -> Result<String, TomlError>) -> Result<(), EditError> {
    // A link to the file stays one.
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let _alone = Alone::with(&file)?;
    let at = |error| EditError::Io { path: file.clone(), error };
    let text = match std::fs::read_to_string(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        text => text.map_err(at)?,
    };
    let changed = edit(&text)?;
    if changed == text {
        return Ok(());
    }
    Config::parse(&changed, &file)?;
    replace(&file, &changed).map_err(at)
}

/// The text with `enabled` of a plugin's table set. A table that is not there is put at the end.
///
/// # Errors
///
/// The text is no TOML.
pub fn with_enabled(text: &str, plugin: &str, enabled: bool) -> Result<String, TomlError> {
    let mut document: DocumentMut = text.parse()?;
    set(table_of(&mut document, plugin), "enabled", enabled.into());
    Ok(document.to_string())
}

/// The text with `sha256` of a plugin's table set. A table that is not there is put at the end.
///
/// # Errors
///
/// The text is no TOML.
pub fn with_hashes(text: &str, plugin: &str, hashes: &[Pin]) -> Result<String, TomlError> {
    let mut document: DocumentMut = text.parse()?;
    let hashes: toml_edit::Array = hashes.iter().map(Pin::to_string).collect();
    set(table_of(&mut document, plugin), "sha256", hashes.into());
    Ok(document.to_string())
}

/// The plugin's table, which is made where there is none.
fn table_of<'a>(document: &'a mut DocumentMut, plugin: &str) -> &'a mut Table {
    let known = document.iter().map(|(name, _)| name).find(|name| canonical(name) == canonical(plugin));
    let name = known.unwrap_or(plugin).to_owned();
    let item = document.entry(&name).or_insert_with(|| Item::Table(Table::new()));
    if !item.is_table() {
        // No server takes that; as a table it is at least read on.
        *item = Item::Table(Table::new());
    }
    item.as_table_mut().expect("it was just made one")
}

/// Sets a key. What stands around it, a comment perhaps, stays.
fn set(table: &mut Table, key: &str, mut value: Value) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        None => drop(table.insert(key, Item::Value(value))),
    }
}

/// Nobody else changes the file between its reading and its replacement, by a lock beside it that goes with the value.
struct Alone {
    path: PathBuf,
    _lock: std::fs::File,
}

impl Alone {
    fn with(file: &Path) -> Result<Self, EditError> {
        let mut path = file.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let began = Instant::now();
        loop {
            match lock::hold(&path) {
                Ok(Some(lock)) => return Ok(Self { path, _lock: lock }),
                Ok(None) if began.elapsed() >= PATIENCE => return Err(EditError::Busy(path)),
                Ok(None) => thread::sleep(AGAIN_AFTER),
                Err(error) => return Err(EditError::Io { path, error }),
            }
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        // The name goes while the lock is held: whoever waits for it makes a new one.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Puts a new file in the old one's place at once, with its mode and owner.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    clear_left(file);
    let mut aside = file.file_name().unwrap_or_default().to_owned();
    aside.push(format!(".{}.new", std::process::id()));
    let aside = file.with_file_name(aside);
    let written = (|| {
        let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
        new.write_all(text.as_bytes())?;
        match std::fs::metadata(file) {
            Ok(old) => {
                let own = new.metadata()?;
                if (own.uid(), own.gid()) != (old.uid(), old.gid()) {
                    chown(&aside, Some(old.uid()), Some(old.gid()))?;
                }
                new.set_permissions(Permissions::from_mode(old.mode() & 0o7777))?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => new.set_permissions(Permissions::from_mode(0o644))?,
            Err(error) => return Err(error),
        }
        new.sync_all()?;
        std::fs::rename(&aside, file)
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&aside);
    }
    written
}

/// Clears away what processes have left that were killed before their new file was in its place.
fn clear_left(file: &Path) {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name().and_then(OsStr::to_str)) else { return };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let found = entry.file_name();
        let process = found.to_str().and_then(|found| found.strip_prefix(name)?.strip_prefix('.')?.strip_suffix(".new"));
        let Some(process) = process.and_then(|process| process.parse::<u32>().ok()) else { continue };
        if process == std::process::id() || !Path::new("/proc").join(process.to_string()).exists() {
            // Who may not remove it will not be able to put a new file there either, and is told so.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# Mine.\n[server]\nlisten = \"127.0.0.1:1\"   # here\n\n[auth_basic]\n# Off for now.\nenabled = false # why\norder = 3\n\n[rooms]\n# The end.\n";

    #[test]
    fn one_key_changes_and_everything_else_stays() {
        let enabled = with_enabled(FILE, "auth-basic", true).unwrap();
        assert_eq!(enabled, FILE.replace("enabled = false # why", "enabled = true # why"));
        assert_eq!(with_enabled(&enabled, "auth_basic", false).unwrap(), FILE);
        assert_eq!(with_enabled(FILE, "rooms", false).unwrap(), FILE.replace("[rooms]\n", "[rooms]\nenabled = false\n"));
    }

    #[test]
    fn a_plugin_without_a_table_gets_one() {
        for text in ["", FILE] {
            let text = with_enabled(text, "chat", false).unwrap();
            let config = Config::parse(&text, "plugins.toml").unwrap();
            assert!(!config.plugin("chat").unwrap().enabled, "{text}");
            assert!(text.contains("[chat]\nenabled = false\n"), "{text}");
        }
    }

    #[test]
    fn hashes_are_set_and_everything_else_stays() {
        let pins = [Pin([1; 32]), Pin([2; 32])];
        let text = with_hashes(FILE, "rooms", &pins).unwrap();
        assert_eq!(Config::parse(&text, "plugins.toml").unwrap().plugin("rooms").unwrap().sha256, pins);
        let again = with_hashes(&text, "rooms", &pins[..1]).unwrap();
        assert_eq!(again, FILE.replace("[rooms]\n", &format!("[rooms]\nsha256 = [\"{}\"]\n", pins[0])));
    }

    #[test]
    fn the_file_is_replaced_whole_and_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plugins.toml");
        std::fs::write(&file, FILE).unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        let link = folder.path().join("link.toml");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        change(&link, |text| with_enabled(text, "rooms", false)).unwrap();
        assert!(std::fs::read_to_string(&file).unwrap().contains("[rooms]\nenabled = false"));
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o640);
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_killed_processes_have_left_is_cleared_and_what_others_write_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        // No process has that number; process 1 lives.
        let left = at("plugins.toml.4294967295.new");
        let own = at(&format!("plugins.toml.{}.new", std::process::id()));
        let others = [at("plugins.toml.1.new"), at("plugins.toml.mine.new"), at("other.toml.4294967295.new")];
        [&left, &own].into_iter().chain(&others).for_each(|file| std::fs::write(file, "").unwrap());
        change(&at("plugins.toml"), |text| with_enabled(text, "rooms", false)).unwrap();
        assert!(at("plugins.toml").exists() && !left.exists() && !own.exists());
        assert!(others.iter().all(|file| file.exists()));
    }

    #[test]
    fn edits_at_once_lose_nothing_of_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plugins.toml");
        std::fs::write(&file, FILE).unwrap();
        let names: Vec<String> = (0..8).map(|number| format!("plugin{number}")).collect();
        thread::scope(|scope| {
            for name in &names {
                scope.spawn(|| {
                    let slow = |text: &str| {
                        let changed = with_enabled(text, name, false);
                        thread::sleep(Duration::from_millis(5));
                        changed
                    };
                    change(&file, slow).unwrap();
                });
            }
        });
        let config = Config::load(&file).unwrap();
        for name in &names {
            assert!(config.plugin(name).is_some_and(|plugin| !plugin.enabled), "{name}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no lock is left");
    }

    #[test]
    fn a_faulty_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plugins.toml");
        for text in ["[server]\nlisten = 7\n", "[rooms\n"] {
            std::fs::write(&file, text).unwrap();
            assert!(change(&file, |text| with_enabled(text, "rooms", true)).is_err());
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        }
    }
}
