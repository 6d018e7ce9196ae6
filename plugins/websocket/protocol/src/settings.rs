//! What an endpoint may be told, checked. Where it stands in a configuration file is the plugin's business.

use std::time::Duration;

use crate::close::CloseCode;
use crate::deflate::Parameters;
use crate::origin::Rule;

/// How an endpoint speaks.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The longest message, in bytes.
    pub max_message: usize,
    /// Whose pages may connect.
    pub origins: Vec<Rule>,
    /// The subprotocols that are spoken, the best first; empty: any.
    pub subprotocols: Vec<String>,
    /// The code of a normal close.
    pub close_code: Option<CloseCode>,
    /// How long to wait for the answer to a close frame.
    pub close_timeout: Duration,
    /// permessage-deflate, if it is on.
    pub compression: Option<Compression>,
}

impl Default for Settings {
    /// Messages up to 10 MiB, any origin and subprotocol, a normal close without a code whose answer has 10 seconds, and no
    /// compression.
    fn default() -> Self {
        Self {
            max_message: 10 * 1024 * 1024,
            origins: vec![Rule::Any],
            subprotocols: Vec::new(),
            close_code: None,
            close_timeout: Duration::from_secs(10),
            compression: None,
        }
    }
}

/// How messages are compressed.
#[derive(Debug, Clone, Copy)]
pub struct Compression {
    /// The length from which messages are compressed, in bytes: at least 1.
    pub threshold: usize,
    /// 1 to 9.
    pub level: u32,
    /// The parameters that the server would like.
    pub wanted: Parameters,
}
