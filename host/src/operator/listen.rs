//! The control socket's server side: who may ask, what is asked, and how long that may take.
//!
//! Only this process's user and root are answered, which the system itself says of a peer (SO_PEERCRED). Everything is bounded:
//! conversations at a time, the length of a question, the time for it, the time that an answer may wait to be taken.

use std::cell::RefCell;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};

use super::place::{Claim, PlaceError, Shared};
use super::protocol::{Answer, LONGEST_QUESTION, Question};
use super::sparks;
use super::upgrade::Wish;
use crate::config::Config;
use crate::house::House;
use crate::inbox::control::{ControlSender, Order, Request};

/// Conversations at a time.
const CONVERSATIONS: usize = 16;

/// How long a question may take to come, and an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often what is watched is looked at.
const WATCH: Duration = Duration::from_millis(250);

/// After how long an asker is told that it still goes on.
const SLOW: Duration = Duration::from_secs(1);

/// How often the place is asked for while another server has it.
const AGAIN: Duration = Duration::from_millis(500);

/// How often that is tried before it is told: a server that has just been killed may still be there.
const TRIES: u32 = 4;

/// What conversations need of the server.
pub(super) struct Desk {
    pub house: Arc<House>,
    pub control: ControlSender,
    /// Asks the main thread to drain.
    pub drain: mpsc::Sender<()>,
    /// Asks it for an upgrade.
    pub upgrade: mpsc::Sender<Wish>,
    /// Whether all sparks are gone and all plugins stopped.
    pub ended: watch::Receiver<bool>,
    /// Conversations that are under way.
    pub open: watch::Sender<usize>,
    /// The socket, once it is there.
    pub socket: RefCell<Option<Rc<ControlSocket>>>,
}

impl Desk {
    /// What the control thread says to an order. It says nothing any more when the server goes down.
    pub async fn order(&self, order: Order) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.control.send(Request::Operate { order, reply });
        answer.await.unwrap_or_else(|_| self.nobody_answers())
    }

    /// What is said where nobody here answers any more.
    fn nobody_answers(&self) -> Answer {
        if self.house.is_followed() { Answer::Moved } else { Answer::Refused("the server is going down".to_owned()) }
    }

    /// The socket, for a process that is to follow this one.
    ///
    /// # Errors
    ///
    /// The system gives no more descriptors.
    pub fn share_socket(&self) -> std::io::Result<Option<Shared>> {
        self.socket.borrow().as_deref().map(|socket| socket.claim.share(&socket.listener)).transpose()
    }

    /// The next process has it.
    pub fn pass_socket_on(&self) {
        if let Some(socket) = self.socket.borrow_mut().take() {
            socket.claim.pass_on();
        }
    }
}

/// A socket that is this server's: its place, and itself.
pub struct ControlSocket {
    claim: Claim,
    listener: UnixListener,
}

impl ControlSocket {
    /// Goes on with the one that another process had, or puts one where the configuration says.
    ///
    /// # Errors
    ///
    /// See [`Claim::take`] and [`Claim::listen`].
    pub fn open(config: &Config, inherited: Option<Shared>) -> Result<Self, PlaceError> {
        if let Some(shared) = inherited {
            match Claim::inherit(shared, config) {
                Ok((claim, listener)) => return Ok(Self { claim, listener }),
                Err(error) => tracing::info!("{error}"),
            }
        }
        let claim = Claim::take(config)?;
        let listener = claim.listen()?;
        Ok(Self { claim, listener })
    }
}

