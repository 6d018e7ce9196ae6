//! The table `[trust]`: what must vouch for a library before it is loaded.
//!
//! Each field's doc says its key's default and effect. Knows hashes and keys by their form only.

use std::fmt;

use minisign_verify::PublicKey;
use serde::{Deserialize, Deserializer, de};
use toml_edit::Item;

use super::typed::{self, Fault, Node};

/// The name of the table.
pub(super) const TABLE: &str = "trust";

/// What must vouch for a library.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trust {
    /// Whether only libraries are loaded whose table names their `sha256`, or that one of `keys` has signed. Default `false`.
    pub pin: bool,
    /// Public keys of minisign. A library is also loaded if `libNAME.so.minisig` beside it is its signature by one of them.
    /// Default: none.
    pub keys: Vec<Key>,
    /// Whether a library may be a symbolic link that leaves the plugins folder. Default `false`.
    pub symlinks: bool,
}

impl Trust {
    /// Reads the table and checks what its keys say together.
    pub(super) fn read(item: &Item) -> Result<Self, Fault> {
        let trust: Self = typed::read(Node::Item(item))?;
        if !trust.pin && !trust.keys.is_empty() {
            return Err(Fault::new("says nothing without pin = true: any library would be loaded").inside("keys"));
        }
        Ok(trust)
    }
}

/// A public key of minisign.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    text: String,
    public: PublicKey,
}

impl Key {
    /// The key itself.
    pub fn public(&self) -> PublicKey {
        self.public.clone()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match PublicKey::from_base64(&text) {
            Ok(public) => Ok(Self { text, public }),
            Err(_) => Err(de::Error::custom(format!("{text:?} is no public key of minisign, such as \"RWQf6LRCGA9i53ml…\""))),
        }
    }
}
