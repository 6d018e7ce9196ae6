//! A request's way to a session: which transport's it is, whether it may come in, and what the session answers.
//!
//! The steps are the same whoever has read the request: [`routed`], authorizers, [`Visit::dispatch`].

use std::rc::Rc;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use plugin_api::abi::host::with_raw;
use plugin_api::{Carries, Request, Route, SparkId};
use tokio::sync::oneshot;

use super::Visit;
use super::answers::{self, plugin_response, refused, text};
use super::authorize::authorize;
use super::coming::Coming;
use super::heir::{self, heir_of};
use super::rewound::Rewound;
use crate::house::House;
use crate::http::cors;
use crate::inbox::Command;
use crate::inbox::exchange::{Exchange, Reply};
use crate::shard::Shard;
use crate::shard::exchange::{Answered, Pending, ReplySender};
use crate::snapshot::{Snapshot, TransportEntry};
use crate::spark::id::{self, Info, UnderWay};

/// What a request comes to by its transport; the authorizers have yet to agree, but to a plain answer.
pub(super) enum Routed {
    /// There is nobody who could be asked.
    Nobody(Response<Bytes>),
    /// The transport has answered it.
    Answered(plugin_api::Response),
    /// It is for a session.
    Seat(Seat),
}

/// A session that a request is for: the transport, by its place in the picture, and which.
pub(super) struct Seat {
    transport: usize,
    session: Which,
}

/// Which session it is.
enum Which {
    /// A new one.
    New { bare: bool },
    /// One that should be there, by its public id.
    Known(String),
}

impl Seat {
    /// Whether the request opens a session that becomes a spark; an heir takes one over.
    pub(super) fn is_new_spark(&self, request: &Request<'_>) -> bool {
        matches!(self.session, Which::New { bare: false }) && heir::ticket(request).is_none()
    }

    /// Counts the request among those of its session, where that is there, until what is returned is dropped.
    ///
    /// # Errors
    ///
    /// Too many are under way: the answer that says so.
    pub(super) fn take(&self, snapshot: &Snapshot, house: &House) -> Result<Option<UnderWay>, Box<Response<Bytes>>> {
        let Which::Known(public) = &self.session else { return Ok(None) };
        let Some(info) = found(house, &snapshot.transports[self.transport], public) else { return Ok(None) };
        let limit = snapshot.config.server.max_exchanges.get();
        UnderWay::begin(info, limit).map(Some).ok_or_else(|| {
            tracing::debug!(public, limit, "a request is refused: so many of its session are under way (max_exchanges)");
            let refusal = format!("more than {limit} requests of the session are under way (max_exchanges)\n");
            Box::new(text(StatusCode::TOO_MANY_REQUESTS, refusal))
        })
    }
}

/// Where a session's answer goes.
pub(super) enum Answers<'a> {
    /// It is waited for.
    Waiting,
    /// A session of this shard answers to whom this says.
    Here(&'a dyn Fn(Exchange) -> ReplySender),
}

/// A request that a session was handed.
pub(super) struct Dispatched {
    pub(super) exchange: Exchange,
    /// Where the answer comes, unless the session answers otherwise.
    pub(super) reply: Option<oneshot::Receiver<Reply>>,
}

/// Asks the transports, in their order.
pub(super) fn routed(snapshot: &Snapshot, request: &Request<'_>) -> Routed {
    let unavailable = |reason: String| Routed::Nobody(answers::unavailable(reason));
    if let Some(name) = snapshot.out_of_service() {
        return unavailable(format!("the plugin `{name}` is required and does not serve\n"));
    }
    if snapshot.transports.is_empty() {
        return unavailable("no transport plugin is enabled\n".to_owned());
    }
    for (transport, entry) in snapshot.transports.iter().enumerate() {
        if entry.generation.is_quarantined() {
            continue;
        }
        let route = match with_raw(request, |raw| entry.handle.route(raw)) {
            Ok(route) => route,
            Err(fault) => {
                entry.generation.panicked("a transport's route", &fault);
                continue;
            }
        };
        let session = match route {
            Route::Pass => continue,
            Route::Respond(response) => return answered(snapshot, framed(snapshot, response)),
            Route::Open => Which::New { bare: false },
            Route::OpenBare => Which::New { bare: true },
            Route::Session(public) => Which::Known(public),
        };
        return Routed::Seat(Seat { transport, session });
    }
    match out_of_service(snapshot) {
        None => Routed::Nobody(text(StatusCode::NOT_FOUND, "no transport answers here\n")),
        Some(reason) => unavailable(reason),
    }
}