/// Answers questions until it is dropped; then the place is free again, unless the next process has it. Where another server has
/// it yet, one that was just killed perhaps, it is opened when that ends.
pub(super) async fn listen(desk: Rc<Desk>, config: Config, mut socket: Result<ControlSocket, PlaceError>) {
    let mut tries = 0_u32;
    while let Err(error @ PlaceError::Taken(_)) = &socket {
        if tries == TRIES {
            tracing::warn!("{error}: there is no control socket before that ends");
        }
        tries = tries.saturating_add(1);
        sleep(AGAIN).await;
        socket = ControlSocket::open(&config, None);
    }
    match socket {
        Ok(socket) => {
            let socket = Rc::new(socket);
            desk.socket.replace(Some(Rc::clone(&socket)));
            let Err(error) = accept(desk, &socket.listener).await;
            tracing::error!("there is no control socket: {}: {error}", socket.claim.socket().display());
        }
        Err(error) => tracing::error!("there is no control socket: {error}"),
    }
}

async fn accept(desk: Rc<Desk>, listener: &UnixListener) -> std::io::Result<std::convert::Infallible> {
    let listener = tokio::net::UnixListener::from_std(listener.try_clone()?)?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let desk = Rc::clone(&desk);
                tokio::task::spawn_local(async move { receive(&desk, stream).await });
            }
            Err(error) => {
                tracing::warn!(%error, "a question can't be accepted");
                sleep(AGAIN).await;
            }
        }
    }
}

/// Counts a conversation for as long as it lasts.
struct Conversation<'a>(&'a watch::Sender<usize>);

impl<'a> Conversation<'a> {
    fn begin(open: &'a watch::Sender<usize>) -> Self {
        open.send_modify(|open| *open += 1);
        Self(open)
    }
}

impl Drop for Conversation<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

async fn receive(desk: &Desk, stream: UnixStream) {
    let own = rustix::process::geteuid().as_raw();
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == own || peer.uid() == 0 => {}
        Ok(peer) => {
            tracing::warn!(user = peer.uid(), "somebody else's question on the control socket is not answered");
            return;
        }
        Err(error) => {
            tracing::warn!(%error, "a question of nobody knows whom is not answered");
            return;
        }
    }
    let mut line = Line(stream);
    if *desk.open.borrow() >= CONVERSATIONS {
        let busy = format!("{CONVERSATIONS} others are asking already; try again when they are done");
        line.say(&Answer::Refused(busy)).await;
        return;
    }
    let _conversation = Conversation::begin(&desk.open);
    match line.question().await {
        Ok(Some(question)) => line.answer(desk, question).await,
        Ok(None) => {}
        Err(reason) => drop(line.say(&Answer::Refused(reason)).await),
    }
}

/// One conversation.
struct Line(UnixStream);

impl Line {
    /// The question; `None` where the peer left without one.
    async fn question(&mut self) -> Result<Option<Question>, String> {
        let mut text = Vec::new();
        let mut reader = BufReader::new((&mut self.0).take(LONGEST_QUESTION));
        match timeout(PATIENCE, reader.read_until(b'\n', &mut text)).await {
            Ok(Ok(0) | Err(_)) => Ok(None),
            Ok(Ok(_)) if text.last() != Some(&b'\n') => {
                Err(format!("a question is one line of at most {LONGEST_QUESTION} bytes"))
            }
            Ok(Ok(_)) => serde_json::from_slice(&text).map(Some).map_err(|error| format!("not a question: {error}")),
            Err(_) => Err(format!("no question came within {} s", PATIENCE.as_secs())),
        }
    }

