//! The processes of a measurement: a server on its cores, and the load generator on its own. Both end in bounded time.

use std::fs::{self, File};
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use load_report::Report;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Effort;
use super::columns::Column;
use super::servers::{Launch, Server};

/// How long a server may take to listen.
const START: Duration = Duration::from_secs(20);
/// How long a server may take to end before it is killed.
const END: Duration = Duration::from_secs(5);
/// How long a run may take beyond its window: opening thousands of connections is slow on some servers.
const SLACK: Duration = Duration::from_secs(90);
/// How often a process that should start or end is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// The two cores that a measurement needs.
#[derive(Debug, Clone, Copy)]
pub struct Cores {
    pub server: usize,
    pub generator: usize,
}

impl Cores {
    /// The first two cores that this process may use.
    pub fn allowed() -> Result<Self> {
        let set = sched_getaffinity(Pid::from_raw(0)).context("can't ask for the allowed cores")?;
        let mut cores = (0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or(false));
        match (cores.next(), cores.next()) {
            (Some(server), Some(generator)) => Ok(Self { server, generator }),
            _ => bail!("a measurement needs two cores: one for the server, one for the load generator"),
        }
    }
}

/// A server that listens. Dropping it ends it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    pub address: SocketAddr,
}

impl Running {
    /// Starts a server on some cores and waits until it listens.
    pub fn start(launch: &Launch, name: &str, folder: &Path, cores: &[usize]) -> Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut command = Command::new(&launch.program);
        command.args(launch.arguments.iter().map(|argument| argument.replace("{port}", &port.to_string())));
        if let Some(configuration) = &launch.configuration {
            let file = folder.join(format!("{name}.toml"));
            fs::write(&file, configuration.replace("{port}", &port.to_string()))
                .with_context(|| format!("can't write {}", file.display()))?;
            command.arg(file);
        }
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log).with_context(|| format!("can't write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = spawn(&mut command, cores).with_context(|| format!("{} can't be started", launch.program.display()))?;
        let mut running = Self { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) };
        running.wait_until_it_listens(&log)?;
        Ok(running)
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn wait_until_it_listens(&mut self, log: &Path) -> Result<()> {
        let began = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                let log = fs::read_to_string(log).unwrap_or_default();
                let last = log.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("nothing on its output");
                bail!("it ended at its start ({status}): {last}");
            }
            ensure!(began.elapsed() < START, "it doesn't listen after {} s", START.as_secs());
            sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A child that hasn't been waited for keeps its id: the signal can't meet anybody else.
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
        let began = Instant::now();
        while began.elapsed() < END {
            match self.child.try_wait() {
                Ok(None) => sleep(LOOK),
                Ok(Some(_)) | Err(_) => return,
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a process whose every thread is bound to some cores: it inherits them from the thread that starts it.
fn spawn(command: &mut Command, cores: &[usize]) -> Result<Child> {
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core)?;
    }
    let pinned = thread::scope(|scope| {
        let starter = scope.spawn(|| {
            sched_setaffinity(Pid::from_raw(0), &set)?;
            Ok(command.spawn()?)
        });
        starter.join()
    });
    pinned.unwrap_or_else(|_| Err(anyhow!("the thread that starts processes panicked")))
}

/// The load generator.
#[derive(Debug)]
pub struct Generator {
    program: PathBuf,
    pub effort: Effort,
}

impl Generator {
    pub fn new(program: PathBuf, effort: Effort) -> Self {
        Self { program, effort }
    }

    /// Loads a running server, from one core or from wherever there is room.
    pub fn run(&self, server: &Server, column: &Column, running: &Running, core: Option<usize>) -> Result<Report> {
        let mut command = Command::new(&self.program);
        command
            .arg(format!("--address={}", running.address))
            .arg(format!("--server={}", running.id()))
            .arg(format!("--dialect={}", server.dialect))
            .arg(format!("--path={}", server.path))
            .arg(format!("--bytes={}", column.bytes))
            .arg(format!("--seconds={}", self.effort.seconds))
            .arg(format!("--warm-up={}", self.effort.warm_up))
            .args(core.map(|core| format!("--core={core}")))
            .args(column.arguments)
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().context("the load generator can't be started")?;
        let window = Duration::try_from_secs_f64(self.effort.seconds + self.effort.warm_up)?;
        let ended = wait(&mut child, window + SLACK);
        let (mut report, mut errors) = (String::new(), String::new());
        if let (Some(mut out), Some(mut err)) = (child.stdout.take(), child.stderr.take()) {
            out.read_to_string(&mut report)?;
            err.read_to_string(&mut errors)?;
        }
        if !ended? {
            bail!("{}", errors.trim().trim_start_matches("Error: "));
        }
        serde_json::from_str(&report).with_context(|| format!("not a report: {report}"))
    }
}

/// Waits for a process, whose output is too short to block it, and says whether it succeeded; kills it if it takes too long.
fn wait(child: &mut Child, at_most: Duration) -> Result<bool> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if began.elapsed() > at_most {
            child.kill()?;
            child.wait()?;
            bail!("the load generator didn't end within {} s", at_most.as_secs());
        }
        sleep(LOOK);
    }
}
