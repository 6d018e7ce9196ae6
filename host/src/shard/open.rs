//! A spark's beginning: the session is opened, the first exchange answered, the connection taken over.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use mio::net::TcpStream;
use plugin_api::abi::host::{Fault, with_raw};
use plugin_api::{Carries, EndOptions, Request, SparkId, SparkInfo, value};

use super::Shard;
use super::exchange::ReplySender;
use crate::generation::Generation;
use crate::inbox::exchange::Exchange;
use crate::parsers::ParserEntry;
use crate::snapshot::{Snapshot, TransportEntry};
use crate::spark::id::{self, Info};
use crate::spark::out::OutBuffer;
use crate::spark::{Phase, Spark};

/// Header fields that are for authorizers only: what every plugin may ask of a spark does not show them.
fn is_credential(name: &str) -> bool {
    matches!(name, "authorization" | "proxy-authorization")
}

impl Shard {
    /// Opens a session for a request, and hands it the request as its first exchange. `carries` is the transport's word on it, `reply` says where the answer goes.
    ///
    /// # Errors
    ///
    /// The transport panicked.
    pub fn open(
        &self,
        entry: &TransportEntry,
        parser: &Arc<ParserEntry>,
        request: &Request<'_>,
        carries: Carries,
        bare: bool,
        reply: impl FnOnce(Exchange) -> ReplySender,
    ) -> Result<Exchange, Fault> {
        let session = with_raw(request, |raw| entry.handle.open(raw))?;
        let id = self.slab.borrow_mut().next_id();
        let secret = id::secret();
        let info = SparkInfo {
            id: id::public(id, secret),
            address: request.address().map(|address| address.to_string()).unwrap_or_default(),
            scheme: request.scheme().to_owned(),
            path: request.full_path().to_owned(),
            query: request.query().to_owned(),
            headers: request
                .headers()
                .filter(|(name, _)| !is_credential(name))
                .map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned()))
                .collect(),
            transport: entry.handle.name().to_owned(),
            parser: parser.handle.name().to_owned(),
        };
        let encoded = value::to_vec(&info).unwrap_or_default().into_boxed_slice();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let since_s = u32::try_from(since.as_secs()).unwrap_or(u32::MAX);
        let info = Arc::new(Info {
            id,
            secret,
            encoded,
            since_s,
            exchanges: AtomicU32::new(0),
            transport: id::fingerprint(entry.handle.name()),
        });
        let spark = Spark {
            session,
            stream: None,
            out: OutBuffer::new(),
            info: Arc::clone(&info),
            parser: Arc::clone(parser),
            class: None,
            carries,
            phase: Phase::Opening,
            alive: true,
            pings: false,
            dirty: false,
            bare,
            announced: false,
            rare: None,
        };
        self.slab.borrow_mut().insert(id, spark);
        if !bare {
            self.house.enter(&info);
            self.heartbeat.borrow_mut().add(id);
        }
        let exchange = Exchange { id, number: self.house.token() };
        self.exchange(exchange, &request.opening(&id::public(info.id, info.secret)), reply(exchange));
        Ok(exchange)
    }

    /// The connection that an exchange was upgraded to, and what was read of it before; without one, the upgrade came to nothing.
    pub fn upgraded(&self, id: SparkId, carrier: Option<(std::net::TcpStream, Bytes)>) {
        let attached = match carrier {
            Some((stream, early)) => self.attach(id, stream, &early),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        if let Err(error) = attached {
            tracing::debug!(spark = %id, %error, "a session is without its connection");
            self.carrier_gone(id);
        }
    }

    /// A spark whose connection goes on in a plugin: that generation is not stopped before the spark has ended.
    pub fn depends_on(&self, id: SparkId, generation: &Arc<Generation>) {
        self.with_spark(id, |spark| spark.rare().carrier = Some(Arc::clone(generation)));
    }

    /// `stream` may be a Unix socket, too: only what all stream sockets can do is asked of it.
    fn attach(&self, id: SparkId, stream: std::net::TcpStream, early: &[u8]) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        let interest = mio::Interest::READABLE | mio::Interest::WRITABLE;
        self.registry.register(&mut stream, mio::Token(id.slot() as usize), interest)?;
        self.with_spark(id, |spark| {
            spark.stream = Some(stream);
            if !spark.out.is_empty() && !spark.dirty {
                spark.dirty = true;
                self.mark_dirty(id);
            }
        });
        if !early.is_empty() {
            self.receive_early(id, early);
        }
        Ok(())
    }

    /// Takes another picture, between two messages.
    pub(super) fn adopt(&self, snapshot: Arc<Snapshot>) {
        let interval = snapshot.config.server.ping_interval.0;
        self.heartbeat.borrow_mut().set_interval(interval, || {
            let mut slab = self.slab.borrow_mut();
            let mut sparks = slab.ids();
            sparks.retain(|id| slab.get_mut(*id).is_some_and(|spark| !spark.bare));
            sparks
        });
        let former = self.snapshot.replace(Arc::clone(&snapshot));
        self.pictures.send_replace(());
        let gone = |name: &&str| !snapshot.transports.iter().any(|entry| entry.handle.name() == *name);
        let gone: Vec<&str> = former.transports.iter().map(|entry| entry.handle.name()).filter(gone).collect();
        if !gone.is_empty() {
            self.end_stranded(&gone);
        }
    }

    /// Sessions that requests carry can't go on without their transports, which nobody offers requests to any more: their clients are
    /// told to come back. Those with a connection of their own go on.
    fn end_stranded(&self, transports: &[&str]) {
        let mut stranded = Vec::new();
        {
            let mut slab = self.slab.borrow_mut();
            for id in slab.ids() {
                let Some(spark) = slab.get_mut(id) else { continue };
                // One that is opening may be about to get its connection.
                let is_carried_by_requests = spark.stream.is_none() && spark.phase != Phase::Opening;
                if is_carried_by_requests && transports.contains(&spark.session.transport().name()) {
                    stranded.push(id);
                }
            }
        }
        for id in stranded {
            let reason = "the transport is out of service".to_owned();
            self.end(id, EndOptions { reconnect: true, reason, ..EndOptions::default() });
        }
    }
}