/// What a transport answers by itself. That it knows nothing of such a request may be since that is another one's, which is out of
/// service: its client is not told that there is no such thing.
fn answered(snapshot: &Snapshot, response: plugin_api::Response) -> Routed {
    let knows_nothing = [StatusCode::NOT_FOUND, StatusCode::UPGRADE_REQUIRED].contains(&answers::status(&response));
    match knows_nothing.then(|| out_of_service(snapshot)).flatten() {
        None => Routed::Answered(response),
        Some(reason) => Routed::Nobody(answers::unavailable(reason)),
    }
}

/// The transports that are out of service for now: whose a request is, only they could tell.
fn out_of_service(snapshot: &Snapshot) -> Option<String> {
    let quarantined = snapshot.transports.iter().filter(|entry| entry.generation.is_quarantined());
    let away: Vec<&str> =
        quarantined.map(|entry| entry.handle.name()).chain(snapshot.away.iter().map(String::as_str)).collect();
    (!away.is_empty()).then(|| format!("no transport that serves answers here; out of service for now: {}\n", away.join(", ")))
}

impl Visit {
    /// A request that hyper has read, by the transports.
    pub(super) async fn transports(
        &self,
        snapshot: &Arc<Snapshot>,
        request: Request<'static>,
        coming: Coming,
    ) -> Response<Body> {
        let seat = match routed(snapshot, &request) {
            Routed::Nobody(response) => return response.map(Body::from),
            Routed::Answered(response) => {
                let response = match self.authorize(snapshot, &request).await {
                    Ok(()) => plugin_response(response),
                    Err(refused) => refused,
                };
                return response.map(Body::from);
            }
            Routed::Seat(seat) => seat,
        };
        let under_way = match seat.take(snapshot, self.shard.house()) {
            Ok(under_way) => under_way,
            Err(response) => return (*response).map(Body::from),
        };
        if let Err(response) = self.authorize(snapshot, &request).await {
            return response.map(Body::from);
        }
        let (request, upgrade) = match coming.received(request).await {
            Ok(received) => received,
            Err(response) => return response.map(Body::from),
        };
        let is_new_spark = seat.is_new_spark(&request);
        match self.dispatch(snapshot, &seat, request, Answers::Waiting) {
            Ok(Dispatched { exchange, reply: Some(reply) }) => {
                let pending = Pending::new(self.shard.house(), exchange, under_way);
                self.reply(pending, reply, upgrade, exchange.id, is_new_spark).await
            }
            Ok(Dispatched { reply: None, .. }) => unreachable!("an answer that is waited for comes"),
            Err(response) => (*response).map(Body::from),
        }
    }

