//! What all sessions share: the settings, and the contexts of those that keep none.

use std::num::NonZeroU32;

use plugin_api::{Close, FrameClass, Kind, Out};

use crate::close::{self, CloseCode};
use crate::deflate::{Codecs, Context, Contexts, WindowBits};
use crate::frame::{self, Coding, Control, Opcode};
use crate::settings::Settings;

/// One configured WebSocket server.
pub struct Endpoint {
    /// The settings.
    pub settings: Settings,
    /// Compression contexts that are used for one message at a time.
    pub codecs: Codecs,
}

impl Endpoint {
    /// With checked settings.
    pub fn new(settings: Settings) -> Self {
        let codecs = Codecs::new(settings.compression.map_or(1, |compression| compression.level));
        Self { settings, codecs }
    }

    /// How the session's messages are framed, where that doesn't depend on its former ones.
    pub fn frame_class(&self, contexts: Option<&Contexts>) -> Option<FrameClass> {
        let Some(contexts) = contexts else {
            return Some(PLAIN);
        };
        let parameters = contexts.parameters();
        match parameters.server_context() {
            Context::Kept => None,
            Context::Reset => NonZeroU32::new(parameters.server_window.get().into()).map(FrameClass),
        }
    }

    /// Writes a message as every session of a class does.
    pub fn write_frame(&self, class: FrameClass, kind: Kind, payload: &[u8], out: &mut Out<'_>) {
        match u8::try_from(class.0.get()).ok().and_then(WindowBits::new) {
            Some(window) => self.write_alone(window, kind, payload, out),
            None => write_plain(kind, payload, out),
        }
    }

    /// Writes the frame that closes a connection, with this endpoint's own code where `close` has none that may be sent.
    pub fn write_close(&self, close: &Close, out: &mut Out<'_>) {
        let code = close.code.and_then(CloseCode::new).or(self.settings.close_code);
        let payload = code.map(|code| close::payload(code, &close.reason)).unwrap_or_default();
        frame::write(Opcode::Control(Control::Close), Coding::Plain, &payload, out);
    }

    /// Writes a message of a session that has negotiated permessage-deflate.
    #[inline(never)]
    pub fn write_message(&self, contexts: &mut Contexts, kind: Kind, payload: &[u8], out: &mut Out<'_>) {
        let parameters = contexts.parameters();
        match parameters.server_context() {
            Context::Reset => self.write_alone(parameters.server_window, kind, payload, out),
            Context::Kept if self.is_worth_deflating(payload) => {
                let deflated = contexts.deflater(&self.codecs).message(payload);
                frame::write(Opcode::Start(kind), Coding::Deflated, deflated, out);
            }
            Context::Kept => write_plain(kind, payload, out),
        }
    }

    fn write_alone(&self, window: WindowBits, kind: Kind, payload: &[u8], out: &mut Out<'_>) {
        if !self.is_worth_deflating(payload) {
            return write_plain(kind, payload, out);
        }
        let mut deflater = self.codecs.deflater(window);
        let deflated = deflater.message(payload);
        // No later message depends on this one, so that what doesn't shrink may go as it is.
        if deflated.len() < payload.len() {
            frame::write(Opcode::Start(kind), Coding::Deflated, deflated, out);
        } else {
            write_plain(kind, payload, out);
        }
        self.codecs.return_deflater(deflater);
    }

    fn is_worth_deflating(&self, payload: &[u8]) -> bool {
        self.settings.compression.is_some_and(|compression| payload.len() >= compression.threshold)
    }
}

/// Writes a message that is made of two pieces as every session without compression does.
pub fn write_prefixed(kind: Kind, prefix: &[u8], rest: &[u8], out: &mut Out<'_>) {
    frame::write_pieces(Opcode::Start(kind), Coding::Plain, [prefix, rest], out);
}

/// Writes a message as every session without compression does, by writing its payload, which has about `expected` bytes, where it
/// is to stand.
pub fn write_in_place(kind: Kind, expected: usize, out: &mut Out<'_>, fill: impl FnOnce(&mut Out<'_>)) {
    frame::write_in_place(kind, expected, out, fill);
}

/// Sessions without compression. The number of a class with compression is its window's.
const PLAIN: FrameClass = FrameClass(NonZeroU32::MIN);

fn write_plain(kind: Kind, payload: &[u8], out: &mut Out<'_>) {
    frame::write(Opcode::Start(kind), Coding::Plain, payload, out);
}
