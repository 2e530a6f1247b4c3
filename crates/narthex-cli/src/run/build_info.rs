//! `narthex_build_info`: what the program was built from.

use narthex_core::Collector;
use narthex_model::{Metadata, MetricFamily};

/// Collects the one metric, which never changes.
pub(super) struct BuildInfo;

impl BuildInfo {
    /// The metric; what was not known at build time has no label.
    pub(super) fn family() -> MetricFamily {
        let labels = [
            ("version", Some(env!("CARGO_PKG_VERSION"))),
            ("revision", option_env!("NARTHEX_BUILD_REVISION")),
            ("rustversion", option_env!("NARTHEX_BUILD_RUST_VERSION")),
        ];
        let family = MetricFamily::gauge(
            "narthex_build_info",
            "What the program was built from, as labels; always 1.",
        );
        let known = labels.into_iter().filter_map(|(name, value)| Some((name, value?)));
        known
            .fold(family, |family, (name, value)| family.const_label(name, value))
            .sample([""; 0], 1u64)
            .build()
            .expect("the names are valid")
    }
}

impl Collector for BuildInfo {
    fn describe(&self) -> Vec<Metadata> {
        vec![Self::family().metadata().clone()]
    }

    fn collect(&self, families: &mut Vec<MetricFamily>) {
        families.push(Self::family());
    }
}