    async fn answer(&mut self, desk: &Desk, question: Question) {
        if desk.house.is_followed() {
            self.say(&Answer::Moved).await;
            return;
        }
        match question {
            Question::Plugins { watch: false } => {
                let answer = desk.order(Order::Report).await;
                if self.say_troubles(desk, &mut Vec::new()).await {
                    self.say(&answer).await;
                }
            }
            Question::Plugins { watch: true } => self.watch(desk).await,
            Question::Sparks { limit } => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                let report = sparks::report(desk.house.infos(), limit, u32::try_from(now).unwrap_or(u32::MAX));
                self.say(&Answer::Sparks(report)).await;
            }
            Question::Reload { plugin } => self.carry_out(desk, Order::Reload { plugin }).await,
            Question::Settle { plugin } => self.carry_out(desk, Order::Settle { plugin }).await,
            Question::Upgrade { binary } => self.upgrade(desk, binary).await,
            Question::Drain => self.drain(desk).await,
        }
    }

    /// Says how the plugins stand whenever that has changed, until the peer leaves or the server ends.
    async fn watch(&mut self, desk: &Desk) {
        let mut last = None;
        let mut troubles = Vec::new();
        let mut ended = desk.ended.clone();
        loop {
            let answer = desk.order(Order::Report).await;
            if !self.say_troubles(desk, &mut troubles).await {
                return;
            }
            if !matches!(answer, Answer::Plugins(_)) {
                if answer == Answer::Moved {
                    self.say(&answer).await;
                }
                return;
            }
            if last.as_ref() != Some(&answer) {
                if !self.say(&answer).await {
                    return;
                }
                last = Some(answer);
            }
            tokio::select! {
                () = sleep(WATCH) => {}
                _ = self.0.read_u8() => return,
                _ = ended.wait_for(|ended| *ended) => {
                    if desk.house.is_followed() {
                        self.say(&Answer::Moved).await;
                    }
                    return;
                }
            }
        }
    }

    /// Says what is wrong, where that is not what was said last; whether the peer is there.
    async fn say_troubles(&mut self, desk: &Desk, said: &mut Vec<String>) -> bool {
        let troubles = desk.house.troubles.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if troubles == *said {
            return true;
        }
        said.clone_from(&troubles);
        self.say(&Answer::Troubles(troubles)).await
    }

    async fn carry_out(&mut self, desk: &Desk, order: Order) {
        self.wait_for(desk.order(order)).await;
    }

    async fn upgrade(&mut self, desk: &Desk, binary: Option<PathBuf>) {
        let (reply, answer) = oneshot::channel();
        let answer = async {
            // Without the main thread there is no answer either.
            let _ = desk.upgrade.send(Wish { binary, reply: Some(reply) }).await;
            answer.await.unwrap_or_else(|_| desk.nobody_answers())
        };
        self.wait_for(answer).await;
    }

    /// Says the answer, and how long it takes where it does.
    async fn wait_for(&mut self, answer: impl Future<Output = Answer>) {
        tokio::pin!(answer);
        let began = Instant::now();
        loop {
            match timeout(SLOW, &mut answer).await {
                Ok(answer) => {
                    self.say(&answer).await;
                    return;
                }
                Err(_) => {
                    let progress = format!("not in force yet after {} s", began.elapsed().as_secs());
                    if !self.say(&Answer::Progress(progress)).await {
                        return;
                    }
                }
            }
        }
    }

    async fn drain(&mut self, desk: &Desk) {
        // A full channel has the same wish in it already.
        let _ = desk.drain.try_send(());
        let mut ended = desk.ended.clone();
        let mut last = None;
        loop {
            let count = desk.house.sparks().len();
            if last != Some(count) {
                if !self
                    .say(&Answer::Progress(format!("{count} {} connected", if count == 1 { "spark is" } else { "sparks are" })))
                    .await
                {
                    return;
                }
                last = Some(count);
            }
            if let Ok(ended) = timeout(WATCH, ended.wait_for(|ended| *ended)).await {
                if desk.house.is_followed() {
                    self.say(&Answer::Moved).await;
                    return;
                }
                let done = ended.map(|_| Answer::Done("the server has ended".to_owned()));
                self.say(&done.unwrap_or_else(|_| Answer::Refused("the server was ended at once".to_owned()))).await;
                return;
            }
        }
    }

    /// Says an answer; whether the peer took it.
    async fn say(&mut self, answer: &Answer) -> bool {
        let mut text = serde_json::to_vec(answer).expect("an answer is text, numbers, lists and maps by text");
        text.push(b'\n');
        matches!(timeout(PATIENCE, self.0.write_all(&text)).await, Ok(Ok(())))
    }
}
