//! Connections that are a session's from their first byte: no HTTP is spoken on them, and a request that never was goes with
//! each. They come from addresses that plugins listen on, or plugins bring them.
//!
//! They are asked what every request is asked. Knows no protocol: what a peer is told of a refusal is the transport's word.

use std::collections::HashMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use plugin_api::abi::host::with_raw;
use plugin_api::{Carries, Refusal, Request, RequestParts, Route, SparkId};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::accept::accept;
use super::authorize::authorize;
use super::heir::heir_of;
use super::sessions::begin;
use super::stopped;
use crate::generation::Generation;
use crate::inbox::adoption::Adoption;
use crate::listeners::Place;
use crate::shard::Shard;
use crate::shard::exchange::{Answered, Pending, ReplySender};
use crate::shard::standing::Stage;
use crate::snapshot::{Snapshot, TransportEntry};

/// When a silent connection is first asked for a sign of life by the system, and how often then (RFC 9293, section 3.8.4).
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15)).with_retries(4);

/// Accepts on the addresses of the plugins in force until the shard goes down.
pub async fn listen(shard: Rc<Shard>) {
    let mut pictures = shard.pictures();
    let mut stage = shard.stage();
    let mut accepting: HashMap<Place, (u64, AbortHandle)> = HashMap::new();
    loop {
        let mut former = std::mem::take(&mut accepting);
        for place in places(&shard.snapshot()) {
            let Some(listener) = shard.house().listeners.of(shard.index(), &place) else { continue };
            let task = match former.remove(&place) {
                Some((number, task)) if number == listener.number => task,
                former => {
                    former.into_iter().for_each(|(_, task)| task.abort());
                    match TcpListener::from_std(listener.socket) {
                        Ok(socket) => serve_all(&shard, socket, &place),
                        Err(error) => {
                            tracing::error!(plugin = place.0, address = place.1, %error, "nobody accepts");
                            continue;
                        }
                    }
                }
            };
            accepting.insert(place, (listener.number, task));
        }
        former.into_values().for_each(|(_, task)| task.abort());
        tokio::select! {
            _ = pictures.changed() => {}
            _ = stage.wait_for(|stage| *stage == Stage::GoingDown) => return shard.house().listeners.leave(shard.index()),
        }
    }
}

/// Accepts on one address, in a task of its own.
fn serve_all(shard: &Rc<Shard>, listener: TcpListener, place: &Place) -> AbortHandle {
    let place = place.clone();
    let serving = accept(Rc::clone(shard), listener, move |shard, stream, peer| {
        let place = place.clone();
        // It is the shard's at once, not with the first poll.
        let (visit, arrival) = (shard.visit(), shard.arrival());
        async move {
            let (_visit, _arrival) = (visit, arrival);
            if let Err(error) = accepted(&shard, &place, stream, peer).await {
                tracing::debug!(%peer, plugin = place.0, %error, "a connection came to nothing");
            }
        }
    });
    tokio::task::spawn_local(serving).abort_handle()
}

/// The addresses that the plugins of a picture listen on.
pub fn places(snapshot: &Snapshot) -> impl Iterator<Item = Place> {
    let of = |generation: &Arc<Generation>| {
        let listens = generation.registrations.listens.iter();
        listens.map(|listen| (generation.name().to_owned(), listen.address.clone())).collect::<Vec<_>>()
    };
    snapshot.generations.iter().flat_map(of).collect::<Vec<_>>().into_iter()
}

/// A connection that a shard has accepted for a plugin.
async fn accepted(shard: &Rc<Shard>, place: &Place, stream: TcpStream, peer: SocketAddr) -> std::io::Result<()> {
    let local = stream.local_addr()?;
    stream.set_nodelay(true)?;
    SockRef::from(&stream).set_tcp_keepalive(&KEEPALIVE)?;
    let mut stream = stream.into_std()?;
    let snapshot = shard.snapshot();
    let Some((entry, request)) = found(&snapshot, place, local, peer) else {
        return Err(std::io::Error::other("the plugin is not there any more"));
    };
    if entry.generation.is_quarantined() {
        return Err(std::io::Error::other("the plugin is in quarantine"));
    }
    let route = match with_raw(&request, |raw| entry.handle.route(raw)) {
        Ok(route) => route,
        Err(fault) => {
            entry.generation.panicked("a transport's route", &fault);
            return Ok(());
        }
    };
    let bare = match route {
        Route::Open => false,
        Route::OpenBare => true,
        Route::Respond(response) => return farewell(&mut stream, &response.body),
        Route::Pass | Route::Session(_) => return Err(std::io::Error::other("its transport does not take it")),
    };
    let twin = stream.try_clone()?;
    let Err(refusal) = admit(shard, &snapshot, &entry, &request, twin, bare, None).await else { return Ok(()) };
    let asked = request.refused(refusal);
    match with_raw(&asked, |raw| entry.handle.route(raw)) {
        Ok(Route::Respond(response)) => farewell(&mut stream, &response.body),
        Ok(_) => Ok(()),
        Err(fault) => {
            entry.generation.panicked("a transport's route", &fault);
            Ok(())
        }
    }
}

/// Says a last word. It is short, and a new connection takes it at once, or never.
fn farewell(stream: &mut std::net::TcpStream, word: &[u8]) -> std::io::Result<()> {
    stream.write_all(word)?;
    stream.shutdown(std::net::Shutdown::Write)
}

