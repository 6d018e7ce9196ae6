//! `/metrics`: what the host and the plugins count, in Prometheus's text format (version 0.0.4).
//!
//! Answered to this machine only: the figures tell strangers how much is going on.

use std::fmt::Write as _;
use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

/// Path of [`respond`].
pub const PATH: &str = "/metrics";

/// One figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// The name behind `switchboard_`; what is no letter, digit or `_` becomes `_`.
    pub name: String,
    /// One line on what it is.
    pub help: String,
    /// Whether it only grows.
    pub kind: Kind,
    /// The plugin that counts it.
    pub plugin: Option<String>,
    /// The figure.
    pub value: u64,
}

/// How a figure moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// Up and down.
    Gauge,
}

/// The answer to a client at this address.
pub fn respond(client: IpAddr, figures: &[Figure]) -> Response<Bytes> {
    if !client.is_loopback() {
        return hidden();
    }
    let mut response = Response::new(Bytes::from(text(figures)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    response
}

/// The answer to anybody else.
pub fn hidden() -> Response<Bytes> {
    super::text(StatusCode::NOT_FOUND, "nothing is here\n")
}

fn text(figures: &[Figure]) -> String {
    let mut text = String::new();
    let mut last = "";
    for figure in figures {
        let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
        let mut name: String = "switchboard_".chars().chain(figure.name.chars().map(letter)).collect();
        let kind = match figure.kind {
            Kind::Counter => {
                name.push_str("_total");
                "counter"
            }
            Kind::Gauge => "gauge",
        };
        let help = figure.help.replace('\\', "\\\\").replace('\n', "\\n");
        let labels = figure.plugin.as_ref().map(|plugin| format!("{{plugin=\"{plugin}\"}}")).unwrap_or_default();
        // Writing to a string does not fail.
        if last != figure.name {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        }
        last = &figure.name;
        let _ = writeln!(text, "{name}{labels} {}", figure.value);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_named_typed_and_labelled() {
        let joined = Figure {
            name: "rooms.joined".to_owned(),
            help: "Joins.".to_owned(),
            kind: Kind::Counter,
            plugin: Some("rooms".to_owned()),
            value: 3,
        };
        let sparks = Figure { name: "sparks".to_owned(), help: "Open.".to_owned(), kind: Kind::Gauge, plugin: None, value: 2 };
        let body = respond(IpAddr::from([127, 0, 0, 1]), &[joined, sparks]).into_body();
        let expected = "# HELP switchboard_rooms_joined_total Joins.\n# TYPE switchboard_rooms_joined_total counter\n\
                        switchboard_rooms_joined_total{plugin=\"rooms\"} 3\n\
                        # HELP switchboard_sparks Open.\n# TYPE switchboard_sparks gauge\nswitchboard_sparks 2\n";
        assert_eq!(std::str::from_utf8(&body), Ok(expected));
    }

    #[test]
    fn figures_of_one_name_are_explained_once() {
        let of = |plugin: &str, value| Figure {
            name: "plugin_panics".to_owned(),
            help: "Panics.".to_owned(),
            kind: Kind::Counter,
            plugin: Some(plugin.to_owned()),
            value,
        };
        let expected = "# HELP switchboard_plugin_panics_total Panics.\n# TYPE switchboard_plugin_panics_total counter\n\
                        switchboard_plugin_panics_total{plugin=\"a\"} 1\nswitchboard_plugin_panics_total{plugin=\"b\"} 2\n";
        assert_eq!(text(&[of("a", 1), of("b", 2)]), expected);
    }

    #[test]
    fn other_machines_see_nothing() {
        assert_eq!(respond(IpAddr::from([192, 0, 2, 1]), &[]).status(), StatusCode::NOT_FOUND);
    }
}
