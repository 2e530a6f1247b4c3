//! Build a Prometheus exporter in 25 lines: settings, logs, lifecycle.
