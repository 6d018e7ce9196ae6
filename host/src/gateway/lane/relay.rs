//! The answer of a session of another shard, brought to a lane's connection.

use std::rc::Rc;
use std::task::Poll;

use tokio::sync::oneshot;

use super::Lane;
use crate::gateway::sessions::unanswered;
use crate::inbox::exchange::Reply;
use crate::shard::exchange::{Answered, Pending};
use crate::shard::visitors::VisitorId;

/// Waits for the answer and brings it. A piece of an open body is taken once the one before is written: what waits for a client
/// waits where its session is, which bounds it.
///
/// # Cancel safety
///
/// Cancelled, the session is told that its client has left.
pub(super) async fn relay(lane: Rc<Lane>, id: VisitorId, pending: Pending, reply: oneshot::Receiver<Reply>) {
    let spark = pending.exchange().id;
    match pending.answer(reply).await {
        None => lane.respond(id, unanswered()),
        Some(Answered::Whole(response)) => lane.answered(id, response),
        Some(Answered::Upgrade(_)) => lane.not_upgraded(id, spark),
        Some(Answered::Open(head, mut body)) => {
            if !lane.opened(id, head) {
                return;
            }
            while let Some(piece) = body.next().await {
                lane.more(id, piece);
                lane.drained(id).await;
            }
            lane.finish(id);
        }
    }
}

impl Lane {
    /// Waits until all is written, or the connection is gone.
    async fn drained(&self, id: VisitorId) {
        std::future::poll_fn(|context| {
            let is_empty = self.with(id, |connection| {
                connection.drained = (!connection.out.is_empty()).then(|| context.waker().clone());
                connection.drained.is_none()
            });
            if is_empty.unwrap_or(true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
