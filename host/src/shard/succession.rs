//! Succession: a spark goes on in another session, between two messages.
//!
//! A session may give its client a ticket ([`plugin_api::Events::ticket`]). A request of any transport that has it in its query
//! (`_move`) opens a session that is no spark: an heir. Once it has a connection of its own, and the client says
//! `primus::move::WORD` on it, the host asks the spark's session with that word what the client lacks, puts the heir in its place,
//! says `primus::moved::`, and sends what was lacking. Until then the spark goes on as before, whatever becomes of the heir.
//!
//! The client is silent in both sessions from its word to the host's: so there is one moment before which all messages go the one
//! way, and after which they go the other. What the word means is between the client and the session: the host knows no protocol.
//!
//! A session with a connection of its own need know nothing of this, since such a connection loses nothing by itself: its client asks
//! the host for a ticket (`primus::ticket::`), and says as its last word on it `primus::leave::`. The answer `primus::left::` says that
//! all has come; then the heir may take over, and `primus::moved::` is the last message on the old connection, too.

use std::time::{Duration, Instant};

use plugin_api::abi::types::{EventSink, event};
use plugin_api::{DisconnectReason, Kind, Payload, SparkId, SparkInfo, value};

use super::Shard;
use super::timers::CLOSE_DEADLINE;
use crate::inbox::Command;
use crate::inbox::succession::Succession;
use crate::primus;
use crate::spark::id::{self, Info};
use crate::spark::lingering::Lingering;
use crate::spark::{Heir, Phase};

/// How long an heir may take from its opening until it takes over.
const WITHIN: Duration = Duration::from_secs(20);

/// Why a session does not take a spark over. The spark goes on as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such spark, or it is about to end, or the ticket was used.
    #[error("the ticket is for no spark that is there, or was used before")]
    Ticket,
    /// The two have different parsers: what is on its way could not be read.
    #[error("the connection has another parser than the spark: `_parser` has to be the same")]
    Parser,
    /// The present session can't follow the client's word.
    #[error("the spark's present session does not let go of it")]
    Session,
    /// A session that is carried by requests.
    #[error("only a connection of its own can take a spark over")]
    Carrier,
}

impl Shard {
    /// Makes a session that was opened bare the heir of a spark.
    pub fn make_heir(&self, id: SparkId, heir: Heir) {
        self.with_spark(id, |spark| spark.rare().heir = Some(heir));
        self.set_timer(id, CLOSE_DEADLINE, WITHIN);
    }

    /// The client of a connection asks by what another one can take its place. A session that requests carry gives tickets itself.
    pub(super) fn ticket_asked(&self, id: SparkId) {
        let mut given = None;
        self.with_spark(id, |spark| {
            if spark.stream.is_some() && spark.rare.as_ref().is_none_or(|rare| rare.heir.is_none()) {
                let ticket = format!("{:016x}{:016x}", id::secret(), id::secret());
                given = Some(format!("{}~{ticket}", id::public(spark.info.id, spark.info.secret)));
                spark.rare().ticket = Some(ticket.into());
            }
        });
        if let Some(ticket) = given {
            self.control_to(id, &primus::ticket(&ticket));
        }
    }

    /// The client sends nothing more by its connection, until another one has taken its place.
    pub(super) fn leave_asked(&self, id: SparkId) {
        let mut may = false;
        self.with_spark(id, |spark| {
            may = spark.stream.is_some() && spark.rare.as_ref().is_some_and(|rare| rare.ticket.is_some());
            if may {
                spark.rare().leaving = true;
            }
        });
        if may {
            self.control_to(id, &primus::left());
        }
    }

    /// The client says on a connection that it is to take over now. Not at once: the session's call may have told of more.
    pub(super) fn move_asked(&self, id: SparkId, word: &str) {
        let mut is_heir = false;
        self.with_spark(id, |spark| is_heir = spark.rare.as_ref().is_some_and(|rare| rare.heir.is_some()));
        if is_heir {
            self.house.post(id, Command::Depart { id, word: word.to_owned() });
        }
    }

    /// Takes an heir out of this shard, and sends it to that of its spark.
    pub(super) fn depart(&self, id: SparkId, word: String) {
        let now = Instant::now();
        let mut departing = None;
        {
            let mut slab = self.slab.borrow_mut();
            let Some(spark) = slab.get_mut(id) else { return };
            let Some(heir) = spark.rare.as_mut().and_then(|rare| rare.heir.take()) else { return };
            match spark.stream.take() {
                Some(stream) => departing = Some((heir, stream)),
                None => tracing::debug!(spark = %id, refused = %Refused::Carrier, "no succession"),
            }
        }
        let Some((heir, mut stream)) = departing else {
            return self.finish(id, &DisconnectReason::Server);
        };
        if let Err(error) = self.registry.deregister(&mut stream) {
            tracing::debug!(spark = %id, %error, "no succession");
            return self.finish(id, &DisconnectReason::Server);
        }
        self.drop_exchanges(id);
        let Some(spark) = self.slab.borrow_mut().remove(id) else { return };
        let spark = *spark;
        let rare = spark.rare.map(|rare| *rare).unwrap_or_default();
        let timers = rare.timers.iter().filter(|(timer, _)| *timer != CLOSE_DEADLINE);
        let timers = timers
            .filter_map(|&(timer, sequence)| {
                let at = self.timers.borrow().at(sequence)?;
                Some((timer, at.saturating_duration_since(now)))
            })
            .collect();
        self.forget_timers(rare.timers.len());
        self.slab.borrow_mut().release(id);
        let of = heir.of;
        let succession = Succession {
            heir,
            word,
            parser: spark.parser.number,
            session: spark.session,
            stream: stream.into(),
            out: spark.out,
            class: spark.class,
            carries: spark.carries,
            timers,
            carrier: rare.carrier,
        };
        self.house.post(of, Command::Succeed(Box::new(succession)));
    }

