//! The control thread: it alone loads, starts, replaces and stops plugins, and puts pictures into force.
//!
//! What is wanted is the plugins folder and `plugins.toml`; what is there is a list of generations. `Control::reconcile`
//! brings the second to the first, one plugin at a time, and leaves alone what fails: an old generation goes on serving.

mod bring_up;
mod deadline;
mod hand_over;
mod names;
mod operate;
mod publish;
mod retire;
mod source;
mod wanted;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use plugin_api::abi::module::PluginModuleRef;

use self::names::Names;
use self::operate::{Costs, Waiting};
use self::retire::{Retired, Retiring, Stopping};
use self::source::{SETTLED, Source, Stamp};
use crate::config::Config;
use crate::demands::{self, name_of};
use crate::generation::Generation;
use crate::heap;
use crate::house::House;
use crate::inbox::control::Request;
use crate::loader::{Copies, CopiesError};

/// How long after a change it is looked at: what belongs together mostly comes together.
const QUIET: Duration = Duration::from_millis(100);

/// How long a change waits for others that are still being written.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long the start waits for files that are being written.
const FIRST_LOOK: Duration = Duration::from_secs(3);

/// How often the folder is looked at without being told: where there are no events (network file systems), this is what finds
/// a change.
const ROUND: Duration = Duration::from_secs(5);

/// The control thread's state.
pub struct Control {
    house: Arc<House>,
    requests: Receiver<Request>,
    /// What was asked while everything had to wait.
    put_off: VecDeque<Request>,
    copies: Copies,
    config: Config,
    config_stamp: Option<Stamp>,
    /// Why the file is not in force as it is, if it is not.
    config_trouble: Option<String>,
    /// What operators want and are not answered yet.
    orders: Vec<Waiting>,
    sources: BTreeMap<PathBuf, Source>,
    numbers: HashMap<String, u64>,
    retiring: Vec<Retiring>,
    stopping: Vec<Stopping>,
    retired: Vec<Retired>,
    /// Whether it was said that too many generations stay mapped.
    told_of_retired: bool,
    /// What libraries and sparks there are, and when that was looked at.
    costs: Option<(Instant, Costs)>,
    timers: Vec<(Instant, String, u64, u64)>,
    folder_trouble: Option<String>,
    /// The tables without a plugin that were told of.
    told_of_unclaimed: Vec<String>,
    /// Names for what plugins bring, as they are in force.
    names: Names,
    /// Something was seen that is not brought about yet.
    pending: bool,
    /// Since when files are seen that are still being written.
    unsettled_since: Option<Instant>,
    /// Whether shards run: before, there is nobody to stop for a new picture.
    has_begun: bool,
    /// Another process has the plugins' states: nothing of them changes here any more.
    has_handed_over: bool,
}

