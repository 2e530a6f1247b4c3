//! A system without the numbers of Linux: what depends on them is left out.

pub(crate) fn clock_ticks_per_second() -> Option<f64> {
    None
}

pub(crate) fn page_size() -> Option<u64> {
    None
}
