//! What does the I/O: an endpoint of HTTP/3 in a thread with a runtime of its own, which hands the host a socket for each session
//! and copies bytes between the two.
//!
//! Knows connections and streams. Knows nothing of messages.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::UnixStream as SocketPair;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use plugin_api::{Host, Refusal, Request, RequestParts, SparkId, StartError};
use seats::Seats;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::instrument::WithSubscriber as _;
use wtransport::config::{QuicTransportConfig, ServerConfigBuilder, states::WantsIdentity};
use wtransport::endpoint::endpoint_side::Server;
use wtransport::endpoint::{IncomingSession, SessionRequest};

use wtransport::{Connection, Endpoint, RecvStream, SendStream, ServerConfig, VarInt};

use crate::config::CarrierSettings;
use crate::identity::Certified;
use crate::offer::{Board, Offer};

/// How often it is asked whether the certificate is to be renewed.
const RENEWAL: Duration = Duration::from_secs(3600);

/// How often a port is asked for that a former generation or process still has.
const RETRY: Duration = Duration::from_millis(20);

/// How long sessions may take to bring to their clients what was written, once the plugin is stopped.
const FAREWELL: Duration = Duration::from_secs(3);

/// How long a client may take to see the end of its stream before its session is closed.
const ENDED_WITHIN: Duration = Duration::from_secs(3);

/// How long a client may take for one piece, before it counts as gone.
const TAKEN_WITHIN: Duration = Duration::from_secs(60);

/// The bytes of one copy.
const PIECE: usize = 16 * 1024;

/// What one connection may have on its way, each way, in bytes: QUIC's flow control makes the peer wait (RFC 9000, section 4).
const WINDOW: u32 = 256 * 1024;

/// The endpoint before and while it serves.
pub struct Carrier {
    end: watch::Sender<End>,
    state: State,
}

/// Whether it is to end, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It serves on.
    None,
    /// Another process waits for the port: who comes meanwhile is not answered, and so reaches that one at the next try.
    Followed,
    /// Nobody serves there any more.
    Stopped,
}

enum State {
    Bound(Box<Bound>),
    Serving(JoinHandle<()>),
    Over,
}

/// All that serving takes.
struct Bound {
    runtime: Runtime,
    /// `None`: the former generation or process has the port yet.
    socket: Option<UdpSocket>,
    certified: Certified,
    settings: CarrierSettings,
    host: Host,
    board: Arc<Board>,
}

impl Carrier {
    /// Takes the port and reads the certificate. Where a former generation has the port, it is waited for: a connection of QUIC
    /// can't change its socket, so the former one serves on, with sessions of the generation in force, until its last session
    /// ends. That of a former process is waited for, too: it closes its sessions once this process serves.
    ///
    /// # Errors
    ///
    /// Somebody else has the port, or there is no certificate.
    pub fn bind(settings: CarrierSettings, host: Host, board: Arc<Board>) -> Result<Self, StartError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StartError::new(format!("the system gives no poller: {error}")))?;
        let certified = runtime.block_on(Certified::new(settings.credentials.clone()))?;
        let former: Option<Offer> = host.call(crate::NAME, "offer", &()).ok().flatten();
        let socket = match UdpSocket::bind(settings.listen) {
            Ok(socket) => Some(socket),
            Err(error) if is_taken(&error) && host.follows() => {
                // Clients of the former process come back at once: they are told where before they can be heard there.
                board.put(Some(Offer { port: settings.listen.port(), hashes: certified.hashes() }));
                None
            }
            Err(error) => match former.filter(|former| is_taken(&error) && former.port == settings.listen.port()) {
                Some(former) => {
                    board.put(Some(former));
                    None
                }
                None => return Err(StartError::at("listen", format!("can't listen on {}: {error}", settings.listen))),
            },
        };
        let bound = Bound { runtime, socket, certified, settings, host, board };
        Ok(Self { end: watch::Sender::new(End::None), state: State::Bound(Box::new(bound)) })
    }

    /// Begins to serve, in a thread of its own.
    pub fn serve(&mut self) {
        let State::Bound(bound) = std::mem::replace(&mut self.state, State::Over) else { return };
        let end = self.end.subscribe();
        // A thread of its own has a log of its own: where plugins are linked in, it would be nobody's.
        let log = tracing::dispatcher::get_default(Clone::clone);
        let serve = move || {
            tracing::dispatcher::with_default(&log, || {
                let Bound { runtime, socket, certified, settings, host, board } = *bound;
                let service = Service { seats: Arc::new(Seats::new(settings.sessions_per_address)), settings, host, board };
                if let Err(error) = runtime.block_on(Arc::new(service).run(socket, certified, end)) {
                    tracing::error!(%error, "WebTransport sessions are not served any more");
                }
            });
        };
        match std::thread::Builder::new().name("webtransport".to_owned()).spawn(serve) {
            Ok(thread) => self.state = State::Serving(thread),
            Err(error) => tracing::error!(%error, "the system gives no thread: nobody can connect"),
        }
    }

    /// Ends all connections and lets go of the port, for another process. Does not wait.
    pub fn leave(&self) {
        self.end.send_replace(End::Followed);
    }

    /// Ends all connections and waits for the thread.
    pub fn stop(mut self) {
        self.end.send_if_modified(End::stop);
        if let State::Serving(thread) = std::mem::replace(&mut self.state, State::Over)
            && thread.join().is_err()
        {
            tracing::error!("the thread of the WebTransport sessions has panicked");
        }
    }
}

