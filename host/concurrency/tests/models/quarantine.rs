//! A plugin that panics in two threads is taken out of service once, and whoever sees that it is finds the reason.

use concurrency::quarantine::Quarantine;
use concurrency::sync::Arc;
use loom::thread;

use crate::check;

#[test]
fn it_is_entered_once_and_always_with_its_reason() {
    check(3, || {
        let quarantine = Arc::<Quarantine>::default();
        let panics = ["a hook", "a timer"].map(|entry| {
            let quarantine = Arc::clone(&quarantine);
            thread::spawn(move || quarantine.enter(entry).then_some(entry))
        });
        if quarantine.is_entered() {
            assert!(quarantine.why().is_some());
        }
        let told: Vec<&str> = panics.into_iter().filter_map(|panic| panic.join().unwrap()).collect();
        assert_eq!(told, [quarantine.why().unwrap()]);
        assert!(quarantine.is_entered());
    });
}
