//! Who is compared.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;

use super::columns::{Column, Kind};

/// One of the compared servers.
#[derive(Debug)]
pub struct Server {
    /// What the options and the table call it.
    pub name: &'static str,
    /// What it is, and how it is written where that matters.
    pub title: &'static str,
    /// How the load generator speaks to it.
    pub dialect: &'static str,
    /// The path of its upgrade, or of its sessions.
    pub path: &'static str,
    /// Where it comes from.
    pub source: Source,
}

/// What has to be built, and how it is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `tests/load/limit`.
    Limit,
    /// The host with plugins loaded from their libraries.
    Loaded,
    /// The host with the same plugins linked in.
    Linked,
    /// The host with another transport than WebSocket's, named as its plugin.
    Transport(&'static str),
    /// A binary of `tests/load/peers/rust`, named as the crate that it shows.
    Crate,
    /// A script of `tests/load/peers/node`, named as the npm package that it shows.
    Npm,
}

/// All servers, in the table's order.
pub const SERVERS: [Server; 19] = [
    Server {
        name: "limit",
        title: "raw epoll, no framing, no parser: what the kernel alone costs",
        dialect: "raw",
        path: "/",
        source: Source::Limit,
    },
    Server {
        name: "switchboard",
        title: "this server with its plugins loaded from .so files",
        dialect: "primus",
        path: "/primus",
        source: Source::Loaded,
    },
    Server {
        name: "switchboard-linked",
        title: "the same plugins linked in: the difference is the plugin boundary",
        dialect: "primus",
        path: "/primus",
        source: Source::Linked,
    },
    Server {
        name: "switchboard-raw",
        title: "this server's WebSocket echo endpoint: no spark, parser or hook",
        dialect: "websocket",
        path: "/primus/echo",
        source: Source::Loaded,
    },
    Server {
        name: "fastwebsockets",
        title: "crate, on hyper; echo writes a frame at a time, fan-out is batched",
        dialect: "websocket",
        path: "/",
        source: Source::Crate,
    },
    Server {
        name: "tokio-tungstenite",
        title: "crate, batched (feed and flush), 4 KiB read buffer",
        dialect: "websocket",
        path: "/",
        source: Source::Crate,
    },
    Server {
        name: "axum",
        title: "crate, batched (feed and flush), 4 KiB read buffer",
        dialect: "websocket",
        path: "/",
        source: Source::Crate,
    },
    Server {
        name: "socketioxide",
        title: "crate, Socket.IO events and rooms on axum, 4 KiB read buffer",
        dialect: "socket-io",
        path: "/socket.io/",
        source: Source::Crate,
    },
    Server { name: "ws", title: "npm, a message at a time", dialect: "websocket", path: "/", source: Source::Npm },
    Server {
        name: "primus",
        title: "npm, transformer websockets, parser JSON, rooms by primus-rooms",
        dialect: "primus",
        path: "/primus",
        source: Source::Npm,
    },
    Server {
        name: "socket.io",
        title: "npm, Socket.IO events and rooms",
        dialect: "socket-io",
        path: "/socket.io/",
        source: Source::Npm,
    },
    Server {
        name: "engine-io-ws",
        title: "this server with its Engine.IO transport, on WebSocket",
        dialect: "engine-io",
        path: "/primus/",
        source: Source::Transport("engine-io"),
    },
    Server {
        name: "sockjs-ws",
        title: "this server with its SockJS transport, on WebSocket",
        dialect: "sock-js",
        path: "/primus",
        source: Source::Transport("sockjs"),
    },
    Server {
        name: "limit-polling",
        title: "the limit of Engine.IO by polling: raw epoll, the same exchanges",
        dialect: "engine-io-polling",
        path: "/primus/",
        source: Source::Limit,
    },
    Server {
        name: "limit-streaming",
        title: "the limit of SockJS by XHR streaming: raw epoll, the same exchanges",
        dialect: "sock-js-streaming",
        path: "/primus",
        source: Source::Limit,
    },
    Server {
        name: "engine-io-polling",
        title: "this server with its Engine.IO transport, by polling",
        dialect: "engine-io-polling",
        path: "/primus/",
        source: Source::Transport("engine-io"),
    },
    Server {
        name: "engine.io",
        title: "npm, by polling",
        dialect: "engine-io-polling",
        path: "/engine.io/",
        source: Source::Npm,
    },
    Server {
        name: "sockjs-xhr",
        title: "this server with its SockJS transport, by XHR streaming",
        dialect: "sock-js-streaming",
        path: "/primus",
        source: Source::Transport("sockjs"),
    },
    Server {
        name: "sockjs",
        title: "npm, by XHR streaming",
        dialect: "sock-js-streaming",
        path: "/bench",
        source: Source::Npm,
    },
];

/// The server that the targets are about.
pub const OURS: &str = "switchboard";
/// Its statically linked control.
pub const CONTROL: &str = "switchboard-linked";
/// The physical limit.
pub const LIMIT: &str = "limit";

/// Two servers whose ratio is a target of its own.
pub struct Rivals {
    pub ours: &'static str,
    pub theirs: &'static str,
    /// The first one's CPU time a message, as a multiple of the second one's.
    pub most: f64,
    /// The same of an idle connection's memory, where that is a target.
    pub most_memory: Option<f64>,
}

impl Rivals {
    const fn inside(ours: &'static str) -> Self {
        Self { ours, theirs: OURS, most: 1.1, most_memory: None }
    }

    const fn by_http(ours: &'static str, theirs: &'static str) -> Self {
        Self { ours, theirs, most: 0.2, most_memory: Some(1.0) }
    }
}

/// A session inside of Engine.IO or SockJS is hardly dearer than a plain one on a WebSocket; by HTTP, both cost at most a fifth of
/// what the servers of these protocols cost that npm has.
pub const RIVALS: [Rivals; 4] = [
    Rivals::inside("engine-io-ws"),
    Rivals::inside("sockjs-ws"),
    Rivals::by_http("engine-io-polling", "engine.io"),
    Rivals::by_http("sockjs-xhr", "sockjs"),
];

impl Server {
    /// Whether all others are compared with this one.
    pub fn is_limit(&self) -> bool {
        self.name == LIMIT
    }

    /// Whether it is somebody else's.
    pub fn is_peer(&self) -> bool {
        matches!(self.source, Source::Crate | Source::Npm)
    }

    /// Whether its messages go to and fro on one connection, and not in HTTP exchanges.
    pub fn is_stream(&self) -> bool {
        !matches!(self.dialect, "engine-io-polling" | "sock-js-streaming")
    }

    /// Whether it has what a workload needs: the raw echo endpoint has no rooms.
    pub fn can(&self, column: &Column) -> bool {
        self.name != "switchboard-raw" || column.kind != Kind::FanOut
    }
}

/// How a server is started. `{port}` stands for the port in arguments and in the configuration.
#[derive(Debug, Clone)]
pub struct Launch {
    pub program: PathBuf,
    pub arguments: Vec<String>,
    /// The text of a `plugins.toml`; its path becomes the last argument.
    pub configuration: Option<String>,
}

/// The names that an option may have.
pub fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(SERVERS.iter().map(|server| server.name))
}