    /// Puts an heir in the place of a spark's session. Where it may not take over, it ends, and its connection with it.
    pub(super) fn succeed(&self, succession: Succession) {
        let id = succession.heir.of;
        if let Err(refused) = self.take_over(succession) {
            tracing::debug!(spark = %id, %refused, "no succession");
        }
    }

    fn take_over(&self, succession: Succession) -> Result<(), Refused> {
        let id = succession.heir.of;
        let mut sink = self.take_sink();
        let left = self.ask_to_let_go(&succession, &mut sink);
        if let Err(refused) = left {
            self.give_sink(sink);
            return Err(refused);
        }
        let remains: Vec<(Kind, Vec<u8>)> = sink
            .events
            .iter()
            .filter(|happened| happened.what == event::REMAINS)
            .filter_map(|happened| Some((Kind::from_raw(happened.detail), sink.owned.get(happened.start as usize)?.to_vec())))
            .collect();
        // The answers to requests that wait.
        self.carry_out(id, &mut sink, &[]);
        self.give_sink(sink);
        self.drop_exchanges(id);
        let mut leaves = false;
        self.with_spark(id, |spark| leaves = std::mem::take(&mut spark.rare().leaving));
        if leaves {
            self.control_to(id, &primus::moved());
        }
        self.replace_session(id, succession);
        self.control_to(id, &primus::moved());
        let snapshot = self.snapshot();
        let mut parser = None;
        self.with_spark(id, |spark| parser = Some(spark.parser.number));
        let Some(parser) = parser else { return Ok(()) };
        for (kind, bytes) in remains {
            // Past the outgoing hooks: they have seen it.
            self.write_again(id, &Payload::Wire { parser, kind, bytes: bytes.into() }, &snapshot);
        }
        Ok(())
    }

    /// Asks the present session to let go of its spark.
    fn ask_to_let_go(&self, succession: &Succession, sink: &mut EventSink) -> Result<(), Refused> {
        let id = succession.heir.of;
        let result = {
            let mut slab = self.slab.borrow_mut();
            let spark = slab.get_mut(id).ok_or(Refused::Ticket)?;
            let ticket = spark.rare.as_ref().and_then(|rare| rare.ticket.as_deref()).ok_or(Refused::Ticket)?;
            if spark.phase == Phase::Closing || !id::is_same(ticket, &succession.heir.ticket) {
                return Err(Refused::Ticket);
            }
            if spark.parser.number != succession.parser {
                return Err(Refused::Parser);
            }
            if spark.rare.as_ref().is_some_and(|rare| rare.leaving) {
                return Ok(());
            }
            spark.call(sink, |session, sink| session.succeed(&succession.word, sink))
        };
        match result {
            Ok(true) => Ok(()),
            Ok(false) => Err(Refused::Session),
            Err(fault) => {
                self.session_failed(id, "a session's succeed", &fault);
                Err(Refused::Session)
            }
        }
    }

    fn replace_session(&self, id: SparkId, succession: Succession) {
        let Succession { session, stream, out, class, carries, timers, carrier, .. } = succession;
        let mut stream = mio::net::TcpStream::from_std(stream);
        let interest = mio::Interest::READABLE | mio::Interest::WRITABLE;
        let registered = self.registry.register(&mut stream, mio::Token(id.slot() as usize), interest);
        let mut former = None;
        let mut forgotten = 0;
        let mut info = None;
        self.with_spark(id, |spark| {
            former = spark.stream.replace(stream).map(|stream| (stream, std::mem::take(&mut spark.out)));
            spark.out = out;
            spark.class = class;
            spark.carries = carries;
            spark.alive = true;
            let rare = spark.rare();
            forgotten = std::mem::take(&mut rare.timers).len();
            (rare.ticket, rare.carrier) = (None, carrier);
            info = renamed(&spark.info, session.transport().name());
            // Freed only now: its transport may be asked for its name no more.
            drop(std::mem::replace(&mut spark.session, session));
            if let Some(info) = &info {
                spark.info = std::sync::Arc::clone(info);
            }
            if !spark.out.is_empty() && !spark.dirty {
                spark.dirty = true;
                self.mark_dirty(id);
            }
        });
        if let Some(info) = &info {
            self.house.enter(info);
        }
        self.forget_timers(forgotten);
        for (timer, after) in timers {
            self.set_timer(id, timer, after);
        }
        if let Some((stream, out)) = former {
            self.linger(Lingering::new(stream, out, Instant::now()));
        }
        self.house.metrics.successions.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if let Err(error) = registered {
            tracing::debug!(spark = %id, %error, "a session is without its connection");
            self.carrier_gone(id);
        }
    }
}

/// What is known of a spark, with another transport.
fn renamed(info: &Info, transport: &str) -> Option<std::sync::Arc<Info>> {
    let mut known: SparkInfo = value::decode(&info.encoded).ok()?;
    transport.clone_into(&mut known.transport);
    let encoded = value::to_vec(&known).ok()?.into_boxed_slice();
    Some(std::sync::Arc::new(Info {
        id: info.id,
        secret: info.secret,
        encoded,
        since_s: info.since_s,
        exchanges: Default::default(),
        transport: id::fingerprint(transport),
    }))
}
