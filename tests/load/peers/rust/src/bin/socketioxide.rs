//! Echo and fan-out with `socketioxide` on axum: events named `m`, rooms by the library's own `join` and `within`.

#![forbid(unsafe_code)]

use anyhow::Result;
use axum::Router;
use axum::serve::ListenerExt;
use socketioxide::SocketIo;
use socketioxide::extract::{Data, SocketRef};
use switchboard_load_peers::{READ_BUFFER, Role, serve};

const ROOM: &str = "bench";

fn main() -> Result<()> {
    serve(async |listener| {
        let (layer, io) = SocketIo::builder().ws_read_buffer_size(READ_BUFFER).build_layer();
        io.ns("/", connected);
        let listener = listener.tap_io(|stream| {
            // A socket that is gone already says so on its first read.
            let _ = stream.set_nodelay(true);
        });
        Ok(axum::serve(listener, Router::new().layer(layer)).await?)
    })
}

async fn connected(socket: SocketRef) {
    match Role::of_query(socket.req_parts().uri.query()) {
        Role::Echo => socket.on("m", async |socket: SocketRef, Data(text): Data<String>| {
            // A socket that is gone or full is the library's to close.
            let _ = socket.emit("m", &text);
        }),
        Role::Publisher => socket.on("m", async |socket: SocketRef, Data(text): Data<String>| {
            let _ = socket.within(ROOM).emit("m", &text).await;
        }),
        Role::Receiver => socket.join(ROOM),
    }
}
