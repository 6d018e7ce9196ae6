//! Starting and stopping: the order in which the parts of the host come up, and go down.
//!
//! Up: the house without plugins, the plugins, the listeners, the shards, then the ready line. Down: no new clients, requests
//! are answered and all sparks ended and written to the end, the plugins are stopped in reverse order.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use plugin_api::abi::module::PluginModuleRef;
use tokio::task::LocalSet;

use crate::config::{Config, LogFormat};
use crate::control::Control;
use crate::gateway::{self, streams};
use crate::house::House;
use crate::inbox::Command;
use crate::inbox::control::{ControlSender, Request};
use crate::listeners::{bind, claim};
use crate::operator::attend::Attendant;
use crate::operator::listen::ControlSocket;
use crate::parsers::ParserNumbers;
use crate::shard::turn::{self, Sockets};
use crate::shard::{self, Shard};
use crate::snapshot::Snapshot;
use crate::supervisor::Supervisor;
use crate::watch;

/// Serves until it is told to go. `linked` are plugins that are part of the binary.
///
/// # Errors
///
/// See [`Server::start`], [`Attendant::new`] and [`Attendant::attend`].
pub fn serve(config: Config, linked: Vec<PluginModuleRef>) -> anyhow::Result<()> {
    start_log(&config);
    let supervisor = Supervisor::from_environment();
    let server = Server::start(config.clone(), linked)?;
    let socket = ControlSocket::open(&config);
    let attendant = Attendant::new()?;
    println!("Switchboard is ready at http://{}/", shown(server.address()));
    std::io::stdout().flush()?;
    attendant.attend(server, config, socket, &supervisor)?;
    tracing::info!("stopped");
    Ok(())
}

/// What clients are told when the server goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    /// What `shutdown.reconnect` says.
    AsConfigured,
    /// To come back.
    Reconnect,
}

/// A server that runs.
pub struct Server {
    address: SocketAddr,
    house: Arc<House>,
    control: ControlSender,
    control_thread: JoinHandle<()>,
    shards: Vec<JoinHandle<()>>,
    /// Dropped at the end, it tells no more.
    _watcher: Option<notify::RecommendedWatcher>,
}

impl Server {
    /// Starts one. `linked` are plugins that are part of the binary.
    ///
    /// # Errors
    ///
    /// A plugin that the configuration names does not serve, the address can't be listened on, or the system gives no thread or
    /// poller.
    pub fn start(config: Config, linked: Vec<PluginModuleRef>) -> anyhow::Result<Self> {
        let (control, requests) = ControlSender::channel();
        let shards = config.server.shards.get().min(usize::from(u8::MAX));
        let numbers = ParserNumbers::default();
        let empty = Snapshot::new(config.clone(), Vec::new(), &numbers);
        let house = House::new(empty, shards, control.clone(), numbers);
        let mut plugins = Control::new(Arc::clone(&house), requests, config.clone(), linked)?;
        plugins.start_up()?;

        let listen = config.server.listen;
        let first = claim(listen).and_then(|()| bind(listen)).with_context(|| format!("can't listen on {listen}"))?;
        let address = first.local_addr()?;
        let mut listeners = vec![first];
        for _ in 1..shards {
            listeners.push(bind(address).with_context(|| format!("can't listen on {address}"))?);
        }
        let threads = start_shards(&house, listeners)?;
        let watcher = watch::start(&config, control.clone());
        let control_thread = std::thread::Builder::new().name("control".to_owned()).spawn(move || plugins.run())?;
        tracing::info!(%address, shards, "listening");
        Ok(Self { address, house, control, control_thread, shards: threads, _watcher: watcher })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for a plugin.
    pub fn addresses_of(&self, plugin: &str) -> Vec<SocketAddr> {
        self.house.listeners.addresses(plugin)
    }

    /// What its threads share.
    pub fn house(&self) -> Arc<House> {
        Arc::clone(&self.house)
    }

    /// Where its control thread is asked.
    pub fn control(&self) -> ControlSender {
        self.control.clone()
    }

    /// Stops it: after the time of draining, all connections are closed and all plugins stopped.
    pub fn stop(self, farewell: Farewell) {
        shut_down(&self.house, &self.shards, farewell);
        self.control.send(Request::Stop);
        let _ = self.control_thread.join();
    }
}

/// The address as a browser on this machine takes it.
fn shown(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() { SocketAddr::from(([127, 0, 0, 1], address.port())) } else { address }
}

fn start_log(config: &Config) {
    let level = tracing::Level::from(config.server.log.level);
    let builder =
        tracing_subscriber::fmt().with_max_level(level).with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr);
    // A second server in one process (tests) keeps the first one's log.
    let _ = match config.server.log.format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

fn start_shards(house: &Arc<House>, listeners: Vec<std::net::TcpListener>) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let mut threads = Vec::new();
    for (index, listener) in listeners.into_iter().enumerate() {
        let index = u8::try_from(index).context("too many shards")?;
        let house = Arc::clone(house);
        let thread = std::thread::Builder::new().name(format!("shard {index}")).spawn(move || {
            let _ended = Ended { index, house: &house };
            if let Err(error) = run_shard(index, Arc::clone(&house), listener) {
                tracing::error!(shard = index, %error, "the shard has ended");
            }
        })?;
        threads.push(thread);
    }
    Ok(threads)
}

/// A shard ends, also by a panic: nobody is to wait for it or to find its sparks.
struct Ended<'a> {
    index: u8,
    house: &'a House,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        shard::leave();
        self.house.shard_ended(self.index);
    }
}

fn run_shard(index: u8, house: Arc<House>, listener: std::net::TcpListener) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, async move {
        let sockets = Sockets::new()?;
        let shard = Shard::new(index, house, sockets.registry()?);
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::task::spawn_local(gateway::accept(Rc::clone(&shard), listener, gateway::serve));
        tokio::task::spawn_local(streams::listen(Rc::clone(&shard)));
        tokio::task::spawn_local(streams::adopt(Rc::clone(&shard)));
        turn::run(shard, sockets).await
    })
}

fn shut_down(house: &House, threads: &[JoinHandle<()>], farewell: Farewell) {
    let snapshot = house.snapshot.load_full();
    let options = &snapshot.config.server.shutdown;
    let reconnect = options.reconnect || farewell == Farewell::Reconnect;
    house.draining.store(true, Ordering::Relaxed);
    if !options.drain.is_zero() {
        std::thread::sleep(options.drain);
    }
    for inbox in &house.inboxes {
        inbox.post(Command::Shutdown { reconnect });
    }
    let until = Instant::now() + options.timeout;
    while threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    if threads.iter().any(|thread| !thread.is_finished()) {
        tracing::warn!("connections are cut: they did not close within shutdown.timeout");
    }
}
