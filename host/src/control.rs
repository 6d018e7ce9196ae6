//! The control thread: it alone loads, starts, replaces and stops plugins, and puts pictures into force.
//!
//! What is wanted is the plugins folder and `plugins.toml`; what is there is a list of generations. [`Control::reconcile`]
//! brings the second to the first, one plugin at a time, and leaves alone what fails: an old generation goes on serving.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant, SystemTime};

use plugin_api::abi::functions::raw_host;
use plugin_api::abi::host::StartFailure;
use plugin_api::abi::module::PluginModuleRef;

use crate::config::{Config, PluginConfig};
use crate::functions::Functions;
use crate::generation::Generation;
use crate::house::{ClientLibrary, House};
use crate::http::library::Library;
use crate::loader::{self, Copies, Loaded};
use crate::order::{self, Wanted};
use crate::shard::inbox::{Command, Switch};
use crate::snapshot::Snapshot;

/// How long a folder must be quiet before it is looked at.
const QUIET: Duration = Duration::from_millis(100);

/// How old a file's last change must be: a younger one may still be written.
const SETTLED: Duration = Duration::from_millis(150);

/// How long a change waits for others that are still being written.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long the start waits for files that are being written.
const FIRST_LOOK: Duration = Duration::from_secs(3);

/// How often the folder is looked at without being told: where there are no events (network file systems), this is what finds
/// a change.
const ROUND: Duration = Duration::from_secs(5);

/// What the control thread is asked.
pub enum Request {
    /// Something in the plugins folder or the configuration has changed.
    Changed,
    /// A plugin sets a timer.
    SetTimer {
        /// Which plugin.
        plugin: String,
        /// Which of its generations.
        generation: u64,
        /// Its number.
        timer: u64,
        /// From now.
        after_ms: u64,
    },
    /// A plugin clears a timer.
    ClearTimer {
        /// Which plugin.
        plugin: String,
        /// Which of its generations.
        generation: u64,
        /// Its number.
        timer: u64,
    },
    /// All plugins are stopped, and the thread ends.
    Stop,
}

/// Where the control thread is asked. Never blocks.
#[derive(Clone)]
pub struct ControlSender(Sender<Request>);

impl ControlSender {
    /// A sender and what it sends to.
    pub fn channel() -> (Self, Receiver<Request>) {
        let (sender, receiver) = mpsc::channel();
        (Self(sender), receiver)
    }

    /// Asks.
    pub fn send(&self, request: Request) {
        // It fails only when the process ends.
        let _ = self.0.send(request);
    }
}

/// How a file looked when it was last dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    len: u64,
    modified: SystemTime,
    inode: u64,
}

impl Stamp {
    fn of(path: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::metadata(path)?;
        Ok(Self { len: metadata.len(), modified: metadata.modified()?, inode: metadata.ino() })
    }

    fn is_settled(&self) -> bool {
        self.modified.elapsed().is_ok_and(|age| age >= SETTLED)
    }
}

/// What is known of one library file, or of one plugin that is linked in.
#[derive(Default)]
struct Source {
    stamp: Option<Stamp>,
    linked: Option<PluginModuleRef>,
    /// Loaded and not started yet: after a change, or where it is disabled.
    loaded: Option<Loaded>,
    /// The plugin's name, once it was loaded.
    name: Option<String>,
    requires: Vec<String>,
    schema: serde_json::Value,
    /// What serves now.
    generation: Option<Arc<Generation>>,
    /// The configuration that was last tried.
    tried: Option<PluginConfig>,
    /// Why it does not serve, or why a newer file or configuration does not.
    trouble: Option<String>,
    /// The file has gone; what it brought goes, too.
    gone: bool,
}

/// The control thread's state.
pub struct Control {
    house: Arc<House>,
    requests: Receiver<Request>,
    copies: Copies,
    config: Config,
    config_stamp: Option<Stamp>,
    sources: BTreeMap<PathBuf, Source>,
    numbers: HashMap<String, u64>,
    retiring: Vec<Arc<Generation>>,
    timers: Vec<(Instant, String, u64, u64)>,
    folder_trouble: Option<String>,
    /// Something was seen that is not brought about yet.
    pending: bool,
    /// Since when files are seen that are still being written.
    unsettled_since: Option<Instant>,
}

