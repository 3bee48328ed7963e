//! Everything that touches libtorch: data, models, initialisers, the probe and the training loop.
//!
//! Training emits record lines and knows nothing of rules, pictures or files; whoever listens writes
//! them, diagnoses them or shows them.

mod blueprint;
mod boundary;
mod capture;
mod checkpoint;
mod config;
mod data;
mod decay;
mod device;
mod elsewhere;
mod error;
mod firing;
pub mod gradcheck;
pub mod init;
mod memory;
pub mod model;
mod network;
mod non_finite;
mod norms;
mod objective;
mod optimizer;
mod pass;
mod probe;
mod rows;
mod run;
mod scope;
mod script;
mod state;
mod trainer;
mod watched;
mod zero_rows;

pub use blueprint::Blueprint;
pub use capture::{Capture, Detail};
pub use checkpoint::{Checkpoint, is_own as is_own_checkpoint};
pub use config::{BatchSize, Config};
pub use data::{DataKind, DataOptions, DataSource, Dataset, Rows, Split, data_kinds, describe};
pub use decay::LrDecay;
pub use device::{choose as choose_device, devices};
pub use error::{TrainError, sentence_of};
pub use init::Scheme;
pub use model::{Cell, Changes, Defaults, Model, Norm, ParameterTable, Plan, Sizes, zoo};
pub use network::{Network, Snapshot};
pub use optimizer::{OptimizerKind, OptimizerSettings};
pub use run::{Observer, Stop, check, resume, train};
pub use scope::Scope;
pub use script::Script;
pub use state::STATE_FILE;
pub use trainer::MODEL_FILE;
pub use watched::{Scores, Watched};

/// The version of libtorch that this build is linked against.
pub fn libtorch_version() -> &'static str {
    env!("GRADSCOPE_LIBTORCH")
}
