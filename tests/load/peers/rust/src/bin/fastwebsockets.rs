//! Echo and fan-out with `fastwebsockets` on hyper.
//!
//! The echo writes a frame at a time: the library can't tell whether another whole frame has been read. A receiver
//! knows what the room has for it, so there the frames go through a buffer that is flushed once.

#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::Result;
use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use fastwebsockets::{FragmentCollector, FragmentCollectorRead, Frame, OpCode, Payload, WebSocketError};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use switchboard_load_peers::{ROOM_CAPACITY, Role, serve};
use tokio::io::BufWriter;
use tokio::net::TcpListener;
use tokio::sync::broadcast;

/// A published message: its kind and its bytes, shared by all receivers.
type Published = (OpCode, Arc<[u8]>);
type Room = broadcast::Sender<Published>;

fn main() -> Result<()> {
    serve(accept)
}

async fn accept(listener: TcpListener) -> Result<()> {
    let room = Room::new(ROOM_CAPACITY);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let room = room.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, room.clone()));
            // A connection that fails ends alone.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
        });
    }
}

async fn answer(mut request: Request<Incoming>, room: Room) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let role = Role::of_query(request.uri().query());
    let (response, upgraded) = upgrade(&mut request)?;
    tokio::spawn(async move {
        // As the library's own examples do: a busy connection isn't made to yield.
        let _ = tokio::task::unconstrained(async {
            match role {
                Role::Echo => echo(upgraded).await,
                Role::Publisher => publish(upgraded, room).await,
                Role::Receiver => receive(upgraded, room.subscribe()).await,
            }
        })
        .await;
    });
    Ok(response)
}

async fn echo(upgraded: UpgradeFut) -> Result<()> {
    let mut socket = FragmentCollector::new(upgraded.await?);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            OpCode::Continuation | OpCode::Ping | OpCode::Pong => {}
        }
    }
}

async fn publish(upgraded: UpgradeFut, room: Room) -> Result<()> {
    let mut socket = FragmentCollector::new(upgraded.await?);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => {
                // Nobody in the room is no error.
                let _ = room.send((frame.opcode, frame.payload[..].into()));
            }
            OpCode::Continuation | OpCode::Ping | OpCode::Pong => {}
        }
    }
}

async fn receive(upgraded: UpgradeFut, mut room: broadcast::Receiver<Published>) -> Result<()> {
    let (read, mut write) = upgraded.await?.split(|stream| {
        let (read, write) = tokio::io::split(stream);
        (read, BufWriter::new(write))
    });
    let mut read = FragmentCollectorRead::new(read);
    let reader = tokio::spawn(async move {
        let mut ignore = async |_: Frame<'_>| Ok::<(), Infallible>(());
        while let Ok(frame) = read.read_frame(&mut ignore).await {
            if frame.opcode == OpCode::Close {
                break;
            }
        }
    });
    while !reader.is_finished() {
        let mut next = Some(room.recv().await?);
        while let Some((opcode, bytes)) = next {
            let frame = Frame::new(true, opcode, None, Payload::Borrowed(&bytes));
            write.write_frame(frame).await?;
            next = room.try_recv().ok();
        }
        write.flush().await?;
    }
    Ok(())
}
