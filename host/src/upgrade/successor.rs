//! The process that is to follow this one: started beside it, from a newer binary, and waited for until it is complete.
//!
//! Its standard input is the socket of the hand-over: so no descriptor has to be left open for other children. The variable
//! [`VARIABLE`] says so to it, with the number of this process, and means nothing to its own children.

use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use plugin_api::value;

use super::channel::{Channel, ChannelError, Kind};
use super::predecessor::Listening;
use super::records::{ListeningRecord, PlaceRecord, Ready};
use crate::supervisor;

/// The variable in a successor's environment: the number of the process that it follows.
pub const VARIABLE: &str = "SWITCHBOARD_FOLLOWS";

/// How long a process that is not wanted any more has to end by itself.
const ENDS_WITHIN: Duration = Duration::from_secs(2);

/// Why an upgrade has come to nothing. The process that was to be followed goes on.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The binary can't be started.
    #[error("{} can't be started: {cause}", binary.display())]
    NotStarted {
        /// Which.
        binary: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// It ended before it was complete; it has logged why.
    #[error("the new process ended ({0}) before it was ready")]
    Ended(ExitStatus),
    /// It said something else than that it is complete, or nothing.
    #[error("the new process is not ready: {0}")]
    NotReady(ChannelError),
    /// It would listen elsewhere.
    #[error("its configuration listens on {theirs} and this process on {ours}: that takes a restart")]
    Elsewhere {
        /// On what this process listens.
        ours: String,
        /// On what it would.
        theirs: String,
    },
    /// It has another number of shards, on which handles of sparks depend.
    #[error("it would run {theirs} shards and this process runs {ours}: that takes a restart")]
    Shards {
        /// How many this process has.
        ours: usize,
        /// How many it has.
        theirs: usize,
    },
    /// Plugins that serve here would not serve there, and their sessions end.
    #[error("it would serve without {}, which serves here; its log says why", name_all(missing))]
    Lacks {
        /// Their names.
        missing: Vec<String>,
    },
    /// The shards of this process could not be brought to tell what they have.
    #[error("{0}")]
    Shard(String),
    /// The hand-over broke off.
    #[error("the hand-over broke off: {0}")]
    BrokeOff(#[from] ChannelError),
    /// This process goes down.
    #[error("this process goes down")]
    GoingDown,
    /// The end of the first process of a container is the container's.
    #[error("this is the first process of its container, which ends with it: that takes a restart")]
    FirstProcess,
}

/// The process that is to follow this one.
pub struct Successor {
    process: Child,
    channel: Arc<Channel>,
    /// What it is.
    pub ready: Ready,
}

impl Successor {
    /// Starts one with the arguments of this process, and waits until it is complete.
    ///
    /// # Errors
    ///
    /// It does not start, or is not complete in time: then it is ended.
    pub fn start(binary: &Path, within: Duration, sockets: &Listening) -> Result<Self, UpgradeError> {
        if std::process::id() == 1 {
            return Err(UpgradeError::FirstProcess);
        }
        let not_started = |cause| UpgradeError::NotStarted { binary: binary.to_owned(), cause };
        let (own, other) = UnixStream::pair().map_err(not_started)?;
        let channel = Channel::new(own).map_err(not_started)?;
        let mut command = Command::new(binary);
        command
            .args(std::env::args_os().skip(1))
            .env(VARIABLE, std::process::id().to_string())
            .stdin(Stdio::from(OwnedFd::from(other)));
        if supervisor::is_watched() {
            // The number in it is this process's: without one it is meant for whoever serves.
            command.env_remove(supervisor::WATCHDOG_PID);
        }
        let process = command.spawn().map_err(not_started)?;
        // It holds the other end: only without it the end of the process is seen.
        drop(command);
        let ready = Ready { listen: String::new(), shards: 0, plugins: None };
        let mut successor = Self { process, channel: Arc::new(channel), ready };
        match successor.offer(sockets).and_then(|()| successor.wait_until_ready(within)) {
            Ok(ready) => {
                successor.ready = ready;
                Ok(successor)
            }
            Err(ChannelError::Gone) => Err(match successor.end() {
                Some(status) => UpgradeError::Ended(status),
                None => UpgradeError::NotReady(ChannelError::Gone),
            }),
            Err(error) => {
                successor.channel.give_up(&error.to_string());
                successor.end();
                Err(UpgradeError::NotReady(error))
            }
        }
    }

    fn offer(&self, sockets: &Listening) -> Result<(), ChannelError> {
        let say = |kind, record: Vec<u8>, listeners: &[TcpListener]| {
            let descriptors: Vec<_> = listeners.iter().map(AsFd::as_fd).collect();
            self.channel.send(kind, &record, &descriptors)
        };
        let listening = ListeningRecord { places: sockets.places.len() };
        say(Kind::Listening, value::to_vec(&listening).unwrap_or_default(), &sockets.own)?;
        for ((plugin, written), address, listeners) in &sockets.places {
            let (plugin, written) = (plugin.clone(), written.clone());
            let place = PlaceRecord { plugin, written, address: address.to_string() };
            say(Kind::Place, value::to_vec(&place).unwrap_or_default(), listeners)?;
        }
        Ok(())
    }

    fn wait_until_ready(&self, within: Duration) -> Result<Ready, ChannelError> {
        let frame = self.channel.expect(Kind::Ready, Instant::now() + within)?;
        value::decode(&frame.body).map_err(|_| ChannelError::Nonsense("a record that can't be read"))
    }

    /// Why it can't take over from a server that listens there, has so many shards and is served by these plugins.
    pub fn unfit<'a>(&self, listen: &str, shards: usize, plugins: impl Iterator<Item = &'a str>) -> Option<UpgradeError> {
        let Ready { listen: theirs, shards: theirs_shards, plugins: theirs_plugins } = &self.ready;
        if theirs != listen {
            return Some(UpgradeError::Elsewhere { ours: listen.to_owned(), theirs: theirs.clone() });
        }
        if *theirs_shards != shards {
            return Some(UpgradeError::Shards { ours: shards, theirs: *theirs_shards });
        }
        let theirs = theirs_plugins.as_ref()?;
        let is_missing = |name: &&str| !theirs.iter().any(|known| known == name);
        let missing: Vec<String> = plugins.filter(is_missing).map(str::to_owned).collect();
        (!missing.is_empty()).then_some(UpgradeError::Lacks { missing })
    }

    /// The socket to it.
    pub fn channel(&self) -> &Arc<Channel> {
        &self.channel
    }

    /// Which process it is.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether it has begun to serve, though its word did not come in time: it is ended first, so that the answer stays true.
    pub fn has_begun(&mut self) -> bool {
        self.end();
        let soon = Instant::now() + Duration::from_millis(100);
        std::iter::from_fn(|| self.channel.receive(soon).ok()).any(|frame| frame.kind == Kind::Serving)
    }

    /// It is not wanted: it is told why, and ended.
    pub fn dismiss(mut self, reason: &UpgradeError) {
        self.channel.give_up(&reason.to_string());
        self.end();
    }

    /// Waits for its end a moment, then brings it about.
    fn end(&mut self) -> Option<ExitStatus> {
        let until = Instant::now() + ENDS_WITHIN;
        while Instant::now() < until {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // It may end just now.
        let _ = self.process.kill();
        self.process.wait().ok()
    }
}

fn name_all(plugins: &[String]) -> String {
    let quoted: Vec<String> = plugins.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// The binary that is to follow, by the name that this process was started by: what lies there now, not what it was started from.
pub fn own_binary() -> std::io::Result<PathBuf> {
    let name = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    if name.components().count() > 1 && name.is_file() {
        return Ok(name);
    }
    let path = std::env::current_exe()?;
    // What Linux says of a file that was replaced (proc(5)).
    match path.to_str().and_then(|path| path.strip_suffix(" (deleted)")) {
        Some(path) => Ok(PathBuf::from(path)),
        None => Ok(path),
    }
}
