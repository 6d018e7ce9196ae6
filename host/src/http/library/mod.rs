//! `/primus/primus.js` and `/primus/primus.mjs`: the client, assembled from the core and the parts of the plugins.
//!
//! `assemble` joins texts, `asset` makes them cheap to serve. A [`Library`] is built when the set of parts changes,
//! off the shards' threads (it compresses for about a second), and then served from memory as long as it is in force.
//! Nothing here runs or understands a line of JavaScript.

mod assemble;
mod asset;

use bytes::Bytes;
use http::{HeaderMap, Response};
use sha2::{Digest, Sha256};

pub use assemble::{AssembleError, ClientConfig, Part, PartKind, PingTimeout};

use asset::Asset;

/// The core of the client, bundled from `host/client/src`.
pub const CORE: &str = include_str!("../../../client/dist/core.js");

/// What TypeScript knows the client by.
pub const DECLARATIONS: &str = include_str!("../../../client/primus.d.ts");

/// The two files of one assembled client.
#[derive(Debug, Clone)]
pub struct Library {
    /// Hash of the set it was assembled from; the client knows it as `library`, and the `ETag`s are made of it.
    pub hash: String,
    script: Asset,
    module: Asset,
}

/// Which of the two files a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// `primus.js`: for a script element, CommonJS or AMD.
    Script,
    /// `primus.mjs`: an ES module.
    Module,
}

impl Flavour {
    /// The flavour that a path below the server's asks for: `/primus.js`, `/primus.mjs`.
    pub fn of_path(path: &str) -> Option<Self> {
        match path {
            "/primus.js" => Some(Self::Script),
            "/primus.mjs" => Some(Self::Module),
            _ => None,
        }
    }
}

impl Library {
    /// Assembles and compresses. Takes about a second of processor time: not for a shard's thread.
    ///
    /// `parts` are in the plugins' order. `config.library` is set to the hash.
    ///
    /// # Errors
    /// [`AssembleError`] if a part is not what it has to be; nothing of the set is then usable.
    pub fn build(mut config: ClientConfig, parts: &[Part]) -> Result<Self, AssembleError> {
        let hash = hash(&config, parts);
        config.library.clone_from(&hash);
        let script = assemble::script(CORE, &config, parts)?;
        let module = assemble::module(CORE, &config, parts)?;
        Ok(Self { script: Asset::new(script, &hash), module: Asset::new(module, &hash), hash })
    }

    /// The text of one of the files.
    pub fn text(&self, flavour: Flavour) -> &Bytes {
        self.asset(flavour).text()
    }

    /// The answer to a `GET` or `HEAD` with these headers: 200 in the best encoding, or 304.
    pub fn respond(&self, flavour: Flavour, headers: &HeaderMap) -> Response<Bytes> {
        self.asset(flavour).respond(headers)
    }

    fn asset(&self, flavour: Flavour) -> &Asset {
        match flavour {
            Flavour::Script => &self.script,
            Flavour::Module => &self.module,
        }
    }
}

/// 128 bits of the SHA-256 over everything that the files depend on, in hexadecimal.
fn hash(config: &ClientConfig, parts: &[Part]) -> String {
    let mut hash = Sha256::new();
    let mut field = |text: &str| {
        // The length goes first, so that no two sets run together to the same bytes.
        hash.update(text.len().to_le_bytes());
        hash.update(text.as_bytes());
    };
    field(CORE);
    field(&config.json());
    for part in parts {
        field(part.kind.word());
        field(&part.name);
        field(&part.text);
    }
    let digest = hash.finalize();
    digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
