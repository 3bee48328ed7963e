//! The words of the command line and of `gradscope.toml`, resolved into settings of runs.

pub mod config_file;
pub mod resolve;
pub mod resume;
pub mod variants;