impl Drop for Carrier {
    /// For a plugin that is freed without having been stopped.
    fn drop(&mut self) {
        self.end.send_if_modified(End::stop);
    }
}

impl End {
    /// Stopped, unless it was to end before; whether that changes something.
    fn stop(&mut self) -> bool {
        let serves = *self == Self::None;
        if serves {
            *self = Self::Stopped;
        }
        serves
    }
}

fn is_taken(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
}

/// What all sessions share.
struct Service {
    settings: CarrierSettings,
    host: Host,
    board: Arc<Board>,
    seats: Arc<Seats>,
}

impl Service {
    /// Serves until it is stopped.
    async fn run(
        self: Arc<Self>,
        socket: Option<UdpSocket>,
        mut certified: Certified,
        mut end: watch::Receiver<End>,
    ) -> io::Result<()> {
        let socket = match socket {
            Some(socket) => socket,
            None => tokio::select! {
                socket = freed(self.settings.listen) => socket?,
                _ = end.wait_for(|end| *end != End::None) => return Ok(()),
            },
        };
        let endpoint = Endpoint::server(self.configuration(&certified, ServerConfig::builder().with_bind_socket(socket))?)?;
        self.announce(&endpoint, &certified)?;
        let mut sessions = JoinSet::new();
        let mut renewal = tokio::time::interval_at(tokio::time::Instant::now() + RENEWAL, RENEWAL);
        loop {
            tokio::select! {
                incoming = endpoint.accept() => {
                    let session = Arc::clone(&self).session(incoming);
                    sessions.spawn(session.with_current_subscriber());
                }
                Some(_) = sessions.join_next() => {}
                _ = renewal.tick() => self.renew(&endpoint, &mut certified).await,
                _ = end.wait_for(|end| *end != End::None) => break,
            }
        }
        // What was written is on its way yet.
        let last_words = async { while sessions.join_next().await.is_some() {} };
        let is_followed = *end.borrow() == End::Followed;
        let come_too_late = async {
            loop {
                let incoming = endpoint.accept().await;
                if is_followed { incoming.ignore() } else { incoming.refuse() }
            }
        };
        tokio::select! {
            _ = timeout(FAREWELL, last_words) => {}
            () = come_too_late => {}
        }
        endpoint.close(VarInt::from_u32(0), b"the server goes away");
        let _ = timeout(FAREWELL, endpoint.wait_idle()).await;
        Ok(())
    }

    fn configuration(&self, certified: &Certified, bound: ServerConfigBuilder<WantsIdentity>) -> io::Result<ServerConfig> {
        let mut transport = QuicTransportConfig::default();
        transport
            .stream_receive_window(WINDOW.into())
            .receive_window((2 * WINDOW).into())
            .send_window((2 * WINDOW).into())
            .datagram_receive_buffer_size(Some(PIECE))
            .max_concurrent_bidi_streams(4_u32.into())
            .max_concurrent_uni_streams(8_u32.into());
        let builder = bound.with_custom_transport(certified.identity(), transport);
        let builder = builder.max_idle_timeout(Some(self.settings.idle)).map_err(|_| io::ErrorKind::InvalidInput)?;
        Ok(builder.keep_alive_interval(Some(self.settings.idle / 3)).build())
    }

    fn announce(&self, endpoint: &Endpoint<Server>, certified: &Certified) -> io::Result<()> {
        let address = endpoint.local_addr()?;
        let hashes = certified.hashes();
        match hashes.first() {
            Some(hash) => tracing::info!(%address, hash, "listening for WebTransport with a certificate of its own making"),
            None => tracing::info!(%address, "listening for WebTransport"),
        }
        self.board.put(Some(Offer { port: address.port(), hashes }));
        Ok(())
    }

