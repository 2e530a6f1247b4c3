//! G16: the API may be called from wherever user code runs.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use narthex_core::model::{Metadata, MetricFamily, MetricName, MetricType};
use narthex_core::{
    Collector, Counter, DynamicFamily, Gauge, GaugeHistogram, Histogram, RegisterError,
    Registration, Registry,
};

use crate::{Random, report};

/// Far beyond what anything here takes, and far below what a deadlock does.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the calls work on.
struct World {
    registry: Registry,
    requests: DynamicFamily<Counter>,
    sizes: DynamicFamily<Histogram>,
    level: Gauge,
    distribution: GaugeHistogram,
    /// Makes names that nobody has.
    next: AtomicUsize,
    /// Collectors that some call registered and another may take out again.
    registrations: Mutex<Vec<Registration>>,
}

type Call = fn(&World, usize);

/// Every kind of call, each with a number to vary it by.
const CALLS: [(&str, Call); 15] = [
    ("register", |world, _| {
        let counter = Counter::builder(world.new_name(), "C.").register(&world.registry).unwrap();
        counter.inc();
        assert!(world.registry.unregister(&counter));
    }),
    ("register a collector", |world, _| {
        let registration = world.registry.register(Empty).unwrap();
        world.registrations.lock().unwrap().push(registration);
    }),
    ("get or register", |world, _| {
        let builder = Gauge::builder("level", "L.");
        builder.get_or_register(&world.registry).unwrap().inc();
    }),
    ("look up", |world, n| world.requests.with(&[&(n % 64).to_string()]).unwrap().inc()),
    ("resolve and drop the handle", |world, n| {
        let handle = world.requests.resolve(&[&(n % 64).to_string()]).unwrap();
        handle.clone().inc();
        drop(handle);
    }),
    ("a scoped series", |world, n| {
        world.sizes.scoped(&[&(n % 64).to_string()]).unwrap().observe(1.0);
    }),
    ("observe", |world, n| {
        world.sizes.with(&["size"]).unwrap().observe(n as f64);
        drop(world.level.track_in_progress());
        world.distribution.set_values([1.0, 2.0]);
    }),
    ("remove", |world, n| {
        world.requests.remove(&[&(n % 64).to_string()]).unwrap();
    }),
    ("retain", |world, n| {
        world.requests.retain(|values| values[0].len() != n % 3);
    }),
    ("clear", |world, _| world.requests.clear()),
    ("unregister", |world, _| {
        let registration = world.registrations.lock().unwrap().pop();
        if let Some(registration) = registration {
            assert!(world.registry.unregister(&registration));
        }
    }),
    ("gather", |world, _| {
        let scrape = world.registry.gather();
        assert!(scrape.family("level").is_some());
    }),
    ("a builder that fails", |world, _| {
        let clash = Counter::builder("level", "L.").register(&world.registry);
        assert!(clash.unwrap_err().is_clash());
        assert!(Counter::builder("not a name", "N.").register(&world.registry).is_err());
    }),
    ("a transaction", |world, _| {
        let outcome = world.registry.transaction(|registry| -> Result<(), RegisterError> {
            Counter::builder(world.new_name(), "C.").register(registry)?;
            // Undone, so that the registry does not grow.
            Counter::builder("level", "L.").register(registry).map(drop)
        });
        assert!(outcome.is_err());
    }),
    ("drop a registry", |_, _| {
        let registry = Registry::new();
        let counter = Counter::builder("c_total", "C.").register(&registry).unwrap();
        registry.register(Empty).unwrap();
        let scrape = registry.gather();
        drop(registry);
        counter.inc();
        drop((scrape, counter));
    }),
];

struct Empty;

impl Collector for Empty {
    fn collect(&self, _: &mut Vec<MetricFamily>) {}
}

