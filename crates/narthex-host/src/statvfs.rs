//! Asks mounted file systems for their size without waiting for those that hang.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, io, thread};

use crate::system;

/// What a file system answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Usage {
    pub(crate) block_size: u64,
    pub(crate) blocks: u64,
    pub(crate) blocks_free: u64,
    /// Blocks free to users other than root.
    pub(crate) blocks_available: u64,
    pub(crate) files: u64,
    pub(crate) files_free: u64,
}

type Ask = dyn Fn(&Path) -> io::Result<Usage> + Send + Sync;

/// Asks on threads of its own: a network file system whose server is gone blocks whoever asks,
/// and nothing can cut the call short.
///
/// One thread asks one path after the other. Where it stalls it gets a colleague for the rest, and
/// a path that has not answered in time is not asked again until it does, so that threads do not
/// pile up scrape after scrape.
pub(crate) struct Prober {
    ask: Arc<Ask>,
    timeout: Duration,
    /// The calls that are still under way although nobody waits for them.
    stuck: Mutex<HashMap<PathBuf, Arc<Question>>>,
}

/// A path that is asked for.
struct Question {
    path: PathBuf,
    answered: AtomicBool,
}

/// The paths of one scrape.
struct Round {
    questions: Vec<Arc<Question>>,
    /// The first question that nobody has taken.
    next: AtomicUsize,
}

impl Prober {
    /// How long a thread may take before it gets a colleague.
    const PATIENCE: Duration = Duration::from_millis(20);

    /// Asks the operating system, and waits at most `timeout` for all answers together.
    pub(crate) fn new(timeout: Duration) -> Self {
        Self::asking(timeout, system::usage)
    }

    fn asking(
        timeout: Duration,
        ask: impl Fn(&Path) -> io::Result<Usage> + Send + Sync + 'static,
    ) -> Self {
        Self { ask: Arc::new(ask), timeout, stuck: Mutex::default() }
    }

