//! Numbers and words as people read them: one formatter for plots, tables, reports, findings and the
//! terminal, so that the same number looks the same everywhere. Imports nothing of the project.

mod case;
mod fill;
mod list;
mod number;
mod plural;
mod suggest;
mod when;

pub use case::{capitalized, uncapitalized};
pub use fill::fill;
pub use list::{conjunction, quoted};
pub(crate) use number::{PLAIN_BELOW, PLAIN_FROM, grouped, without_trailing_zeros};
pub use number::{count, literal, number, percent, percentage, precise};
pub use plural::counted;
pub use suggest::similar;
pub use when::moment;
