//! Numbers and words as people read them: one formatter for plots, tables, reports, findings and the
//! terminal, so that the same number looks the same everywhere. Imports nothing of the project.

mod fill;
mod list;
mod number;
mod plural;
mod suggest;

pub use fill::fill;
pub use list::conjunction;
pub(crate) use number::{PLAIN_BELOW, PLAIN_FROM, without_trailing_zeros};
pub use number::{count, number, percent, precise};
pub use plural::counted;
pub use suggest::similar;
