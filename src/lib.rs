//! # gradscope
//!
//! Which layers of a network are not learning, since when, why, and what fixes it.
//!
//! Data flows one way, and imports point only downward in this list:
//!
//! | module | what it holds |
//! |---|---|
//! | `cli` | arguments, resolved once into ready objects; one file a subcommand |
//! | [`train`] | everything that touches libtorch: data, models, initialisers, the probe, the loop |
//! | [`checkpoint`] | .safetensors, .pt, .npz → a record of weights alone, without libtorch |
//! | [`report`] | record + findings + pictures → files, one file an output format |
//! | [`plot`] | record → SVG, drawn with plotters |
//! | [`diagnose`] | record → findings: rules, root causes, remedies, explanations |
//! | [`record`] | what a run looked like: types, writer, reader; the waist of the program |
//! | [`stats`] | numbers only: the mergeable distribution, quantiles, kernel density |
//!
//! All but `train` is in a crate of its own, `gradscope-core`, whose modules are those of this one: so
//! the program `gradscope` is linked without libtorch, and hands what trains over to `gradscope-train`.
//!
//! Whatever can write a record gets every diagnosis, picture and report; whatever reads one needs no
//! tensor library. `train` is behind the cargo feature of the same name, on by default.
//!
//! Read a record, diagnose it, draw it and write the report:
//!
//! ```
//! use std::path::Path;
//!
//! use gradscope::diagnose::{Settings, diagnose};
//! use gradscope::record::Record;
//! use gradscope::report::{OutputDir, RunReport};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (record, _warnings) = Record::read(Path::new("fixtures/records/relu5-dead.jsonl"))?;
//! let diagnosis = diagnose(&record, &Settings::default());
//! assert!(diagnosis.headline.starts_with("fc1 was born dead"));
//!
//! # let scratch = tempfile::tempdir()?;
//! # let out = scratch.path().join("out");
//! let directory = OutputDir::check(&out, false)?;
//! let written = RunReport::new(&record, &diagnosis).write(&directory)?;
//! assert!(written.report.ends_with("report.html"));
//! # Ok(())
//! # }
//! ```

#![deny(missing_docs, unsafe_code)]

#[doc(hidden)]
pub use gradscope_core::cli;
#[doc(inline)]
pub use gradscope_core::{checkpoint, diagnose, plot, record, report, stats, text};

#[cfg(feature = "train")]
pub mod train;
