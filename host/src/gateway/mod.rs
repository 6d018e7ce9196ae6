//! The way in: HTTP requests of one shard's connections, to the host's own answers, to plugins' routes, or to a transport.
//!
//! A connection begins in its [`lane`], which reads the plain requests of sessions itself; hyper speaks HTTP with all others.
//! Knows whose a request is and in which order it is asked, the same for both: cross-origin rules, middleware, the host's own
//! answers under the pathname, transports (with authorizers before them: `sessions`), plugins' routes, files. Knows no protocol.

mod accept;
mod answers;
mod authorize;
mod coming;
mod heir;
pub mod lane;
mod rewound;
mod sessions;
pub mod streams;

use std::borrow::Cow;
use std::cell::Cell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use plugin_api::abi::host::{Answer, RequestHook, with_raw};
use plugin_api::{Request, RequestParts, value};

pub use self::accept::accept;
use self::answers::{plugin_response, refused, text, unavailable};
use self::authorize::settled;
use self::coming::Coming;
use self::rewound::Rewound;
use crate::http::authority;
use crate::http::cors::Access;
use crate::http::fields::Fields;
use crate::http::forwarded::{self, Client};
use crate::http::health::{self, Readiness};
use crate::http::library::Flavour;
use crate::http::metrics;
use crate::shard::Shard;
use crate::shard::standing::{Arrival, Stage};
use crate::snapshot::{Ref, Snapshot};

