//! Instruments whose value is asked for at each gather.

use std::fmt;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use narthex_model::{LabelName, Metadata, MetricFamily, MetricType, Number, Series, SpareColumns};

use super::total::is_total;
use super::{Counter, Gauge, Metric, Refused};
use crate::builder::{Builder, Create, Created, Instrument};
use crate::error::Fault;
use crate::registry::{Registered, Source, sealed};
use crate::storage::Options;

/// The handle of an instrument whose value a closure gives at each gather; made by
/// [`Gauge::from_fn`] and [`Counter::from_fn`].
///
/// It is there to [unregister](crate::Registry::unregister) the instrument, and may be dropped.
pub struct Computed<M: Metric>(Arc<Formula<M>>);

impl Gauge {
    /// Starts a gauge whose value `read` gives, anew at each gather; `help` says what it shows.
    ///
    /// `read` gives a number, or an `Option` of one: the gauge is absent from a scrape where that is
    /// `None`. It is called outside any lock of the registry, by every thread that gathers. One that
    /// panics costs its own gauge; the scrape's [`problems`](crate::model::Scrape::problems) tell of
    /// it.
    ///
    /// ```
    /// use narthex_core::{Gauge, Registry};
    ///
    /// let registry = Registry::new();
    /// let start = std::time::Instant::now();
    /// Gauge::from_fn("uptime_seconds", "Time since start.", move || start.elapsed().as_secs_f64())
    ///     .register(&registry)?;
    /// assert!(registry.gather().value("uptime_seconds", &[]).is_some());
    /// # Ok::<(), narthex_core::RegisterError>(())
    /// ```
    pub fn from_fn<R: Reading>(
        name: impl Into<String>,
        help: impl Into<String>,
        read: impl Fn() -> R + Send + Sync + 'static,
    ) -> Builder<Computed<Self>> {
        Builder::with_config(name, help, Formula::new(read))
    }
}

impl Counter {
    /// Starts a counter whose total is kept elsewhere and asked for at each gather, as
    /// [`Gauge::from_fn`] does; `help` says what it counts.
    ///
    /// A total that a counter cannot have, such as one that is negative or NaN, is left out of the
    /// scrape and counted in `narthex_refused_values_total`. One that has fallen is a restart.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    /// use narthex_core::{Counter, Registry};
    ///
    /// let registry = Registry::new();
    /// let hits = Arc::new(AtomicU64::new(0));
    /// let total = hits.clone();
    /// Counter::from_fn("cache_hits_total", "Cache hits.", move || total.load(Relaxed))
    ///     .register(&registry)?;
    /// hits.store(3, Relaxed);
    /// assert_eq!(registry.gather().value("cache_hits_total", &[]), Some(3.0));
    /// # Ok::<(), narthex_core::RegisterError>(())
    /// ```
    pub fn from_fn<R: Reading>(
        name: impl Into<String>,
        help: impl Into<String>,
        read: impl Fn() -> R + Send + Sync + 'static,
    ) -> Builder<Computed<Self>> {
        Builder::with_config(name, help, Formula::new(read))
    }
}

/// What the closure of a computed instrument may give: a number, or an `Option` of one.
pub trait Reading {
    /// The number, unless there is none at the moment.
    fn number(self) -> Option<Number>;
}

impl<R: Reading> Reading for Option<R> {
    fn number(self) -> Option<Number> {
        self?.number()
    }
}

macro_rules! readings {
    ($($from:ty => $variant:ident($into:ty)),*) => { $(
        impl Reading for $from {
            fn number(self) -> Option<Number> {
                Some(Number::$variant(<$into>::from(self)))
            }
        }
    )* };
}

readings!(
    u64 => Unsigned(u64), u32 => Unsigned(u64), u16 => Unsigned(u64), u8 => Unsigned(u64),
    bool => Unsigned(u64),
    f64 => Float(f64), f32 => Float(f64), i32 => Float(f64), i16 => Float(f64), i8 => Float(f64)
);

impl Reading for Number {
    fn number(self) -> Option<Number> {
        Some(self)
    }
}

impl Reading for usize {
    fn number(self) -> Option<Number> {
        (self as u64).number()
    }
}

impl Reading for i64 {
    fn number(self) -> Option<Number> {
        Some(u64::try_from(self).map_or(Number::Float(self as f64), Number::Unsigned))
    }
}

/// The closure of a computed instrument.
pub struct Formula<M> {
    read: Box<dyn Fn() -> Option<Number> + Send + Sync>,
    refused: Refused,
    metric: PhantomData<fn() -> M>,
}

/// A closure that panicked is called again all the same at the next gather, so a caller learns
/// nothing from these bounds.
impl<M> UnwindSafe for Formula<M> {}
impl<M> RefUnwindSafe for Formula<M> {}

impl<M> Formula<M> {
    fn new<R: Reading>(read: impl Fn() -> R + Send + Sync + 'static) -> Arc<Self> {
        let read = Box::new(move || read().number());
        Arc::new(Self { read, refused: Refused::default(), metric: PhantomData })
    }
}

impl<M: Metric> Source for Formula<M> {
    fn family(&self, metadata: &Arc<Metadata>, spare: &mut SpareColumns) -> Option<MetricFamily> {
        let number = (self.read)()?;
        if M::TYPE == MetricType::Counter && !is_total(number) {
            self.refused.count();
            return None;
        }
        let column = spare.number(number);
        MetricFamily::from_parts(metadata.clone(), Series::unlabelled(), column).ok()
    }

    fn refused(&self) -> u64 {
        self.refused.total()
    }
}

impl<M: Metric> Create for Computed<M> {
    type Metric = M;
    type Config = Arc<Formula<M>>;
    const CONFIG: &'static str = "closure";

    fn label_names(_: &[String]) -> Vec<String> {
        Vec::new()
    }

    fn create(
        _: Vec<LabelName>,
        formula: Arc<Formula<M>>,
        _: Options,
    ) -> Result<Created<Self>, Fault> {
        Ok((Self(formula.clone()), formula))
    }
}

impl<M: Metric> Instrument for Computed<M> {}

impl<M: Metric> sealed::Sealed for Computed<M> {
    fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl<M: Metric> Registered for Computed<M> {}

impl<M: Metric> Clone for Computed<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: Metric> fmt::Debug for Computed<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Computed<{}>", M::TYPE)
    }
}

/// Closures cannot be compared: each is like itself alone.
impl<M> PartialEq for Formula<M> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl<M> fmt::Debug for Formula<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Formula")
    }
}
