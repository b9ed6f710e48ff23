//! Cases of reuse (C), of workers and resources (M), and of parallelism (R), as far as the pool alone shows them.

mod corners;
mod desk;
mod elsewhere;
mod parallel;
mod reuse;
mod workers;