impl Control {
    /// Over a house that has no plugins yet. `linked` are those that are part of the binary.
    ///
    /// # Errors
    ///
    /// The folder for private copies can't be made.
    pub fn new(
        house: Arc<House>,
        requests: Receiver<Request>,
        config: Config,
        linked: Vec<PluginModuleRef>,
    ) -> std::io::Result<Self> {
        let sources = linked
            .into_iter()
            .enumerate()
            .map(|(index, module)| {
                (PathBuf::from(format!("(linked {index})")), Source { linked: Some(module), ..Source::default() })
            })
            .collect();
        let config_stamp = Stamp::of(config.file()).ok();
        Ok(Self {
            house,
            requests,
            copies: Copies::new()?,
            config,
            config_stamp,
            sources,
            numbers: HashMap::new(),
            retiring: Vec::new(),
            timers: Vec::new(),
            folder_trouble: None,
            pending: false,
            unsettled_since: None,
        })
    }

    /// Serves requests until it is told to stop.
    pub fn run(mut self) {
        let mut look_at = Instant::now() + ROUND;
        loop {
            let timer = self.timers.iter().map(|(at, ..)| *at).min();
            let next = timer.map_or(look_at, |timer| timer.min(look_at));
            match self.requests.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Request::Changed) => look_at = Instant::now() + QUIET,
                Ok(Request::SetTimer { plugin, generation, timer, after_ms }) => {
                    self.clear_timer(&plugin, generation, timer);
                    self.timers.push((Instant::now() + Duration::from_millis(after_ms), plugin, generation, timer));
                }
                Ok(Request::ClearTimer { plugin, generation, timer }) => self.clear_timer(&plugin, generation, timer),
                Ok(Request::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = Instant::now();
            self.fire_timers(now);
            if now >= look_at {
                let settled = self.look();
                look_at = now + if settled { ROUND } else { QUIET };
                self.retire();
            }
        }
        self.stop_all();
    }

    // ---- timers of plugins ------------------------------------------------------------------------------------------------

    fn clear_timer(&mut self, plugin: &str, generation: u64, timer: u64) {
        self.timers.retain(|(_, of, number, known)| !(of == plugin && *number == generation && *known == timer));
    }

