//! Launchers against the real thing. Each needs its system: `.ci/slurm` and `.ci/ray` set one up, and say so by a variable.

mod ray;
mod rig;
mod slurm;
mod ssh;
