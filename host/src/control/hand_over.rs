//! Handing over to another process, and inheriting from one: what of it is the plugins', and the order of the whole.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use concurrency::moment::{Kept, Outcome};
use plugin_api::value;

use super::Control;
use crate::inbox::Command;
use crate::inbox::control::HandOver;
use crate::operator::place::Shared;
use crate::upgrade::Moment;
use crate::upgrade::channel::{ChannelError, Kind};
use crate::upgrade::letters::diversion;
use crate::upgrade::records::{BeginRecord, PluginRecord, Taken};
use crate::upgrade::successor::{Successor, UpgradeError};

/// How long the successor may take to make everything its own.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);

/// How long it may take to say that it begins.
const BEGINS_WITHIN: Duration = Duration::from_secs(10);

impl Control {
    /// Hands everything over. Afterwards the successor serves, or this process goes on as if nothing had been.
    pub(super) fn hand_over(&mut self, order: HandOver) {
        let HandOver { mut successor, socket, reply } = order;
        let result = self.try_hand_over(&mut successor, socket.as_ref()).map(|()| successor.id());
        match &result {
            Ok(_) => self.has_handed_over = true,
            Err(error) => successor.dismiss(error),
        }
        // Whoever asked may be gone.
        let _ = reply.send(result);
        if self.has_handed_over {
            self.send_orders_on();
            self.tell_followed();
        }
    }

    fn try_hand_over(&mut self, successor: &mut Successor, socket: Option<&Shared>) -> Result<(), UpgradeError> {
        let house = Arc::clone(&self.house);
        let patience = self.config.server.upgrade.patience;
        let moment = Moment::new(house.inboxes.len(), Instant::now() + patience);
        let _kept = Kept(&moment);
        for inbox in &house.inboxes {
            inbox.post(Command::HandOver(Arc::clone(&moment)));
        }
        moment.gather(|| self.keep_time()).map_err(UpgradeError::Shard)?;
        let began = Instant::now();
        let channel = Arc::clone(successor.channel());
        let begin = BeginRecord { control: socket.map(|shared| shared.socket.clone()) };
        let beside: Vec<_> = socket.iter().flat_map(|shared| [shared.lock.as_fd(), shared.listener.as_fd()]).collect();
        channel.send(Kind::Begin, &value::to_vec(&begin).unwrap_or_default(), &beside)?;
        moment.tell(&channel);
        // The shards stand still until it is over, whatever fails.
        let plugins = self.tell_states(successor);
        moment.all_told().map_err(UpgradeError::Shard)?;
        plugins?;
        channel.send(Kind::Whole, &[], &[])?;
        let taken = channel.expect(Kind::Taken, Instant::now() + TAKEN_WITHIN)?;
        let taken: Taken = value::decode(&taken.body).map_err(|_| ChannelError::Nonsense("a record that can't be read"))?;
        channel.send(Kind::Commit, &[], &[])?;
        if let Err(error) = channel.expect(Kind::Serving, Instant::now() + BEGINS_WITHIN)
            && !successor.has_begun()
        {
            return Err(error.into());
        }
        house.set_followed();
        for (shard, inbox) in house.inboxes.iter().enumerate() {
            inbox.divert(diversion(shard as u8, house.numbers.clone(), Arc::clone(&channel)));
        }
        moment.over(Outcome::Taken(Arc::new(taken.refused.into_iter().collect())));
        let pause = began.elapsed();
        tracing::info!(process = successor.id(), ?pause, "another process has taken over; this one ends with its last answers");
        Ok(())
    }

    /// Tells the successor the states of the plugins.
    fn tell_states(&self, successor: &Successor) -> Result<(), UpgradeError> {
        for generation in self.serving().filter(|generation| !generation.is_quarantined()) {
            match generation.instance.save() {
                Ok(Some(state)) => {
                    let record = PluginRecord { name: generation.name().to_owned(), state: state.into() };
                    let encoded = value::to_vec(&record).unwrap_or_default();
                    successor.channel().send(Kind::Plugin, &encoded, &[])?;
                }
                Ok(None) => {}
                // Its state may be half changed: as in a replacement, the next one begins without.
                Err(fault) => generation.panicked("save", &fault),
            }
        }
        Ok(())
    }

    /// Tells the plugins, so that they let go of what only one process can have.
    fn tell_followed(&self) {
        let generations: Vec<_> = self.serving().chain(self.retiring_generations()).collect();
        for generation in generations.into_iter().filter(|generation| !generation.is_quarantined()) {
            if let Err(fault) = generation.instance.followed() {
                generation.panicked("followed", &fault);
            }
        }
    }

    /// Takes the states that plugins of another process have saved.
    ///
    /// # Errors
    ///
    /// A plugin does not take its.
    pub fn inherit(&self, states: &[(String, Vec<u8>)]) -> Result<(), String> {
        for (name, state) in states {
            match self.serving().find(|generation| generation.name() == name) {
                Some(generation) => generation
                    .instance
                    .restore(state)
                    .map_err(|failure| format!("the plugin `{name}` does not take over its state: {failure}"))?,
                None => tracing::warn!(plugin = name, "its state is lost: the plugin is not there any more"),
            }
        }
        Ok(())
    }
}