    fn fire_timers(&mut self, now: Instant) {
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.timers).into_iter().partition(|(at, ..)| *at <= now);
        self.timers = later;
        for (_, plugin, number, timer) in due {
            let generation = self.serving().find(|generation| generation.name() == plugin && generation.number == number);
            let Some(generation) = generation.filter(|generation| !generation.is_quarantined()) else { continue };
            if let Err(fault) = generation.instance.timer(timer) {
                generation.quarantine("a timer", &fault);
            }
        }
    }

    fn serving(&self) -> impl Iterator<Item = Arc<Generation>> {
        self.sources.values().filter_map(|source| source.generation.clone()).collect::<Vec<_>>().into_iter()
    }

    // ---- what is wanted ---------------------------------------------------------------------------------------------------

    /// Brings up what is there at the start, once no file of it is being written any more.
    ///
    /// # Errors
    ///
    /// A plugin that `plugins.toml` names does not load or start: a server that is less than it was configured to be, one that
    /// asks nobody for a password perhaps, is worse than none.
    pub fn start_up(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + FIRST_LOOK;
        while !self.look_at_folder().1 && Instant::now() < until {
            std::thread::sleep(SETTLED / 3);
        }
        self.reconcile();
        let troubles = self.sources.iter().filter_map(|(path, source)| {
            let name = source.name.clone().unwrap_or_else(|| name_of(path));
            let serves = self.serving().any(|generation| generation.name() == name);
            let wanted = !serves && self.config.plugin(&name).is_some_and(|config| config.enabled);
            source.trouble.as_ref().filter(|_| wanted).map(|trouble| format!("{}: {trouble}", path.display()))
        });
        match troubles.collect::<Vec<_>>() {
            troubles if troubles.is_empty() => Ok(()),
            troubles => {
                anyhow::bail!("plugins that {} names do not serve: {}", self.config.file().display(), troubles.join("; "))
            }
        }
    }

    /// Looks at the folder and the configuration, and brings about what they ask for. `false`: something is still changing.
    fn look(&mut self) -> bool {
        let config_changed = self.look_at_config();
        let (files_changed, settled) = self.look_at_folder();
        self.pending |= config_changed || files_changed;
        // What belongs together is often copied together: a moment's patience starts it together.
        let patient = *self.unsettled_since.get_or_insert_with(Instant::now);
        if settled || patient.elapsed() > PATIENCE {
            self.unsettled_since = None;
            if std::mem::take(&mut self.pending) {
                self.reconcile();
            }
        }
        settled
    }

    fn look_at_config(&mut self) -> bool {
        let file = self.config.file().to_owned();
        let stamp = Stamp::of(&file).ok();
        if stamp == self.config_stamp {
            return false;
        }
        self.config_stamp = stamp;
        match Config::load(&file) {
            Ok(config) if config == self.config => false,
            Ok(config) => {
                tracing::info!(file = %file.display(), "the configuration has changed");
                for key in changed_for_restart(&self.config, &config) {
                    tracing::warn!("[server] {key} takes effect at the next start only");
                }
                self.config = config;
                true
            }
            Err(error) => {
                tracing::error!("the old configuration stays in force: {error}");
                false
            }
        }
    }

    fn look_at_folder(&mut self) -> (bool, bool) {
        let folder = self.config.server.plugins.clone();
        let files = loader::check_folder(&folder)
            .map_err(|error| error.to_string())
            .and_then(|()| loader::libraries(&folder).map_err(|error| format!("{}: {error}", folder.display())));
        let files = match files {
            Ok(files) => {
                self.folder_trouble = None;
                files
            }
            Err(trouble) => {
                if self.folder_trouble.as_ref() != Some(&trouble) {
                    tracing::error!("no plugin is loaded: {trouble}");
                    self.folder_trouble = Some(trouble);
                }
                // What serves goes on: a folder that is being replaced is gone for a moment.
                return (false, true);
            }
        };
        let mut changed = false;
        let mut settled = true;
        for source in self.sources.iter_mut().filter(|(path, source)| source.linked.is_none() && !files.contains(path)) {
            changed |= !std::mem::replace(&mut source.1.gone, true);
        }
        for file in files {
            let Ok(stamp) = Stamp::of(&file) else { continue };
            let known = self.sources.get(&file).filter(|source| !source.gone).and_then(|source| source.stamp);
            if known == Some(stamp) || (known.is_none() && !self.may_load(&file)) {
                continue;
            }
            if !stamp.is_settled() {
                settled = false;
                continue;
            }
            changed = true;
            self.load(&file, stamp);
        }
        for source in self.sources.values_mut().filter(|source| source.linked.is_some() && source.name.is_none()) {
            changed = true;
            if let Some(module) = source.linked {
                take_loaded(source, loader::linked(module));
            }
        }
        (changed, settled)
    }

    /// Loads a new or changed file.
    fn load(&mut self, file: &Path, stamp: Stamp) {
        let pins = self.pins(file);
        let loaded = loader::load(file, pins.as_deref(), &mut self.copies);
        if let Err(error) = &loaded {
            tracing::error!("{} {error}", file.display());
        }
        let source = self.sources.entry(file.to_owned()).or_default();
        source.stamp = Some(stamp);
        source.gone = false;
        take_loaded(source, loaded);
    }

    /// Whether a file's code may run at all: not where its table, or `auto_load`, says that it is not wanted.
    fn may_load(&self, file: &Path) -> bool {
        self.config.plugin_or_default(&name_of(file)).enabled
    }

    /// The hashes of which a file must have one.
    fn pins(&self, file: &Path) -> Option<Vec<[u8; 32]>> {
        let config = self.config.plugin_or_default(&name_of(file));
        let pinned = self.config.server.pinned || !config.sha256.is_empty();
        pinned.then(|| config.sha256.iter().map(|pin| pin.0).collect())
    }

    // ---- bringing it about ------------------------------------------------------------------------------------------------

    /// Starts, replaces and drops plugins until what is there is what is wanted, then puts the new picture into force.
    fn reconcile(&mut self) {
        let wanted: Vec<Wanted> = self
            .sources
            .iter()
            .filter(|(_, source)| !source.gone)
            .filter_map(|(path, source)| {
                let name = source.name.clone()?;
                let config = self.config.plugin_or_default(&name);
                Some(Wanted {
                    path: path.clone(),
                    enabled: config.enabled,
                    order: config.order,
                    requires: source.requires.clone(),
                    serves: source.generation.is_some(),
                    name,
                })
            })
            .collect();
        let plan = order::plan(wanted);
        for refusal in &plan.refused {
            if let Some(source) = self.sources.get_mut(&refusal.path)
                && source.trouble.as_deref() != Some(&refusal.reason)
            {
                if refusal.is_error {
                    tracing::error!("{} {}", refusal.path.display(), refusal.reason);
                }
                source.trouble = Some(refusal.reason.clone());
            }
        }
        let mut former: Vec<Arc<Generation>> = self.serving().collect();
        let mut replaced: Vec<(Arc<Generation>, Arc<Generation>)> = Vec::new();
        for path in &plan.order {
            self.bring_up(path, &mut replaced);
        }
        for (path, source) in &mut self.sources {
            if !plan.order.contains(path) {
                source.generation = None;
                source.tried = None;
            }
        }
        self.sources.retain(|_, source| !source.gone);
        let generations: Vec<Arc<Generation>> =
            plan.order.iter().filter_map(|path| self.sources.get(path)?.generation.clone()).collect();
        for line in self.config.unclaimed(self.sources.values().filter_map(|source| source.name.as_deref())) {
            tracing::info!("{line}");
        }
        self.publish(generations.clone(), &replaced);
        former.retain(|old| !generations.iter().any(|new| Arc::ptr_eq(old, new)));
        for old in &former {
            if !replaced.iter().any(|(of, _)| Arc::ptr_eq(of, old)) {
                tracing::info!(plugin = old.name(), "goes away");
            }
        }
        self.retiring.append(&mut former);
        self.retire();
    }

    /// Makes the plugin of one file serve with the configuration in force. On failure, what served goes on.
    fn bring_up(&mut self, path: &Path, replaced: &mut Vec<(Arc<Generation>, Arc<Generation>)>) {
        let Some(source) = self.sources.get_mut(path) else { return };
        let Some(name) = source.name.clone() else { return };
        let config = self.config.plugin_or_default(&name);
        let same_config = source.tried.as_ref() == Some(&config);
        if source.loaded.is_none() && same_config {
            return;
        }
        if source.loaded.is_none()
            && let Some(generation) = &source.generation
            && !generation.is_quarantined()
        {
            source.tried = Some(config.clone());
            match generation.instance.reconfigure(&config.table.to_string()) {
                Ok(true) => {
                    source.trouble = None;
                    tracing::info!(plugin = name, "has taken its new configuration");
                    return;
                }
                Ok(false) => {}
                Err(failure) => {
                    let line = explain(&config, &source.schema, failure);
                    tracing::error!(plugin = name, "goes on with its old configuration: {line}");
                    source.trouble = Some(line);
                    return;
                }
            }
        }
        let loaded = match source.loaded.take() {
            Some(loaded) => loaded,
            None => match self.load_again(path) {
                Some(loaded) => loaded,
                None => return,
            },
        };
        let number = *self.numbers.entry(name.clone()).and_modify(|number| *number += 1).or_insert(1);
        let started = start(&self.house, loaded, number, path, &config);
        let Some(source) = self.sources.get_mut(path) else { return };
        source.tried = Some(config.clone());
        match started {
            Ok(generation) => {
                source.trouble = None;
                if let Some(old) = source.generation.replace(Arc::clone(&generation)) {
                    replaced.push((old, generation));
                } else {
                    let version = &generation.manifest.version;
                    tracing::info!(plugin = name, version, "is live");
                }
            }
            Err(failure) => {
                let line = explain(&config, &source.schema, failure);
                let goes_on = if source.generation.is_some() { "; the former generation goes on" } else { "" };
                tracing::error!(plugin = name, "does not start: {line}{goes_on}");
                source.trouble = Some(line);
            }
        }
    }

    /// A further copy of a plugin's library, for a generation that differs by its configuration only: two instances in one copy
    /// would share its statics.
    fn load_again(&mut self, path: &Path) -> Option<Loaded> {
        let source = self.sources.get(path)?;
        let loaded = match source.linked {
            Some(module) => loader::linked(module),
            None => loader::load(path, self.pins(path).as_deref(), &mut self.copies),
        };
        match loaded {
            Ok(loaded) => Some(loaded),
            Err(error) => {
                tracing::error!("{} {error}; the former generation goes on", path.display());
                None
            }
        }
    }

    /// Puts a picture into force on all shards. Where generations were replaced, all shards stop between two messages while
    /// their state is carried over.
    fn publish(&mut self, generations: Vec<Arc<Generation>>, replaced: &[(Arc<Generation>, Arc<Generation>)]) {
        let mut given_up = Vec::new();
        if replaced.is_empty() {
            let snapshot = Arc::new(Snapshot::new(self.config.clone(), generations, &self.house.numbers));
            self.house.snapshot.store(Arc::clone(&snapshot));
            for inbox in &self.house.inboxes {
                inbox.post(Command::Snapshot(Arc::clone(&snapshot)));
            }
        } else {
            let switch = Switch::new(self.house.inboxes.len());
            for inbox in &self.house.inboxes {
                inbox.post(Command::Switch(Arc::clone(&switch)));
            }
            let began = Instant::now();
            switch.change(|| {
                let mut generations = generations;
                for (old, new) in replaced {
                    if let Err(reason) = carry_over(old, new) {
                        for generation in &mut generations {
                            if Arc::ptr_eq(generation, new) {
                                *generation = Arc::clone(old);
                            }
                        }
                        given_up.push((Arc::clone(old), Arc::clone(new), reason));
                    }
                }
                self.house.snapshot.store(Arc::new(Snapshot::new(self.config.clone(), generations, &self.house.numbers)));
            });
            let pause = began.elapsed();
            for (_, new) in replaced.iter().filter(|(_, new)| !given_up.iter().any(|(_, failed, _)| Arc::ptr_eq(failed, new))) {
                tracing::info!(
                    plugin = new.name(),
                    generation = new.number,
                    version = new.manifest.version,
                    ?pause,
                    "is replaced"
                );
            }
        }
        for (old, new, reason) in given_up {
            tracing::error!(plugin = new.name(), "is not replaced: {reason}; the former generation goes on");
            for source in self.sources.values_mut() {
                if source.generation.as_ref().is_some_and(|generation| Arc::ptr_eq(generation, &new)) {
                    source.generation = Some(Arc::clone(&old));
                    source.trouble = Some(reason.clone());
                }
            }
            self.retiring.push(new);
        }
        self.assemble_client();
    }

    /// Assembles the client of the picture in force, beside everything else: compressing takes its time.
    fn assemble_client(&self) {
        let snapshot = self.house.snapshot.load_full();
        let house = Arc::clone(&self.house);
        std::thread::spawn(move || {
            let (config, parts) = snapshot.client();
            let library = Library::build(config, &parts).map(Arc::new).map_err(|error| error.to_string());
            if let Err(error) = &library {
                tracing::error!("the client can't be assembled: {error}");
            }
            house.library.send_if_modified(|state| {
                let newer = snapshot.number > state.version;
                if newer {
                    *state = ClientLibrary { version: snapshot.number, library: Some(library) };
                }
                newer
            });
        });
    }

    // ---- the end of generations -------------------------------------------------------------------------------------------

    /// Stops generations that nothing refers to any more. Their libraries stay mapped.
    fn retire(&mut self) {
        let (idle, busy): (Vec<_>, Vec<_>) = std::mem::take(&mut self.retiring).into_iter().partition(is_idle);
        self.retiring = busy;
        for generation in idle {
            if let Err(fault) = generation.instance.stop() {
                tracing::error!(plugin = generation.name(), "panicked in stop: {}", fault.report);
            }
            tracing::info!(plugin = generation.name(), generation = generation.number, "is retired");
        }
    }

    fn stop_all(&mut self) {
        let generations = self.house.snapshot.load().generations.clone();
        let empty = Snapshot::new(self.config.clone(), Vec::new(), &self.house.numbers);
        self.house.snapshot.store(Arc::new(empty));
        for generation in self.retiring.drain(..).chain(generations.into_iter().rev()) {
            if let Err(fault) = generation.instance.stop() {
                tracing::error!(plugin = generation.name(), "panicked in stop: {}", fault.report);
            }
        }
    }
}

