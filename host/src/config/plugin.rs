//! The table of one plugin: what the host reads of it, and the rest, which is the plugin's.
//!
//! Knows the reserved keys; does not know any plugin's options.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;
use toml_edit::Item;

use super::{
    ConfigError, Quarantine, Server, error,
    schema::{self, Allowed},
    server,
    source::Source,
    trust,
    typed::{self, Fault, Node},
};

/// The keys of a plugin's table that belong to the host.
const RESERVED: [&str; 5] = ["enabled", "order", "quarantine", "required", "sha256"];

/// What the file says about one plugin.
#[derive(Debug, Clone)]
pub struct PluginConfig {
    /// The plugin's name, as the file has it.
    pub name: String,
    /// Whether it is to run. Default `true`.
    pub enabled: bool,
    /// Whether clients are refused while it does not serve. Default `false`.
    ///
    /// For what must never be missing, such as a plugin that authorizes.
    pub required: bool,
    /// Plugins of a lower number are loaded first; those of one number by name. Default 0.
    ///
    /// What a plugin requires is loaded before it in any case.
    pub order: i64,
    /// SHA-256 of the libraries that may be loaded under this name; empty: any, unless `[trust] pin` is set. More than one
    /// serves a roll-out, and the way back.
    pub sha256: Vec<Pin>,
    /// When it is taken out of service for its panics. Default: what `[server]` says.
    pub quarantine: Option<Quarantine>,
    /// The plugin's own keys, as a JSON object.
    pub table: Value,
    source: Arc<Source>,
}

impl PluginConfig {
    /// The configuration of a plugin that the file has no table for.
    pub(super) fn unnamed(name: &str, enabled: bool, source: &Arc<Source>) -> Self {
        Self {
            name: name.to_owned(),
            enabled,
            required: false,
            order: 0,
            sha256: Vec::new(),
            quarantine: None,
            table: Value::Object(serde_json::Map::new()),
            source: source.clone(),
        }
    }

    /// Turns a plugin's refusal of its table into an error that names file, line, column and what is allowed.
    ///
    /// `path` leads to the key within the table, as `limits.frame`, `users[0].name` or a JSON pointer; it may be empty.
    /// `schema` is the JSON Schema of the plugin's configuration, or `Value::Null` if it has none.
    pub fn explain(&self, path: &str, message: &str, schema: &Value) -> ConfigError {
        let steps: Vec<String> = path.split(['.', '/', '[', ']']).filter(|step| !step.is_empty()).map(str::to_owned).collect();
        // Where the schema shows what is wrong, it is said as the host says it of its own keys.
        let fault = match schema::allowed(schema, &steps) {
            Allowed::Keys(mut allowed) => {
                if steps.len() == 1 {
                    allowed.extend(RESERVED.map(str::to_owned));
                }
                Fault { allowed, found: steps.last().cloned(), ..Fault::new("unknown key") }
            }
            Allowed::Words(allowed) => match self.word_at(&steps) {
                Some(word) if !allowed.contains(&word) => {
                    Fault { allowed, found: Some(word.clone()), ..Fault::new(format!("unknown value {word:?}")) }
                }
                Some(_) | None => Fault::new(message),
            },
            Allowed::Unlisted => Fault::new(message),
        };
        let path = std::iter::once(self.name.clone()).chain(steps).collect();
        self.source.refuse(Fault { path, ..fault })
    }

    fn word_at(&self, steps: &[String]) -> Option<String> {
        let pointer: String = steps.iter().map(|step| format!("/{step}")).collect();
        Some(self.table.pointer(&pointer)?.as_str()?.to_owned())
    }

    /// `file:line:column` of the table.
    pub(super) fn place(&self) -> String {
        let (line, column) = self.source.position(self.source.locate(std::iter::once(self.name.as_str())));
        format!("{}:{line}:{column}", self.source.file().display())
    }
}

impl PartialEq for PluginConfig {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.enabled == other.enabled
            && self.required == other.required
            && self.order == other.order
            && self.sha256 == other.sha256
            && self.quarantine == other.quarantine
            && self.table == other.table
    }
}

/// The SHA-256 of a library that may be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin(pub [u8; 32]);

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Pin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "expected the 64 hexadecimal digits of a SHA-256";
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(WANTED);
        }
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| WANTED)?;
        }
        Ok(Self(bytes))
    }
}

impl<'de> Deserialize<'de> for Pin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Reads every plugin's table, by canonical name.
pub(super) fn read_all(source: &Arc<Source>) -> Result<BTreeMap<String, PluginConfig>, ConfigError> {
    let mut plugins = BTreeMap::new();
    for (name, item) in source.root() {
        if name == server::TABLE || name == trust::TABLE {
            continue;
        }
        let plugin = read(name, item, source).map_err(|fault| source.refuse(fault.inside(name)))?;
        if let Some(twin) = plugins.insert(canonical(name), plugin) {
            let fault = Fault::new(format!("is the same plugin as [{}], at {}", twin.name, twin.place()));
            return Err(source.refuse(fault.inside(name)));
        }
    }
    Ok(plugins)
}

fn read(name: &str, item: &Item, source: &Arc<Source>) -> Result<PluginConfig, Fault> {
    let Item::Table(entries) = item else {
        let near = error::nearest(name, typed::keys_of::<Server>()).map_or_else(String::new, |near| {
            format!("; if it is `{near}` of the server, it belongs under [{}]", server::TABLE)
        });
        return Err(Fault::new(format!("stands outside of any table; a plugin's options stand under [{name}]{near}")));
    };
    if !is_plugin_name(name) {
        return Err(Fault::new("is no plugin's name: those are at most 64 lower-case letters, digits, - and _"));
    }
    let mut table: serde_json::Map<String, Value> = typed::read(Node::Item(item))?;
    for key in RESERVED {
        table.remove(key);
    }
    let key = |key: &'static str| entries.get(key).map(Node::Item);
    Ok(PluginConfig {
        name: name.to_owned(),
        enabled: reserved(key("enabled"), "enabled")?.unwrap_or(true),
        required: reserved(key("required"), "required")?.unwrap_or(false),
        order: reserved(key("order"), "order")?.unwrap_or(0),
        sha256: reserved(key("sha256"), "sha256")?.unwrap_or_default(),
        quarantine: reserved(key("quarantine"), "quarantine")?,
        table: Value::Object(table),
        source: source.clone(),
    })
}

fn reserved<'de, T: Deserialize<'de>>(node: Option<Node<'de>>, key: &str) -> Result<Option<T>, Fault> {
    node.map(|node| typed::read(node).map_err(|fault| fault.inside(key))).transpose()
}

/// The name under which a table and a library find each other.
pub fn canonical(name: &str) -> String {
    name.replace('_', "-")
}

fn is_plugin_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= 64
        && name.bytes().next().is_some_and(is_plain)
        && name.bytes().all(|byte| is_plain(byte) || matches!(byte, b'-' | b'_'))
}
