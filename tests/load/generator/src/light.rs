//! Fan-out to clients that take little CPU: most receivers leave what arrives in their sockets and read it rarely.
//!
//! On a machine with few cores a busy load generator takes the CPU that a second shard should have. Here only some
//! sentinels are watched; the others are read, and verified, in one sweep after many publishes. The sentinels joined last, so
//! that a server which goes through a room in the order of joining is nearly done when they have a publish.

use anyhow::Result;
use load_report::Traffic;

use crate::connection::Target;
use crate::fan_out::{Config, Room};
use crate::meter::Meter;
use crate::process::CpuClock;

/// Receivers that are read at once. Enough that every shard has some.
const SENTINELS: usize = 16;

/// Publishes between two sweeps: what a receive buffer easily holds of small messages.
const SWEEP: u32 = 64;

/// Runs the workload and says what it cost.
///
/// A delivery counts when the sentinels have the publish; that all others got it too, in order, the sweeps verify.
///
/// # Errors
/// Any delivery that is lost, repeated, altered or out of order, and any connection that ends.
pub fn run(target: &Target, server: CpuClock, config: Config) -> Result<Traffic> {
    let mut room = Room::open(target, config)?;
    let sentinels = SENTINELS.min(config.receivers);
    let outstanding = config.outstanding;
    let others = config.receivers - sentinels;
    room.unwatch_before(others)?;
    let mut missing = vec![sentinels; outstanding as usize];
    let mut meter = Meter::start(config.window, server);
    let mut sent_at = vec![meter.elapsed(); outstanding as usize];
    room.publish(outstanding)?;
    let (mut under_way, mut completed, mut swept) = (outstanding, 0u32, 0u32);
    let mut ready = Vec::new();
    while under_way > 0 {
        room.wait(&mut ready)?;
        let mut complete = 0;
        for &index in &ready {
            for sequence in room.receive(index)? {
                let at = (sequence % outstanding) as usize;
                missing[at] -= 1;
                if missing[at] == 0 {
                    missing[at] = sentinels;
                    complete += 1;
                    meter.arrived(sent_at[at], meter.elapsed(), config.receivers as u64);
                }
            }
        }
        meter.turn(complete as usize)?;
        completed += complete;
        if meter.is_over() {
            under_way -= complete;
        } else if complete > 0 {
            let now = meter.elapsed();
            for sequence in room.published()..room.published() + complete {
                sent_at[(sequence % outstanding) as usize] = now;
            }
            room.publish(complete)?;
        }
        if completed - swept >= SWEEP {
            swept = completed;
            for index in 0..others {
                room.receive(index)?;
            }
        }
    }
    room.settle()?;
    meter.report()
}
