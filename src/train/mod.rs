//! Everything that touches libtorch: data, models, initialisers, the probe and the training loop.
//!
//! Training emits record lines and knows nothing of rules, pictures or files; whoever listens writes
//! them, diagnoses them or shows them.

mod config;
mod data;
mod device;
mod error;
pub mod init;
mod libtorch;
mod measure;
pub mod model;
mod model_metadata;
mod model_source;
mod network;
mod optimizer;
mod script;
mod session;
mod tools;

pub use crate::record::CaptureSettings;
pub use config::{BatchSize, Config};
pub use data::{DataKind, DataOptions, DataSource, Dataset, Rows, Split, data_kinds, describe};
pub use device::{choose as choose_device, devices};
pub use error::{TrainError, sentence_of};
pub use init::Scheme;
pub use libtorch::libtorch_version;
pub use model::{Cell, Changes, Defaults, Model, Norm, ParameterTable, Plan, Sizes, zoo};
pub use model_source::ModelSource;
pub use network::{Network, Snapshot};
pub use optimizer::OptimizerSettings;
pub use script::Script;
pub use session::checkpoint::is_own as is_own_checkpoint;
pub use session::{
    Checkpoint, LrDecay, MODEL_FILE, Observer, STATE_FILE, Scope, Scores, Stop, TrackedLayer, check, resume,
    train,
};
pub use tools::gradcheck;