/// The plugin's name that a file's name suggests.
fn name_of(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    stem.strip_prefix("lib").unwrap_or(&stem).to_owned()
}

/// Whether a retiring generation has no session, no parser in use and no place in a picture any more.
fn is_idle(generation: &Arc<Generation>) -> bool {
    let registrations = &generation.registrations;
    Arc::strong_count(generation) == 1
        && registrations.transports.iter().all(|(_, transport)| Arc::strong_count(transport) == 1)
        && registrations.parsers.iter().all(|parser| Arc::strong_count(parser) == 1)
}

fn take_loaded(source: &mut Source, loaded: Result<Loaded, loader::LoadError>) {
    match loaded {
        Ok(loaded) => {
            source.trouble = None;
            source.name = Some(loaded.manifest.name.clone());
            source.requires.clone_from(&loaded.manifest.requires);
            source.schema = loaded.manifest.config.clone();
            source.loaded = Some(loaded);
        }
        Err(error) => source.trouble = Some(error.to_string()),
    }
}

/// Starts and registers a generation.
fn start(
    house: &Arc<House>,
    loaded: Loaded,
    number: u64,
    path: &Path,
    config: &PluginConfig,
) -> Result<Arc<Generation>, StartFailure> {
    let functions = Functions::new(Arc::clone(house), loaded.manifest.name.clone(), number);
    let instance = loaded.module.start(raw_host(Arc::clone(&functions)), &config.table.to_string())?;
    let registrations = instance.register()?;
    let generation = Generation::new(loaded.manifest, number, Some(path.to_owned()), config.order, registrations, instance);
    functions.belongs_to(&generation);
    Ok(generation)
}

