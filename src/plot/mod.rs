//! Record → SVG, drawn with plotters: violins, histograms, curves, norms over depth. One theme.
//!
//! A picture is a function from a [`PlotContext`] to a [`Figure`]. A new one is a file in `figures` and a
//! line in [`PLOTS`] (`catalog`). Beneath them lies `draw`: `axis` decides where values go, `canvas` draws
//! in pixels or coordinates of the data, `lines` and `sheet` hold the parts that pictures share, `regions`
//! finds the outlines of areas, `svg` is the backend that plotters writes through, `theme` holds every
//! color and size, `text` makes strangers' names harmless, `tick` writes the numbers of axes.

mod animation;
mod catalog;
mod context;
mod draw;
mod figure;
mod figures;
mod numbers;
mod quantity;

pub use animation::Animation;
pub use catalog::{PLOTS, Plot, figures};
pub use context::PlotContext;
pub use draw::theme::style_sheet;
pub use figure::{Figure, Section, Table};
pub use figures::compare::{Compared, comparison};
pub use figures::density_histogram::density_histogram;
pub use figures::heatmap::{Heatmap, Tile, heatmap};
pub use figures::over_time::{Series, Timeline};
pub use quantity::{Extent, QUANTITIES, Quantity, View};
