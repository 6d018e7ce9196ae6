//! The server's main thread: signals, the control socket, and what a supervisor is told, until the server is stopped.
//!
//! SIGHUP has `plugins.toml` read again, SIGUSR2 has a new process take over. SIGTERM, SIGINT and the question to drain stop the
//! server in its own time; a second SIGTERM or SIGINT ends the process at once.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use super::listen::{self, ControlSocket, Desk};
use super::place::PlaceError;
use super::protocol::Answer;
use super::upgrade::{Upgrade, Wish};
use crate::config::Config;
use crate::inbox::control::Order;
use crate::server::{Farewell, Server};
use crate::supervisor::Supervisor;

/// What a process ends with that SIGTERM ends at once, as shells have it.
const ENDED_AT_ONCE: i32 = 128 + 15;

/// How long the last answers may take.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What a signal says.
enum Told {
    /// The server is to end.
    End(&'static str),
    /// The configuration is to be read again.
    ReadAgain,
    /// A new process is to take over.
    Upgrade,
}

/// Why the server ends here.
enum Ending {
    /// It goes down.
    Down(Farewell),
    /// This process serves in its place.
    Followed(u32),
}

/// Signals to wait for.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    upgrade: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            upgrade: signal(SignalKind::user_defined2())?,
        })
    }

    /// The next one.
    ///
    /// # Cancel safety
    ///
    /// A signal that has come is kept for the next call.
    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::End("SIGTERM"),
            _ = self.interrupt.recv() => Told::End("SIGINT"),
            _ = self.hang_up.recv() => Told::ReadAgain,
            _ = self.upgrade.recv() => Told::Upgrade,
        }
    }

    /// The name of the next one that says that the server is to end.
    async fn wait_for_end(&mut self) -> &'static str {
        loop {
            if let Told::End(name) = self.next().await {
                return name;
            }
        }
    }
}

/// Who attends to a server: signals that come from now on are not missed.
pub struct Attendant {
    runtime: Runtime,
    signals: Signals,
}

impl Attendant {
    /// One that is ready.
    ///
    /// # Errors
    ///
    /// The system gives no poller, or signals can't be waited for.
    pub fn new() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let signals = {
            let _entered = runtime.enter();
            Signals::new()?
        };
        Ok(Self { runtime, signals })
    }

    /// Attends to a server until it has stopped. `socket` is the control socket, or why there is none yet.
    ///
    /// # Errors
    ///
    /// The server panicked while it was stopped.
    pub fn attend(
        self,
        server: Server,
        config: Config,
        socket: Result<ControlSocket, PlaceError>,
        supervisor: &Supervisor,
    ) -> anyhow::Result<()> {
        let Self { runtime, signals } = self;
        LocalSet::new().block_on(&runtime, attend(signals, server, config, socket, supervisor))
    }
}

async fn attend(
    mut signals: Signals,
    server: Server,
    config: Config,
    socket: Result<ControlSocket, PlaceError>,
    supervisor: &Supervisor,
) -> anyhow::Result<()> {
    let (drain, mut drained) = mpsc::channel(1);
    let (upgrade, mut wishes) = mpsc::channel(1);
    let (ended, has_ended) = watch::channel(false);
    let open = watch::Sender::new(0);
    let desk = Rc::new(Desk {
        house: server.house(),
        control: server.control(),
        drain,
        upgrade,
        ended: has_ended,
        open: open.clone(),
        socket: RefCell::default(),
    });
    let socket = tokio::task::spawn_local(listen::listen(Rc::clone(&desk), config, socket));
    supervisor.ready(&format!("serves at {}", server.address()));
    let ending = until_it_is_to_end(&server, &mut signals, &mut drained, &mut wishes, &desk, supervisor).await;

    match ending {
        Ending::Down(_) => supervisor.stopping(),
        Ending::Followed(process) => {
            // Whoever connects from now on is to reach that process.
            desk.pass_socket_on();
            socket.abort();
            wishes.close();
            while wishes.recv().await.is_some() {}
            supervisor.followed_by(process);
        }
    }
    let stop = tokio::task::spawn_blocking(move || match ending {
        Ending::Down(farewell) => server.stop(farewell),
        Ending::Followed(_) => server.leave(),
    });
    tokio::select! {
        stopped = stop => stopped?,
        name = signals.wait_for_end() => {
            tracing::warn!("{name} again: the server ends at once");
            std::process::exit(ENDED_AT_ONCE);
        }
    }
    ended.send_replace(true);
    // Who asked to drain is told of the end.
    let _ = tokio::time::timeout(LAST_WORDS, open.subscribe().wait_for(|open| *open == 0)).await;
    socket.abort();
    // Its place is to be free before the process ends.
    let _ = socket.await;
    Ok(())
}

async fn until_it_is_to_end(
    server: &Server,
    signals: &mut Signals,
    drained: &mut mpsc::Receiver<()>,
    wishes: &mut mpsc::Receiver<Wish>,
    desk: &Rc<Desk>,
    supervisor: &Supervisor,
) -> Ending {
    let mut watchdog = supervisor.watchdog();
    let mut upgrade = Upgrade::default();
    loop {
        tokio::select! {
            told = signals.next() => match told {
                Told::End(name) => {
                    tracing::info!("{name}: going down");
                    return Ending::Down(Farewell::AsConfigured);
                }
                Told::ReadAgain => {
                    supervisor.reloading();
                    tokio::task::spawn_local(read_again(Rc::clone(desk), supervisor.clone()));
                }
                Told::Upgrade => upgrade.begin(server, desk, Wish { binary: None, reply: None }),
            },
            Some(()) = drained.recv() => {
                tracing::info!("is drained: going down");
                return Ending::Down(Farewell::Reconnect);
            }
            Some(wish) = wishes.recv() => upgrade.begin(server, desk, wish),
            process = upgrade.done() => return Ending::Followed(process),
            () = watchdog.due(&desk.house) => {}
        }
    }
}

/// Has the configuration read again, and the supervisor told of the end of it.
async fn read_again(desk: Rc<Desk>, supervisor: Supervisor) {
    match desk.order(Order::Settle { plugin: None }).await {
        Answer::Done(what) => tracing::info!("SIGHUP: {what}"),
        // The reason is in the log already.
        _ => tracing::warn!("SIGHUP: what was in force stays so"),
    }
    supervisor.ready("serves");
}
