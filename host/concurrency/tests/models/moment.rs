//! A hand-over: shards stand still from the moment on in which all of them do until it is known what becomes of them.

use std::time::{Duration, Instant};

use concurrency::moment::{Kept, Moment, Outcome};
use concurrency::sync::Arc;
use loom::thread;

use crate::{Plain, check};

const SHARDS: usize = 2;

/// Two shards' memory, and what the control thread is at.
#[derive(Default)]
struct House {
    of_shards: [Plain; SHARDS],
    /// The control thread reads everything.
    is_told: Plain,
}

fn moment() -> Arc<Moment<&'static str, Vec<u64>>> {
    // No model takes that long; loom knows no time that passes.
    Moment::new(SHARDS, Instant::now() + Duration::from_secs(3600))
}

/// A shard: works, stops, tells, and, if everything is kept, works again.
fn shard(house: &House, moment: &Moment<&'static str, Vec<u64>>, index: usize, tells: Result<(), String>) {
    house.of_shards[index].add(1);
    let outcome = match moment.stop() {
        Some(way) => {
            assert_eq!(*way, "a channel");
            moment.told(tells)
        }
        None => Outcome::Kept,
    };
    assert_eq!(house.is_told.get(), 0, "a shard goes on while others are told of");
    match outcome {
        Outcome::Taken(refused) => assert_eq!(*refused, [3]),
        Outcome::Kept => house.of_shards[index].add(1),
    }
}

fn spawn(
    house: &Arc<House>,
    moment: &Arc<Moment<&'static str, Vec<u64>>>,
    tells: &[Result<(), String>],
) -> Vec<thread::JoinHandle<()>> {
    let one = |(index, tells): (usize, &Result<(), String>)| {
        let (house, moment, tells) = (Arc::clone(house), Arc::clone(moment), tells.clone());
        thread::spawn(move || shard(&house, &moment, index, tells))
    };
    tells.iter().enumerate().map(one).collect()
}

fn tell(house: &House) {
    house.is_told.set(1);
    assert_eq!(house.of_shards.each_ref().map(Plain::get), [1; SHARDS], "all stand still, and what they did is seen");
    house.is_told.set(0);
}

#[test]
fn shards_stand_still_until_another_process_has_everything() {
    check(2, || {
        let (house, moment) = (Arc::<House>::default(), moment());
        let shards = spawn(&house, &moment, &[Ok(()), Ok(())]);
        {
            let _kept = Kept(&moment);
            moment.gather(|| {}).unwrap();
            moment.tell(&Arc::new("a channel"));
            tell(&house);
            moment.all_told().unwrap();
            tell(&house);
            moment.over(Outcome::Taken(Arc::new(vec![3])));
        }
        shards.into_iter().for_each(|shard| shard.join().unwrap());
        assert_eq!(house.of_shards.each_ref().map(Plain::get), [1; SHARDS], "none has gone on");
    });
}

#[test]
fn all_shards_go_on_where_one_can_not_tell_what_it_has() {
    check(2, || {
        let (house, moment) = (Arc::<House>::default(), moment());
        let shards = spawn(&house, &moment, &[Ok(()), Err("no room".to_owned())]);
        {
            let _kept = Kept(&moment);
            moment.gather(|| {}).unwrap();
            moment.tell(&Arc::new("a channel"));
            tell(&house);
            assert_eq!(moment.all_told(), Err("no room".to_owned()));
        }
        shards.into_iter().for_each(|shard| shard.join().unwrap());
        assert_eq!(house.of_shards.each_ref().map(Plain::get), [2; SHARDS]);
    });
}

#[test]
fn all_shards_go_on_where_it_is_given_up_at_any_time() {
    check(3, || {
        let (house, moment) = (Arc::<House>::default(), moment());
        let shards = spawn(&house, &moment, &[Ok(()), Ok(())]);
        moment.tell(&Arc::new("a channel"));
        drop(Kept(&moment));
        shards.into_iter().for_each(|shard| shard.join().unwrap());
        assert_eq!(house.of_shards.each_ref().map(Plain::get), [2; SHARDS]);
    });
}

#[test]
fn one_shard_is_the_last_to_have_answered_and_then_all_answers_are_seen() {
    check(3, || {
        let (house, moment) = (Arc::<House>::default(), moment());
        let answer = |index: usize| {
            let (house, moment) = (Arc::clone(&house), Arc::clone(&moment));
            thread::spawn(move || {
                house.of_shards[index].set(1);
                let is_last = moment.has_answered();
                assert!(!is_last || moment.is_answered());
                if moment.is_answered() {
                    assert_eq!(house.of_shards.each_ref().map(Plain::get), [1; SHARDS]);
                }
                is_last
            })
        };
        let last = [answer(0), answer(1)].map(|shard| shard.join().unwrap());
        assert_eq!(last.into_iter().filter(|is_last| *is_last).count(), 1);
    });
}
