//! Waiting for what another process does.

use std::thread;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(20);

/// Asks again and again until there is an answer.
///
/// For what tells nobody when it is ready; where an event can be awaited, await that.
///
/// # Panics
///
/// Panics with `what` when `limit` has passed without an answer.
#[track_caller]
pub fn poll<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain for {what}");
        thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::poll;
    use std::time::Duration;

    #[test]
    fn polling_ends_with_the_first_answer() {
        let mut asked = 0;
        let answer = poll("the third try", Duration::from_secs(60), || {
            asked += 1;
            (asked == 3).then_some("here")
        });
        assert_eq!((answer, asked), ("here", 3));
    }

    #[test]
    #[should_panic(expected = "in vain for godot")]
    fn polling_names_what_did_not_come() {
        poll::<()>("godot", Duration::ZERO, || None);
    }
}
