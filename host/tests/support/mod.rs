//! A server in this process, with plugins of the test that are linked into it, and clients that speak their protocol.
//!
//! The protocol is lines: a request that asks for an upgrade to `lines` becomes a connection on which each line is a message, in
//! JSON. [`lines`] is its transport; what the transport and a test's plugins see is written into a [`journal`], which tests
//! wait for. All tests of a file share the process: they name their clients differently.
#![allow(dead_code, reason = "no test uses all of it")]

pub mod journal;
pub mod json;
pub mod lines;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use plugin_api::abi::module::PluginModuleRef;
use switchboard_host::config::Config;
use switchboard_host::server::{self, Farewell};
use tempfile::TempDir;

/// How long a test that fails waits. One that passes never waits so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A server that runs.
pub struct Server {
    running: Option<server::Server>,
    address: SocketAddr,
    folder: TempDir,
}

impl Server {
    /// Starts one with these plugins beside [`lines`] and [`json`]. `tables` are the plugins' tables, and keys of `[server]`
    /// where they begin with them.
    pub fn start(tables: &str, mut linked: Vec<PluginModuleRef>) -> Self {
        // The log is the host's: linked plugins would forward theirs to it, and it to itself.
        let _ = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_test_writer().try_init();
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("plugins")).unwrap();
        let file = folder.path().join("plugins.toml");
        std::fs::write(&file, configuration(tables)).unwrap();
        linked.extend([lines::switchboard_module(), json::switchboard_module()]);
        let running = server::Server::start(Config::load(&file).unwrap(), linked).unwrap();
        Self { address: running.address(), running: Some(running), folder }
    }

    /// Has hyper read the requests of new connections.
    pub fn read_by_hyper_alone(&self) {
        self.running.as_ref().expect("it runs").read_by_hyper_alone();
    }

    /// Writes other tables into the configuration.
    pub fn configure(&self, tables: &str) {
        let aside = self.folder.path().join("aside");
        std::fs::write(&aside, configuration(tables)).unwrap();
        std::fs::rename(aside, self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("plugins.toml")
    }

    /// Stops it in a thread of its own: what is joined has stopped.
    pub fn stop(&mut self) -> std::thread::JoinHandle<()> {
        let running = self.running.take().expect("it is stopped once");
        std::thread::spawn(|| running.stop(Farewell::AsConfigured))
    }

    /// Asks for `target` with these header fields.
    pub fn ask(&self, target: &str, headers: &str) -> Asking {
        self.send(&format!("GET {target} HTTP/1.1\r\nhost: test\r\n{headers}\r\n"))
    }

    /// Sends a request.
    pub fn send(&self, request: &str) -> Asking {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        Asking { stream }
    }

    /// A connection on which nothing is asked.
    pub fn idle(&self) -> TcpStream {
        TcpStream::connect(self.address).unwrap()
    }

    /// The status and the body that a request is answered with.
    pub fn get(&self, target: &str) -> (u16, String) {
        self.ask(target, "connection: close\r\n").answer()
    }

    /// Connects a client of this name.
    pub fn connect(&self, name: &str) -> Client {
        self.ask(&format!("/primus?{name}"), lines::UPGRADE).connected()
    }

    /// Where it listens for a plugin.
    pub fn addresses_of(&self, plugin: &str) -> Vec<SocketAddr> {
        self.running.as_ref().expect("it runs").addresses_of(plugin)
    }

    /// Asks until the answer has this text in it.
    pub fn until(&self, target: &str, expected: &str) {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let (status, body) = self.get(target);
            if body.contains(expected) {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "{target} still answers {status} {body:?}");
            std::thread::yield_now();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop(Farewell::AsConfigured);
        }
    }
}

fn configuration(tables: &str) -> String {
    let shards = if tables.contains("shards") { "" } else { "shards = 1\n" };
    let server = "[server]\nlisten = \"127.0.0.1:0\"\nping_interval = false\nshutdown = { timeout = \"1h\" }\n";
    format!("{server}{shards}{tables}\n")
}

/// A request that is not answered yet. Dropped, its client has left.
pub struct Asking {
    stream: TcpStream,
}

impl Asking {
    /// The whole answer: status and body.
    pub fn answer(mut self) -> (u16, String) {
        let mut text = String::new();
        self.stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer but {text:?}"));
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// The connection that it was upgraded to.
    pub fn connected(self) -> Client {
        let mut client = Client { reader: BufReader::new(self.stream) };
        let status = client.line().expect("an answer");
        assert!(status.starts_with("HTTP/1.1 101 "), "{status}");
        while !client.line().expect("header fields").is_empty() {}
        client
    }
}

/// A connection that speaks lines.
pub struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    /// Sends one line.
    pub fn say(&mut self, line: &str) {
        writeln!(self.reader.get_mut(), "{line}").unwrap();
    }

    /// The next line; `None` at the end.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.reader.read_line(&mut line).unwrap() {
            0 => None,
            _ => Some(line.trim_end().to_owned()),
        }
    }

    /// All lines up to the end, the farewell answered.
    pub fn rest(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.line() {
            if line.starts_with("close") {
                self.say("ok");
            }
            lines.push(line);
        }
        lines
    }
}
