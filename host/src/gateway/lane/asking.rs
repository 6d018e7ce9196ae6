//! A request's way from a lane to its session, and the answer's way back: the steps that a request of hyper's goes, too.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode, Version};
use plugin_api::{LentParts, Request, SparkId};

use super::Lane;
use super::answer::{self, Answer, Body, Next};
use super::connection::State;
use super::head::Head;
use super::relay;
use crate::gateway::answers::{self, status};
use crate::gateway::sessions::{Answers, Dispatched, Routed, Seat, begin, routed};
use crate::gateway::{Visit, scheme, stopped};
use crate::inbox::Command;
use crate::inbox::exchange::Exchange;
use crate::shard::exchange::{Pending, ReplySender};
use crate::shard::visitors::VisitorId;
use crate::snapshot::Snapshot;

impl Lane {
    /// Decides a request, and hands it to its session.
    pub(super) fn ask(&self, id: VisitorId, head: Head<'_>) {
        let Some(peer) = self.with(id, |connection| connection.peer) else { return };
        let visit = Visit { shard: Rc::clone(&self.shard), peer, arrival: Cell::new(Some(self.shard.arrival())) };
        let snapshot = self.shard.snapshot();
        let admitted = visit.admitted(&snapshot, &head.method, Version::HTTP_11, &head.fields[..]);
        let (client, address) = match admitted {
            Ok((client, extra)) => {
                let address = self.with(id, |connection| {
                    answer::write_lines(&extra, &mut connection.extra);
                    connection.address_as_text(client.address)
                });
                (client, address.unwrap_or_default())
            }
            Err(response) => return self.respond(id, *response),
        };
        let request = Request::from(LentParts {
            method: head.method.as_str().into(),
            path: head.path.into(),
            rest: snapshot.config.server.path.strip(head.path).unwrap_or_default().into(),
            query: head.query.into(),
            headers: head.fields,
            body: head.body.into(),
            address: (&*address).into(),
            scheme: scheme(&client).into(),
            host: client.host.unwrap_or_default().into(),
        });
        if let Some(response) = stopped(&snapshot, &request) {
            return self.respond(id, response);
        }
        let routed = routed(&snapshot, &request);
        if let Routed::Seat(seat) = &routed {
            match seat.take(&snapshot, self.shard.house()) {
                Ok(under_way) => self.with(id, |connection| connection.under_way = under_way),
                Err(response) => return self.respond(id, *response),
            };
        }
        match routed {
            Routed::Nobody(response) => self.respond(id, response),
            agreed if snapshot.authorizers.is_empty() => self.agreed(id, &visit, &snapshot, agreed, request),
            routed => self.authorize(id, visit, snapshot, routed, request.into_owned()),
        }
    }

    /// Waits for the authorizers.
    fn authorize(&self, id: VisitorId, visit: Visit, snapshot: Arc<Snapshot>, routed: Routed, request: Request<'static>) {
        let Some(lane) = self.me.upgrade() else { return };
        let task = tokio::task::spawn_local(async move {
            match visit.authorize(&snapshot, &request).await {
                Ok(()) => lane.agreed(id, &visit, &snapshot, routed, request),
                Err(response) => lane.respond(id, response),
            }
        });
        self.with(id, |connection| connection.state = State::Deciding(Some(task.abort_handle())));
    }

    /// Nobody has refused a request.
    fn agreed(&self, id: VisitorId, visit: &Visit, snapshot: &Arc<Snapshot>, routed: Routed, request: Request<'_>) {
        match routed {
            Routed::Nobody(response) => self.respond(id, response),
            Routed::Answered(response) => self.answered(id, response),
            Routed::Seat(seat) => self.dispatch(id, visit, snapshot, &seat, request),
        }
    }

    fn dispatch(&self, id: VisitorId, visit: &Visit, snapshot: &Arc<Snapshot>, seat: &Seat, request: Request<'_>) {
        let is_new_spark = seat.is_new_spark(&request);
        let asked = |exchange: Exchange| {
            self.with(id, |connection| {
                connection.state = State::Asked(exchange, is_new_spark);
                connection.arrival = visit.arrival.take();
            });
            ReplySender::Visitor(id)
        };
        match visit.dispatch(snapshot, seat, request, Answers::Here(&asked)) {
            Ok(Dispatched { reply: None, .. }) => {}
            Ok(Dispatched { exchange, reply: Some(reply) }) => {
                let Some(lane) = self.me.upgrade() else { return };
                let under_way = self.with(id, |connection| connection.under_way.take()).flatten();
                let pending = Pending::new(self.shard.house(), exchange, under_way);
                let task = tokio::task::spawn_local(relay::relay(lane, id, pending, reply));
                self.with(id, |connection| connection.state = State::Relayed(task.abort_handle()));
            }
            Err(response) => self.respond(id, *response),
        }
    }

