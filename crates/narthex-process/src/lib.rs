//! The standard process metrics of a Prometheus client.
