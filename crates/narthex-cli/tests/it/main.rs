//! The program from outside.

mod certs;
mod check;
mod configured;
mod convert;
mod documented;
mod endpoints;
mod fetch;
mod figures;
mod filters;
mod goals;
mod guides;
mod hostile;
mod labels;
mod lifecycle;
mod page;
mod push;
mod real;
mod reload;
mod secured;
mod settings;
mod support;
