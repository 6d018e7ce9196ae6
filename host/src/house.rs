//! What all threads of the host share: the picture in force, the shards' inboxes, calls that wait, and who is there.
//!
//! Knows handles and queues. Everything that a spark is made of belongs to its shard.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use arc_swap::ArcSwap;
use plugin_api::abi::status;
use plugin_api::{Payload, SparkId};
use tokio::sync::{oneshot, watch};

use crate::http::library::{ClientConfig, Library, Part};
use crate::http::metrics::{Figure, Kind};
use crate::inbox::adoption::{Adoption, Arrivals};
use crate::inbox::control::ControlSender;
use crate::inbox::{Command, Inbox};
use crate::listeners::Listeners;
use crate::operator::protocol::{PluginReport, State};
use crate::parsers::ParserNumbers;
use crate::snapshot::{Ref, Snapshot};
use crate::spark::id::{self, Info};

/// Calls that wait, by token, and where the status and the reply go.
type Waiting = HashMap<u64, oneshot::Sender<(u32, Vec<u8>)>>;

/// What all threads share.
pub struct House {
    /// The picture in force.
    pub snapshot: ArcSwap<Snapshot>,
    /// The client, and for which picture it was made.
    pub library: watch::Sender<ClientLibrary>,
    /// The shards' inboxes.
    pub inboxes: Vec<Inbox>,
    /// Who is there, by shard and slot.
    directories: Vec<RwLock<Vec<Option<Arc<Info>>>>>,
    /// Calls that wait for `complete`.
    waiting: Mutex<Waiting>,
    next_token: AtomicU64,
    /// Where changes of plugins are asked for.
    pub control: ControlSender,
    /// The numbers of parsers.
    pub numbers: ParserNumbers,
    /// Whether load balancers are to look away: everything is still served.
    pub draining: AtomicBool,
    /// Whether this process follows another one, which still serves.
    follows: AtomicBool,
    /// Whether another process serves in this one's place.
    followed: AtomicBool,
    /// The addresses that plugins listen on.
    pub listeners: Listeners,
    /// Streams that plugins bring, for each shard.
    pub arrivals: Vec<Arrivals>,
    next_arrival: AtomicU64,
    /// What the host counts.
    pub metrics: Metrics,
    /// The panics of plugins, by name, from the start of the host on.
    panics: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    /// How the plugins stand, as the control thread saw it last.
    pub standing: Mutex<Vec<PluginReport>>,
    /// What was wrong then with the configuration or the plugins folder.
    pub troubles: Mutex<Vec<String>>,
    /// Whether no connection begins in a lane.
    by_hyper_alone: AtomicBool,
}

/// The assembled client of one picture.
#[derive(Default)]
pub struct ClientLibrary {
    /// The number of the picture.
    pub version: u64,
    /// What it was made of.
    pub made_of: Option<(ClientConfig, Vec<Part>)>,
    /// The client, or why there is none.
    pub library: Option<Result<Arc<Library>, String>>,
}

/// What the host counts.
#[derive(Default)]
pub struct Metrics {
    /// Messages that were dropped since a spark had too much waiting.
    pub dropped: AtomicU64,
    /// Sparks that were closed for that.
    pub overflowed: AtomicU64,
    /// Messages that a parser refused.
    pub refused: AtomicU64,
    /// Sparks that went on in another session.
    pub successions: AtomicU64,
}

