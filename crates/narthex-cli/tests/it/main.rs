//! The program from outside.

mod fetch;
mod hostile;
mod labels;
mod lifecycle;
mod page;
mod real;
mod settings;
mod support;
