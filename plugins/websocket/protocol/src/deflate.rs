//! permessage-deflate's payloads (RFC 7692, section 7.2): messages are deflated and inflated here.
//!
//! Knows parameters that are agreed upon, not how (see `extension`). Contexts that a session doesn't keep between messages
//! come from a pool of the endpoint, so that an idle session holds none.

use std::sync::{Mutex, MutexGuard, PoisonError};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use serde::{Deserialize, Serialize};

/// Whether a direction's compression context lives on from message to message (`*_no_context_takeover`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Context {
    /// Messages may refer to those before them.
    Kept,
    /// Each message stands alone.
    Reset,
}

/// The base-2 logarithm of an LZ77 window's size in bytes: 8 to 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WindowBits(u8);

impl WindowBits {
    /// The largest window: 32 KiB.
    pub const MAX: WindowBits = WindowBits(15);
    /// The smallest window: 256 bytes. The deflater has none of this size; see [`Deflater::message`].
    const MIN: WindowBits = WindowBits(8);
    /// The smallest window that the codecs have.
    const MIN_CODEC: u8 = 9;

    /// `bits`, if it is 8 to 15.
    pub fn new(bits: u8) -> Option<WindowBits> {
        (Self::MIN.0..=Self::MAX.0).contains(&bits).then_some(WindowBits(bits))
    }

    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }

    fn codec(self) -> u8 {
        self.0.max(Self::MIN_CODEC)
    }
}

/// What a client and this server have agreed upon (RFC 7692, section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// The server's context.
    pub server: Context,
    /// The client's context.
    pub client: Context,
    /// The server's window.
    pub server_window: WindowBits,
    /// The client's window.
    pub client_window: WindowBits,
}

impl Parameters {
    /// Whether this server makes use of a kept context: with the smallest window there is nothing to gain.
    pub fn server_context(&self) -> Context {
        if self.server_window == WindowBits::MIN { Context::Reset } else { self.server }
    }
}

/// Deflates messages for one window size.
pub struct Deflater {
    raw: Box<Compress>,
    window: WindowBits,
    message: Vec<u8>,
}

/// A deflater keeps its output buffer up to this size, in bytes.
const KEPT_BUFFER: usize = 64 * 1024;

impl Deflater {
    fn new(window: WindowBits, level: u32) -> Self {
        Self {
            raw: Box::new(Compress::new_with_window_bits(Compression::new(level), false, window.codec())),
            window,
            message: Vec::new(),
        }
    }

    /// The deflated payload of one message, without the four bytes that the receiver puts back (section 7.2.1).
    pub fn message(&mut self, payload: &[u8]) -> &[u8] {
        self.message.clear();
        self.message.shrink_to(KEPT_BUFFER);
        if self.window == WindowBits::MIN {
            // Blocks of pieces as long as the window that know nothing of each other can't refer to what it has lost.
            for piece in payload.chunks(1 << self.window.0) {
                self.raw.reset();
                self.deflate(piece);
            }
        } else {
            self.deflate(payload);
        }
        self.message.strip_suffix(&Inflater::TAIL).unwrap_or(&self.message)
    }

    fn deflate(&mut self, mut payload: &[u8]) {
        loop {
            // Room left over tells that the flush is complete.
            self.message.reserve(payload.len() / 2 + 64);
            let before = self.raw.total_in();
            self.raw
                .compress_vec(payload, &mut self.message, FlushCompress::Sync)
                .expect("a deflater that was never finished takes any bytes");
            payload = &payload[(self.raw.total_in() - before) as usize..];
            if payload.is_empty() && self.message.len() < self.message.capacity() {
                return;
            }
        }
    }
}

/// Inflates messages of any window up to its own.
pub struct Inflater {
    raw: Box<Decompress>,
}

/// Why a message can't be inflated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InflateError {
    /// The data are damaged.
    Damaged,
    /// It is longer than the limit.
    TooLong,
}

impl Inflater {
    /// What the sender leaves off and the receiver puts back at the end of a message (section 7.2.2).
    pub const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

    /// The least room for what is inflated, in bytes.
    const LEAST_ROOM: usize = 512;

    fn new(window: WindowBits) -> Self {
        Self { raw: Box::new(Decompress::new_with_window_bits(false, window.codec())) }
    }

