//! The process that this one is to follow: what it hands over, and the order in which that is agreed upon.
//!
//! Nothing that is handed over is touched before the predecessor has said that it is ours: until then it can go on with it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use plugin_api::{DisconnectReason, value};
use serde::Deserialize;

use super::channel::{Channel, ChannelError, Frame, Kind};
use super::records::{
    BeginRecord, FreshRecord, LeftRecord, Letter, LettersRecord, ListeningRecord, PlaceRecord, PluginRecord, Ready,
    SlotsRecord, SparkRecord, SparksRecord, Taken, WhoRecord,
};
use super::successor::VARIABLE;
use crate::listeners::Place;
use crate::operator::place::Shared;

/// How long the predecessor may take to the next frame.
const TOLD_WITHIN: Duration = Duration::from_secs(60);

/// How often it is looked whether the predecessor still has to be watched.
const LOOKED_AFTER: Duration = Duration::from_secs(1);

/// What a shard gets.
#[derive(Default)]
pub struct Legacy {
    /// The generations of its slots.
    pub generations: Vec<u32>,
    /// Its sparks.
    pub sparks: Vec<(SparkRecord, TcpStream)>,
    /// Those that stay behind, and what the hooks are to be told.
    pub left: Vec<(WhoRecord, DisconnectReason)>,
    /// What was still to be sent.
    pub letters: Vec<Letter>,
    /// Connections of which no request is under way.
    pub fresh: Vec<(TcpStream, SocketAddr)>,
}

/// The sockets that it listens on. A successor has them from the beginning, so that its plugins can have their addresses.
#[derive(Default)]
pub struct Listening {
    /// The server's, one for each shard.
    pub own: Vec<TcpListener>,
    /// Those of plugins' addresses.
    pub places: Vec<(Place, SocketAddr, Vec<TcpListener>)>,
}

/// All that is handed over.
#[derive(Default)]
pub struct Estate {
    /// What each shard gets.
    pub shards: Vec<Legacy>,
    /// The states of the plugins, by name.
    pub plugins: Vec<(String, Vec<u8>)>,
    /// The control socket.
    pub control: Option<Shared>,
}

/// See [`Predecessor::watch`].
#[derive(Default)]
pub struct Watch {
    over: Arc<AtomicBool>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
    }
}

/// The process that this one is to follow.
pub struct Predecessor {
    channel: Arc<Channel>,
}

impl Predecessor {
    /// The one that has started this process to follow it, if one has.
    ///
    /// # Errors
    ///
    /// It has, and there is no socket to it.
    pub fn of_this_process() -> std::io::Result<Option<Self>> {
        let follows = std::env::var(VARIABLE).ok().and_then(|number| number.parse::<i32>().ok());
        let parent = rustix::process::getppid().map(|parent| parent.as_raw_nonzero().get());
        if follows.is_none() || follows != parent {
            return Ok(None);
        }
        let socket: OwnedFd = rustix::io::dup(std::io::stdin())?;
        // Nobody else is to read from it.
        rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
        Ok(Some(Self { channel: Arc::new(Channel::new(UnixStream::from(socket))?) }))
    }

    /// The sockets on which it listens.
    ///
    /// # Errors
    ///
    /// The predecessor is gone, or says what makes no sense.
    pub fn sockets(&self) -> Result<Listening, ChannelError> {
        let until = Instant::now() + TOLD_WITHIN;
        let frame = self.channel.expect(Kind::Listening, until)?;
        let mut sockets = Listening { own: frame.descriptors.into_iter().map(TcpListener::from).collect(), places: Vec::new() };
        for _ in 0..read::<ListeningRecord>(&frame.body)?.places {
            let frame = self.channel.expect(Kind::Place, until)?;
            let record: PlaceRecord = read(&frame.body)?;
            let address = record.address.parse().map_err(|_| ChannelError::Nonsense("a place without an address"))?;
            let listeners = frame.descriptors.into_iter().map(TcpListener::from).collect();
            sockets.places.push(((record.plugin, record.written), address, listeners));
        }
        Ok(sockets)
    }

    /// While the value lives, this process ends when the predecessor does: it has begun to start plugins, and one of them may hang,
    /// for ever perhaps, with listening sockets on which nobody would accept.
    ///
    /// # Errors
    ///
    /// There is no thread for it.
    pub fn watch(&self) -> std::io::Result<Watch> {
        let (watch, channel) = (Watch::default(), Arc::clone(&self.channel));
        let over = Arc::clone(&watch.over);
        std::thread::Builder::new().name("follows".to_owned()).spawn(move || {
            while !over.load(Ordering::Acquire) {
                if channel.is_left_within(LOOKED_AFTER) && !over.load(Ordering::Acquire) {
                    tracing::error!("the process to be followed is gone before this one was complete: it ends, too");
                    std::process::exit(1);
                }
            }
        })?;
        Ok(watch)
    }