/// Hands the state of one generation to the next.
fn carry_over(old: &Generation, new: &Generation) -> Result<(), String> {
    if old.is_quarantined() {
        // Its state may be half changed.
        return Ok(());
    }
    match old.instance.save() {
        Ok(Some(state)) => new.instance.restore(&state).map_err(|failure| failure.to_string()),
        Ok(None) => Ok(()),
        Err(fault) => {
            old.quarantine("save", &fault);
            Ok(())
        }
    }
}

/// One line on a plugin that does not take its configuration or does not start.
fn explain(config: &PluginConfig, schema: &serde_json::Value, failure: StartFailure) -> String {
    match failure {
        StartFailure::Refused(error) if !error.path.is_empty() || error.message.contains("unknown field") => {
            config.explain(&error.path, &error.message, schema).to_string()
        }
        StartFailure::Refused(error) => error.message,
        StartFailure::Fault(fault) => fault.to_string().lines().take(2).collect::<Vec<_>>().join(" "),
    }
}

/// The host's own keys that a running server can't change.
fn changed_for_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let (old, new) = (&old.server, &new.server);
    let mut keys = Vec::new();
    if old.listen != new.listen {
        keys.push("listen");
    }
    if old.shards != new.shards {
        keys.push("shards");
    }
    if old.log != new.log {
        keys.push("log");
    }
    keys
}
