//! `plugins.toml`: the one configuration file, read into types.
//!
//! `[server]` and `[trust]` are the host's own tables; every other table belongs to the plugin of that name. This folder knows the
//! file's syntax, the host's options and where in the file each key stands. It does not know any plugin's options: a
//! plugin judges its own table, and [`PluginConfig::explain`] turns its answer into a place in the file.
//!
//! Start reading at [`Config::parse`].

pub mod edit;
mod error;
mod pathname;
mod plugin;
mod quarantine;
mod schema;
mod server;
mod source;
#[cfg(test)]
mod tests;
mod trust;
mod typed;
mod units;

use std::{collections::BTreeMap, path::Path, sync::Arc};

pub use error::{ConfigError, Refusal};
pub use pathname::Pathname;
pub use plugin::{Pin, PluginConfig, canonical};
pub use quarantine::Quarantine;
pub use server::{
    CorsOptions, ForwardedBy, LogFormat, LogLevel, LogOptions, Overflow, PREFERRED_TRANSPORTS, Server, ShutdownOptions,
    UpgradeOptions,
};
pub use trust::Trust;
pub use units::{ByteCount, PingInterval};

use source::Source;
use typed::Fault;

/// A configuration file that has been read and found valid as far as the host can tell.
///
/// Two configurations are equal when they ask for the same; comments, order and places don't count.
#[derive(Debug, Clone)]
pub struct Config {
    /// The host's own table, with defaults filled in and paths resolved against the file's folder.
    pub server: Server,
    /// What must vouch for a library.
    pub trust: Trust,
    plugins: BTreeMap<String, PluginConfig>,
    source: Arc<Source>,
}

impl Config {
    /// Reads and parses the file at `path`.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`] if it can't be read as UTF-8 text, [`ConfigError::Refused`] if something in it is wrong.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|cause| ConfigError::Unreadable { file: path.to_owned(), cause })?;
        Self::parse(&text, path)
    }

    /// Parses `text`. `path` names the file in errors, and its folder is what relative paths in the file start from.
    ///
    /// # Errors
    /// [`ConfigError::Refused`] with the first thing that is wrong: file, line, column, key and what is allowed.
    pub fn parse(text: &str, path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let source = Arc::new(Source::parse(text, path.as_ref())?);
        let mut server = match source.root().get(server::TABLE) {
            Some(item) => Server::read(item).map_err(|fault| source.refuse(fault.inside(server::TABLE)))?,
            None => Server::default(),
        };
        server.resolve(source.folder());
        let trust = match source.root().get(trust::TABLE) {
            Some(item) => Trust::read(item).map_err(|fault| source.refuse(fault.inside(trust::TABLE)))?,
            None => Trust::default(),
        };
        let plugins = plugin::read_all(&source)?;
        Ok(Self { server, trust, plugins, source })
    }

    /// The file this configuration was read from.
    pub fn file(&self) -> &Path {
        self.source.file()
    }

    /// What the file says about `plugin`, or `None` if it has no table for it.
    ///
    /// `-` and `_` are the same here, since a library's file name can only have the latter.
    pub fn plugin(&self, name: &str) -> Option<&PluginConfig> {
        self.plugins.get(&plugin::canonical(name))
    }

    /// The plugin's configuration: the file's, or the one of a plugin that the file doesn't name, whose table is empty
    /// and which is enabled if `auto_load` is on.
    pub fn plugin_or_default(&self, name: &str) -> PluginConfig {
        self.plugin(name).cloned().unwrap_or_else(|| PluginConfig::unnamed(name, self.server.auto_load, &self.source))
    }

    /// When a plugin that panics is taken out of service.
    pub fn quarantine_of(&self, name: &str) -> Quarantine {
        self.plugin(name).and_then(|plugin| plugin.quarantine).unwrap_or(self.server.quarantine)
    }

    /// All plugin tables of the file, by load order and then by name.
    pub fn plugins(&self) -> Vec<&PluginConfig> {
        let mut plugins: Vec<_> = self.plugins.values().collect();
        plugins.sort_by(|a, b| (a.order, &a.name).cmp(&(b.order, &b.name)));
        plugins
    }

    /// The keys of `[server]` and `[trust]`, and the plugins' tables, that another version of the file has otherwise.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let keys = [server::TABLE, trust::TABLE].into_iter().flat_map(|table| {
            let keys = self.source.differing_keys(&other.source, table);
            keys.into_iter().map(move |key| format!("{table}.{key}"))
        });
        let names: std::collections::BTreeSet<&String> = self.plugins.keys().chain(other.plugins.keys()).collect();
        let tables = names.into_iter().filter(|name| self.plugins.get(*name) != other.plugins.get(*name));
        keys.chain(tables.cloned()).collect()
    }

    /// Whether the file says nothing at all, not even a comment, as one does that was just opened to be written.
    pub fn is_blank(&self) -> bool {
        self.source.is_blank()
    }

    /// The enabled tables that belong to none of the `known` plugins: not an error where the plugin is not required, since the
    /// library may be dropped in later, but worth a line at level warn.
    pub fn unclaimed<'a>(&self, known: impl IntoIterator<Item = &'a str>) -> Vec<Unclaimed> {
        let known: Vec<String> = known.into_iter().map(plugin::canonical).collect();
        self.plugins
            .iter()
            .filter(|(name, config)| config.enabled && !known.contains(name))
            .map(|(_, config)| {
                let candidates = known.iter().map(String::as_str).chain([server::TABLE, trust::TABLE]);
                let hint = error::nearest(&config.name, candidates)
                    .map_or_else(String::new, |near| format!("; did you mean [{near}]?"));
                let there = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let (place, name) = (config.place(), &config.name);
                Unclaimed {
                    name: name.clone(),
                    is_required: config.required,
                    line: format!("{place} names [{name}], and no such plugin is there (there are: {there}){hint}"),
                }
            })
            .collect()
    }
}

