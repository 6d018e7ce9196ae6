//! Whether a request that opens a session is to take a spark over: its query says so.
//!
//! What follows from it is `shard/succession.rs`.

use plugin_api::{Refusal, Request};

use crate::house::House;
use crate::shard::succession::Refused;
use crate::spark::Heir;

/// What the request's `_move` says, where it has one.
pub(super) fn ticket(request: &Request<'_>) -> Option<String> {
    request.query_value("_move")
}

/// The spark that the request's `_move` is a ticket for, where there is one.
pub(super) fn heir_of(house: &House, request: &Request<'_>) -> Result<Option<Heir>, Refusal> {
    let Some(ticket) = ticket(request) else { return Ok(None) };
    let heir =
        ticket.split_once('~').and_then(|(public, secret)| Some(Heir { of: house.find(public)?, ticket: secret.into() }));
    heir.map(Some).ok_or_else(|| Refusal::new(Refused::Ticket.to_string()).with_status(410))
}