impl Control {
    /// Over a house that has no plugins yet. `linked` are those that are part of the binary.
    ///
    /// # Errors
    ///
    /// The folder for private copies can't be made, or others could change what lies in it.
    pub fn new(
        house: Arc<House>,
        requests: Receiver<Request>,
        config: Config,
        linked: Vec<PluginModuleRef>,
    ) -> Result<Self, CopiesError> {
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
            put_off: VecDeque::new(),
            copies: Copies::new()?,
            config,
            config_stamp,
            config_trouble: None,
            orders: Vec::new(),
            sources,
            numbers: HashMap::new(),
            retiring: Vec::new(),
            stopping: Vec::new(),
            retired: Vec::new(),
            told_of_retired: false,
            costs: None,
            timers: Vec::new(),
            folder_trouble: None,
            told_of_unclaimed: Vec::new(),
            names: Names::default(),
            pending: false,
            unsettled_since: None,
            has_begun: false,
            has_handed_over: false,
        })
    }

    /// Serves requests until it is told to stop. The shards run already.
    pub fn run(mut self) {
        self.has_begun = true;
        let mut look_at = Instant::now() + ROUND;
        loop {
            let timer = self.timers.iter().map(|(at, ..)| *at).min();
            let next = timer.map_or(look_at, |timer| timer.min(look_at));
            let put_off = self.put_off.pop_front().map(Ok);
            let wait = || self.requests.recv_timeout(next.saturating_duration_since(Instant::now()));
            match put_off.unwrap_or_else(wait) {
                // Not later than that: a file beside the configuration, a log perhaps, may be written all the time.
                Ok(Request::Changed) => look_at = look_at.min(Instant::now() + QUIET),
                Ok(Request::SetTimer { plugin, generation, timer, after_ms }) => {
                    self.set_timer(plugin, generation, timer, after_ms);
                }
                Ok(Request::ClearTimer { plugin, generation, timer }) => self.clear_timer(&plugin, generation, timer),
                Ok(Request::Stopped) => self.retire(),
                Ok(Request::Operate { order, reply }) => {
                    if self.take_order(order, reply) {
                        look_at = Instant::now();
                    }
                }
                Ok(Request::HandOver(order)) => self.hand_over(*order),
                Ok(Request::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.has_handed_over {
                self.timers.clear();
                look_at = Instant::now() + ROUND;
                continue;
            }
            let now = Instant::now();
            self.fire_timers(now);
            if now >= look_at {
                let settled = self.look();
                look_at = now + if settled { ROUND } else { QUIET };
                self.retire();
                self.answer_orders(settled);
                self.show_standing();
                heap::give_back();
            }
        }
        self.stop_all();
    }

    // ---- timers of plugins ------------------------------------------------------------------------------------------------

    /// Plugins' timers alone, while everything else has to wait.
    fn keep_time(&mut self) {
        while let Ok(request) = self.requests.try_recv() {
            match request {
                Request::SetTimer { plugin, generation, timer, after_ms } => {
                    self.set_timer(plugin, generation, timer, after_ms)
                }
                Request::ClearTimer { plugin, generation, timer } => self.clear_timer(&plugin, generation, timer),
                other => self.put_off.push_back(other),
            }
        }
        self.fire_timers(Instant::now());
    }

    fn set_timer(&mut self, plugin: String, generation: u64, timer: u64, after_ms: u64) {
        self.clear_timer(&plugin, generation, timer);
        self.timers.push((Instant::now() + Duration::from_millis(after_ms), plugin, generation, timer));
    }

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
                generation.panicked("a timer", &fault);
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
    /// A plugin that `plugins.toml` names does not load or start, or is required and not there: a server that is less than it was
    /// configured to be, one that asks nobody for a password perhaps, is worse than none. Or others may write the file, which says
    /// what may be loaded.
    pub fn start_up(&mut self) -> anyhow::Result<()> {
        demands::check(&self.config).with_context(|| self.config.file().display().to_string())?;
        // Only the waiting counts: how long loading takes says nothing about files that are still being copied.
        let mut waited = Duration::ZERO;
        while !self.look_at_folder().1 && waited < FIRST_LOOK {
            std::thread::sleep(SETTLED / 3);
            waited += SETTLED / 3;
        }
        self.reconcile();
        let troubles = self.sources.iter().filter_map(|(path, source)| {
            let name = source.name.clone().unwrap_or_else(|| name_of(path));
            let serves = self.serving().any(|generation| generation.name() == name);
            let wanted = !serves && self.config.plugin(&name).is_some_and(|config| config.enabled);
            let path = path.display().to_string();
            let on = |trouble: &String| if trouble.starts_with(&path) { trouble.clone() } else { format!("{path}: {trouble}") };
            source.trouble.as_ref().filter(|_| wanted).map(on)
        });
        if let Some(trouble) = self.names.trouble() {
            anyhow::bail!("{trouble}");
        }
        let required = self.unclaimed().into_iter().filter(|table| table.is_required);
        let troubles = troubles.chain(required.map(|table| format!("{}; it is required", table.line)));
        match troubles.collect::<Vec<_>>() {
            troubles if troubles.is_empty() => Ok(()),
            troubles => {
                anyhow::bail!("plugins that {} names do not serve: {}", self.config.file().display(), troubles.join("; "))
            }
        }
    }

    /// Looks at the folder and the configuration, and brings about what they ask for. `false`: something is still changing.
    fn look(&mut self) -> bool {
        let (config_changed, config_settled) = self.look_at_config();
        let (files_changed, files_settled) = self.look_at_folder();
        let settled = config_settled && files_settled;
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
}