impl World {
    fn new() -> Arc<Self> {
        let registry = Registry::new();
        let labelled = |name| DynamicFamily::<Counter>::builder(name, "L.").label_names(["label"]);
        let sizes = DynamicFamily::<Histogram>::builder("sizes", "S.").label_names(["label"]);
        let distribution = GaugeHistogram::builder("distribution", "D.");
        Arc::new(Self {
            requests: labelled("requests_total").register(&registry).unwrap(),
            sizes: sizes.register(&registry).unwrap(),
            level: Gauge::builder("level", "L.").register(&registry).unwrap(),
            distribution: distribution.register(&registry).unwrap(),
            registry,
            next: AtomicUsize::new(0),
            registrations: Mutex::new(Vec::new()),
        })
    }

    fn new_name(&self) -> String {
        format!("name_{}_total", self.next.fetch_add(1, Relaxed))
    }
}

/// Something to be done from inside user code; what it does may lead there again.
type Act = Arc<dyn Fn() + Send + Sync>;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Does it, unless this thread is doing something from inside user code already.
fn once(act: &Act) {
    if DEPTH.get() == 0 {
        DEPTH.set(1);
        act();
        DEPTH.set(0);
    }
}

/// User code of every kind, which acts whenever it is run. It stands for a log layer that counts
/// events, too: such a layer is called from where user code logs.
struct Acting {
    act: Act,
    name: String,
}

impl Collector for Acting {
    fn describe(&self) -> Vec<Metadata> {
        once(&self.act);
        vec![Metadata::new(MetricName::new(&self.name).unwrap(), MetricType::Gauge, "A.")]
    }

    fn collect(&self, families: &mut Vec<MetricFamily>) {
        once(&self.act);
        families.extend(MetricFamily::gauge(&self.name, "A.").sample([""; 0], 1.0).build());
    }

    fn problems(&self) -> Vec<narthex_core::model::Problem> {
        once(&self.act);
        Vec::new()
    }
}

impl Drop for Acting {
    fn drop(&mut self) {
        once(&self.act);
    }
}

type Place = fn(&Arc<World>, Act);

/// Where user code runs: each sees to it that `act` is done from there.
const PLACES: [(&str, Place); 9] = [
    ("collect", |world, act| {
        let collector = Acting { act, name: world.new_name() };
        let registration = world.registry.register(collector).unwrap();
        world.registry.gather();
        // Its drop acts too, while it is taken out.
        world.registry.unregister(&registration);
    }),
    ("the drop of a collector that is refused", |world, act| {
        let refused = world.registry.register(Acting { act, name: "level".to_owned() });
        assert!(refused.unwrap_err().is_clash());
    }),
    ("the drop of a collector with its registry", |world, act| {
        let registry = Registry::new();
        registry.register(Acting { act, name: world.new_name() }).unwrap();
        drop(registry);
    }),
    ("the drop of a collector at the end of a gather", |world, act| {
        // Taken out while it is gathered, it is the gather that drops it.
        let registration = Arc::new(Mutex::new(None::<Registration>));
        let (slot, inner) = (registration.clone(), world.clone());
        let out: Act = Arc::new(move || {
            let registration = slot.lock().unwrap().take();
            if let Some(registration) = registration {
                inner.registry.unregister(&registration);
            }
            act();
        });
        let collector = Acting { act: out, name: world.new_name() };
        let registered = world.registry.register(collector).unwrap();
        *registration.lock().unwrap() = Some(registered);
        world.registry.gather();
    }),
    ("the closure of a computed metric", |world, act| {
        let read = move || {
            once(&act);
            1.0
        };
        let computed = Gauge::from_fn(world.new_name(), "C.", read);
        let computed = computed.register(&world.registry).unwrap();
        world.registry.gather();
        world.registry.unregister(&computed);
    }),
    ("the closure of retain", |world, act| {
        world.requests.with(&["retained"]).unwrap().inc();
        world.requests.retain(|_| {
            once(&act);
            true
        });
    }),
    ("the closure of a transaction", |world, act| {
        let registered = world.registry.transaction(|registry| {
            let counter = Counter::builder(world.new_name(), "C.").register(registry)?;
            once(&act);
            Ok::<_, RegisterError>(counter)
        });
        world.registry.unregister(&registered.unwrap());
    }),
    ("an iterator of values", |world, act| {
        world.distribution.set_values([1.0, 2.0].into_iter().inspect(|_| once(&act)));
    }),
    ("another thread, while a scrape is held", |world, act| {
        let scrape = world.registry.gather();
        thread::scope(|scope| scope.spawn(|| once(&act)).join().unwrap());
        assert!(scrape.family("level").is_some());
    }),
];

