//! The forms that a user meets first, in a crate without docs and with no item imported.

#![deny(warnings, missing_docs, clippy::pedantic)]

use narthex::LabelVisitor;

/// A value.
#[derive(Debug, narthex::LabelValue)]
pub enum Method {
    /// One.
    Get,
}

/// Labels.
#[derive(Debug, narthex::Labels)]
pub struct Request<'a> {
    /// One.
    pub method: Method,
    /// Two.
    pub path: &'a str,
}

/// No labels.
#[derive(Debug, narthex::Labels)]
pub struct NoLabels;

struct Count;

impl LabelVisitor for Count {
    type Output = usize;

    fn values<const N: usize>(self, values: [&str; N]) -> usize {
        values.map(str::len).iter().sum()
    }
}

/// A family of `Request<'static>` visits a `Request` that borrows from its caller.
fn length<L: narthex::Labels>(labels: &L::Borrowed<'_>) -> usize {
    narthex::Labels::visit(labels, Count)
}

fn main() {
    let path = String::from("/a");
    let request = Request { method: Method::Get, path: &path };
    assert_eq!(length::<Request<'static>>(&request), 5);
    assert_eq!(length::<NoLabels>(&NoLabels), 0);
}
