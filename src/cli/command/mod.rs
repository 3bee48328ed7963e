//! The commands that need no libtorch, a file each.

pub mod check;
pub mod diff;
pub mod doctor;
pub mod export;
pub mod inspect;
pub mod manual;
pub mod merge;
pub mod report;
pub mod rules;
pub mod schema;
pub mod sweep;