/// Runs `run` on a thread, and fails where it does not end.
#[track_caller]
fn ends(what: &str, run: impl FnOnce() + Send + 'static) {
    let (end, ended) = mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        run();
        drop(end);
    });
    match ended.recv_timeout(PATIENCE) {
        Err(RecvTimeoutError::Timeout) => panic!("{what}: it hangs"),
        _ => thread.join().unwrap_or_else(|_| panic!("{what}: it panicked")),
    }
}

#[test]
fn g16_every_call_may_be_made_from_wherever_user_code_runs() {
    let mut ended = 0;
    for (place, from) in PLACES {
        for (name, call) in CALLS {
            let what = format!("{name} from {place}");
            let acted = Arc::new(AtomicUsize::new(0));
            let count = acted.clone();
            ends(&what, move || {
                let world = World::new();
                let inner = world.clone();
                let act: Act = Arc::new(move || {
                    count.fetch_add(1, Relaxed);
                    call(&inner, 1);
                });
                from(&world, act);
                // The registry holds collectors that hold the world: this ends that circle.
                (CALLS.iter().find(|(name, _)| *name == "unregister").unwrap().1)(&world, 0);
            });
            assert!(acted.load(Relaxed) > 0, "{what}: it was never called");
            ended += 1;
        }
    }
    let all = PLACES.len() * CALLS.len();
    report("G16", "calls from inside user code that ended", ended, all, ended == all);
}

#[test]
fn g16_threads_that_do_anything_at_once_go_on() {
    at_once(1_000);
}

#[test]
#[ignore = "long"]
fn g16_threads_that_do_anything_at_once_go_on_for_long() {
    at_once(200_000);
}

fn at_once(rounds: usize) {
    const THREADS: usize = 4;
    let world = World::new();
    // Whatever a thread does, its scrapes do something else besides.
    let inner = Arc::downgrade(&world);
    let random = Mutex::new(Random(99));
    let act: Act = Arc::new(move || {
        let (call, n) = {
            let mut random = random.lock().unwrap();
            (random.below(CALLS.len()), random.below(1000))
        };
        if let Some(world) = inner.upgrade() {
            (CALLS[call].1)(&world, n);
        }
    });
    world.registry.register(Acting { act, name: "acting".to_owned() }).unwrap();
    let (step, steps) = mpsc::channel::<()>();
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let (world, step) = (world.clone(), step.clone());
            thread::spawn(move || {
                let mut random = Random(thread as u64 + 1);
                for _ in 0..rounds {
                    (CALLS[random.below(CALLS.len())].1)(&world, random.below(1000));
                    let _ = step.send(());
                }
            })
        })
        .collect();
    drop(step);
    let mut done = 0;
    // Whoever waits for longest decides: as long as any thread goes on, there is no deadlock of
    // all; one of some ends with the others having ended.
    loop {
        match steps.recv_timeout(PATIENCE) {
            Ok(()) => done += 1,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => panic!("after {done} calls, nothing goes on"),
        }
    }
    for thread in threads {
        thread.join().unwrap();
    }
    let all = THREADS * rounds;
    report("G16", "calls of 4 threads at once that ended", done, all, done == all);
}
