//! The program from outside.

mod check;
mod convert;
mod fetch;
mod hostile;
mod labels;
mod lifecycle;
mod page;
mod push;
mod real;
mod settings;
mod support;