/// A table that belongs to no plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unclaimed {
    /// Its name, as the file has it.
    pub name: String,
    /// Whether clients are refused without the plugin.
    pub is_required: bool,
    /// The place of the table, the name, and what is there.
    pub line: String,
}

/// Names of `[server]` for what plugins bring: they can be judged only when it is known what that is.
impl Config {
    /// What is wrong with `client_transports`, given the names that there are: the first that is none of them, or comes twice.
    ///
    /// # Errors
    /// [`ConfigError::Refused`] with the place of that name, and the names that there are.
    pub fn check_client_transports(&self, brought: &[String]) -> Result<(), ConfigError> {
        let named = self.server.client_transports.as_deref().unwrap_or_default();
        let missing = |name: &str| format!("no plugin brings the client a transport {name:?}");
        self.check_list("client_transports", named, brought, missing)
    }

    /// What is wrong with `parser` and `client_parsers`, given the names that there are: the first that is none of them.
    ///
    /// # Errors
    /// [`ConfigError::Refused`] with the place of that name, and the names that there are.
    pub fn check_parsers(&self, brought: &[String]) -> Result<(), ConfigError> {
        let missing = |name: &str| format!("no plugin brings the parser {name:?}");
        if let Some(name) = self.server.parser.as_ref().filter(|name| !brought.contains(name)) {
            let fault = Fault { allowed: brought.to_vec(), found: Some(name.clone()), ..Fault::new(missing(name)) };
            return Err(self.source.refuse(fault.inside("parser").inside(server::TABLE)));
        }
        self.check_list("client_parsers", &self.server.client_parsers, brought, missing)
    }

    fn check_list(
        &self,
        key: &str,
        named: &[String],
        brought: &[String],
        missing: impl Fn(&str) -> String,
    ) -> Result<(), ConfigError> {
        for (index, name) in named.iter().enumerate() {
            let fault = if !brought.contains(name) {
                Fault::new(missing(name))
            } else if named[..index].contains(name) {
                Fault::new(format!("{name:?} is named twice"))
            } else {
                continue;
            };
            let fault = Fault { allowed: brought.to_vec(), found: Some(name.clone()), ..fault };
            return Err(self.source.refuse(fault.inside(&index.to_string()).inside(key).inside(server::TABLE)));
        }
        Ok(())
    }
}

impl Default for Config {
    /// What an empty `plugins.toml` in the current folder would say.
    fn default() -> Self {
        Self::parse("", "plugins.toml").expect("an empty file has nothing wrong in it")
    }
}

impl PartialEq for Config {
    fn eq(&self, other: &Self) -> bool {
        self.server == other.server && self.trust == other.trust && self.plugins == other.plugins
    }
}
