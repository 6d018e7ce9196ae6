//! The control socket's language: one question, a line of JSON, and answers, a line each; the last one ends the conversation.
//!
//! Knows the words only. `{"ask":"reload","plugin":"rooms"}` is answered by `{"done":"…"}` or `{"refused":"…"}`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The longest question, in bytes.
pub const LONGEST_QUESTION: u64 = 4096;

/// The longest answer that is read, in bytes.
pub const LONGEST_ANSWER: u64 = 16 << 20;

/// The most sparks that one answer lists.
pub const MOST_SPARKS: usize = 10_000;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "lowercase", deny_unknown_fields)]
pub enum Question {
    /// What is known of all plugins; with `watch` again and again, whenever it has changed.
    Plugins {
        /// Whether further answers follow.
        #[serde(default)]
        watch: bool,
    },
    /// Who is connected.
    Sparks {
        /// How many are listed, at most [`MOST_SPARKS`].
        limit: usize,
    },
    /// A new generation of a plugin, from its file.
    Reload {
        /// Its name.
        plugin: String,
    },
    /// Looks at `plugins.toml` and the plugins folder at once, and answers when what they ask for is in force.
    Settle {
        /// The plugin that it is about, if it is about one.
        plugin: Option<String>,
    },
    /// A new process that takes over, with the connections that can be handed over.
    Upgrade {
        /// Its binary; without, what lies where the running one was started from.
        binary: Option<PathBuf>,
    },
    /// No new clients; those that are there are told to come back, to this server's successor or another one. Then it ends.
    Drain,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// All plugins.
    Plugins(Vec<PluginReport>),
    /// What is wrong with the configuration or the plugins folder; how the plugins stand follows. It comes only where something
    /// is, or has just been.
    Troubles(Vec<String>),
    /// Who is connected.
    Sparks(SparksReport),
    /// It takes its time: how far it is. More follows.
    Progress(String),
    /// It is in force, in one line.
    Done(String),
    /// It is not, and why, in one line.
    Refused(String),
    /// Another process serves by now, at the same place: nothing was done, it is to be asked there.
    Moved,
}

/// How a plugin stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It serves.
    Serving,
    /// It panicked: its hooks are skipped, its new sessions refused.
    Quarantined,
    /// The configuration does not want it.
    Disabled,
    /// It does not load or does not start.
    Refused,
    /// The configuration names it, and no library is there.
    Missing,
    /// It would be loaded: said where no server runs.
    Enabled,
}

/// What is known of one plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginReport {
    /// Its name; of a library that was never loaded the one that its file suggests.
    pub name: String,
    /// The version that serves.
    pub version: Option<String>,
    /// Its file's name.
    pub file: Option<String>,
    /// How it stands.
    pub state: State,
    /// Why it does not serve; or, of one that serves, why a newer file or configuration does not.
    pub reason: Option<String>,
    /// The number of the generation that serves, from 1.
    pub generation: Option<u64>,
    /// How many sparks it carries (a transport) or writes for (a parser), all generations of it together.
    pub sparks: u64,
    /// Generations that were replaced, the oldest first.
    pub retired: Vec<RetiredReport>,
}

/// What is known of a generation that was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetiredReport {
    /// Its number.
    pub generation: u64,
    /// What still holds it, such as `3 sessions`; empty once it has stopped.
    pub held_by: Vec<String>,
    /// The private memory of its library's mappings, which stay, in KiB.
    pub memory_kib: u64,
}

/// Who is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SparksReport {
    /// How many there are.
    pub count: usize,
    /// How many by transport.
    pub transports: BTreeMap<String, usize>,
    /// How many by parser.
    pub parsers: BTreeMap<String, usize>,
    /// How many by the client's address: those with the most sparks.
    pub addresses: Vec<(String, usize)>,
    /// The oldest ones, as many as were asked for.
    pub sparks: Vec<SparkReport>,
}

/// One spark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SparkReport {
    /// Its public id.
    pub id: String,
    /// The client's address and port.
    pub address: String,
    /// Its transport.
    pub transport: String,
    /// Its parser.
    pub parser: String,
    /// How long it has been there, in seconds.
    pub age_s: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_read_as_they_are_written() {
        for (text, question) in [
            (r#"{"ask":"plugins"}"#, Question::Plugins { watch: false }),
            (r#"{"ask":"sparks","limit":3}"#, Question::Sparks { limit: 3 }),
            (r#"{"ask":"reload","plugin":"rooms"}"#, Question::Reload { plugin: "rooms".to_owned() }),
            (r#"{"ask":"settle","plugin":null}"#, Question::Settle { plugin: None }),
            (r#"{"ask":"upgrade","binary":"/a/b"}"#, Question::Upgrade { binary: Some("/a/b".into()) }),
            (r#"{"ask":"drain"}"#, Question::Drain),
        ] {
            assert_eq!(serde_json::from_str::<Question>(text).unwrap(), question);
        }
        for text in ["", "{}", r#"{"ask":"dance"}"#, r#"{"ask":"reload"}"#, r#"{"ask":"plugins","plugin":"a"}"#] {
            assert!(serde_json::from_str::<Question>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn answers_name_what_they_are() {
        assert_eq!(serde_json::to_string(&Answer::Done("it serves".to_owned())).unwrap(), r#"{"done":"it serves"}"#);
    }
}
