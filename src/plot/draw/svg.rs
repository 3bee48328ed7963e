//! A backend that lets plotters write SVG as this project wants it: tenths of a pixel, classes
//! instead of colors, groups with titles, text as text.
//!
//! plotters addresses pixels by whole numbers, so the drawing area is ten times as large as the
//! picture and a coordinate is a tenth.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt::Write;
use std::rc::Rc;

use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};

use crate::plot::draw::text::escape;
use crate::plot::draw::theme::{self, ColorRole};

/// Coordinates of plotters to one pixel of the picture.
pub const UNITS: f64 = 10.0;

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// Appends SVG elements to a text that it shares with the canvas around it, which adds groups.
pub struct Backend {
    out: Rc<RefCell<String>>,
    size: (u32, u32),
}

impl Backend {
    /// Of a picture of this size in pixels.
    pub fn new(out: Rc<RefCell<String>>, width: f64, height: f64) -> Self {
        Self { out, size: ((width * UNITS) as u32, (height * UNITS) as u32) }
    }

    /// Writing to a `String` cannot fail, so neither can anything that is drawn here.
    fn write(&self, element: std::fmt::Arguments<'_>) -> Drawn {
        let _ = self.out.borrow_mut().write_fmt(element);
        Ok(())
    }
}

impl DrawingBackend for Backend {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Drawn {
        self.draw_rect(point, (point.0 + 1, point.1 + 1), &color, true)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let (x, y) = (upper_left.0.min(bottom_right.0), upper_left.1.min(bottom_right.1));
        let (w, h) = ((bottom_right.0 - upper_left.0).abs(), (bottom_right.1 - upper_left.1).abs());
        let paint = if fill { filled(style) } else { stroked(style) };
        let (x, y, w, h) = (Tenths(x), Tenths(y), Tenths(w), Tenths(h));
        self.write(format_args!(r#"<rect x="{x}" y="{y}" width="{w}" height="{h}"{paint}/>"#))
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        let paint = stroked(style);
        self.write(format_args!(r#"<path d="{}"{paint}/>"#, path_data(path)))
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vert: I,
        style: &S,
    ) -> Drawn {
        let paint = filled(style);
        self.write(format_args!(r#"<path d="{}z"{paint}/>"#, path_data(vert)))
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let paint = if fill { filled(style) } else { stroked(style) };
        let (x, y, r) = (Tenths(center.0), Tenths(center.1), Tenths(radius as i32));
        self.write(format_args!(r#"<circle cx="{x}" cy="{y}" r="{r}"{paint}/>"#))
    }

    fn draw_text<T: BackendTextStyle>(&mut self, text: &str, style: &T, pos: BackendCoord) -> Drawn {
        let anchor = match style.anchor().h_pos {
            HPos::Left => "",
            HPos::Center => r#" text-anchor="middle""#,
            HPos::Right => r#" text-anchor="end""#,
        };
        // In ems, so that it holds when a style sheet changes the size.
        let shift = match style.anchor().v_pos {
            VPos::Top => r#" dy=".8em""#,
            VPos::Center => r#" dy=".35em""#,
            VPos::Bottom => "",
        };
        let small = if style.size() < theme::TEXT { " gs-small" } else { "" };
        let tone = ColorRole::from_backend(style.color()).look().fill;
        self.write(format_args!(
            r#"<text x="{}" y="{}"{shift}{anchor} font-size="{}" class="f-{}{small}" fill="{}">{}</text>"#,
            Tenths(pos.0),
            Tenths(pos.1),
            style.size(),
            tone.name,
            tone.light,
            escape(text)
        ))
    }

    fn estimate_text_size<T: BackendTextStyle>(
        &self,
        text: &str,
        style: &T,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let size = style.size() * UNITS;
        Ok((crate::plot::draw::text::width(text, size).ceil() as u32, (size * 1.2).ceil() as u32))
    }
}

/// Class for pages with a style sheet, attributes for those without.
fn filled<S: BackendStyle>(style: &S) -> String {
    let look = ColorRole::from_backend(style.color()).look();
    let (fill, stroke) = (look.fill, look.stroke);
    if look.outlined {
        format!(
            r#" class="f-{} s-{}" fill="{}" stroke="{}" stroke-width="1.3" stroke-linejoin="round""#,
            fill.name, stroke.name, fill.light, stroke.light
        )
    } else {
        let share = style.color().alpha;
        let tint = if share < 1.0 { format!(r#" fill-opacity="{share}""#) } else { String::new() };
        format!(r#" class="f-{}" fill="{}"{tint}"#, fill.name, fill.light)
    }
}

fn stroked<S: BackendStyle>(style: &S) -> String {
    let look = ColorRole::from_backend(style.color()).look();
    format!(
        r#" class="s-{}" fill="none" stroke="{}" stroke-width="{}"{}"#,
        look.stroke.name,
        look.stroke.light,
        Tenths(style.stroke_width() as i32),
        look.line_attributes
    )
}

/// Relative moves: half the size of absolute ones, and exact since they are whole tenths.
pub fn path_data(points: impl IntoIterator<Item = BackendCoord>) -> String {
    let mut data = String::new();
    let mut last: Option<BackendCoord> = None;
    for (x, y) in points {
        let _ = match last {
            None => write!(data, "M{} {}l", Tenths(x), Tenths(y)),
            Some(p) if p == (x, y) => continue,
            Some((px, py)) => {
                let gap = if data.ends_with('l') || x < px { "" } else { " " };
                let space = if y < py { "" } else { " " };
                write!(data, "{gap}{}{space}{}", Tenths(x - px), Tenths(y - py))
            }
        };
        last = Some((x, y));
    }
    if data.ends_with('l') {
        // A single point: a line of no length, which a round cap would show.
        data.push_str("0 0");
    }
    data
}

/// A number of pixels as whole tenths.
pub fn tenths(pixels: f64) -> i32 {
    (pixels * UNITS).round() as i32
}

/// A number of tenths, as short as it can be written.
struct Tenths(i32);

impl std::fmt::Display for Tenths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, tenth) = (self.0.unsigned_abs() / 10, self.0.unsigned_abs() % 10);
        match (whole, tenth) {
            (whole, 0) => write!(f, "{sign}{whole}"),
            (0, tenth) => write!(f, "{sign}.{tenth}"),
            (whole, tenth) => write!(f, "{sign}{whole}.{tenth}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenths_are_written_short() {
        let text = [0, 5, -5, 10, -123, 7200].map(|t| Tenths(t).to_string()).join(" ");
        assert_eq!(text, "0 .5 -.5 1 -12.3 720");
    }

    #[test]
    fn a_path_is_relative_and_leaves_out_points_that_stand_still() {
        assert_eq!(path_data([(10, 20), (10, 20), (15, 10), (0, 10)]), "M1 2l.5-1-1.5 0");
        assert_eq!(path_data([(10, 20)]), "M1 2l0 0");
    }
}
