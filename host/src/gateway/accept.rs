//! Accepting connections, until the shard goes down. While it hands over they wait in the backlog, which goes over with the socket.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};

use crate::shard::Shard;
use crate::shard::standing::Stage;

/// How long what was sent may wait for the peer to take it (TCP_USER_TIMEOUT, RFC 5482).
const TAKEN_WITHIN: Duration = Duration::from_secs(60);

/// How often the log is told at most that none can be accepted: clients can bring that about.
const TOLD_EACH: Duration = Duration::from_secs(10);

/// Accepts connections; each goes to `serve` in a task of its own.
pub async fn accept<F>(shard: Rc<Shard>, listener: TcpListener, serve: impl Fn(Rc<Shard>, TcpStream, SocketAddr) -> F)
where
    F: Future<Output = ()> + 'static,
{
    let mut stage = shard.stage();
    let mut told: Option<Instant> = None;
    loop {
        match stage.wait_for(|stage| *stage != Stage::HandingOver).await {
            Ok(stage) if *stage == Stage::Serving => {}
            _ => return,
        }
        let accepted = tokio::select! {
            // First: a connection that comes now is for the process that listens on the same socket.
            biased;
            _ = stage.wait_for(|stage| *stage != Stage::Serving) => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // A peer that takes nothing of what was sent to it is gone, or as good as gone.
                if let Err(error) = SockRef::from(&stream).set_tcp_user_timeout(Some(TAKEN_WITHIN)) {
                    tracing::debug!(%peer, %error, "no time limit for unread answers");
                }
                tokio::task::spawn_local(serve(Rc::clone(&shard), stream, peer));
            }
            Err(error) => {
                // Most often no file descriptor is free: that passes, and asking again at once would only burn time.
                if told.is_none_or(|told| told.elapsed() >= TOLD_EACH) {
                    tracing::warn!(%error, "connections can't be accepted: is the limit of open files (ulimit -n) too low?");
                    told = Some(Instant::now());
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
