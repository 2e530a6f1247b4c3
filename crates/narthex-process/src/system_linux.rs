//! The units in which the kernel counts.

pub(crate) fn clock_ticks_per_second() -> Option<f64> {
    Some(rustix::param::clock_ticks_per_second() as f64)
}

pub(crate) fn page_size() -> Option<u64> {
    u64::try_from(rustix::param::page_size()).ok()
}
