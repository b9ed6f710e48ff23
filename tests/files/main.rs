//! The files that others read: what is in them, and that a restart leaves each row there once.

mod content;
mod restart;
mod script;
mod trouble;
