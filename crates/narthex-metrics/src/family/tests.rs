//! What needs the clock: series that go when they are idle.

use std::time::Duration;

use metrics::{Counter, counter, gauge, with_local_recorder};
use narthex_core::Registry;

use crate::{MetricsRecorder, clock::testing::advance};

const HOUR: Duration = Duration::from_secs(3600);

struct Program {
    registry: Registry,
    recorder: MetricsRecorder,
}

fn expiring() -> Program {
    let registry = Registry::new();
    let recorder = MetricsRecorder::builder(&registry).expire_after(HOUR).build().unwrap();
    Program { registry, recorder }
}

impl Program {
    fn job(&self, queue: &'static str) -> Counter {
        with_local_recorder(&self.recorder, || counter!("jobs", "queue" => queue))
    }

    fn jobs(&self, queue: &str) -> Option<f64> {
        self.registry.gather().value("jobs_total", &[("queue", queue)])
    }

    /// Series that the recorder remembers, whether or not they are on the page.
    fn handles(&self) -> usize {
        self.recorder.remembered()
    }
}

#[test]
fn idle_series_leave_the_page_and_the_memory() {
    let program = expiring();
    program.job("a").increment(1);
    program.job("b").increment(2);
    assert_eq!((program.jobs("a"), program.jobs("b")), (Some(1.0), Some(2.0)));
    advance(HOUR / 2);
    program.job("b").increment(1);
    assert_eq!((program.jobs("a"), program.jobs("b")), (Some(1.0), Some(3.0)));
    advance(HOUR / 2);
    assert_eq!((program.jobs("a"), program.jobs("b")), (None, Some(3.0)));
    assert_eq!(program.handles(), 1);
    // It starts over, as a counter of a new process does.
    program.job("a").increment(5);
    assert_eq!(program.jobs("a"), Some(5.0));
    assert_eq!(program.handles(), 2);
}

#[test]
fn a_handle_that_is_kept_loses_nothing_while_its_series_is_idle() {
    let program = expiring();
    let kept = program.job("a");
    kept.increment(3);
    assert_eq!(program.jobs("a"), Some(3.0));
    for _ in 0..3 {
        advance(2 * HOUR);
        assert_eq!(program.jobs("a"), None);
    }
    // Found again, it is the same series still.
    program.job("a").increment(1);
    kept.increment(1);
    assert_eq!(program.jobs("a"), Some(5.0));
    // The handle goes, having written after the last look: that is not lost either.
    advance(2 * HOUR);
    assert_eq!(program.jobs("a"), None);
    kept.increment(1);
    drop(kept);
    assert_eq!(program.jobs("a"), Some(6.0));
    advance(2 * HOUR);
    assert_eq!(program.jobs("a"), None);
    assert_eq!(program.handles(), 0);
}

#[test]
fn an_update_that_changes_nothing_is_an_update() {
    let program = expiring();
    let level = with_local_recorder(&program.recorder, || gauge!("level"));
    for _ in 0..4 {
        level.set(0.0);
        assert_eq!(program.registry.gather().value("level", &[]), Some(0.0));
        advance(HOUR / 2);
    }
}

#[test]
fn series_expire_when_nobody_scrapes() {
    let program = expiring();
    for round in 0..50_u32 {
        with_local_recorder(&program.recorder, || {
            counter!("rounds", "round" => round.to_string()).increment(1);
        });
        advance(HOUR);
    }
    assert!(program.handles() <= 2, "{}", program.handles());
}

#[test]
fn the_overflow_series_expires_too() {
    let registry = Registry::new();
    let recorder =
        MetricsRecorder::builder(&registry).expire_after(HOUR).series_limit(1).build().unwrap();
    let program = Program { registry, recorder };
    for queue in ["a", "b", "c"] {
        program.job(queue).increment(1);
    }
    assert_eq!((program.jobs("a"), program.jobs("overflow")), (Some(1.0), Some(2.0)));
    advance(HOUR);
    assert_eq!((program.jobs("a"), program.jobs("overflow")), (None, None));
    program.job("b").increment(1);
    assert_eq!((program.jobs("b"), program.jobs("overflow")), (Some(1.0), None));
}
