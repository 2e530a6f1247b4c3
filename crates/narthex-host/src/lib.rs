//! Metrics of this machine under the names of node_exporter.
