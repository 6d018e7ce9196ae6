//! Echo and fan-out with axum's WebSocket: messages that are ready are fed together and flushed once.

#![forbid(unsafe_code)]

use anyhow::Result;
use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use axum::serve::ListenerExt;
use futures_util::{FutureExt, SinkExt, StreamExt};
use switchboard_load_peers::{READ_BUFFER, ROOM_CAPACITY, Role, serve};
use tokio::sync::broadcast;

type Room = broadcast::Sender<Message>;

fn main() -> Result<()> {
    serve(async |listener| {
        let application = Router::new().route("/", get(upgrade)).with_state(Room::new(ROOM_CAPACITY));
        let listener = listener.tap_io(|stream| {
            // A socket that is gone already says so on its first read.
            let _ = stream.set_nodelay(true);
        });
        Ok(axum::serve(listener, application).await?)
    })
}

async fn upgrade(upgrade: WebSocketUpgrade, RawQuery(query): RawQuery, State(room): State<Room>) -> Response {
    let role = Role::of_query(query.as_deref());
    upgrade.read_buffer_size(READ_BUFFER).on_upgrade(move |socket| async move {
        // A connection that fails ends alone.
        let _ = match role {
            Role::Echo => echo(socket).await,
            Role::Publisher => publish(socket, room).await,
            Role::Receiver => receive(socket, room.subscribe()).await,
        };
    })
}

async fn echo(mut socket: WebSocket) -> Result<()> {
    while let Some(message) = socket.next().await {
        let mut next = Some(message);
        while let Some(message) = next {
            let message = message?;
            if matches!(message, Message::Text(_) | Message::Binary(_)) {
                socket.feed(message).await?;
            }
            next = socket.next().now_or_never().flatten();
        }
        socket.flush().await?;
    }
    Ok(())
}

async fn publish(mut socket: WebSocket, room: Room) -> Result<()> {
    while let Some(message) = socket.next().await {
        let message = message?;
        if matches!(message, Message::Text(_) | Message::Binary(_)) {
            // Nobody in the room is no error.
            let _ = room.send(message);
        }
    }
    Ok(())
}

async fn receive(mut socket: WebSocket, mut room: broadcast::Receiver<Message>) -> Result<()> {
    loop {
        tokio::select! {
            published = room.recv() => {
                socket.feed(published?).await?;
                while let Ok(more) = room.try_recv() {
                    socket.feed(more).await?;
                }
                socket.flush().await?;
            }
            incoming = socket.next() => match incoming {
                Some(message) => drop(message?),
                None => return Ok(()),
            }
        }
    }
}