/// Serves a connection by hyper until it is closed or upgraded. `read` is there until hyper has seen what of it was read before.
async fn serve(shard: Rc<Shard>, stream: Rewound, peer: SocketAddr, read: Option<Arrival>) {
    let _visit = shard.visit();
    let mut stage = shard.stage();
    let head_timeout = shard.snapshot().config.server.head_timeout;
    let is_asked = Rc::new(Cell::new(false));
    let asked = Rc::clone(&is_asked);
    let service = hyper::service::service_fn(move |request| {
        let shard = Rc::clone(&shard);
        let stage = shard.stage();
        let arrival = Cell::new(Some(shard.arrival()));
        let asked = Rc::clone(&asked);
        asked.set(true);
        async move {
            let mut response = Visit { shard, peer, arrival }.answer(request).await;
            if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                asked.set(false);
                if *stage.borrow() != Stage::Serving {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
            }
            Ok::<_, Infallible>(response)
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let stops = async {
        drop(read);
        stage.wait_for(|stage| *stage != Stage::Serving).await.is_ok()
    };
    let ended = tokio::select! {
        // First: what was read before is asked already.
        biased;
        ended = &mut connection => ended,
        _ = stops => {
            // What is asked is answered yet, and says itself that it is the last: told now, hyper would make an answer that
            // switches protocols say so, too.
            if !is_asked.get() {
                connection.as_mut().graceful_shutdown();
            }
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
    /// As long as it may bring a spark, or a plugin answers it.
    arrival: Cell<Option<Arrival>>,
}

impl Visit {
    /// Answers a request that hyper has read.
    async fn answer(&self, mut request: http::Request<Incoming>) -> Response<Body> {
        let snapshot = self.shard.snapshot();
        let upgrade = hyper::upgrade::on(&mut request);
        let (parts, body) = request.into_parts();
        let (client, extra) = match self.admitted(&snapshot, &parts.method, parts.version, &parts.headers) {
            Ok(admitted) => admitted,
            Err(response) => return (*response).map(Body::from),
        };
        let mut response = self.inner(&snapshot, &client, parts, body, upgrade).await;
        for (name, value) in &*extra {
            response.headers_mut().append(name.clone(), value.clone());
        }
        response
    }

    /// Who asks, of a request that names its host, and what cross-origin rules add to the answer; or their answer.
    fn admitted<'s>(
        &self,
        snapshot: &'s Snapshot,
        method: &Method,
        version: Version,
        fields: &(impl Fields + ?Sized),
    ) -> Result<(Client, Cow<'s, HeaderMap>), Box<Response<Bytes>>> {
        if let Some(response) = authority::refusal(version, fields) {
            return Err(Box::new(response));
        }
        let client = snapshot.proxies.client(self.peer, fields);
        match snapshot.cors.check(method, fields, &client) {
            Access::Pass(extra) => Ok((client, extra)),
            Access::Answer(response) => Err(Box::new(response)),
        }
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
        let server = &snapshot.config.server;
        let coming = Coming { body, limit: server.max_message.0, within: server.body_timeout, upgrade };
        if let Some(response) = stopped(snapshot, &request) {
            return response.map(Body::from);
        }
        match rest {
            Some(rest) => match self.own(snapshot, &rest, &parts).await {
                Some(response) => response.map(Body::from),
                None => self.transports(snapshot, request, coming).await,
            },
            None => self.elsewhere(snapshot, request, &parts, coming).await,
        }
    }

    /// What the host itself answers under the pathname.
    async fn own(&self, snapshot: &Snapshot, rest: &str, parts: &http::request::Parts) -> Option<Response<Bytes>> {
        if !is_own(rest) {
            return None;
        }
        if !reads(&parts.method) {
            return Some(only_read());
        }
        let Some(flavour) = Flavour::of_path(rest) else {
            return Some(snapshot.spec().respond());
        };
        self.arrival.take();
        let mut library = self.shard.house().library.subscribe();
        // A picture that has just come into force has its client a moment later.
        let ready = library.wait_for(|state| state.version >= snapshot.number && state.library.is_some());
        let state = tokio::time::timeout(Duration::from_secs(20), ready).await;
        let answer = match &state {
            Ok(Ok(state)) => state.library.clone(),
            _ => None,
        };
        Some(match answer {
            Some(Ok(library)) => library.respond(flavour, &parts.headers),
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
            health::LIVE_PATH | health::READY_PATH | metrics::PATH if !reads(&parts.method) => {
                return only_read().map(Body::from);
            }
            health::LIVE_PATH => return health::live().map(Body::from),
            health::READY_PATH => {
                let draining = self.shard.house().draining.load(Ordering::Relaxed);
                let readiness = match snapshot.why_nobody_is_let_in() {
                    _ if draining => Readiness::Draining,
                    Some(reason) => Readiness::Refusing(reason),
                    None => Readiness::Ready,
                };
                return health::ready(readiness).map(Body::from);
            }
            metrics::PATH => {
                let client = request.address().unwrap_or(self.peer);
                if client == SocketAddr::new(self.peer.ip().to_canonical(), self.peer.port())
                    && forwarded::is_forwarded(&parts.headers)
                {
                    // Some proxy of this machine, which nobody has said to trust: who asks is not known.
                    return metrics::hidden().map(Body::from);
                }
                return metrics::respond(client.ip(), &self.shard.house().figures(snapshot)).map(Body::from);
            }
            path => {
                if let Ok(found) = snapshot.routes.at(path) {
                    let method = if parts.method == Method::HEAD { "GET" } else { parts.method.as_str() };
                    let response = match found.value.get(method) {
                        Some(&handler) => self.route(&snapshot.handlers[handler], request, coming).await,
                        None => text(StatusCode::METHOD_NOT_ALLOWED, "this path does not answer that method\n"),
                    };
                    return response.map(Body::from);
                }
            }
        }
        let asked = http::Request::from_parts(parts.clone(), ());
        match snapshot.static_files.respond(&asked).await {
            Some(response) => response.map(Body::new),
            None => text(StatusCode::NOT_FOUND, "nothing is here\n").map(Body::from),
        }
    }

    async fn route(&self, handler: &Ref<RequestHook>, request: Request<'static>, coming: Coming) -> Response<Bytes> {
        if handler.generation.is_quarantined() {
            return unavailable("the plugin that answers here is in quarantine\n");
        }
        let request = match coming.received(request).await {
            Ok((request, _)) => request,
            Err(response) => return response,
        };
        let (token, answer) = self.shard.house().wait();
        let called = with_raw(&request, |raw| handler.get().call(raw, token));
        match settled(self.shard.house(), handler, "a route", called, token, answer).await {
            Answer::Done(reply) => match value::decode(&reply) {
                Ok(response) => plugin_response(response),
                Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("a plugin's answer is no response: {error}\n")),
            },
            Answer::Refused(refusal) => refused(&refusal),
            Answer::Pending => unreachable!("settled waits for pending answers"),
        }
    }
}

/// The answer of the first middleware that has one. What one would have stopped that panics, or is required and in quarantine, nobody
/// knows: so it does not go on, but for what the host itself tells.
fn stopped(snapshot: &Snapshot, request: &Request<'_>) -> Option<Response<Bytes>> {
    snapshot.middleware.iter().find_map(|middleware| {
        let generation = &middleware.generation;
        if generation.is_quarantined() {
            let goes_on = snapshot.does_without(generation) || is_of_host(snapshot, request.full_path());
            let name = generation.name();
            return (!goes_on).then(|| unavailable(format!("the plugin `{name}` is required and does not serve\n")));
        }
        let answer = with_raw(request, |raw| middleware.get().call(raw));
        match middleware.settle("a middleware", answer) {
            Some(answer) => answer.map(plugin_response),
            None => Some(text(StatusCode::INTERNAL_SERVER_ERROR, "a plugin failed at this request\n")),
        }
    })
}

/// Whether the host itself answers this path.
fn is_of_host(snapshot: &Snapshot, path: &str) -> bool {
    matches!(path, health::LIVE_PATH | health::READY_PATH | metrics::PATH)
        || snapshot.config.server.path.strip(path).is_some_and(is_own)
}

/// Whether the host itself answers this path under the pathname.
fn is_own(rest: &str) -> bool {
    matches!(rest, "/spec" | "/spec/") || Flavour::of_path(rest).is_some()
}

fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// The answer to a request that would change what can only be read (RFC 9110, section 15.5.6).
fn only_read() -> Response<Bytes> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "this can only be read\n");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
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
        scheme: scheme(client).to_owned(),
        host: client.host.clone().unwrap_or_default(),
    })
}

/// How the client came.
fn scheme(client: &Client) -> &'static str {
    if client.secure { "https" } else { "http" }
}
