//! Arguments in, exit status out: the only place with a dynamic error.
//!
//! Two programs are made of it: `gradscope`, which has every command and starts in milliseconds, and
//! `gradscope-train`, which is linked with libtorch and takes over what trains.
#![allow(missing_docs)] // For the two programs alone.

pub mod args;
pub mod command;
pub mod handover;
pub mod input;
pub mod output;
pub mod program;
mod thin;

pub use thin::main;
