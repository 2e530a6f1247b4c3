//! Write Prometheus exposition formats.
