//! Schedulers on learning curves.

pub(crate) fn print() {}