    /// Takes another certificate where it is time. Connections that are there go on.
    async fn renew(&self, endpoint: &Endpoint<Server>, certified: &mut Certified) {
        let renewed = match certified.renew().await {
            Ok(false) => return,
            Ok(true) => {
                // The address is not bound again: it is the one that the endpoint has.
                let configuration =
                    self.configuration(certified, ServerConfig::builder().with_bind_address(self.settings.listen));
                let reloaded = configuration.and_then(|configuration| endpoint.reload_config(configuration, false));
                reloaded.and_then(|()| self.announce(endpoint, certified)).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = renewed {
            tracing::error!(error, "goes on with the former certificate");
        }
    }

    /// One connection, from its handshake to its end.
    async fn session(self: Arc<Self>, incoming: IncomingSession) {
        let peer = incoming.remote_address();
        let Ok(_seat) = self.seats.take_for(peer.ip()) else {
            return incoming.refuse();
        };
        if let Err(error) = self.carry(incoming).await {
            tracing::debug!(%peer, %error, "a session came to nothing");
        }
    }

    async fn carry(&self, incoming: IncomingSession) -> Result<(), Failure> {
        let patience = self.settings.patience;
        let request = timeout(patience, incoming).await.map_err(|_| Failure::Late)??;
        let (near, far) = SocketPair::pair()?;
        near.set_nonblocking(true)?;
        let near = UnixStream::from_std(near)?;
        if let Err(refusal) = self.adopt(far, &request).await {
            refuse(request, &refusal).await;
            return Err(Failure::Refused(refusal));
        }
        let connection = request.accept().await?;
        let Ok(stream) = timeout(patience, connection.accept_bi()).await else {
            connection.close(VarInt::from_u32(0), b"no stream was opened");
            return Err(Failure::Late);
        };
        let (send, receive) = stream?;
        copy(near, send, receive, &connection).await;
        connection.close(VarInt::from_u32(0), b"");
        Ok(())
    }

    /// Hands the host its end of a session.
    async fn adopt(&self, far: SocketPair, request: &SessionRequest) -> Result<SparkId, Refusal> {
        let (tell, outcome) = oneshot::channel();
        self.host.adopt(far, crate::NAME, &asked(request), move |outcome| {
            // Who asked may have left.
            let _ = tell.send(outcome);
        });
        outcome.await.unwrap_or_else(|_| Err(Refusal::new("the host has not answered").with_status(503)))
    }
}

/// Why a session came to nothing.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the client took too long")]
    Late,
    #[error("refused: {0}")]
    Refused(Refusal),
    #[error(transparent)]
    Connection(#[from] wtransport::error::ConnectionError),
    #[error(transparent)]
    Socket(#[from] io::Error),
}

/// Waits until the former generation has given the port up.
async fn freed(listen: SocketAddr) -> io::Result<UdpSocket> {
    loop {
        match UdpSocket::bind(listen) {
            Err(error) if is_taken(&error) => tokio::time::sleep(RETRY).await,
            bound => return bound,
        }
    }
}

/// The CONNECT request of a session, as the host and its plugins see it.
fn asked(request: &SessionRequest) -> Request<'static> {
    let (path, query) = request.path().split_once('?').unwrap_or((request.path(), ""));
    let headers = request.headers().iter().filter(|(name, _)| !name.starts_with(':'));
    let peer = request.remote_address();
    Request::from(RequestParts {
        method: "CONNECT".to_owned(),
        path: path.to_owned(),
        rest: path.to_owned(),
        query: query.to_owned(),
        headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), value.as_bytes().to_vec())).collect(),
        address: SocketAddr::new(peer.ip().to_canonical(), peer.port()).to_string(),
        scheme: "https".to_owned(),
        host: request.authority().to_owned(),
        ..RequestParts::default()
    })
}

/// Answers with the nearest of the three statuses that can be answered.
async fn refuse(request: SessionRequest, refusal: &Refusal) {
    match refusal.status {
        404 => request.not_found().await,
        429 | 503 => request.too_many_requests().await,
        _ => request.forbidden().await,
    }
}

/// Copies both ways until the host has closed its end and all of it is written, or the client is gone. Nothing is held but the
/// piece under way: who does not read makes the other wait.
async fn copy(near: UnixStream, mut send: SendStream, mut receive: RecvStream, connection: &Connection) {
    let (from_host, mut to_host) = near.into_split();
    let up = async {
        while let Ok(Some(piece)) = receive.quic_stream_mut().read_chunk(PIECE, true).await {
            if to_host.write_all(&piece.bytes).await.is_err() {
                break;
            }
        }
        // The end of the stream, or of the connection, is the session's end.
        drop(to_host);
        std::future::pending::<()>().await;
    };
    let down = async {
        loop {
            from_host.readable().await?;
            // Not kept while nothing comes: most sessions are idle.
            let mut piece = vec![0; PIECE];
            match from_host.try_read(&mut piece) {
                Ok(0) => return send.finish().await.map_err(io::Error::other),
                Ok(count) => timeout(TAKEN_WITHIN, send.write_all(&piece[..count])).await?.map_err(io::Error::other)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    };
    let ended: io::Result<()> = tokio::select! {
        () = up => Ok(()),
        ended = down => ended,
    };
    if ended.is_ok() {
        // The client closes once it has seen the end: closing before that might overtake the last bytes.
        let _ = timeout(ENDED_WITHIN, connection.closed()).await;
    }
}
