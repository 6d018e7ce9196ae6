//! Starting and stopping: the order in which the parts of the host come up, and go down.
//!
//! Up: the house without plugins, the plugins, the listeners, the shards, then the ready line. Down: no new clients, requests
//! are answered and all sparks ended and written to the end, the plugins are stopped in reverse order.

use std::io::{IsTerminal as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use plugin_api::abi::module::PluginModuleRef;
use tokio::task::LocalSet;

use crate::config::{Config, LogFormat};
use crate::control::Control;
use crate::gateway::lane::Lane;
use crate::gateway::{self, streams};
use crate::house::House;
use crate::inbox::Command;
use crate::inbox::control::{ControlSender, HandOver, Request};
use crate::listeners::{Place, bind, claim};
use crate::operator::attend::Attendant;
use crate::operator::listen::ControlSocket;
use crate::operator::place::Shared;
use crate::parsers::ParserNumbers;
use crate::shard::turn::{self, Sockets};
use crate::shard::{self, Shard, inherit};
use crate::snapshot::Snapshot;
use crate::supervisor::Supervisor;
use crate::upgrade::channel::ChannelError;
use crate::upgrade::letters;
use crate::upgrade::predecessor::{Legacy, Listening, Predecessor};
use crate::upgrade::records::{Letter, Ready};
use crate::upgrade::successor::{Successor, UpgradeError};
use crate::watch;

/// Serves until it is told to go. `linked` are plugins that are part of the binary.
///
/// # Errors
///
/// See [`Server::start`], [`Attendant::new`] and [`Attendant::attend`].
pub fn serve(config: Config, linked: Vec<PluginModuleRef>) -> anyhow::Result<()> {
    start_log(&config);
    let supervisor = Supervisor::from_environment();
    let (server, socket) = match Predecessor::of_this_process().context("no socket to the process to be followed")? {
        Some(predecessor) => Server::follow(config.clone(), linked, predecessor)?,
        None => (Server::start(config.clone(), linked)?, None),
    };
    let socket = ControlSocket::open(&config, socket);
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
    /// What it was told to listen on.
    listen: SocketAddr,
    house: Arc<House>,
    control: ControlSender,
    control_thread: JoinHandle<()>,
    shards: Vec<JoinHandle<()>>,
    /// The sockets on which the shards listen, for a process that follows.
    listeners: Vec<TcpListener>,
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
        let (house, plugins) = Self::complete(&config, linked, None)?;
        let listen = config.server.listen;
        let first = claim(listen).and_then(|()| bind(listen)).with_context(|| format!("can't listen on {listen}"))?;
        let address = first.local_addr()?;
        let mut listeners = vec![first];
        for _ in 1..house.inboxes.len() {
            listeners.push(bind(address).with_context(|| format!("can't listen on {address}"))?);
        }
        let none = listeners.iter().map(|_| Legacy::default()).collect();
        let (shards, inherited) = start_shards(&house, &listeners, none)?;
        inherited.wait()?.begin();
        Self::run(&config, house, plugins, shards, listeners)
    }

    /// Starts one that takes over what another process serves. With its control socket, if that has one.
    ///
    /// # Errors
    ///
    /// As [`Server::start`], or the other process takes everything back: it goes on.
    pub fn follow(
        config: Config,
        linked: Vec<PluginModuleRef>,
        predecessor: Predecessor,
    ) -> anyhow::Result<(Self, Option<Shared>)> {
        let started = Self::try_follow(config, linked, &predecessor);
        match started {
            Ok((server, socket)) => {
                let house = Arc::clone(&server.house);
                std::thread::Builder::new().name("predecessor".to_owned()).spawn(move || {
                    predecessor.follow(|shard, letters| post(&house, shard, letters));
                })?;
                Ok((server, socket))
            }
            Err(error) => {
                predecessor.give_up(&format!("{error:#}"));
                Err(error)
            }
        }
    }

    fn try_follow(
        config: Config,
        linked: Vec<PluginModuleRef>,
        predecessor: &Predecessor,
    ) -> anyhow::Result<(Self, Option<Shared>)> {
        let Listening { own: listeners, places } = predecessor.sockets()?;
        let mut ready = Ready { listen: config.server.listen.to_string(), shards: shards_of(&config), plugins: None };
        if listeners.len() != ready.shards {
            // The plugins' addresses would not fit either: what the predecessor says to it is the whole answer.
            predecessor.receive(&ready)?;
        }
        let watch = predecessor.watch()?;
        let (house, plugins) = Self::complete(&config, linked, Some(places))?;
        drop(watch);
        let serving = house.snapshot.load().generations.iter().map(|generation| generation.name().to_owned()).collect();
        ready.plugins = Some(serving);
        let mut estate = predecessor.receive(&ready)?;
        for legacy in &estate.shards {
            let who = legacy.sparks.iter().map(|(spark, _)| &spark.who).chain(legacy.left.iter().map(|(who, _)| who));
            for who in who.filter(|who| !who.bare) {
                house.enter(&inherit::info(who)?);
            }
        }
        // The plugins first: they may ask who is there, and a session's transport may be one of those with a state.
        plugins.inherit(&estate.plugins).map_err(anyhow::Error::msg)?;
        let (shards, inherited) = start_shards(&house, &listeners, estate.shards)?;
        let mut inherited = inherited.wait()?;
        predecessor.take_over(std::mem::take(&mut inherited.refused))?;
        inherited.begin();
        house.set_follows(false);
        // Taken apart only now: given up before, it would be free while the other process has it.
        let socket = estate.control.take();
        Ok((Self::run(&config, house, plugins, shards, listeners)?, socket))
    }

    /// A house with all its plugins; of one that follows another process, `places` are the plugins' addresses that are listened on.
    fn complete(
        config: &Config,
        linked: Vec<PluginModuleRef>,
        places: Option<Vec<(Place, SocketAddr, Vec<TcpListener>)>>,
    ) -> anyhow::Result<(Arc<House>, Control)> {
        let (control, requests) = ControlSender::channel();
        let shards = shards_of(config);
        let numbers = ParserNumbers::default();
        let empty = Snapshot::new(config.clone(), Vec::new(), &numbers);
        let house = House::new(empty, shards, control, numbers);
        house.set_follows(places.is_some());
        for (place, address, sockets) in places.into_iter().flatten() {
            house.listeners.take(place, address, sockets);
        }
        let mut plugins = Control::new(Arc::clone(&house), requests, config.clone(), linked)?;
        plugins.start_up()?;
        Ok((house, plugins))
    }

    /// Lets it run: shards that serve, plugins that are watched.
    fn run(
        config: &Config,
        house: Arc<House>,
        plugins: Control,
        shards: Vec<JoinHandle<()>>,
        listeners: Vec<TcpListener>,
    ) -> anyhow::Result<Self> {
        let address = listeners.first().context("there is no shard")?.local_addr()?;
        let control = house.control.clone();
        let watcher = watch::start(config, control.clone());
        let control_thread = std::thread::Builder::new().name("control".to_owned()).spawn(move || plugins.run())?;
        tracing::info!(%address, shards = shards.len(), "listening");
        let listen = config.server.listen;
        Ok(Self { address, listen, house, control, control_thread, shards, listeners, _watcher: watcher })
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

    /// From now on, hyper reads the requests of every new connection: for tests, which compare it with what the host reads itself.
    #[doc(hidden)]
    pub fn read_by_hyper_alone(&self) {
        self.house.read_by_hyper_alone();
    }

    /// Stops it: after the time of draining, all connections are closed and all plugins stopped.
    pub fn stop(self, farewell: Farewell) {
        // The shards alone say how long it listens.
        drop(self.listeners);
        shut_down(&self.house, &self.shards, farewell);
        self.control.send(Request::Stop);
        let _ = self.control_thread.join();
    }

    /// Ends it after another process has taken over: what is asked is answered yet.
    pub fn leave(self) {
        drop(self.listeners);
        wait_for_end(&self.house, &self.shards);
        self.control.send(Request::Stop);
        let _ = self.control_thread.join();
    }

    /// What hands this server over to a process of another binary, and tells its number. It takes its time, on a thread of its own.
    ///
    /// # Errors
    ///
    /// The listening sockets can't be shared.
    pub fn upgrade(
        &self,
        socket: Option<Shared>,
    ) -> std::io::Result<impl FnOnce(&Path) -> Result<u32, UpgradeError> + Send + 'static> {
        let own = self.listeners.iter().map(TcpListener::try_clone).collect::<Result<_, _>>()?;
        let sockets = Listening { own, places: self.house.listeners.shared() };
        let (house, control, listen) = (Arc::clone(&self.house), self.control.clone(), self.listen);
        Ok(move |binary: &Path| {
            let config = house.snapshot.load().config.server.clone();
            tracing::info!(binary = %binary.display(), "a new process starts, to take over");
            let successor = Successor::start(binary, config.upgrade.start, &sockets)?;
            let snapshot = house.snapshot.load_full();
            let plugins = snapshot.generations.iter().map(|generation| generation.name());
            let unfit = successor.unfit(&listen.to_string(), house.inboxes.len(), plugins);
            if let Some(error) = unfit {
                successor.dismiss(&error);
                return Err(error);
            }
            let (reply, result) = std::sync::mpsc::channel();
            control.send(Request::HandOver(Box::new(HandOver { successor, socket, reply })));
            result.recv().unwrap_or(Err(UpgradeError::GoingDown))
        })
    }
}