    /// Asks all authorizers; the first refusal is the answer.
    pub(super) async fn authorize(&self, snapshot: &Snapshot, request: &Request<'static>) -> Result<(), Response<Bytes>> {
        authorize(self.shard.house(), snapshot, request).await.map_err(|refusal| {
            let mut response = refused(&refusal);
            if request.header("upgrade").is_some() {
                // As Primus: whoever wanted another protocol has no use for this connection.
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            response
        })
    }

    /// Hands a request, with its body, to the session that it is for.
    pub(super) fn dispatch(
        &self,
        snapshot: &Snapshot,
        seat: &Seat,
        request: Request<'_>,
        answers: Answers<'_>,
    ) -> Result<Dispatched, Box<Response<Bytes>>> {
        match &seat.session {
            Which::New { bare } => self.open(snapshot, seat.transport, &request, *bare, answers),
            Which::Known(public) => self.known(snapshot, seat.transport, public, request, answers),
        }
    }

    fn open(
        &self,
        snapshot: &Snapshot,
        transport: usize,
        request: &Request<'_>,
        bare: bool,
        answers: Answers<'_>,
    ) -> Result<Dispatched, Box<Response<Bytes>>> {
        if self.shard.is_going_down() {
            return Err(unavailable("the server is going down\n"));
        }
        if request.header("origin").is_none()
            && !snapshot.cors.opens(request.header("sec-fetch-site"), request.header("sec-fetch-mode"))
        {
            return Err(Box::new(cors::refused()));
        }
        let heir = heir_of(self.shard.house(), request).map_err(|refusal| Box::new(refused(&refusal)))?;
        let bare = bare || heir.is_some();
        let parser = snapshot.parser_for(request).map_err(|refusal| Box::new(refused(&refusal)))?;
        if parser.generation.is_quarantined() {
            return Err(unavailable("the parser plugin is in quarantine\n"));
        }
        let entry = &snapshot.transports[transport];
        let (parser, carries) = match with_raw(request, |raw| entry.handle.carries(raw)) {
            Ok(Carries::Text) if !bare => {
                let in_text = snapshot.in_text(parser, entry.handle.name(), request);
                (in_text.map_err(|refusal| Box::new(refused(&refusal)))?, Carries::Text)
            }
            Ok(carries) => (parser, carries),
            Err(fault) => {
                entry.generation.panicked("a transport's carries", &fault);
                return Err(unavailable("the transport plugin failed\n"));
            }
        };
        let (sender, reply) = answers.sender();
        match self.shard.open(entry, parser, request, carries, bare, sender) {
            Ok(exchange) => {
                if let Some(heir) = heir {
                    self.shard.make_heir(exchange.id, heir);
                }
                Ok(Dispatched { exchange, reply })
            }
            Err(fault) => {
                entry.generation.panicked("a transport's open", &fault);
                Err(unavailable("the transport plugin failed\n"))
            }
        }
    }

    /// An exchange of a session that is there.
    fn known(
        &self,
        snapshot: &Snapshot,
        transport: usize,
        public: &str,
        request: Request<'_>,
        answers: Answers<'_>,
    ) -> Result<Dispatched, Box<Response<Bytes>>> {
        let house = self.shard.house();
        let entry = &snapshot.transports[transport];
        let Some(info) = found(house, entry, public) else {
            return Err(match with_raw(&request.for_lost_session(), |raw| entry.handle.route(raw)) {
                Ok(Route::Respond(response)) => Box::new(plugin_response(response)),
                Ok(_) => Box::new(text(StatusCode::NOT_FOUND, "the session is not there\n")),
                Err(fault) => {
                    entry.generation.panicked("a transport's route", &fault);
                    unavailable("the transport plugin failed\n")
                }
            });
        };
        self.arrival.take();
        let id = info.id;
        let exchange = Exchange { id, number: house.token() };
        if id.shard() == self.shard.index() {
            let (sender, reply) = answers.sender();
            self.shard.exchange(exchange, &request, sender(exchange));
            return Ok(Dispatched { exchange, reply });
        }
        let (sender, reply) = oneshot::channel();
        house.post(id, Command::Exchange { exchange, request: Box::new(request.into_owned()), reply: sender });
        Ok(Dispatched { exchange, reply: Some(reply) })
    }

    /// Waits for the session's answer to an exchange, which may have brought a new spark.
    async fn reply(
        &self,
        pending: Pending,
        reply: oneshot::Receiver<Reply>,
        upgrade: OnUpgrade,
        id: SparkId,
        is_new_spark: bool,
    ) -> Response<Body> {
        let Some(answered) = pending.answer(reply).await else {
            return unanswered().map(Body::from);
        };
        match answered {
            Answered::Upgrade(response) => {
                let shard = Rc::clone(&self.shard);
                tokio::task::spawn_local(async move {
                    take_over(&shard, id, upgrade).await;
                    if is_new_spark {
                        shard.announce(id).await;
                    }
                });
                plugin_response(response).map(Body::from)
            }
            Answered::Whole(response) => {
                if is_new_spark {
                    begin(&self.shard, id);
                }
                plugin_response(response).map(Body::from)
            }
            Answered::Open(head, body) => {
                if is_new_spark {
                    begin(&self.shard, id);
                }
                plugin_response(head).map(|_| Body::new(body))
            }
        }
    }
}

/// Tells the hooks of a spark whose first exchange is answered.
pub(super) fn begin(shard: &Rc<Shard>, id: SparkId) {
    let shard = Rc::clone(shard);
    tokio::task::spawn_local(async move { shard.announce(id).await });
}

/// A transport's answer; one that is a page says whose frame it may be in.
fn framed(snapshot: &Snapshot, response: plugin_api::Response) -> plugin_api::Response {
    let is_page =
        |(name, value): &(String, String)| name.eq_ignore_ascii_case("content-type") && value.starts_with("text/html");
    match snapshot.cors.framed_by() {
        Some(policy) if response.headers.iter().any(is_page) => response.with_header("content-security-policy", policy),
        _ => response,
    }
}

/// The session of a transport by its public id: one of another transport is none of this one's, though it names the spark.
fn found(house: &House, entry: &TransportEntry, public: &str) -> Option<Arc<Info>> {
    house.find_info(public).filter(|info| info.transport == id::fingerprint(entry.handle.name()))
}

fn unavailable(why: &'static str) -> Box<Response<Bytes>> {
    Box::new(answers::unavailable(why))
}

/// What a client is told whose session has ended without a word.
pub(super) fn unanswered() -> Response<Bytes> {
    text(StatusCode::INTERNAL_SERVER_ERROR, "the session ended without an answer\n")
}

impl<'a> Answers<'a> {
    /// Where the session is to answer, and where the answer comes if it is waited for.
    fn sender(self) -> (impl FnOnce(Exchange) -> ReplySender + 'a, Option<oneshot::Receiver<Reply>>) {
        let (waiting, here, reply) = match self {
            Answers::Waiting => {
                let (sender, receiver) = oneshot::channel();
                (Some(sender), None, Some(receiver))
            }
            Answers::Here(here) => (None, Some(here), None),
        };
        let sender = move |exchange| match (waiting, here) {
            (Some(waiting), _) => ReplySender::Waiting(waiting),
            (None, Some(here)) => here(exchange),
            (None, None) => unreachable!("there is one of both"),
        };
        (sender, reply)
    }
}

/// Gives an upgraded connection to the shard of its session.
async fn take_over(shard: &Shard, id: SparkId, upgrade: OnUpgrade) {
    let taken = async {
        let parts = Upgraded::downcast::<TokioIo<Rewound>>(upgrade.await?)
            .map_err(|_| std::io::Error::other("the connection is of another kind"))?;
        let (before, stream) = parts.io.into_inner().into_parts();
        stream.set_nodelay(true)?;
        // What hyper has read comes first, then what it has not taken of the beginning.
        let early = if before.is_empty() { parts.read_buf } else { [&parts.read_buf[..], &before[..]].concat().into() };
        Ok::<_, Box<dyn std::error::Error>>((stream.into_std()?, early))
    };
    let carrier = taken.await.inspect_err(|error| tracing::debug!(spark = %id, %error, "an upgrade came to nothing")).ok();
    if id.shard() == shard.index() {
        shard.upgraded(id, carrier);
    } else {
        shard.house().post(id, Command::Upgraded { id, carrier });
    }
}