    /// Asks for each path; one that fails or does not answer in time gives `None`.
    pub(crate) fn ask(&self, paths: Vec<PathBuf>) -> io::Result<Vec<Option<Usage>>> {
        let mut usages = vec![None; paths.len()];
        let (places, questions) = self.questions(paths);
        if questions.is_empty() {
            return Ok(usages);
        }
        let round = Arc::new(Round { questions, next: AtomicUsize::new(0) });
        let (sender, answers) = mpsc::channel();
        self.hire(&round, &sender)?;
        let start = Instant::now();
        let mut left = round.questions.len();
        while left > 0 {
            let patience = self.timeout.saturating_sub(start.elapsed());
            if patience.is_zero() {
                break;
            }
            match answers.recv_timeout(patience.min(Self::PATIENCE)) {
                Ok((at, usage)) => {
                    usages[places[at]] = usage;
                    left -= 1;
                }
                // Without a colleague, those at work may still come to the rest.
                Err(RecvTimeoutError::Timeout) if round.has_untaken() => {
                    drop(self.hire(&round, &sender));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.remember_stuck(&round);
        Ok(usages)
    }

    /// The questions to ask, and which path each is about: all but those that are stuck.
    fn questions(&self, paths: Vec<PathBuf>) -> (Vec<usize>, Vec<Arc<Question>>) {
        let mut stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        stuck.retain(|_, question| !question.answered.load(Ordering::Relaxed));
        let free = paths.into_iter().enumerate().filter(|(_, path)| !stuck.contains_key(path));
        free.map(|(place, path)| {
            (place, Arc::new(Question { path, answered: AtomicBool::new(false) }))
        })
        .unzip()
    }

    fn hire(&self, round: &Arc<Round>, answers: &Sender<(usize, Option<Usage>)>) -> io::Result<()> {
        let (ask, round, answers) = (self.ask.clone(), round.clone(), answers.clone());
        let work = move || {
            while let Some((at, question)) = round.take() {
                let usage = ask(&question.path).ok();
                // Relaxed: whoever sees it asks again, and reads nothing else of this call.
                question.answered.store(true, Ordering::Relaxed);
                if answers.send((at, usage)).is_err() {
                    break;
                }
            }
        };
        thread::Builder::new().name("narthex-statvfs".to_owned()).spawn(work).map(drop)
    }

    /// Ends the round: what nobody has taken is given up, and what was taken but not answered is
    /// stuck.
    fn remember_stuck(&self, round: &Round) {
        let taken = round.close();
        let mut stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        for question in round.questions.iter().take(taken) {
            if !question.answered.load(Ordering::Relaxed) {
                stuck.insert(question.path.clone(), question.clone());
            }
        }
    }
}

impl Round {
    /// Takes the next question. Relaxed: each number is given out once, and the questions were
    /// there before the thread was.
    fn take(&self) -> Option<(usize, &Question)> {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        Some((at, self.questions.get(at)?))
    }

    fn has_untaken(&self) -> bool {
        self.next.load(Ordering::Relaxed) < self.questions.len()
    }

    /// Leaves nothing to take, and tells how many questions were taken before.
    fn close(&self) -> usize {
        self.next.swap(self.questions.len(), Ordering::Relaxed)
    }
}

impl fmt::Debug for Prober {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prober").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::io;
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Condvar, Mutex};
    use std::time::Duration;

    use super::{Prober, Usage};

    const USAGE: Usage = Usage {
        block_size: 1,
        blocks: 2,
        blocks_free: 3,
        blocks_available: 4,
        files: 5,
        files_free: 6,
    };

    /// File systems of which some hang until they are released.
    #[derive(Default)]
    struct Disks {
        hanging: Mutex<HashSet<PathBuf>>,
        released: Condvar,
        asked: AtomicUsize,
    }

    impl Disks {
        fn hang(paths: &[&str]) -> Arc<Self> {
            let hanging = paths.iter().map(PathBuf::from).collect();
            Arc::new(Self { hanging: Mutex::new(hanging), ..Self::default() })
        }

        fn prober(self: &Arc<Self>, timeout: Duration) -> Prober {
            let disks = self.clone();
            Prober::asking(timeout, move |path| {
                disks.asked.fetch_add(1, Ordering::SeqCst);
                let hanging = disks.hanging.lock().unwrap();
                drop(disks.released.wait_while(hanging, |hanging| hanging.contains(path)).unwrap());
                Ok(USAGE)
            })
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }

        fn release(&self, path: &str) {
            self.hanging.lock().unwrap().remove(Path::new(path));
            self.released.notify_all();
        }
    }

    fn ask(prober: &Prober, paths: &[&str]) -> Vec<Option<Usage>> {
        prober.ask(paths.iter().map(PathBuf::from).collect()).unwrap()
    }

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(1);

    #[test]
    fn every_path_gets_its_own_answer() {
        let prober = Prober::asking(LONG, |path| {
            let files = path.to_str().and_then(|path| path.strip_prefix('/')?.parse().ok());
            files.map(|files| Usage { files, ..USAGE }).ok_or(io::ErrorKind::NotFound.into())
        });
        let usage = |files| Some(Usage { files, ..USAGE });
        let expected = [usage(7), None, usage(8), usage(9)];
        assert_eq!(ask(&prober, &["/7", "/broken", "/8", "/9"]), expected);
        assert_eq!(ask(&prober, &[]), []);
    }

    #[test]
    fn what_hangs_does_not_keep_the_others_from_being_asked() {
        let disks = Disks::hang(&["/h1", "/h2"]);
        let released = disks.clone();
        let prober = Prober::asking(LONG, move |path| {
            if path == Path::new("/last") {
                released.release("/h1");
                released.release("/h2");
            }
            let hanging = released.hanging.lock().unwrap();
            drop(released.released.wait_while(hanging, |hanging| hanging.contains(path)).unwrap());
            Ok(USAGE)
        });
        // All but the last would time out if it were reached only after those before it.
        assert_eq!(ask(&prober, &["/h1", "/a", "/h2", "/last"]), [Some(USAGE); 4]);
    }

    #[test]
    fn what_hangs_is_given_up_and_not_asked_again_until_it_answers() {
        let disks = Disks::hang(&["/h"]);
        let prober = disks.prober(SHORT);
        while disks.asked() == 0 {
            assert_eq!(ask(&prober, &["/h"]), [None]);
        }
        for _ in 0..3 {
            assert_eq!(ask(&prober, &["/h"]), [None]);
        }
        assert_eq!(disks.asked(), 1);
        disks.release("/h");
        while ask(&prober, &["/h"]) == [None] {
            std::thread::yield_now();
        }
        assert!(disks.asked() > 1);
    }

    #[test]
    fn what_was_not_reached_is_asked_the_next_time() {
        let disks = Disks::hang(&["/h"]);
        let prober = disks.prober(SHORT);
        while disks.asked() == 0 {
            // No time for a colleague, so that `/a` is given up without being asked.
            ask(&prober, &["/h", "/a"]);
        }
        let prober = Prober { timeout: LONG, ..prober };
        assert_eq!(ask(&prober, &["/h", "/a"]), [None, Some(USAGE)]);
    }
}
