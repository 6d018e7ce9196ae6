//! Echo and fan-out with `tokio-tungstenite`: messages that are ready are fed together and flushed once.

#![forbid(unsafe_code)]

use anyhow::Result;
use futures_util::{FutureExt, SinkExt, StreamExt};
use switchboard_load_peers::{READ_BUFFER, ROOM_CAPACITY, Role, serve};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

type Socket = WebSocketStream<TcpStream>;
type Room = broadcast::Sender<Message>;

fn main() -> Result<()> {
    serve(accept)
}

async fn accept(listener: TcpListener) -> Result<()> {
    let room = Room::new(ROOM_CAPACITY);
    loop {
        let (stream, _) = listener.accept().await?;
        // A connection that fails ends alone.
        tokio::spawn(connection(stream, room.clone()).map(drop));
    }
}

async fn connection(stream: TcpStream, room: Room) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut role = Role::Echo;
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
    #[expect(clippy::result_large_err, reason = "the library's callback type")]
    let read_role = |request: &Request, response: Response| {
        role = Role::of_query(request.uri().query());
        Ok(response)
    };
    let socket = tokio_tungstenite::accept_hdr_async_with_config(stream, read_role, Some(config)).await?;
    match role {
        Role::Echo => echo(socket).await,
        Role::Publisher => publish(socket, room).await,
        Role::Receiver => receive(socket, room.subscribe()).await,
    }
}

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.next().await {
        let mut next = Some(message);
        while let Some(message) = next {
            let message = message?;
            if message.is_text() || message.is_binary() {
                socket.feed(message).await?;
            }
            next = socket.next().now_or_never().flatten();
        }
        socket.flush().await?;
    }
    Ok(())
}

async fn publish(mut socket: Socket, room: Room) -> Result<()> {
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            // Nobody in the room is no error.
            let _ = room.send(message);
        }
    }
    Ok(())
}

async fn receive(mut socket: Socket, mut room: broadcast::Receiver<Message>) -> Result<()> {
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