/// The transport that an accepted connection is for, and the request that goes with it.
fn found(
    snapshot: &Snapshot,
    place: &Place,
    local: SocketAddr,
    peer: SocketAddr,
) -> Option<(TransportEntry, Request<'static>)> {
    let generation = snapshot.generations.iter().find(|generation| generation.name() == place.0)?;
    let listen = generation.registrations.listens.iter().find(|listen| listen.address == place.1)?;
    let entry = snapshot.transport_of(generation.name(), &listen.transport)?;
    let (path, query) = listen.target.split_once('?').unwrap_or((&listen.target, ""));
    let request = Request::from(RequestParts {
        method: "CONNECT".to_owned(),
        path: path.to_owned(),
        rest: path.to_owned(),
        query: query.to_owned(),
        address: peer.to_string(),
        scheme: "tcp".to_owned(),
        host: local.to_string(),
        ..RequestParts::default()
    });
    Some((entry, request))
}

/// Takes streams that plugins bring until the shard ends.
pub async fn adopt(shard: Rc<Shard>) {
    let Some(mut arrivals) = shard.house().arrivals[usize::from(shard.index())].take() else { return };
    let mut stage = shard.stage();
    loop {
        let adoption = tokio::select! {
            adoption = arrivals.recv() => adoption,
            _ = stage.wait_for(|stage| *stage == Stage::GoingDown) => return,
        };
        let Some(adoption) = adoption else { return };
        let visit = shard.visit();
        let shard = Rc::clone(&shard);
        tokio::task::spawn_local(async move {
            let _visit = visit;
            let Adoption { stream, transport, request, generation, adopter } = adoption;
            let outcome = adopted(&shard, stream.into(), &transport, request, &generation).await;
            if let Err(fault) = adopter.tell(&generation.instance, outcome.as_ref().copied()) {
                generation.panicked("the answer to an adopted stream", &fault);
            }
        });
    }
}

/// A stream that a plugin has brought.
async fn adopted(
    shard: &Rc<Shard>,
    stream: std::net::TcpStream,
    transport: &str,
    request: Request<'static>,
    generation: &Arc<Generation>,
) -> Result<SparkId, Refusal> {
    let snapshot = shard.snapshot();
    let rest = snapshot.config.server.path.strip(request.full_path()).map(str::to_owned);
    let request = &rest.map_or_else(|| request.clone(), |rest| request.clone().under(&rest));
    let Some(entry) = snapshot.transport_of(generation.name(), transport) else {
        return Err(Refusal::new("the transport is not in force").with_status(503));
    };
    if let Some(origin) = request.header("origin")
        && !snapshot.cors.allows_beside(origin, request.host())
    {
        return Err(Refusal::new("this origin is not allowed to use this server").with_status(403));
    }
    if let Some(response) = stopped(&snapshot, request) {
        let message = String::from_utf8_lossy(response.body()).into_owned();
        return Err(Refusal::new(message).with_status(response.status().as_u16()));
    }
    admit(shard, &snapshot, &entry, request, stream, false, Some(generation)).await
}

/// Opens a session on a stream, once all that is asked agree. `adopter` is who goes on with its other end.
async fn admit(
    shard: &Rc<Shard>,
    snapshot: &Arc<Snapshot>,
    entry: &TransportEntry,
    request: &Request<'static>,
    stream: std::net::TcpStream,
    bare: bool,
    adopter: Option<&Arc<Generation>>,
) -> Result<SparkId, Refusal> {
    let unavailable = |why: &str| Refusal::new(why).with_status(503);
    if let Some(name) = snapshot.out_of_service() {
        return Err(unavailable(&format!("the plugin `{name}` is required and does not serve")));
    }
    if entry.generation.is_quarantined() {
        return Err(unavailable("the transport plugin is in quarantine"));
    }
    authorize(shard.house(), snapshot, request).await?;
    if shard.is_going_down() {
        return Err(unavailable("the server is going down"));
    }
    let parser = snapshot.parser_for(request)?;
    if parser.generation.is_quarantined() {
        return Err(unavailable("the parser plugin is in quarantine"));
    }
    let heir = heir_of(shard.house(), request)?;
    let bare = bare || heir.is_some();
    let carries = with_raw(request, |raw| entry.handle.carries(raw)).map_err(|fault| {
        entry.generation.panicked("a transport's carries", &fault);
        unavailable("the transport plugin failed")
    })?;
    let parser = match carries {
        Carries::Text if !bare => snapshot.in_text(parser, entry.handle.name(), request)?,
        Carries::Text | Carries::Everything => parser,
    };
    let (sender, reply) = oneshot::channel();
    let opened = shard.open(entry, parser, request, carries, bare, |_| ReplySender::Waiting(sender));
    let exchange = opened.map_err(|fault| {
        entry.generation.panicked("a transport's open", &fault);
        unavailable("the transport plugin failed")
    })?;
    let id = exchange.id;
    if let Some(heir) = heir {
        shard.make_heir(id, heir);
    }
    match Pending::new(shard.house(), exchange, None).answer(reply).await {
        Some(Answered::Upgrade(_)) => {}
        Some(Answered::Whole(response)) => {
            let message = String::from_utf8_lossy(&response.body).into_owned();
            return Err(Refusal::new(message).with_status(response.status));
        }
        Some(Answered::Open(..)) | None => return Err(unavailable("the session did not take the connection")),
    }
    if let Some(generation) = adopter {
        shard.depends_on(id, generation);
    }
    shard.upgraded(id, Some((stream, Bytes::new())));
    if !bare {
        begin(shard, id);
    }
    Ok(id)
}
