//! The edge: what touches the world through the sockets.

pub mod observe;
