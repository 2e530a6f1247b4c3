//! Tries, until one succeeds, none may follow, or the time is over.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::{Instant, sleep, timeout_at};

use crate::client::Client;
use crate::error::{Fault, PushError, PushErrorKind};
use crate::exchange::{Message, Success, exchange, is_untrusted};
use crate::pusher::Pushed;
use crate::target::Url;

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For everything: all tries and the pauses between them.
    pub(crate) timeout: Duration,
    /// Tries after the first.
    pub(crate) retries: u32,
}

/// Sends a message until it is taken.
pub(crate) async fn send(
    client: &Client,
    url: &Url,
    message: &Message,
    success: Success,
    patience: Patience,
) -> Result<Pushed, PushError> {
    let deadline = Instant::now() + patience.timeout;
    let mut last = None;
    for attempt in 1.. {
        let at = |error: PushError| error.at(&message.method, url, attempt);
        let tried = timeout_at(deadline, exchange(client, url, message, success)).await;
        let error = match tried {
            Ok(Ok(status)) => return Ok(Pushed { status, attempts: attempt }),
            Ok(Err(error)) => at(error),
            Err(_) => {
                return Err(at(PushError::new(Fault::Timeout { limit: patience.timeout, last })));
            }
        };
        let pause = error.retry_after().unwrap_or_else(|| backoff(attempt));
        let more = attempt <= patience.retries && may_retry(&message.method, &error);
        // A pause that outlasts the time would only hide the reason behind it.
        if !more || Instant::now() + pause >= deadline {
            return Err(error);
        }
        sleep(pause).await;
        last = Some(error);
    }
    unreachable!("the last try returns");
}

/// Whether a try that failed so may be followed by another.
///
/// PUT and DELETE have the same effect once or twice (RFC 9110, section 9.2.2). A POST may add up,
/// so that it is only tried again where the server cannot have seen the first.
fn may_retry(method: &Method, error: &PushError) -> bool {
    match error.kind() {
        PushErrorKind::Connect => !is_untrusted(error),
        PushErrorKind::Exchange => method.is_idempotent(),
        PushErrorKind::Status => {
            method.is_idempotent() && error.status().is_some_and(may_get_better)
        }
        _ => false,
    }
}

/// Whether a status is about the server's moment and not about the request.
fn may_get_better(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

/// A pause before try `attempt + 1`: twice as long each time, and different for each client, so
/// that those who failed together do not come back together.
pub(crate) fn backoff(attempt: u32) -> Duration {
    let whole =
        FIRST_PAUSE.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
    whole.mul_f64(0.5 + fastrand::f64() / 2.0)
}

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::backoff;
    use std::time::Duration;

    #[test]
    fn pauses_double_with_jitter_up_to_a_limit() {
        for (attempt, most) in [(1, 200), (2, 400), (3, 800), (6, 5_000), (u32::MAX, 5_000)] {
            let most = Duration::from_millis(most);
            let pauses: Vec<_> = (0..100).map(|_| backoff(attempt)).collect();
            assert!(pauses.iter().all(|pause| (most / 2..=most).contains(pause)), "{pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{pauses:?}");
        }
    }
}
