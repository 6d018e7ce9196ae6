//! Invited threads stand still while a change is made, have done before it all that they were at, and see it afterwards.

use concurrency::mailbox::Mailbox;
use concurrency::switch::{Invitation, Switch};
use concurrency::sync::Arc;
use loom::thread;

use crate::{Plain, check};

#[test]
fn no_thread_runs_while_a_change_is_made() {
    check(2, || {
        let switch = Arc::<Switch>::default();
        let (own, change_runs) = (Arc::<[Plain; 2]>::default(), Arc::<Plain>::default());
        for thread in 0..2 {
            let (invitation, own, change_runs) = (Switch::invite(&switch), Arc::clone(&own), Arc::clone(&change_runs));
            thread::spawn(move || {
                own[thread].set(1);
                invitation.pass();
                assert_eq!((change_runs.get(), own[thread].get()), (2, 11));
            });
        }
        switch.change(|| {
            change_runs.set(1);
            own.iter().for_each(|number| number.add(10));
            assert_eq!(own.each_ref().map(Plain::get), [11, 11]);
            change_runs.set(2);
        });
    });
}

#[test]
fn a_change_does_not_wait_for_a_thread_that_has_ended() {
    check(3, || {
        let mailbox = Arc::<Mailbox<Invitation>>::default();
        let of_owner = Arc::clone(&mailbox);
        // It may read the invitation, or end without.
        let owner = thread::spawn(move || {
            of_owner.take().into_iter().for_each(Invitation::pass);
            of_owner.close();
        });
        let switch = Arc::<Switch>::default();
        mailbox.post(Switch::invite(&switch));
        assert_eq!(switch.change(|| "made"), "made");
        owner.join().unwrap();
    });
}
