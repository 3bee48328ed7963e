//! The commands that need libtorch, a file each.

pub mod compare;
pub mod datasets;
pub mod gradcheck;
pub mod init;
pub mod models;
pub mod prescribe;
pub mod run;
pub mod summary;
pub mod sweep;
