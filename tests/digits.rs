//! The network and the data of the example `digits`, with the tests that stand beside them.

#[path = "../examples/digits/data.rs"]
mod data;
#[path = "../examples/digits/network.rs"]
mod network;