impl House {
    /// A house of so many shards.
    pub fn new(snapshot: Snapshot, shards: usize, control: ControlSender, numbers: ParserNumbers) -> Arc<Self> {
        Arc::new(Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            library: watch::Sender::new(ClientLibrary::default()),
            inboxes: (0..shards).map(|_| Inbox::new()).collect(),
            directories: (0..shards).map(|_| RwLock::default()).collect(),
            waiting: Mutex::default(),
            next_token: AtomicU64::new(1),
            control,
            numbers,
            draining: AtomicBool::new(false),
            follows: AtomicBool::new(false),
            followed: AtomicBool::new(false),
            listeners: Listeners::new(shards),
            next_arrival: AtomicU64::new(0),
            arrivals: (0..shards).map(|_| Arrivals::new()).collect(),
            metrics: Metrics::default(),
            panics: Mutex::default(),
            standing: Mutex::default(),
            troubles: Mutex::default(),
            by_hyper_alone: AtomicBool::new(false),
        })
    }

    /// From now on, hyper reads every request: for tests, which compare it with what lanes read.
    pub fn read_by_hyper_alone(&self) {
        self.by_hyper_alone.store(true, Ordering::Relaxed);
    }

    /// Whether hyper reads every request.
    pub fn is_by_hyper_alone(&self) -> bool {
        self.by_hyper_alone.load(Ordering::Relaxed)
    }

    /// Whether this process follows another one, which still serves.
    pub fn follows(&self) -> bool {
        self.follows.load(Ordering::Acquire)
    }

    /// Says whether it does.
    pub fn set_follows(&self, follows: bool) {
        self.follows.store(follows, Ordering::Release);
    }

    /// Another process serves in this one's place.
    pub fn set_followed(&self) {
        self.followed.store(true, Ordering::Release);
    }

    /// Whether one does.
    pub fn is_followed(&self) -> bool {
        self.followed.load(Ordering::Acquire)
    }

    /// A number that was not given before.
    pub fn token(&self) -> u64 {
        self.next_token.fetch_add(1, Ordering::Relaxed)
    }

    // ---- calls that wait --------------------------------------------------------------------------------------------------

    /// A token for a call that may wait, and where its answer comes.
    pub fn wait(&self) -> (u64, oneshot::Receiver<(u32, Vec<u8>)>) {
        let token = self.token();
        let (sender, receiver) = oneshot::channel();
        self.waiting().insert(token, sender);
        (token, receiver)
    }

    /// Nobody waits any more.
    pub fn forget(&self, token: u64) {
        self.waiting().remove(&token);
    }

    /// The answer has come.
    pub fn complete(&self, token: u64, status: u32, reply: &[u8]) {
        // An answer that is none would be waited for again, with nothing to wait for.
        let status = if status == status::PENDING { status::FAILED } else { status };
        if let Some(sender) = self.waiting().remove(&token) {
            // Whoever asked may be gone.
            let _ = sender.send((status, reply.to_vec()));
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- who is there -----------------------------------------------------------------------------------------------------

    /// A spark has come.
    pub fn enter(&self, info: &Arc<Info>) {
        let mut directory = self.directory(info.id).write().unwrap_or_else(PoisonError::into_inner);
        let slot = info.id.slot() as usize;
        if directory.len() <= slot {
            directory.resize(slot + 1, None);
        }
        directory[slot] = Some(Arc::clone(info));
    }

    /// A spark is gone.
    pub fn leave(&self, id: SparkId) {
        let mut directory = self.directory(id).write().unwrap_or_else(PoisonError::into_inner);
        if let Some(info) = directory.get_mut(id.slot() as usize) {
            *info = None;
        }
    }

    /// What is known of a spark.
    pub fn info(&self, id: SparkId) -> Option<Arc<Info>> {
        let directory = self.directories.get(usize::from(id.shard()))?.read().unwrap_or_else(PoisonError::into_inner);
        let info = directory.get(id.slot() as usize)?.as_ref()?;
        (info.id == id).then(|| Arc::clone(info))
    }

    /// The spark with this public id.
    pub fn find(&self, public: &str) -> Option<SparkId> {
        self.find_info(public).map(|info| info.id)
    }

    /// What is known of the spark with this public id.
    pub fn find_info(&self, public: &str) -> Option<Arc<Info>> {
        let (id, secret) = id::parse(public)?;
        self.info(id).filter(|info| info.secret == secret)
    }

    /// All sparks.
    pub fn sparks(&self) -> Vec<SparkId> {
        let mut sparks = Vec::new();
        for directory in &self.directories {
            let directory = directory.read().unwrap_or_else(PoisonError::into_inner);
            sparks.extend(directory.iter().flatten().map(|info| info.id));
        }
        sparks
    }

    /// What is known of all sparks.
    pub fn infos(&self) -> Vec<Arc<Info>> {
        let mut infos = Vec::new();
        for directory in &self.directories {
            let directory = directory.read().unwrap_or_else(PoisonError::into_inner);
            infos.extend(directory.iter().flatten().map(Arc::clone));
        }
        infos
    }

    /// A shard has ended: what it is told is dropped, and its sparks are gone.
    pub fn shard_ended(&self, shard: u8) {
        let shard = usize::from(shard);
        self.inboxes[shard].close();
        self.listeners.leave(shard as u8);
        if self.inboxes[shard].is_diverted() {
            // They are there yet, in another process, and can be sent to.
            return;
        }
        self.directories[shard].write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn directory(&self, id: SparkId) -> &RwLock<Vec<Option<Arc<Info>>>> {
        &self.directories[usize::from(id.shard())]
    }

    /// Where the panics of a plugin are counted.
    pub fn panics_of(&self, plugin: &str) -> Arc<AtomicU64> {
        let mut panics = self.panics.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(panics.entry(plugin.to_owned()).or_default())
    }

    /// How the plugins stand, as figures; those of one name come together.
    fn figures_of_plugins(&self) -> Vec<Figure> {
        let figure = |name: &str, help: &str, kind: Kind, plugin: &str, value: u64| Figure {
            name: name.to_owned(),
            help: help.to_owned(),
            kind,
            plugin: Some(plugin.to_owned()),
            value,
        };
        let panics = self.panics.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut figures: Vec<Figure> = panics
            .iter()
            .map(|(plugin, count)| figure("plugin_panics", "Panics of a plugin.", Kind::Counter, plugin, load(count)))
            .collect();
        let standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        type Of = fn(&PluginReport) -> u64;
        let of_reports: [(&str, &str, Of); 4] = [
            ("plugin_serving", "Whether a plugin serves.", |report| u64::from(report.state == State::Serving)),
            ("plugin_generation", "The number of the generation that serves.", |report| report.generation.unwrap_or(0)),
            ("plugin_retired", "Generations that were replaced.", |report| report.retired.len() as u64),
            ("plugin_retired_bytes", "Private memory of their libraries.", |report| {
                report.retired.iter().map(|retired| retired.memory_kib * 1024).sum()
            }),
        ];
        for (name, help, value) in of_reports {
            figures.extend(standing.iter().map(|report| figure(name, help, Kind::Gauge, &report.name, value(report))));
        }
        figures
    }

    /// What the host and the plugins count.
    pub fn figures(&self, snapshot: &Snapshot) -> Vec<Figure> {
        let own = [
            ("sparks", "Clients that are connected.", Kind::Gauge, self.sparks().len() as u64),
            ("messages_dropped", "Messages dropped since too much waited.", Kind::Counter, load(&self.metrics.dropped)),
            ("sparks_overflowed", "Sparks closed since too much waited.", Kind::Counter, load(&self.metrics.overflowed)),
            ("successions", "Sparks that went on in another session.", Kind::Counter, load(&self.metrics.successions)),
            ("messages_refused", "Messages that a parser refused.", Kind::Counter, load(&self.metrics.refused)),
        ];
        let own = own.into_iter().map(|(name, help, kind, value)| Figure {
            name: name.to_owned(),
            help: help.to_owned(),
            kind,
            plugin: None,
            value,
        });
        let of_plugins = snapshot.generations.iter().flat_map(|generation| {
            generation.registrations.counters.iter().zip(&generation.counters).map(|((name, help), value)| Figure {
                name: name.clone(),
                help: help.clone(),
                kind: Kind::Counter,
                plugin: Some(generation.name().to_owned()),
                value: load(value),
            })
        });
        own.chain(self.figures_of_plugins()).chain(of_plugins).collect()
    }

    // ---- commands ---------------------------------------------------------------------------------------------------------

    /// Puts a command into the inbox of a spark's shard.
    pub fn post(&self, id: SparkId, command: Command) {
        if let Some(inbox) = self.inboxes.get(usize::from(id.shard())) {
            inbox.post(command);
        }
    }

    /// Hands a stream that a plugin brings to one shard after the other.
    pub fn adopt(&self, adoption: Adoption) {
        let shard = self.next_arrival.fetch_add(1, Ordering::Relaxed) as usize % self.arrivals.len();
        self.arrivals[shard].hand_over(adoption);
    }

    /// Hands a payload over to the shards of these sparks, one command for each shard but `but`.
    pub fn post_many(&self, sparks: &[u64], payload: &Payload<'_>, but: Option<u8>) {
        for (shard, inbox) in self.inboxes.iter().enumerate() {
            if but.is_some_and(|but| usize::from(but) == shard) {
                continue;
            }
            let ids: Vec<SparkId> =
                sparks.iter().filter_map(|raw| SparkId::from_raw(*raw)).filter(|id| usize::from(id.shard()) == shard).collect();
            if !ids.is_empty() {
                inbox.post(Command::SendMany { ids, payload: payload.clone().into_owned() });
            }
        }
    }

    /// Calls a service of the picture in force: status and encoded reply.
    pub fn call_service(&self, service: &str, method: &str, arguments: &[u8]) -> (u32, Vec<u8>) {
        let snapshot = self.snapshot.load();
        let offers: &[Ref<_>] = snapshot.services.get(service).map_or(&[], Vec::as_slice);
        for offer in offers {
            if offer.generation.is_quarantined() {
                continue;
            }
            match offer.get().call(method, arguments) {
                Ok((status::MISSING, _)) => {}
                Ok(answer) => return answer,
                Err(fault) => {
                    offer.generation.panicked(&format!("the service {service}"), &fault);
                    return (status::PANICKED, Vec::new());
                }
            }
        }
        (status::MISSING, Vec::new())
    }
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
