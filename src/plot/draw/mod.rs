//! Drawing: axes, a canvas over plotters, and the parts that pictures have in common.

pub mod axis;
pub mod canvas;
pub mod lines;
pub mod regions;
pub mod sheet;
pub mod svg;
pub mod text;
pub mod theme;
pub mod tick;
