//! Membership against the plainest model of it: a list of pairs.

use proptest::prelude::*;

use super::*;

fn spark(number: u32) -> SparkId {
    // Handles of several shards, so that their order isn't that of the numbers.
    SparkId::from_parts((number % 3) as u8, number, 1).expect("the generation isn't 0")
}

#[derive(Debug, Clone)]
enum Step {
    Join(u32, &'static str),
    Leave(u32, &'static str),
    LeaveAll(u32),
    End(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let room = prop::sample::select(vec!["a", "b", "c", "d"]);
    prop_oneof![
        4 => (0..12_u32, room.clone()).prop_map(|(spark, room)| Step::Join(spark, room)),
        2 => (0..12_u32, room).prop_map(|(spark, room)| Step::Leave(spark, room)),
        1 => (0..12_u32).prop_map(Step::LeaveAll),
        1 => (0..12_u32).prop_map(Step::End),
    ]
}

/// Pairs of a spark and a room in the order of joining.
#[derive(Default)]
struct Model {
    pairs: Vec<(SparkId, &'static str)>,
    ended: Vec<SparkId>,
}

impl Model {
    fn members(&self, room: &str) -> Vec<SparkId> {
        let mut members: Vec<SparkId> = self.pairs.iter().filter(|(_, of)| *of == room).map(|(spark, _)| *spark).collect();
        members.sort_unstable();
        members
    }
}

fn play(steps: &[Step]) -> (Membership, Model) {
    let (mut membership, mut model) = (Membership::default(), Model::default());
    for step in steps {
        match *step {
            Step::Join(number, room) => {
                let is_new = !model.pairs.contains(&(spark(number), room));
                let joined = membership.join(spark(number), room, &Config::default(), || true);
                if model.ended.contains(&spark(number)) {
                    assert_eq!(joined, Err(JoinError::Gone));
                } else {
                    assert_eq!(joined, Ok(is_new));
                    if is_new {
                        model.pairs.push((spark(number), room));
                    }
                }
            }
            Step::Leave(number, room) => {
                assert_eq!(membership.leave(spark(number), room), model.pairs.contains(&(spark(number), room)));
                model.pairs.retain(|pair| *pair != (spark(number), room));
            }
            Step::LeaveAll(number) => {
                let rooms = membership.leave_all(spark(number));
                assert!(
                    rooms.iter().map(|room| &**room).eq(model
                        .pairs
                        .iter()
                        .filter(|(of, _)| *of == spark(number))
                        .map(|(_, room)| *room))
                );
                model.pairs.retain(|(of, _)| *of != spark(number));
            }
            Step::End(number) => {
                membership.end(spark(number));
                model.pairs.retain(|(of, _)| *of != spark(number));
                model.ended.push(spark(number));
            }
        }
    }
    (membership, model)
}

proptest! {
    #[test]
    fn membership_is_what_joining_and_leaving_make_it(steps in prop::collection::vec(step(), 0..60)) {
        let (membership, model) = play(&steps);
        let mut rooms: Vec<&str> = model.pairs.iter().map(|(_, room)| *room).collect();
        rooms.sort_unstable();
        rooms.dedup();
        prop_assert_eq!(membership.rooms(), rooms);
        for room in ["a", "b", "c", "d"] {
            prop_assert_eq!(membership.members(room), model.members(room));
        }
        for number in 0..12 {
            let joined: Vec<&str> = model.pairs.iter().filter(|(of, _)| *of == spark(number)).map(|(_, room)| *room).collect();
            prop_assert!(membership.rooms_of(spark(number)).iter().map(|room| &**room).eq(joined));
        }
    }

    #[test]
    fn recipients_are_the_members_of_any_room_but_those_left_out(
        steps in prop::collection::vec(step(), 0..60),
        rooms in prop::sample::subsequence(vec!["a", "b", "c", "none"], 0..=4),
        without in prop::collection::vec(0..12_u32, 0..4),
        without_rooms in prop::sample::subsequence(vec!["c", "d", "none"], 0..=3),
    ) {
        let (membership, model) = play(&steps);
        let without: Vec<SparkId> = without.into_iter().map(spark).collect();
        let mut expected: Vec<SparkId> = rooms.iter().flat_map(|room| model.members(room)).collect();
        expected.sort_unstable();
        expected.dedup();
        expected.retain(|spark| {
            !without.contains(spark) && !without_rooms.iter().any(|room| model.members(room).contains(spark))
        });
        prop_assert_eq!(&*membership.recipients(&rooms, &without, &without_rooms), &expected);
    }

    #[test]
    fn what_was_saved_is_restored_for_those_who_are_still_there(
        steps in prop::collection::vec(step(), 0..60),
        gone in 0..12_u32,
    ) {
        let (mut membership, _) = play(&steps);
        let saved: Vec<(SparkId, Vec<String>)> = membership
            .save()
            .into_iter()
            .map(|(spark, rooms)| (spark, rooms.into_iter().map(str::to_owned).collect()))
            .collect();
        let mut restored = Membership::default();
        restored.restore(&saved, |of| of != spark(gone));
        membership.end(spark(gone));
        prop_assert_eq!(restored.rooms(), membership.rooms());
        for room in membership.rooms() {
            prop_assert_eq!(restored.members(room), membership.members(room));
        }
        for number in 0..12 {
            prop_assert_eq!(restored.rooms_of(spark(number)), membership.rooms_of(spark(number)));
        }
    }
}

#[test]
fn who_broadcasts_keeps_its_list_while_others_leave() {
    let mut membership = Membership::default();
    for number in 0..3 {
        membership.join(spark(number), "a", &Config::default(), || true).unwrap();
    }
    let recipients = membership.recipients(&["a"], &[], &[]);
    membership.leave(spark(1), "a");
    assert_eq!(recipients.len(), 3);
    assert_eq!(membership.members("a").len(), 2);
}

#[test]
fn a_spark_unknown_to_the_host_cannot_join() {
    let mut membership = Membership::default();
    assert_eq!(membership.join(spark(1), "a", &Config::default(), || false), Err(JoinError::Gone));
    assert!(membership.rooms().is_empty());
}
