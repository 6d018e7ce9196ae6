//! A shard inherits: it makes the sparks of another process's shard its own, each under its old handle.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use abi_stable::std_types::RVec;
use mio::net::TcpStream;
use plugin_api::{Carries, DisconnectReason, FrameClass, SparkId, SparkInfo, value};

use super::Shard;
use super::close::Departed;
use crate::spark::id::{self, Info};
use crate::spark::out::OutBuffer;
use crate::spark::slab::Slab;
use crate::spark::{Phase, Spark};
use crate::upgrade::channel::ChannelError;
use crate::upgrade::predecessor::Legacy;
use crate::upgrade::records::{SparkRecord, WhoRecord};

/// The handshake of a spark of another process.
///
/// # Errors
///
/// Its handle is none.
pub fn info(who: &WhoRecord) -> Result<Arc<Info>, ChannelError> {
    let handle = SparkId::from_raw(who.id).ok_or(ChannelError::Nonsense("a spark without a handle"))?;
    let transport = value::decode::<SparkInfo>(&who.info).map(|info| id::fingerprint(&info.transport)).unwrap_or_default();
    let encoded = who.info.clone().into_boxed_slice();
    Ok(Arc::new(Info {
        id: handle,
        secret: who.secret,
        since_s: who.since_s,
        encoded,
        exchanges: AtomicU32::new(0),
        transport,
    }))
}

impl Shard {
    /// Makes everything of a legacy its own but letters and silent connections. Nothing is read or written, and no hook called:
    /// the other process may yet take it back. The handles of those that no transport or parser here goes on with; their end is
    /// told to the hooks in the first turn, with that of those that were left behind.
    ///
    /// # Errors
    ///
    /// Handles and slots don't fit together, or the system watches no more sockets.
    pub fn inherit(&self, legacy: &mut Legacy) -> Result<Vec<u64>, ChannelError> {
        let mut sparks = Vec::new();
        let mut departed = Vec::new();
        let mut refused = Vec::new();
        let mut timers = Vec::new();
        for (record, stream) in legacy.sparks.drain(..) {
            let info = info(&record.who)?;
            let id = info.id;
            match self.restored(&record, Arc::clone(&info)) {
                Some(mut spark) => {
                    let mut stream = TcpStream::from_std(stream);
                    let interest = mio::Interest::READABLE | mio::Interest::WRITABLE;
                    self.registry.register(&mut stream, mio::Token(id.slot() as usize), interest)?;
                    spark.stream = Some(stream);
                    if !spark.bare {
                        self.heartbeat.borrow_mut().add_ahead(id, record.beat);
                    }
                    timers.extend(record.timers.iter().map(|(timer, left)| (id, *timer, Duration::from_millis(*left))));
                    sparks.push((id, spark));
                }
                None => {
                    refused.push(id.raw());
                    departed.push((record.who, DisconnectReason::Server));
                }
            }
        }
        departed.append(&mut legacy.left);
        let mut gone = Vec::new();
        for (who, reason) in departed {
            let id = info(&who)?.id;
            gone.push(id);
            let reason = who.announced.then_some(reason);
            self.departed.borrow_mut().push_back(Departed::of(id, reason, who.bare));
        }
        let slab = Slab::furnished(self.index, &legacy.generations, sparks, &gone);
        let slab = slab.ok_or(ChannelError::Nonsense("handles that don't fit to their slots"))?;
        let ids = slab.ids();
        self.slab.replace(slab);
        for (id, timer, after) in timers {
            self.set_timer(id, timer, after);
        }
        for id in ids {
            self.with_spark(id, |spark| spark.dirty = !spark.out.is_empty());
            if self.slab.borrow().get(id).is_some_and(|spark| spark.dirty) {
                self.mark_dirty(id);
            }
        }
        self.wake();
        Ok(refused)
    }

    /// A spark as it was, yet without its connection; `None` where nothing here speaks as it does.
    fn restored(&self, record: &SparkRecord, info: Arc<Info>) -> Option<Spark> {
        let snapshot = self.snapshot();
        let entry = snapshot.transports.iter().find(|entry| entry.handle.name() == record.transport)?;
        let parser = snapshot.parsers.iter().find(|parser| parser.handle.name() == record.parser)?;
        if entry.generation.is_quarantined() || parser.generation.is_quarantined() {
            return None;
        }
        // A parser that makes bytes, on a session that carries text only, does so in base64.
        let (parser, carries) = match &parser.in_base64 {
            _ if !record.text_only => (parser, Carries::Everything),
            in_base64 => (in_base64.as_ref().unwrap_or(parser), Carries::Text),
        };
        let session = match entry.handle.restore(&record.session) {
            Ok(session) => session?,
            Err(fault) => {
                entry.generation.panicked("a transport's restore", &fault);
                return None;
            }
        };
        let mut out = OutBuffer::new();
        out.tail = RVec::from(record.out.clone());
        Some(Spark {
            session,
            stream: None,
            out,
            info,
            parser: Arc::clone(parser),
            class: std::num::NonZeroU32::new(record.class).map(FrameClass),
            carries,
            phase: if record.who.bare { Phase::Opening } else { Phase::Open },
            alive: record.alive,
            pings: record.pings,
            dirty: false,
            bare: record.who.bare,
            announced: record.who.announced,
            rare: None,
        })
    }
}
