//! What can be wrong with a configuration file, said so that it can be put right without a manual.
//!
//! Knows how to say it; knows nothing of TOML or of single options.

use std::{fmt, io, path::PathBuf};

/// Why a configuration was not taken over. The one that was in force stays so.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read as UTF-8 text.
    #[error("{}: {cause}", file.display())]
    Unreadable {
        /// The file, as it was named.
        file: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// Something in the file is wrong.
    #[error("{0}")]
    Refused(Box<Refusal>),
}

/// One thing that is wrong in a configuration file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The file, as it was named.
    pub file: PathBuf,
    /// Line of the key or value, from 1.
    pub line: usize,
    /// Column of the key or value in characters, from 1.
    pub column: usize,
    /// The whole key, such as `server.cors.max_age`; empty if the fault belongs to no key.
    pub key: String,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// What could stand there instead; empty if that is no short list.
    pub allowed: Vec<String>,
    /// The member of `allowed` that was most likely meant.
    pub suggestion: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file.display(), self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, "; did you mean `{suggestion}`?")?;
        }
        if !self.allowed.is_empty() {
            write!(f, " (allowed: {})", self.allowed.join(", "))?;
        }
        Ok(())
    }
}

/// The candidate that `word` was most likely meant to be, if one is near enough to say so.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .filter(|candidate| *candidate != word)
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
