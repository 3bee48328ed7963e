//! `report.html`: one page for people. Self-contained, whole without its script, and in an order that
//! answers "is it learning, and if not, where and why" first.
//!
//! The templates hold the structure, these modules the words and numbers. Everything that comes from
//! a record is escaped by the templates; only pictures are taken as they are, since `plot` escapes.

mod bar;
mod compare;
mod diff;
mod figures;
mod findings;
mod layers;
mod mark;
mod moving;
mod page;
mod run;
mod run_facts;
mod script;
mod sweep;
mod text;

pub(super) use compare::page as comparison;
pub(super) use diff::page as diff;
pub(super) use page::files;
pub(super) use sweep::page as sweep;

/// Its place in the report directory.
pub const FILE_NAME: &str = "report.html";
