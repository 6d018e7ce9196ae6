//! What is said in a hand-over, as records. Each is an encoded value (CBOR, `plugin_api::value`): a later version adds fields with
//! a default, and reads the records of the one before.
//!
//! Knows no socket: connections go beside the records, one for each spark, in their order.

use std::borrow::Cow;
use std::path::PathBuf;

use plugin_api::{DisconnectReason, EndOptions};
use serde::{Deserialize, Serialize};

/// The successor is complete, with all its plugins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// What its configuration wants to listen on.
    pub listen: String,
    /// How many shards it has.
    pub shards: usize,
    /// The plugins that serve there.
    #[serde(default)]
    pub plugins: Option<Vec<String>>,
}

/// An address of a plugin, with a listening socket for each shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceRecord {
    /// Whose.
    pub plugin: String,
    /// As the plugin wrote it.
    pub written: String,
    /// As it is.
    pub address: String,
}

/// The listening sockets of the server itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListeningRecord {
    /// How many addresses of plugins follow.
    pub places: usize,
}

/// The hand-over begins. Beside it are the lock and the listener of the control socket, if there is one.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeginRecord {
    /// Where the control socket lies.
    #[serde(default)]
    pub control: Option<PathBuf>,
}

/// The slots of a shard, in pieces: which generation the spark in each has, or the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotsRecord {
    /// Whose.
    pub shard: u8,
    /// From the first slot on; a further piece continues the one before.
    pub generations: Vec<u32>,
}

/// Some sparks of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SparksRecord {
    /// Whose.
    pub shard: u8,
    /// They.
    pub sparks: Vec<SparkRecord>,
}

/// Who a spark is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhoRecord {
    /// Its handle.
    pub id: u64,
    /// The random part of its public id.
    pub secret: u64,
    /// When it came, in seconds since 1970.
    #[serde(default)]
    pub since_s: u32,
    /// What is known from its handshake: an encoded [`plugin_api::SparkInfo`].
    #[serde(with = "serde_bytes")]
    pub info: Vec<u8>,
    /// Whether the connection hooks were told of it.
    pub announced: bool,
    /// Whether the transport opened it without a spark.
    pub bare: bool,
}

/// A spark that goes on in the other process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SparkRecord {
    /// Who it is.
    pub who: WhoRecord,
    /// The name of its transport.
    pub transport: String,
    /// What its session has saved.
    #[serde(with = "serde_bytes")]
    pub session: Vec<u8>,
    /// The name of its parser.
    pub parser: String,
    /// The class of frames that it shares; 0: none.
    pub class: u32,
    /// Whether its session carries text only.
    #[serde(default)]
    pub text_only: bool,
    /// Whether it showed life since the last ping.
    pub alive: bool,
    /// Whether the client pings by itself.
    #[serde(default)]
    pub pings: bool,
    /// How many steps of the heartbeat's wheel it is from its next ping.
    pub beat: u8,
    /// The session's timers: their numbers, and the milliseconds that are left.
    pub timers: Vec<(u32, u64)>,
    /// What is not written yet.
    #[serde(with = "serde_bytes")]
    pub out: Vec<u8>,
}

/// Some sparks of a shard that don't go over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftRecord {
    /// Whose.
    pub shard: u8,
    /// They, and what the disconnection hooks are to be told.
    pub sparks: Vec<(WhoRecord, DisconnectReason)>,
}

/// What a shard was still to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LettersRecord {
    /// Whose.
    pub shard: u8,
    /// In their order.
    pub letters: Vec<Letter>,
}

/// One thing that a shard was still to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Letter {
    /// To send.
    Send {
        /// To whom.
        sparks: Vec<u64>,
        /// What.
        posted: Posted,
    },
    /// To end a spark.
    End {
        /// Which.
        spark: u64,
        /// How.
        options: EndOptions,
    },
}

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Posted {
    /// The name of the parser whose wire bytes these are; `None`: an encoded value.
    pub parser: Option<String>,
    /// Whether the wire bytes are text.
    pub text: bool,
    /// They.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

/// Connections of which no request is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreshRecord {
    /// Whose they were.
    pub shard: u8,
    /// Their peers' addresses.
    pub peers: Vec<String>,
}

/// The state of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginRecord<'a> {
    /// Its name.
    pub name: String,
    /// What it has saved.
    #[serde(borrow, with = "serde_bytes")]
    pub state: Cow<'a, [u8]>,
}

/// Sparks that the successor could not make its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Their handles.
    pub refused: Vec<u64>,
}

#[cfg(test)]
mod tests {
    use plugin_api::value;

    use super::*;

    fn spark() -> SparkRecord {
        SparkRecord {
            who: WhoRecord {
                id: 1 << 56 | 9,
                secret: (1 << 62) - 1,
                since_s: 7,
                info: vec![0xa0],
                announced: true,
                bare: false,
            },
            transport: "websockets".to_owned(),
            session: vec![1, 2, 3],
            parser: "json".to_owned(),
            class: 1,
            text_only: true,
            alive: false,
            pings: true,
            beat: 31,
            timers: vec![(0, 250)],
            out: vec![0x81, 0],
        }
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        let sparks = SparksRecord { shard: 3, sparks: vec![spark(), spark()] };
        assert_eq!(value::decode::<SparksRecord>(&value::to_vec(&sparks).unwrap()), Ok(sparks));
        let left = LeftRecord { shard: 0, sparks: vec![(spark().who, DisconnectReason::Timeout("ping".to_owned()))] };
        assert_eq!(value::decode::<LeftRecord>(&value::to_vec(&left).unwrap()), Ok(left));
        let letters = vec![
            Letter::Send { sparks: vec![1], posted: Posted { parser: None, text: false, bytes: vec![0xf6] } },
            Letter::End { spark: 1, options: EndOptions { reconnect: true, ..EndOptions::default() } },
        ];
        let letters = LettersRecord { shard: 1, letters };
        assert_eq!(value::decode::<LettersRecord>(&value::to_vec(&letters).unwrap()), Ok(letters));
    }

    #[test]
    fn a_field_of_a_later_version_is_passed_over_and_a_missing_one_is_told() {
        #[derive(Serialize)]
        struct Later {
            refused: Vec<u64>,
            since: u64,
        }
        let later = value::to_vec(&Later { refused: vec![5], since: 1 }).unwrap();
        assert_eq!(value::decode::<Taken>(&later), Ok(Taken { refused: vec![5] }));
        assert!(value::decode::<Ready>(&later).unwrap_err().to_string().contains("listen"));
    }

    #[test]
    fn any_bytes_are_an_error_and_no_panic() {
        let whole = value::to_vec(&SparksRecord { shard: 3, sparks: vec![spark()] }).unwrap();
        for end in 0..whole.len() {
            assert!(value::decode::<SparksRecord>(&whole[..end]).is_err());
        }
    }
}
