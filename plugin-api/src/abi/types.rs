//! The structs that cross the boundary. Frozen: see the rules in the parent module.

use abi_stable::StableAbi;
use abi_stable::std_types::{RSlice, RStr, RString, RVec};

/// An object of the other side. Only the side that made it may look into it.
pub type Opaque = *mut ();

/// One header field, borrowed.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct RawHeader<'a> {
    /// The field's name in lower case.
    pub name: RStr<'a>,
    /// The field's value as it came.
    pub value: RSlice<'a, u8>,
}

/// An HTTP request, borrowed from the host for the length of a call.
#[repr(C)]
#[derive(StableAbi, Debug)]
pub struct RawRequest<'a> {
    /// The method in upper case.
    pub method: RStr<'a>,
    /// The whole path of the request.
    pub path: RStr<'a>,
    /// What follows the server's pathname in `path`; the whole path outside of it.
    pub rest: RStr<'a>,
    /// The query without the question mark.
    pub query: RStr<'a>,
    /// The header fields in the order of the request.
    pub headers: RSlice<'a, RawHeader<'a>>,
    /// The body, complete.
    pub body: RSlice<'a, u8>,
    /// The client's address as `ip:port`, forwarded ones resolved.
    pub address: RStr<'a>,
    /// The scheme that the client used: `http` or `https`.
    pub scheme: RStr<'a>,
    /// The host that the client asked for, forwarded ones resolved.
    pub host: RStr<'a>,
    /// Room for what later hosts tell; names unknown to a plugin are to be ignored.
    pub extensions: RSlice<'a, RawHeader<'a>>,
}

/// The [`RawRequest::extensions`] that hosts tell.
pub mod extension {
    /// With the first request of a session: the public id of its spark.
    pub const SPARK_ID: &str = "spark-id";
    /// With a request that was routed to a session that is not there: the transport is asked once more.
    pub const LOST_SESSION: &str = "lost-session";
    /// With a request for a connection that is refused: the encoded [`crate::Refusal`]. The transport is asked once more.
    pub const REFUSED: &str = "refused";
}

/// An HTTP response, owned.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Default)]
pub struct RawResponse {
    /// The status code.
    pub status: u16,
    /// The header fields.
    pub headers: RVec<RawField>,
    /// The body.
    pub body: RVec<u8>,
}

/// One header field, owned.
#[repr(C)]
#[derive(StableAbi, Debug, Clone)]
pub struct RawField {
    /// The field's name.
    pub name: RString,
    /// The field's value.
    pub value: RString,
}

/// Which event a [`RawEvent`] is. Unknown numbers are ignored by the host.
pub mod event {
    /// A message in the input: `start`, `len`, `detail` = kind.
    pub const MESSAGE: u8 = 1;
    /// An assembled message: `start` = index in `owned`, `detail` = kind.
    pub const MESSAGE_OWNED: u8 = 2;
    /// Exchange `start` becomes the stream carrier; `len` = index in `responses` for the 101's headers.
    pub const UPGRADE: u8 = 3;
    /// Exchange `start` is answered whole by response `len`.
    pub const RESPOND: u8 = 4;
    /// Exchange `start` is answered by the head of response `len`; its body stays open.
    pub const RESPOND_OPEN: u8 = 5;
    /// More of the open body of exchange `start`: `owned[len]`.
    pub const CHUNK: u8 = 6;
    /// The open body of exchange `start` ends.
    pub const FINISH: u8 = 7;
    /// Timer `id` is to fire after `start` nanoseconds; an earlier one of that id is replaced.
    pub const SET_TIMER: u8 = 8;
    /// Timer `id` is not to fire.
    pub const CLEAR_TIMER: u8 = 9;
    /// The peer showed life.
    pub const ALIVE: u8 = 10;
    /// The session is over; `start` = index in `owned` of the encoded [`crate::DisconnectReason`].
    pub const CLOSE: u8 = 11;
    /// Sharable frames: `id` = class, 0 = none.
    pub const FRAME_CLASS: u8 = 12;
    /// The spark may go on in another session: by the secret (UTF-8) at `start` of the owned bytes.
    pub const TICKET: u8 = 13;
    /// A message that the client does not have, for the session that goes on. `detail` is its kind, `start` its place among the
    /// owned bytes. Only in answer to `succeed`.
    pub const REMAINS: u8 = 14;
}

/// One event of a session.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy)]
pub struct RawEvent {
    /// One of [`event`].
    pub what: u8,
    /// See there.
    pub detail: u8,
    /// See there.
    pub id: u32,
    /// See there.
    pub start: u64,
    /// See there.
    pub len: u64,
}

/// Where a session puts what it has to say. Owned by the host, lent for a call.
#[repr(C)]
#[derive(StableAbi, Debug)]
pub struct EventSink {
    /// In order.
    pub events: RVec<RawEvent>,
    /// The spark's out-buffer: bytes for the stream carrier.
    pub out: RVec<u8>,
    /// Bytes that events refer to by index.
    pub owned: RVec<RVec<u8>>,
    /// Responses that events refer to by index.
    pub responses: RVec<RawResponse>,
}

impl EventSink {
    /// An empty sink, with buffers of the caller's side.
    pub fn new() -> Self {
        Self { events: RVec::new(), out: RVec::new(), owned: RVec::new(), responses: RVec::new() }
    }
}

impl Default for EventSink {
    fn default() -> Self {
        Self::new()
    }
}

/// A message on its way through the hooks. Owned by the host, lent for a call.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawMessage {
    /// The wire bytes; dangling and empty when there are none (see `has_wire`).
    pub wire: *const u8,
    /// Their number.
    pub wire_len: usize,
    /// The encoded value; null until `decode` was called.
    pub value: *const u8,
    /// Its length in bytes.
    pub value_len: usize,
    /// The host's state of the message.
    pub owner: *mut (),
    /// Fills `value`. `[shard]`. OK, or FAILED where the parser refuses the bytes.
    pub decode: unsafe extern "C" fn(*mut RawMessage) -> u32,
    /// Replaces the value; the wire bytes are gone then. `[shard]`.
    pub replace: unsafe extern "C" fn(*mut RawMessage, *const u8, usize),
    /// The host-wide number of the parser that the wire bytes belong to.
    pub parser: u32,
    /// 0 text, 1 binary.
    pub kind: u8,
    /// 1 when `wire` is what a relay may send unchanged.
    pub has_wire: u8,
    /// Set by a hook that defers: the token that `resume` takes. 0 otherwise.
    pub deferred: u64,
}

/// What is to be sent: wire bytes of a parser, or an encoded value.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct RawPayload<'a> {
    /// Wire bytes (`parser` > 0), or an encoded value (`parser` = 0).
    pub bytes: RSlice<'a, u8>,
    /// The host-wide number of the parser of the wire bytes.
    pub parser: u32,
    /// 0 text, 1 binary; for wire bytes.
    pub kind: u8,
}
