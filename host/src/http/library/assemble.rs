//! The text of the client: core, configuration and parts, joined by the rules of `host/client/assemble.js`.
//!
//! That file is the reference, and a test of the whole system compares the two byte by byte. No text is run or parsed:
//! a part is wrapped in a function and its `export default ` becomes `return `.

use serde::{Serialize, Serializer};
use std::time::Duration;

/// What the server tells the client about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientConfig {
    /// The path of the server.
    pub pathname: String,
    /// The version of Primus whose protocol is spoken.
    pub version: &'static str,
    /// After how long without a ping the client takes the connection for dead.
    pub ping_timeout: PingTimeout,
    /// Whether connections are authorized: a failed handshake may then be a refusal.
    pub authorization: bool,
    /// The name of the client in a page without modules.
    pub global: String,
    /// Names of the transports, in the order in which the client tries them.
    pub transports: Vec<String>,
    /// Name of the parser.
    pub parser: String,
    /// Hash of the set that this client is made of.
    pub library: String,
}

impl ClientConfig {
    /// As JSON that can also stand in a script element.
    pub(super) fn json(&self) -> String {
        json(self)
    }
}

/// How long a client waits for a ping; written in milliseconds, or `false`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PingTimeout(pub Option<Duration>);

impl PingTimeout {
    /// Primus's rule: half as long again as the server's interval.
    pub fn for_interval(interval: Option<Duration>) -> Self {
        Self(interval.map(|interval| interval * 3 / 2))
    }
}

impl Serialize for PingTimeout {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(time) => serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            None => serializer.serialize_bool(false),
        }
    }
}

/// A piece of JavaScript that a plugin adds to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is for.
    pub kind: PartKind,
    /// The name it is registered under.
    pub name: String,
    /// An ES module without imports whose one `export default ` begins a line; for a library, a plain script.
    pub text: String,
}

/// What a part is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartKind {
    /// Opens connections.
    Transport,
    /// Encodes and decodes messages.
    Parser,
    /// Extends each client object.
    Extension,
    /// Runs once, before the first client object.
    Library,
}

impl PartKind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Transport => "transport",
            Self::Parser => "parser",
            Self::Extension => "extension",
            Self::Library => "library",
        }
    }
}

/// Why a client could not be assembled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the client part {part} must have one line that begins with \"export default \", not {found}")]
pub struct AssembleError {
    /// The part's name.
    pub part: String,
    /// How many such lines it has.
    pub found: usize,
}

/// The client as a script: CommonJS, AMD, or a global variable.
pub(super) fn script(core: &str, config: &ClientConfig, parts: &[Part]) -> Result<String, AssembleError> {
    let global = json(&config.global);
    let body = body(core, config, parts)?;
    Ok(format!(
        r#"(function (root, factory) {{
  if (typeof module === "object" && module.exports) {{
    module.exports = factory();
    return;
  }}
  var Primus = (root[{global}] = factory());
  if (typeof define === "function" && define.amd) define([], function () {{ return Primus; }});
}})(typeof globalThis !== "undefined" ? globalThis : this, function () {{
{body}
return Primus;
}});
"#
    ))
}

/// The client as an ES module.
pub(super) fn module(core: &str, config: &ClientConfig, parts: &[Part]) -> Result<String, AssembleError> {
    let body = body(core, config, parts)?;
    Ok(format!("{body}\nexport default Primus;\nexport {{ Primus }};\n"))
}

fn body(core: &str, config: &ClientConfig, parts: &[Part]) -> Result<String, AssembleError> {
    let mut lines = vec![core.to_owned(), format!("var Primus = core.define({});", config.json())];
    let of_kind = |kind: PartKind| parts.iter().filter(move |part| part.kind == kind);
    for kind in [PartKind::Transport, PartKind::Parser, PartKind::Extension] {
        for part in of_kind(kind) {
            lines.push(format!("core.register(Primus, {}, {}, {});", json(&kind.word()), json(&part.name), expression(part)?));
        }
    }
    for part in of_kind(PartKind::Library) {
        lines.push(format!("core.library(Primus, function (Primus) {{\n{}\n}});", part.text));
    }
    Ok(lines.join("\n"))
}

/// A part as an expression whose value is what it exports.
fn expression(part: &Part) -> Result<String, AssembleError> {
    const EXPORT: &str = "export default ";
    let starts: Vec<usize> = part
        .text
        .match_indices(EXPORT)
        .map(|(at, _)| at)
        .filter(|at| {
            let before = &part.text[..*at];
            // What ends a line in JavaScript.
            before.is_empty() || before.ends_with(['\n', '\r', '\u{2028}', '\u{2029}'])
        })
        .collect();
    let [start] = starts[..] else {
        return Err(AssembleError { part: part.name.clone(), found: starts.len() });
    };
    let (before, after) = (&part.text[..start], &part.text[start + EXPORT.len()..]);
    Ok(format!("(function () {{\n\"use strict\";\n{before}return {after}\n}})()"))
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value)
        .expect("strings, numbers and lists of them are always JSON")
        .replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}
