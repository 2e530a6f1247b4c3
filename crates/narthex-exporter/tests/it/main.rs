//! The exporter from outside: as a program, and as a value in a program.

mod client;
mod exporter;
mod program;
mod settings_type;