    /// Says what this process is, now that it is complete, and takes what it is handed over.
    ///
    /// # Errors
    ///
    /// The predecessor gives up, is gone, or says what makes no sense.
    pub fn receive(&self, ready: &Ready) -> Result<Estate, ChannelError> {
        self.say(Kind::Ready, ready)?;
        let begin = self.channel.expect(Kind::Begin, Instant::now() + TOLD_WITHIN)?;
        let shards = (0..ready.shards).map(|_| Legacy::default()).collect();
        let mut estate = Estate { shards, plugins: Vec::new(), control: control(begin)? };
        loop {
            let frame = self.channel.receive(Instant::now() + TOLD_WITHIN)?;
            if frame.kind == Kind::Whole {
                return Ok(estate);
            }
            estate.take(frame)?;
        }
    }

    /// Says that everything is ours, except these sparks, and waits until we may begin; then we have.
    ///
    /// # Errors
    ///
    /// The predecessor takes everything back.
    pub fn take_over(&self, refused: Vec<u64>) -> Result<(), ChannelError> {
        self.say(Kind::Taken, &Taken { refused })?;
        self.channel.expect(Kind::Commit, Instant::now() + TOLD_WITHIN)?;
        self.channel.send(Kind::Serving, &[], &[])
    }

    /// Says why this process can't follow.
    pub fn give_up(&self, reason: &str) {
        self.channel.give_up(reason);
    }

    /// What the predecessor is still asked to send, while it answers its last requests; returns with its end.
    pub fn follow(&self, post: impl Fn(u8, Vec<Letter>)) {
        loop {
            match self.channel.receive(Instant::now() + Duration::from_secs(3600)) {
                Ok(frame) if frame.kind == Kind::Letters => match read::<LettersRecord>(&frame.body) {
                    Ok(record) => post(record.shard, record.letters),
                    Err(error) => tracing::warn!("a message of the former process is lost: {error}"),
                },
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }

    fn say(&self, kind: Kind, record: &impl serde::Serialize) -> Result<(), ChannelError> {
        let encoded = value::to_vec(record).map_err(|_| ChannelError::Nonsense("a record that can't be written"))?;
        self.channel.send(kind, &encoded, &[])
    }
}

/// Says why this process does not even begin to follow, to the one that has started it for that, if one has.
pub fn tell_failure(reason: &str) {
    if let Ok(Some(predecessor)) = Predecessor::of_this_process() {
        predecessor.give_up(reason);
    }
}

impl Estate {
    /// Takes a frame in.
    fn take(&mut self, frame: Frame) -> Result<(), ChannelError> {
        let Frame { kind, body, descriptors } = frame;
        match kind {
            Kind::Slots => {
                let record: SlotsRecord = read(&body)?;
                self.shard(record.shard)?.generations.extend(record.generations);
            }
            Kind::Sparks => {
                let record: SparksRecord = read(&body)?;
                if record.sparks.len() != descriptors.len() {
                    return Err(ChannelError::Nonsense("not each spark has its connection"));
                }
                let streams = descriptors.into_iter().map(TcpStream::from);
                self.shard(record.shard)?.sparks.extend(record.sparks.into_iter().zip(streams));
            }
            Kind::Left => {
                let record: LeftRecord = read(&body)?;
                self.shard(record.shard)?.left.extend(record.sparks);
            }
            Kind::Letters => {
                let record: LettersRecord = read(&body)?;
                self.shard(record.shard)?.letters.extend(record.letters);
            }
            Kind::Fresh => {
                let record: FreshRecord = read(&body)?;
                let shard = self.shard(record.shard)?;
                for (peer, stream) in record.peers.iter().zip(descriptors) {
                    let peer = peer.parse().map_err(|_| ChannelError::Nonsense("a peer without an address"))?;
                    shard.fresh.push((TcpStream::from(stream), peer));
                }
            }
            Kind::Plugin => {
                let record: PluginRecord<'_> = read(&body)?;
                self.plugins.push((record.name, record.state.into_owned()));
            }
            _ => return Err(ChannelError::Nonsense("a frame that is not to come now")),
        }
        Ok(())
    }

    fn shard(&mut self, shard: u8) -> Result<&mut Legacy, ChannelError> {
        self.shards.get_mut(usize::from(shard)).ok_or(ChannelError::Nonsense("a shard that is not there"))
    }
}

/// The control socket, which comes with the word to begin.
fn control(frame: Frame) -> Result<Option<Shared>, ChannelError> {
    if frame.body.is_empty() {
        return Ok(None);
    }
    let BeginRecord { control: Some(socket) } = read(&frame.body)? else { return Ok(None) };
    let mut descriptors = frame.descriptors.into_iter();
    let (Some(lock), Some(listener)) = (descriptors.next(), descriptors.next()) else {
        return Err(ChannelError::Nonsense("a control socket that did not come"));
    };
    Ok(Some(Shared { socket, lock, listener }))
}

fn read<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, ChannelError> {
    value::decode(body).map_err(|_| ChannelError::Nonsense("a record that can't be read"))
}
