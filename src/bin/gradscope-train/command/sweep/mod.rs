//! `gradscope sweep`: a grid of runs, each in a process of its own.

mod pool;
mod train;

pub use train::run;
