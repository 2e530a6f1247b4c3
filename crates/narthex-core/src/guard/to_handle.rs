//! From an expression to the instrument it means.

use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use crate::instrument::{Child, Counter, Gauge, Histogram, Metric, Summary};

/// Anything that leads to an instrument: the instrument itself, one series of a family, or a
/// pointer to either.
///
/// Guards start from it, so that `Timer::start(&x)` works with whatever `x` is.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an instrument",
    note = "write an instrument, or one series of a family: `family.with(&labels)`"
)]
pub trait ToHandle {
    /// What a guard keeps: another handle to an instrument, or a copy of a borrowed series.
    type Handle;

    /// Gives the handle.
    fn to_handle(&self) -> Self::Handle;
}

macro_rules! instruments {
    ($($instrument:ident)*) => { $(
        impl ToHandle for $instrument {
            type Handle = Self;

            #[inline]
            fn to_handle(&self) -> Self {
                self.clone()
            }
        }
    )* };
}

instruments!(Counter Gauge Histogram Summary);

impl<M: Metric> ToHandle for Child<'_, M> {
    type Handle = Self;

    #[inline]
    fn to_handle(&self) -> Self {
        *self
    }
}

macro_rules! pointers {
    ($($pointer:ty),*) => { $(
        impl<T: ToHandle + ?Sized> ToHandle for $pointer {
            type Handle = T::Handle;

            #[inline]
            fn to_handle(&self) -> T::Handle {
                T::to_handle(self)
            }
        }
    )* };
}

pointers!(&T, &mut T, Box<T>, Rc<T>, Arc<T>);

impl<T: ToHandle, F: FnOnce() -> T> ToHandle for LazyLock<T, F> {
    type Handle = T::Handle;

    #[inline]
    fn to_handle(&self) -> T::Handle {
        T::to_handle(self)
    }
}
