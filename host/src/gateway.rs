//! The way in: HTTP requests of one shard's connections, to the host's own answers, to plugins' routes, or to a transport.
//!
//! hyper speaks HTTP. Knows whose a request is and in which order it is asked: middleware, cross-origin rules, the host's own
//! answers under the pathname, transports (with authorizers before them), plugins' routes, files. Knows no protocol.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::{TokioIo, TokioTimer};
use plugin_api::abi::host::{Answer, with_raw};
use plugin_api::{Refusal, Request, RequestParts, Route, SparkId, value};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::generation::Generation;
use crate::http::cors::Access;
use crate::http::forwarded::Client;
use crate::http::health::{self, Readiness};
use crate::http::library::Flavour;
use crate::http::metrics;
use crate::inbox::Command;
use crate::inbox::exchange::Reply;
use crate::shard::Shard;
use crate::shard::exchange::{Answered, Pending};
use crate::snapshot::{Ref, Snapshot, TransportEntry};

/// How long a client may take for the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(15);

/// How long a client may take for the body of a request.
const BODY_WITHIN: Duration = Duration::from_secs(60);

/// Serves one accepted connection until it is closed or upgraded.
pub async fn serve(shard: Rc<Shard>, stream: TcpStream, peer: SocketAddr) {
    let _visit = shard.visit();
    let mut going_down = shard.going_down();
    let service = hyper::service::service_fn(move |request| {
        let shard = Rc::clone(&shard);
        async move { Ok::<_, Infallible>(Visit { shard, peer }.answer(request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        _ = going_down.wait_for(|going_down| *going_down) => {
            // What is asked is answered yet.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "an HTTP connection broke");
    }
}

/// One request's way through the host.
struct Visit {
    shard: Rc<Shard>,
    peer: SocketAddr,
}

impl Visit {
    async fn answer(&self, mut request: http::Request<Incoming>) -> Response<Body> {
        let snapshot = self.shard.snapshot();
        let upgrade = hyper::upgrade::on(&mut request);
        let client = snapshot.proxies.client(self.peer, request.headers());
        let (parts, body) = request.into_parts();
        let cors = snapshot.cors.check(&parts.method, &parts.headers, client.host.as_deref());
        let extra = match cors {
            Access::Pass(extra) => extra,
            Access::Answer(response) => return bytes_response(response),
        };
        let mut response = self.inner(&snapshot, &client, parts, body, upgrade).await;
        for (name, value) in &extra {
            response.headers_mut().append(name.clone(), value.clone());
        }
        response
    }

    async fn inner(
        &self,
        snapshot: &Arc<Snapshot>,
        client: &Client,
        parts: http::request::Parts,
        body: Incoming,
        upgrade: OnUpgrade,
    ) -> Response<Body> {
        let rest = snapshot.config.server.path.strip(parts.uri.path()).map(str::to_owned);
        let request = owned(&parts, rest.clone(), client);
        let coming = Coming { body, limit: snapshot.config.server.max_message.0, upgrade };
        for middleware in &snapshot.middleware {
            if middleware.generation.is_quarantined() {
                continue;
            }
            let answer = with_raw(&request, |raw| middleware.get().call(raw));
            if let Some(Some(response)) = middleware.settle("a middleware", answer) {
                return plugin_response(response);
            }
        }
        match rest {
            Some(rest) => match self.own(snapshot, &rest, &parts).await {
                Some(response) => response,
                None => self.transports(snapshot, request, coming).await,
            },
            None => self.elsewhere(snapshot, request, &parts, coming).await,
        }
    }

    /// What the host itself answers under the pathname.
    async fn own(&self, snapshot: &Snapshot, rest: &str, parts: &http::request::Parts) -> Option<Response<Body>> {
        let reads = matches!(parts.method, Method::GET | Method::HEAD);
        if reads && matches!(rest, "/spec" | "/spec/") {
            return Some(bytes_response(snapshot.spec().respond()));
        }
        let flavour = Flavour::of_path(rest).filter(|_| reads)?;
        let mut library = self.shard.house().library.subscribe();
        // A picture that has just come into force has its client a moment later.
        let ready = library.wait_for(|state| state.version >= snapshot.number && state.library.is_some());
        let state = tokio::time::timeout(Duration::from_secs(20), ready).await;
        let answer = match &state {
            Ok(Ok(state)) => state.library.clone(),
            _ => None,
        };
        Some(match answer {
            Some(Ok(library)) => bytes_response(library.respond(flavour, &parts.headers)),
            Some(Err(reason)) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("the client can't be assembled: {reason}\n")),
            None => text(StatusCode::SERVICE_UNAVAILABLE, "the client is still being assembled\n"),
        })
    }

    /// Everything outside of the pathname.
    async fn elsewhere(
        &self,
        snapshot: &Arc<Snapshot>,
        request: Request<'static>,
        parts: &http::request::Parts,
        coming: Coming,
    ) -> Response<Body> {
        match parts.uri.path() {
            health::LIVE_PATH => return bytes_response(health::live()),
            health::READY_PATH => {
                let draining = self.shard.house().draining.load(Ordering::Relaxed);
                let readiness = if draining { Readiness::Draining } else { Readiness::Ready };
                return bytes_response(health::ready(readiness));
            }
            metrics::PATH => {
                let client = request.address().map_or(self.peer, |address| address).ip();
                return bytes_response(metrics::respond(client, &self.shard.house().figures(snapshot)));
            }
            path => {
                if let Ok(found) = snapshot.routes.at(path) {
                    let method = if parts.method == Method::HEAD { "GET" } else { parts.method.as_str() };
                    return match found.value.get(method) {
                        Some(&handler) => self.route(&snapshot.handlers[handler], request, coming).await,
                        None => text(StatusCode::METHOD_NOT_ALLOWED, "this path does not answer that method\n"),
                    };
                }
            }
        }
        let asked = http::Request::from_parts(parts.clone(), ());
        match snapshot.static_files.respond(&asked).await {
            Some(response) => response.map(Body::new),
            None => text(StatusCode::NOT_FOUND, "nothing is here\n"),
        }
    }

    async fn route(
        &self,
        handler: &Ref<plugin_api::abi::host::RequestHook>,
        request: Request<'static>,
        coming: Coming,
    ) -> Response<Body> {
        if handler.generation.is_quarantined() {
            return text(StatusCode::SERVICE_UNAVAILABLE, "the plugin that answers here is in quarantine\n");
        }
        let request = match coming.received(request).await {
            Ok((request, _)) => request,
            Err(response) => return response,
        };
        let (token, answer) = self.shard.house().wait();
        let called = with_raw(&request, |raw| handler.get().call(raw, token));
        match self.settled(handler, "a route", called, token, answer).await {
            Answer::Done(reply) => match value::decode(&reply) {
                Ok(response) => plugin_response(response),
                Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("a plugin's answer is no response: {error}\n")),
            },
            Answer::Refused(refusal) => refused(&refusal),
            Answer::Pending => unreachable!("settled waits for pending answers"),
        }
    }

    /// Waits for an answer where it is pending. A panic is a refusal with status 500.
    async fn settled(
        &self,
        hook: &Ref<plugin_api::abi::host::RequestHook>,
        entry: &str,
        called: Result<Answer, plugin_api::abi::host::Fault>,
        token: u64,
        answer: oneshot::Receiver<(u32, Vec<u8>)>,
    ) -> Answer {
        match hook.settle(entry, called) {
            Some(Answer::Pending) => match answer.await {
                Ok((plugin_api::abi::status::PANICKED, report)) => {
                    hook.panicked(entry, &report);
                    Answer::of(plugin_api::abi::status::PANICKED, &[])
                }
                Ok((status, reply)) => Answer::of(status, &reply),
                Err(_) => Answer::Refused(Refusal::new("the plugin was stopped before it answered").with_status(503)),
            },
            Some(ready) => {
                self.shard.house().forget(token);
                ready
            }
            None => {
                self.shard.house().forget(token);
                Answer::of(plugin_api::abi::status::PANICKED, &[])
            }
        }
    }

    /// The transports, in their order.
    async fn transports(&self, snapshot: &Arc<Snapshot>, request: Request<'static>, coming: Coming) -> Response<Body> {
        let quarantined = |generation: &Arc<Generation>| {
            let config = snapshot.config.plugin(generation.name());
            generation.is_quarantined() && config.is_some_and(|config| config.required)
        };
        let failed = snapshot.generations.iter().filter(|generation| quarantined(generation)).map(|failed| failed.name());
        if let Some(name) = snapshot.missing.iter().map(String::as_str).chain(failed).next() {
            return text(StatusCode::SERVICE_UNAVAILABLE, format!("the plugin `{name}` is required and does not serve\n"));
        }
        if snapshot.transports.is_empty() {
            return text(StatusCode::SERVICE_UNAVAILABLE, "no transport plugin is enabled\n");
        }
        for entry in &snapshot.transports {
            if entry.generation.is_quarantined() {
                continue;
            }
            let route = match with_raw(&request, |raw| entry.handle.route(raw)) {
                Ok(route) => route,
                Err(fault) => {
                    entry.generation.quarantine("a transport's route", &fault);
                    continue;
                }
            };
            match route {
                Route::Pass => {}
                Route::Respond(response) => {
                    return match self.authorize(snapshot, &request).await {
                        Ok(()) => plugin_response(response),
                        Err(refused) => refused,
                    };
                }
                Route::Open => return self.open(snapshot, entry, request, coming, false).await,
                Route::OpenBare => return self.open(snapshot, entry, request, coming, true).await,
                Route::Session(public) => return self.session(snapshot, entry, &public, request, coming).await,
            }
        }
        if snapshot.transports.iter().all(|entry| entry.generation.is_quarantined()) {
            return text(StatusCode::SERVICE_UNAVAILABLE, "all transport plugins are in quarantine\n");
        }
        text(StatusCode::NOT_FOUND, "no transport answers here\n")
    }

    /// Asks all authorizers; the first refusal is the answer.
    async fn authorize(&self, snapshot: &Snapshot, request: &Request<'static>) -> Result<(), Response<Body>> {
        for authorizer in &snapshot.authorizers {
            if authorizer.generation.is_quarantined() {
                // Who may come in is not known any more: nobody.
                return Err(refused(&Refusal::new("the authorizing plugin is in quarantine").with_status(503)));
            }
            let (token, answer) = self.shard.house().wait();
            let called = with_raw(request, |raw| authorizer.get().call(raw, token));
            if let Answer::Refused(refusal) = self.settled(authorizer, "an authorizer", called, token, answer).await {
                let mut response = refused(&refusal);
                if request.header("upgrade").is_some() {
                    // As Primus: whoever wanted another protocol has no use for this connection.
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                return Err(response);
            }
        }
        Ok(())
    }

    async fn open(
        &self,
        snapshot: &Arc<Snapshot>,
        entry: &TransportEntry,
        request: Request<'static>,
        coming: Coming,
        bare: bool,
    ) -> Response<Body> {
        if let Err(response) = self.authorize(snapshot, &request).await {
            return response;
        }
        let (request, upgrade) = match coming.received(request).await {
            Ok(received) => received,
            Err(response) => return response,
        };
        if self.shard.is_going_down() {
            return text(StatusCode::SERVICE_UNAVAILABLE, "the server is going down\n");
        }
        let parser = match snapshot.parser_for(&request) {
            Ok(parser) => parser,
            Err(refusal) => return refused(&refusal),
        };
        if parser.generation.is_quarantined() {
            return text(StatusCode::SERVICE_UNAVAILABLE, "the parser plugin is in quarantine\n");
        }
        let (pending, reply) = match self.shard.open(entry, parser, &request, bare) {
            Ok(opened) => opened,
            Err(fault) => {
                entry.generation.quarantine("a transport's open", &fault);
                return text(StatusCode::SERVICE_UNAVAILABLE, "the transport plugin failed\n");
            }
        };
        let opened = (!bare).then_some(pending.exchange().id);
        self.reply(pending, reply, upgrade, opened, snapshot).await
    }

    /// An exchange of a session that is there.
    async fn session(
        &self,
        snapshot: &Arc<Snapshot>,
        entry: &TransportEntry,
        public: &str,
        request: Request<'static>,
        coming: Coming,
    ) -> Response<Body> {
        if let Err(response) = self.authorize(snapshot, &request).await {
            return response;
        }
        let (request, upgrade) = match coming.received(request).await {
            Ok(received) => received,
            Err(response) => return response,
        };
        let house = self.shard.house();
        let Some(id) = house.find(public) else {
            return match with_raw(&request.for_lost_session(), |raw| entry.handle.route(raw)) {
                Ok(Route::Respond(response)) => plugin_response(response),
                Ok(_) => text(StatusCode::NOT_FOUND, "the session is not there\n"),
                Err(fault) => {
                    entry.generation.quarantine("a transport's route", &fault);
                    text(StatusCode::SERVICE_UNAVAILABLE, "the transport plugin failed\n")
                }
            };
        };
        let pending = Pending::new(house, id);
        let exchange = pending.exchange();
        let (sender, receiver) = oneshot::channel();
        if id.shard() == self.shard.index() {
            self.shard.exchange(exchange, &request, sender);
        } else {
            house.post(id, Command::Exchange { exchange, request: Box::new(request), reply: sender });
        }
        self.reply(pending, receiver, upgrade, None, snapshot).await
    }

    /// Waits for the session's answer to an exchange. `opened` is a spark that the exchange has brought.
    async fn reply(
        &self,
        pending: Pending,
        reply: oneshot::Receiver<Reply>,
        upgrade: OnUpgrade,
        opened: Option<SparkId>,
        snapshot: &Arc<Snapshot>,
    ) -> Response<Body> {
        let id = pending.exchange().id;
        let Some(answered) = pending.answer(reply).await else {
            return text(StatusCode::INTERNAL_SERVER_ERROR, "the session ended without an answer\n");
        };
        match answered {
            Answered::Upgrade(response) => {
                let shard = Rc::clone(&self.shard);
                let snapshot = Arc::clone(snapshot);
                tokio::task::spawn_local(async move {
                    take_over(&shard, id, upgrade).await;
                    if let Some(opened) = opened {
                        shard.announce(opened, snapshot).await;
                    }
                });
                plugin_response(response)
            }
            Answered::Whole(response) => {
                self.announce(opened, snapshot);
                plugin_response(response)
            }
            Answered::Open(head, body) => {
                self.announce(opened, snapshot);
                plugin_response(head).map(|_| Body::new(body))
            }
        }
    }

    fn announce(&self, opened: Option<SparkId>, snapshot: &Arc<Snapshot>) {
        if let Some(opened) = opened {
            let shard = Rc::clone(&self.shard);
            let snapshot = Arc::clone(snapshot);
            tokio::task::spawn_local(async move { shard.announce(opened, snapshot).await });
        }
    }
}

/// Gives an upgraded connection to the shard of its session.
async fn take_over(shard: &Shard, id: SparkId, upgrade: OnUpgrade) {
    let taken = async {
        let parts = Upgraded::downcast::<TokioIo<TcpStream>>(upgrade.await?)
            .map_err(|_| std::io::Error::other("the connection is of another kind"))?;
        Ok::<_, Box<dyn std::error::Error>>((parts.io.into_inner().into_std()?, parts.read_buf))
    };
    let carrier = taken.await.inspect_err(|error| tracing::debug!(spark = %id, %error, "an upgrade came to nothing")).ok();
    if id.shard() == shard.index() {
        shard.upgraded(id, carrier);
    } else {
        shard.house().post(id, Command::Upgraded { id, carrier });
    }
}

/// What of a request has not come yet. It is waited for by those only who have a use for it, and after they have agreed to the
/// request: a body costs memory.
struct Coming {
    body: Incoming,
    /// The bytes that a body may have.
    limit: u64,
    upgrade: OnUpgrade,
}

impl Coming {
    /// The request with its body.
    async fn received(self, request: Request<'static>) -> Result<(Request<'static>, OnUpgrade), Response<Body>> {
        let too_long = || text(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {} bytes\n", self.limit));
        if self.body.size_hint().lower() > self.limit {
            return Err(closing(too_long()));
        }
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        match tokio::time::timeout(BODY_WITHIN, Limited::new(self.body, limit).collect()).await {
            Ok(Ok(collected)) => Ok((request.with_body(collected.to_bytes()), self.upgrade)),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(closing(too_long())),
            Ok(Err(error)) => Err(text(StatusCode::BAD_REQUEST, format!("the body can't be read: {error}\n"))),
            Err(_) => {
                let late = format!("the body did not come within {} s\n", BODY_WITHIN.as_secs());
                Err(closing(text(StatusCode::REQUEST_TIMEOUT, late)))
            }
        }
    }
}

/// The same, and the connection with it: what still comes of the request is not read.
fn closing(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn owned(parts: &http::request::Parts, rest: Option<String>, client: &Client) -> Request<'static> {
    Request::from(RequestParts {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        rest: rest.unwrap_or_else(|| parts.uri.path().to_owned()),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect(),
        body: Vec::new(),
        address: client.address.to_string(),
        scheme: if client.secure { "https" } else { "http" }.to_owned(),
        host: client.host.clone().unwrap_or_default(),
    })
}

/// The answer of Primus's authorization hook: the status, `{"error": message}`, and the challenge that goes with a 401.
fn refused(refusal: &Refusal) -> Response<Body> {
    let body = serde_json::json!({ "error": refusal.message });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::UNAUTHORIZED);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if refusal.status == 401
        && let Some(challenge) = refusal.authenticate.as_deref().and_then(|challenge| HeaderValue::from_str(challenge).ok())
    {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// A plugin's response; what is no valid header field is left out and logged.
fn plugin_response(response: plugin_api::Response) -> Response<Body> {
    let mut headers = HeaderMap::new();
    for (name, value) in &response.headers {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => {
                headers.append(name, value);
            }
            _ => tracing::warn!("a plugin's header field {name:?} is not valid and left out"),
        }
    }
    let mut answer = Response::new(Body::from(response.body));
    *answer.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *answer.headers_mut() = headers;
    answer
}

fn bytes_response(response: Response<Bytes>) -> Response<Body> {
    response.map(Body::from)
}

fn text(status: StatusCode, text: impl Into<String>) -> Response<Body> {
    let mut response = Response::new(Body::from(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
