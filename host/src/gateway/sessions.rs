//! A request's way to a session: which transport's it is, whether it may come in, and what the session answers.

use std::rc::Rc;
use std::sync::Arc;

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use plugin_api::abi::host::with_raw;
use plugin_api::{Carries, Request, Route, SparkId};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::Visit;
use super::answers::{plugin_response, refused, text};
use super::authorize::authorize;
use super::coming::Coming;
use super::heir::heir_of;
use crate::inbox::Command;
use crate::inbox::exchange::Reply;
use crate::shard::Shard;
use crate::shard::exchange::{Answered, Pending};
use crate::snapshot::{Snapshot, TransportEntry};
use crate::spark::id::{self, UnderWay};

impl Visit {
    /// The transports, in their order.
    pub(super) async fn transports(
        &self,
        snapshot: &Arc<Snapshot>,
        request: Request<'static>,
        coming: Coming,
    ) -> Response<Body> {
        if let Some(name) = snapshot.out_of_service() {
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
                    entry.generation.panicked("a transport's route", &fault);
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
        authorize(self.shard.house(), snapshot, request).await.map_err(|refusal| {
            let mut response = refused(&refusal);
            if request.header("upgrade").is_some() {
                // As Primus: whoever wanted another protocol has no use for this connection.
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            response
        })
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
        let heir = match heir_of(self.shard.house(), &request) {
            Ok(heir) => heir,
            Err(refusal) => return refused(&refusal),
        };
        let bare = bare || heir.is_some();
        let parser = match snapshot.parser_for(&request) {
            Ok(parser) => parser,
            Err(refusal) => return refused(&refusal),
        };
        if parser.generation.is_quarantined() {
            return text(StatusCode::SERVICE_UNAVAILABLE, "the parser plugin is in quarantine\n");
        }
        let parser = match with_raw(&request, |raw| entry.handle.carries(raw)) {
            Ok(Carries::Text) if !bare => match snapshot.in_text(parser, entry.handle.name(), &request) {
                Ok(parser) => parser,
                Err(refusal) => return refused(&refusal),
            },
            Ok(Carries::Text | Carries::Everything) => parser,
            Err(fault) => {
                entry.generation.panicked("a transport's carries", &fault);
                return text(StatusCode::SERVICE_UNAVAILABLE, "the transport plugin failed\n");
            }
        };
        let (pending, reply) = match self.shard.open(entry, parser, &request, bare) {
            Ok(opened) => opened,
            Err(fault) => {
                entry.generation.panicked("a transport's open", &fault);
                return text(StatusCode::SERVICE_UNAVAILABLE, "the transport plugin failed\n");
            }
        };
        let opened = (!bare).then_some(pending.exchange().id);
        if let Some(heir) = heir {
            self.shard.make_heir(pending.exchange().id, heir);
        }
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
        let house = self.shard.house();
        let limit = snapshot.config.server.max_exchanges.get();
        // A session of another transport is none of this one's, though it names the spark.
        let known = house.find_info(public).filter(|info| info.transport == id::fingerprint(entry.handle.name()));
        let found = known.as_ref().map(|info| info.id);
        let under_way = match known.map(|info| UnderWay::begin(info, limit)) {
            Some(None) => {
                let refusal = format!("more than {limit} requests of the session are under way (max_exchanges)\n");
                return text(StatusCode::TOO_MANY_REQUESTS, refusal);
            }
            Some(under_way) => under_way,
            None => None,
        };
        if let Err(response) = self.authorize(snapshot, &request).await {
            return response;
        }
        let (request, upgrade) = match coming.received(request).await {
            Ok(received) => received,
            Err(response) => return response,
        };
        let Some(id) = found else {
            return match with_raw(&request.for_lost_session(), |raw| entry.handle.route(raw)) {
                Ok(Route::Respond(response)) => plugin_response(response),
                Ok(_) => text(StatusCode::NOT_FOUND, "the session is not there\n"),
                Err(fault) => {
                    entry.generation.panicked("a transport's route", &fault);
                    text(StatusCode::SERVICE_UNAVAILABLE, "the transport plugin failed\n")
                }
            };
        };
        self.arrival.take();
        let pending = Pending::new(house, id, under_way);
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
        let stream = parts.io.into_inner();
        stream.set_nodelay(true)?;
        Ok::<_, Box<dyn std::error::Error>>((stream.into_std()?, parts.read_buf))
    };
    let carrier = taken.await.inspect_err(|error| tracing::debug!(spark = %id, %error, "an upgrade came to nothing")).ok();
    if id.shard() == shard.index() {
        shard.upgraded(id, carrier);
    } else {
        shard.house().post(id, Command::Upgraded { id, carrier });
    }
}