fn shards_of(config: &Config) -> usize {
    config.server.shards.get().min(usize::from(u8::MAX))
}

/// Puts what another process was still asked to send into a shard's inbox.
fn post(house: &House, shard: u8, letters: Vec<Letter>) {
    let Some(inbox) = house.inboxes.get(usize::from(shard)) else { return };
    letters.into_iter().filter_map(|letter| letters::command(letter, &house.numbers)).for_each(|command| inbox.post(command));
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

/// The sparks that a shard could not make its own.
type Refused = Result<Vec<u64>, ChannelError>;

/// Shards that have made their legacies their own, and wait for the word to begin.
struct Inherited {
    shards: Vec<(mpsc::Receiver<Refused>, mpsc::Sender<()>)>,
    /// Sparks that could not go on here.
    refused: Vec<u64>,
}

impl Inherited {
    /// Waits for all of them.
    fn wait(mut self) -> anyhow::Result<Self> {
        for (inherited, _) in &self.shards {
            self.refused.extend(inherited.recv().context("a shard did not start")??);
        }
        Ok(self)
    }

    /// Lets them begin. Dropped without, they end.
    fn begin(self) {
        for (_, begin) in self.shards {
            // It may have ended already, and has said why.
            let _ = begin.send(());
        }
    }
}

fn start_shards(
    house: &Arc<House>,
    listeners: &[TcpListener],
    legacies: Vec<Legacy>,
) -> anyhow::Result<(Vec<JoinHandle<()>>, Inherited)> {
    let mut threads = Vec::new();
    let mut inherited = Inherited { shards: Vec::new(), refused: Vec::new() };
    for (index, (listener, legacy)) in listeners.iter().zip(legacies).enumerate() {
        let index = u8::try_from(index).context("too many shards")?;
        let house = Arc::clone(house);
        let listener = listener.try_clone()?;
        listener.set_nonblocking(true)?;
        let (tell, told) = mpsc::channel();
        let (begin, begun) = mpsc::channel();
        let thread = std::thread::Builder::new().name(format!("shard {index}")).spawn(move || {
            let _ended = Ended { index, house: &house };
            if let Err(error) = run_shard(index, Arc::clone(&house), listener, legacy, &tell, &begun) {
                tracing::error!(shard = index, %error, "the shard has ended");
            }
        })?;
        inherited.shards.push((told, begin));
        threads.push(thread);
    }
    Ok((threads, inherited))
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

fn run_shard(
    index: u8,
    house: Arc<House>,
    listener: TcpListener,
    mut legacy: Legacy,
    tell: &mpsc::Sender<Refused>,
    begun: &mpsc::Receiver<()>,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, async move {
        let sockets = Sockets::new()?;
        let shard = Shard::new(index, house, sockets.registry()?);
        let listener = tokio::net::TcpListener::from_std(listener)?;
        // Whoever started it may have given up.
        let _ = tell.send(shard.inherit(&mut legacy));
        if begun.recv().is_err() {
            return Ok(());
        }
        post(shard.house(), index, legacy.letters);
        let lane = Lane::new(Rc::clone(&shard));
        for (stream, peer) in legacy.fresh {
            lane.accept(tokio::net::TcpStream::from_std(stream)?, peer);
        }
        tokio::task::spawn_local(gateway::accept(Rc::clone(&shard), listener, move |_, stream, peer| {
            lane.accept(stream, peer);
            std::future::ready(())
        }));
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
    wait_for_end(house, threads);
}

/// Waits for the shards, as long as they may take.
fn wait_for_end(house: &House, threads: &[JoinHandle<()>]) {
    let until = Instant::now() + house.snapshot.load().config.server.shutdown.timeout;
    while threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    if threads.iter().any(|thread| !thread.is_finished()) {
        tracing::warn!("connections are cut: they did not close within shutdown.timeout");
    }
}