    /// An answer of the host.
    pub(super) fn respond(&self, id: VisitorId, response: Response<Bytes>) {
        let (parts, body) = response.into_parts();
        self.write(id, parts.status, |answer| answer.fields(&parts.headers), body);
    }

    /// An answer of a transport or a session.
    pub(super) fn answered(&self, id: VisitorId, response: plugin_api::Response) {
        self.announce(id);
        let status = status(&response);
        let plugin_api::Response { headers, body, .. } = response;
        self.write(id, status, |answer| fields(answer, &headers), body);
    }

    fn write(&self, id: VisitorId, status: StatusCode, fields: impl FnOnce(&mut Answer<'_>), body: impl Body) {
        let next = self.next();
        self.with(id, |connection| {
            self.provide(&mut connection.out);
            let mut answer = Answer::begin(&mut connection.out, status, next);
            fields(&mut answer);
            answer.written(&connection.extra);
            connection.extra.clear();
            connection.is_closing = answer.whole(body, &mut self.clock.borrow_mut()) == Next::End;
            connection.wait();
        });
        self.mark_dirty(id);
    }

    /// The head of an answer whose body stays open. `false`: it has none.
    pub(super) fn opened(&self, id: VisitorId, head: plugin_api::Response) -> bool {
        self.announce(id);
        let next = self.next();
        let is_open = self.with(id, |connection| {
            self.provide(&mut connection.out);
            let mut answer = Answer::begin(&mut connection.out, status(&head), next);
            fields(&mut answer, &head.headers);
            answer.written(&connection.extra);
            connection.extra.clear();
            let (next, is_open) = answer.open(&mut self.clock.borrow_mut());
            connection.ends_after = next == Next::End;
            connection.open(is_open);
            // Its pieces are not to wait for one another.
            let _ = connection.stream.set_nodelay(true);
            is_open
        });
        self.mark_dirty(id);
        is_open.unwrap_or_default()
    }

    /// More of the open body; how many bytes wait.
    pub(super) fn more(&self, id: VisitorId, piece: impl Body) -> usize {
        let waiting = self.with(id, |connection| {
            self.provide(&mut connection.out);
            answer::chunk(&mut connection.out, piece);
            connection.out.len()
        });
        self.mark_dirty(id);
        waiting.unwrap_or_default()
    }

    /// The open body ends.
    pub(super) fn finish(&self, id: VisitorId) {
        let is_serving = self.shard.is_serving();
        self.with(id, |connection| {
            self.provide(&mut connection.out);
            answer::put(&mut connection.out.tail, &[answer::END]);
            connection.is_closing = connection.ends_after || !is_serving;
            connection.wait();
        });
        self.mark_dirty(id);
    }

    /// A session has agreed to an upgrade that nobody has asked for: it has no connection.
    pub(super) fn not_upgraded(&self, id: VisitorId, spark: SparkId) {
        self.announce(id);
        self.respond(id, answers::text(StatusCode::INTERNAL_SERVER_ERROR, "the session expected an upgrade\n"));
        self.shard.house().post(spark, Command::Upgraded { id: spark, carrier: None });
    }

    /// Tells the hooks of a spark whose first exchange is being answered.
    fn announce(&self, id: VisitorId) {
        let asked = self.with(id, |connection| match &mut connection.state {
            State::Asked(exchange, is_new_spark) => std::mem::take(is_new_spark).then_some(exchange.id),
            _ => None,
        });
        if let Some(spark) = asked.flatten() {
            begin(&self.shard, spark);
        }
    }

    fn next(&self) -> Next {
        if self.shard.is_serving() { Next::Request } else { Next::End }
    }
}

fn fields(answer: &mut Answer<'_>, headers: &[(String, String)]) {
    for (name, value) in headers {
        answer.field(name, value);
    }
}
