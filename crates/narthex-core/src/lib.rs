//! Prometheus instruments and the registry that gathers them.

mod collector;
mod error;
mod labels;
mod registry;

pub use collector::Collector;
pub use error::RegisterError;
pub use labels::{CharText, IntegerText, LabelValue, LabelVisitor, Labels, OptionText};
pub use narthex_model as model;
pub use registry::{Registered, Registration, Registry, RegistryBuilder};