    /// Inflates a part of a message and appends it to `message`.
    ///
    /// # Errors
    /// With [`InflateError::TooLong`], `message` has its first `limit` bytes; with [`InflateError::Damaged`] what came
    /// before the damage.
    pub fn push(&mut self, mut compressed: &[u8], message: &mut Vec<u8>, limit: usize) -> Result<(), InflateError> {
        loop {
            // One byte more than allowed shows that the limit is passed.
            if message.len() == message.capacity() {
                let room = message.len().max(Self::LEAST_ROOM);
                message.reserve_exact(room.min(limit.saturating_add(1) - message.len()));
            }
            let before = self.raw.total_in();
            let status = self.raw.decompress_vec(compressed, message, FlushDecompress::Sync);
            if message.len() > limit {
                message.truncate(limit);
                return Err(InflateError::TooLong);
            }
            let taken = (self.raw.total_in() - before) as usize;
            compressed = &compressed[taken..];
            match status.map_err(|_| InflateError::Damaged)? {
                // A final block (section 7.2.3.4): what follows is a new stream.
                Status::StreamEnd => {
                    self.raw.reset(false);
                    if compressed.is_empty() {
                        return Ok(());
                    }
                }
                // Room left over tells that nothing is held back.
                Status::Ok | Status::BufError => {
                    if message.len() < message.capacity() && (compressed.is_empty() || taken == 0) {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// Makes and keeps the contexts of an endpoint.
pub struct Codecs {
    level: u32,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    deflaters: Vec<Deflater>,
    inflaters: Vec<Inflater>,
}

/// How many contexts of a sort wait for use at most. A shard needs one at a time, but for fragmented messages.
const MAX_IDLE: usize = 32;

impl Codecs {
    /// `level` is 1 (fast) to 9 (small).
    pub fn new(level: u32) -> Self {
        Self { level, idle: Mutex::default() }
    }

    /// A deflater that knows of no message.
    pub fn deflater(&self, window: WindowBits) -> Deflater {
        let deflaters = &mut self.idle().deflaters;
        match deflaters.iter().rposition(|deflater| deflater.window == window) {
            Some(at) => deflaters.swap_remove(at),
            None => Deflater::new(window, self.level),
        }
    }

    /// Takes a deflater back.
    pub fn return_deflater(&self, mut deflater: Deflater) {
        deflater.raw.reset();
        let deflaters = &mut self.idle().deflaters;
        if deflaters.len() < MAX_IDLE {
            deflaters.push(deflater);
        }
    }

    /// An inflater that knows of no message and takes any window.
    pub fn inflater(&self) -> Inflater {
        let idle = self.idle().inflaters.pop();
        idle.unwrap_or_else(|| Inflater::new(WindowBits::MAX))
    }

    /// Takes an inflater from [`Codecs::inflater`] back.
    pub fn return_inflater(&self, mut inflater: Inflater) {
        inflater.raw.reset(false);
        let inflaters = &mut self.idle().inflaters;
        if inflaters.len() < MAX_IDLE {
            inflaters.push(inflater);
        }
    }

    /// Lists of idle contexts are valid whatever panicked while it was locked.
    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The contexts of one session; those that are kept are made when they are first needed.
pub struct Contexts {
    parameters: Parameters,
    deflater: Option<Deflater>,
    inflater: Option<Inflater>,
}

/// The same, saved.
#[derive(Serialize, Deserialize)]
pub struct SavedContexts {
    server: Context,
    client: Context,
    server_window: u8,
    client_window: u8,
}

impl Contexts {
    /// Of a session that has agreed on `parameters`.
    pub fn new(parameters: Parameters) -> Self {
        Self { parameters, deflater: None, inflater: None }
    }

    /// The state for another process; `None` where messages of the client may refer to a window that can't be read.
    ///
    /// That of the server's own messages is left behind: a deflater may always begin anew, since nothing obliges it to refer to
    /// what came before (RFC 7692, section 7.2.1).
    pub fn save(&self) -> Option<SavedContexts> {
        let Parameters { server, client, server_window, client_window } = self.parameters;
        let saved = SavedContexts { server, client, server_window: server_window.get(), client_window: client_window.get() };
        self.inflater.is_none().then_some(saved)
    }

    /// From a saved state; `None` where that makes no sense.
    pub fn restore(saved: &SavedContexts) -> Option<Self> {
        Some(Self::new(Parameters {
            server: saved.server,
            client: saved.client,
            server_window: WindowBits::new(saved.server_window)?,
            client_window: WindowBits::new(saved.client_window)?,
        }))
    }

    /// What was agreed upon.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The deflater that knows the session's former messages.
    pub fn deflater(&mut self, codecs: &Codecs) -> &mut Deflater {
        self.deflater.get_or_insert_with(|| Deflater::new(self.parameters.server_window, codecs.level))
    }

    /// The inflater for the client's next message. It is to be returned.
    pub fn inflater(&mut self, codecs: &Codecs) -> Inflater {
        match self.parameters.client {
            Context::Reset => codecs.inflater(),
            Context::Kept => {
                let kept = self.inflater.take();
                kept.unwrap_or_else(|| Inflater::new(self.parameters.client_window))
            }
        }
    }

    /// Takes the inflater back, after the message's end.
    pub fn return_inflater(&mut self, inflater: Inflater, codecs: &Codecs) {
        match self.parameters.client {
            Context::Reset => codecs.return_inflater(inflater),
            Context::Kept => self.inflater = Some(inflater),
        }
    }
}
