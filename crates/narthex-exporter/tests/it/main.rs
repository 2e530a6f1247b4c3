//! The exporter from outside: as a program, and as a value in a program.

mod client;
mod exporter;
#[cfg(feature = "config")]
mod from_config;
mod program;
mod settings_type;
