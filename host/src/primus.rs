//! The `primus::` messages: the protocol that Primus speaks inside of messages, whatever the transport and the parser.
//!
//! They go through the spark's parser, but past the hooks. `primus::ping::<ms>` and `primus::pong::<ms>` both ways (Primus 6's
//! clients ping themselves, and are not pinged then), `primus::id::` asks for the id, `primus::server::close` says that the client is not to reconnect.
//! `primus::ticket::`, `primus::leave::`, `primus::left::`, `primus::move::WORD` and `primus::moved::` are ours: a spark goes on in
//! another session (`shard/succession.rs`).

/// What every control message begins with.
pub const PREFIX: &str = "primus::";

/// No control message is longer on the wire, however it is escaped: longer messages are not looked at.
pub const LONGEST: usize = 512;

/// A control message of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control<'a> {
    /// The client pings, as those of Primus 6 do; with what the answer repeats.
    Ping(&'a str),
    /// It answers a ping.
    Pong,
    /// It asks for its id.
    Id,
    /// On a connection that is to take a spark over: now, with a word for the session that carries it so far.
    Move(&'a str),
    /// It asks by what another connection can take its spark over.
    Ticket,
    /// It sends nothing more by this connection: another one is to take its spark over.
    Leave,
    /// Anything else; it does not reach the application.
    Unknown(&'a str),
}

impl<'a> Control<'a> {
    /// The control message that a string is; `None` for other strings.
    pub fn parse(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        let (name, value) = rest.split_once("::").unwrap_or((rest, ""));
        Some(match name {
            "ping" => Self::Ping(value),
            "pong" => Self::Pong,
            "id" => Self::Id,
            "move" => Self::Move(value),
            "ticket" => Self::Ticket,
            "leave" => Self::Leave,
            _ => Self::Unknown(name),
        })
    }
}

/// The server's ping at a time in milliseconds since the epoch.
pub fn ping(milliseconds: u128) -> String {
    format!("{PREFIX}ping::{milliseconds}")
}

/// The answer to a client's ping.
pub fn pong(value: &str) -> String {
    format!("{PREFIX}pong::{value}")
}

/// The answer to the question for the id.
pub fn id(id: &str) -> String {
    format!("{PREFIX}id::{id}")
}

/// The answer to the question for a ticket.
pub fn ticket(ticket: &str) -> String {
    format!("{PREFIX}ticket::{ticket}")
}

/// All that the client has sent before it leaves has come.
pub fn left() -> String {
    format!("{PREFIX}left::")
}

/// The spark goes on in the session by which this comes; on the connection that it leaves, it is the last message.
pub fn moved() -> String {
    format!("{PREFIX}moved::")
}

/// The client is not to reconnect.
pub fn server_close() -> String {
    format!("{PREFIX}server::close")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_messages_are_told_from_other_strings() {
        assert_eq!(Control::parse("primus::pong::1700000000000"), Some(Control::Pong));
        assert_eq!(Control::parse("primus::ping::17"), Some(Control::Ping("17")));
        assert_eq!(Control::parse("primus::id::"), Some(Control::Id));
        assert_eq!(Control::parse("primus::move::17"), Some(Control::Move("17")));
        assert_eq!(Control::parse("primus::ticket::"), Some(Control::Ticket));
        assert_eq!(Control::parse("primus::leave::"), Some(Control::Leave));
        assert_eq!(Control::parse("primus::foo::1"), Some(Control::Unknown("foo")));
        assert_eq!(Control::parse("primus:"), None);
        assert_eq!(Control::parse("hello"), None);
    }
}
