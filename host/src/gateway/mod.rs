//! The way in: HTTP requests of one shard's connections, to the host's own answers, to plugins' routes, or to a transport.
//!
//! hyper speaks HTTP. Knows whose a request is and in which order it is asked: middleware, cross-origin rules, the host's own
//! answers under the pathname, transports (with authorizers before them: `sessions`), plugins' routes, files. Knows no protocol.

mod accept;
mod answers;
mod authorize;
mod coming;
mod heir;
mod sessions;
pub mod streams;

use std::cell::Cell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use http::{HeaderValue, Method, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use plugin_api::abi::host::{Answer, RequestHook, with_raw};
use plugin_api::{Request, RequestParts, value};
use tokio::net::TcpStream;

pub use self::accept::accept;
use self::answers::{bytes_response, plugin_response, refused, text};
use self::authorize::settled;
use self::coming::Coming;
use crate::http::cors::Access;
use crate::http::forwarded::Client;
use crate::http::health::{self, Readiness};
use crate::http::library::Flavour;
use crate::http::metrics;
use crate::shard::Shard;
use crate::shard::standing::{Arrival, Stage};
use crate::snapshot::{Ref, Snapshot};

/// Serves one accepted connection until it is closed or upgraded. It is the shard's at once, not with the first poll.
pub fn serve(shard: Rc<Shard>, stream: TcpStream, peer: SocketAddr) -> impl Future<Output = ()> {
    let accepted = shard.accepted(stream, peer);
    let visit = shard.visit();
    let head_timeout = shard.snapshot().config.server.head_timeout;
    async move {
        let _visit = visit;
        if let Ok(Some(stream)) = tokio::time::timeout(head_timeout, accepted.speaks()).await {
            speak(shard, stream, peer).await;
        }
    }
}

/// Speaks HTTP with a connection.
async fn speak(shard: Rc<Shard>, stream: TcpStream, peer: SocketAddr) {
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
    let ended = tokio::select! {
        ended = &mut connection => ended,
        _ = stage.wait_for(|stage| *stage != Stage::Serving) => {
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
        let server = &snapshot.config.server;
        let coming = Coming { body, limit: server.max_message.0, within: server.body_timeout, upgrade };
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

    async fn route(&self, handler: &Ref<RequestHook>, request: Request<'static>, coming: Coming) -> Response<Body> {
        if handler.generation.is_quarantined() {
            return text(StatusCode::SERVICE_UNAVAILABLE, "the plugin that answers here is in quarantine\n");
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
