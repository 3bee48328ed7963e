//! Kinds of fault, by family. Each is true by construction: what is broken is drawn far inside the range
//! in which it breaks the run.

mod both;
mod data;
mod dead;
mod init;
mod layer;
mod rate;
mod recurrent;
mod saturated;
mod step;

use crate::case::Kind;

/// Every kind of fault.
pub fn kinds() -> impl Iterator<Item = &'static Kind> {
    let families = [
        dead::KINDS,
        init::KINDS,
        layer::KINDS,
        rate::KINDS,
        recurrent::KINDS,
        step::KINDS,
        saturated::KINDS,
        data::KINDS,
        both::KINDS,
    ];
    families.into_iter().flatten()
}
