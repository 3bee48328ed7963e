//! A sheet to draw on: plotters' drawing area and coordinate systems, in pixels, with groups.

use std::cell::RefCell;
use std::fmt::Write;
use std::ops::Range;
use std::rc::Rc;

use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, TextStyle};

use crate::plot::draw::svg::{Backend, UNITS, path_data, tenths};
use crate::plot::draw::text::escape;
use crate::plot::draw::theme::{self, ColorRole};

/// A point of the picture, in pixels.
pub type Point = (f64, f64);

/// A rectangle of the picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rect {
    /// The left edge, in pixels.
    pub left: f64,
    /// The upper edge, in pixels.
    pub top: f64,
    /// The right edge, in pixels.
    pub right: f64,
    /// The lower edge, in pixels.
    pub bottom: f64,
}

impl Rect {
    /// The width, in pixels.
    pub fn width(&self) -> f64 {
        self.right - self.left
    }

    /// The height, in pixels.
    pub fn height(&self) -> f64 {
        self.bottom - self.top
    }
}

/// Where a text stands relative to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Begins there, vertically centred.
    Start,
    /// Is centred there, in both directions.
    Middle,
    /// Ends there, vertically centred.
    End,
}

/// How a shape is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    /// With what it is filled, and how opaque.
    pub fill: Option<(ColorRole, f64)>,
    /// With what it is outlined.
    pub stroke: Option<ColorRole>,
}

impl Area {
    /// Class for pages with a style sheet, attributes for those without.
    fn attributes(self, width: &str) -> String {
        let (mut classes, mut rest) = (Vec::new(), String::new());
        match self.fill {
            Some((color, opacity)) => {
                let tone = color.look().stroke;
                classes.push(format!("f-{}", tone.name));
                rest += &format!(r#" fill="{}""#, tone.light);
                if opacity < 1.0 {
                    rest += &format!(r#" fill-opacity="{opacity:.2}""#);
                }
            }
            None => rest += r#" fill="none""#,
        }
        if let Some(color) = self.stroke {
            let tone = color.look().stroke;
            classes.push(format!("s-{}", tone.name));
            rest += &format!(r#" stroke="{}" stroke-width="{width}" stroke-linejoin="round""#, tone.light);
        }
        format!(r#" class="{}"{rest}"#, classes.join(" "))
    }
}

/// The shape of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A circle, of the training set.
    Circle,
    /// A triangle that points up, of the dev set.
    Triangle,
    /// A square, of the test set.
    Square,
}

/// The picture while it is drawn.
pub struct Canvas {
    out: Rc<RefCell<String>>,
    root: DrawingArea<Backend, Shift>,
    height: f64,
}

impl Canvas {
    /// Of [`theme::WIDTH`] and this height.
    pub fn new(height: f64) -> Self {
        let out = Rc::new(RefCell::new(String::with_capacity(1 << 14)));
        let root = Backend::new(Rc::clone(&out), theme::WIDTH, height).into_drawing_area();
        Self { out, root, height }
    }

    /// A coordinate system over a part of the picture; `y` grows upward.
    pub fn panel(&self, rect: Rect, x: Range<f64>, y: Range<f64>) -> Panel {
        let pixels = (unit(rect.left)..unit(rect.right), unit(rect.bottom)..unit(rect.top));
        let bounds = [x.clone(), y.clone()];
        Panel { area: self.root.apply_coord_spec(Cartesian2d::new(x, y, pixels)), bounds }
    }

    /// Groups whatever `draw` draws; `title` is its tooltip.
    pub fn group(&self, class: &str, layer: Option<usize>, title: &str, draw: impl FnOnce()) {
        let data = layer.map(|i| format!(r#" data-layer="{i}""#)).unwrap_or_default();
        let title =
            if title.is_empty() { String::new() } else { format!("<title>{}</title>", escape(title)) };
        self.raw(format_args!(r#"<g class="{class}"{data}>{title}"#));
        draw();
        self.raw(format_args!("</g>"));
    }

    /// An invisible surface that makes a whole group answer to the pointer.
    pub fn hit(&self, rect: Rect) {
        self.raw(format_args!(
            r#"<rect class="gs-hit" x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}" fill="none" pointer-events="all"/>"#,
            rect.left,
            rect.top,
            rect.width().max(0.0),
            rect.height().max(0.0)
        ));
    }

    /// Writes a label.
    pub fn text(&self, at: Point, anchor: Anchor, color: ColorRole, text: &str) {
        self.write(at, anchor, color, theme::TEXT, text);
    }

    /// Writes a note, smaller than a label.
    pub fn small(&self, at: Point, anchor: Anchor, color: ColorRole, text: &str) {
        self.write(at, anchor, color, theme::SMALL, text);
    }

    fn write(&self, at: Point, anchor: Anchor, color: ColorRole, size: f64, text: &str) {
        let horizontal = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let font = FontDesc::new(FontFamily::SansSerif, size, FontStyle::Normal);
        let style = TextStyle::from(font).color(&color).pos(Pos::new(horizontal, VPos::Center));
        drawn(self.root.draw(&Text::new(text, units(at), style)));
    }

    /// Draws a line through points.
    pub fn line(&self, points: &[Point], color: ColorRole, width: f64) {
        let points: Vec<_> = points.iter().copied().map(units).collect();
        drawn(self.root.draw(&PathElement::new(points, color.stroke_width(unit(width) as u32))));
    }

    /// Draws a filled shape.
    pub fn shape(&self, points: &[Point], color: ColorRole) {
        let points: Vec<_> = points.iter().copied().map(units).collect();
        drawn(self.root.draw(&Polygon::new(points, color)));
    }

    /// Draws a filled rectangle.
    pub fn bar(&self, rect: Rect, color: ColorRole) {
        let corners = [units((rect.left, rect.top)), units((rect.right, rect.bottom))];
        drawn(self.root.draw(&Rectangle::new(corners, color.filled())));
    }

    /// A rectangle filled with a share of a color, over the background.
    pub fn tint(&self, rect: Rect, color: ColorRole, share: f64) {
        let corners = [units((rect.left, rect.top)), units((rect.right, rect.bottom))];
        drawn(self.root.draw(&Rectangle::new(corners, color.mix(share).filled())));
    }

    /// A cell of a heat map: a share of the line's color over the background. Written as short as can be,
    /// since there are thousands; the color is that of the group.
    pub fn cell(&self, rect: Rect, share: f64) {
        let tone = ColorRole::Line.look().fill;
        self.raw(format_args!(
            r#"<rect x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}" class="f-{}" fill="{}" fill-opacity="{share:.2}"/>"#,
            rect.left,
            rect.top,
            rect.width().max(0.1),
            rect.height().max(0.1),
            tone.name,
            tone.light,
        ));
    }

    /// Crosses of this size at these places: one element, also where there is none.
    pub fn crosses(&self, places: &[Point], size: f64, color: ColorRole) {
        let mut data = String::new();
        for (x, y) in places {
            // Writing to a String cannot fail.
            let _ = write!(
                data,
                "M{:.1} {:.1}l{w:.1} {w:.1}m0 -{w:.1}l-{w:.1} {w:.1}",
                x - size,
                y - size,
                w = 2.0 * size
            );
        }
        let tone = color.look().stroke;
        self.raw(format_args!(
            r#"<path d="{data}" class="gs-odd s-{}" fill="none" stroke="{}" stroke-width="1.8" data-size="{size:.1}"/>"#,
            tone.name, tone.light
        ));
    }

    /// Draws a filled circle.
    pub fn dot(&self, at: Point, radius: f64, color: ColorRole) {
        drawn(self.root.draw(&Circle::new(units(at), unit(radius), color.filled())));
    }

    /// A closed shape, filled with an color of some opacity, outlined, or both.
    pub fn area(&self, corners: &[Point], area: Area) {
        let data = path_data(corners.iter().copied().map(units));
        self.raw(format_args!(r#"<path d="{data}z"{}/>"#, area.attributes("1.2")));
    }

    /// Many marks of one shape in a single element.
    pub fn marks(&self, points: &[Point], mark: Mark, fill: (ColorRole, f64), rim: ColorRole) {
        if points.is_empty() {
            return;
        }
        let mut data = String::new();
        for (x, y) in points {
            // Writing to a String cannot fail.
            let _ = match mark {
                Mark::Circle => {
                    write!(data, "M{:.1} {y:.1}a3.3 3.3 0 1 0 6.6 0 3.3 3.3 0 1 0-6.6 0z", x - 3.3)
                }
                Mark::Triangle => write!(data, "M{:.1} {:.1}h8.4l-4.2-7.6z", x - 4.2, y + 3.2),
                Mark::Square => write!(data, "M{:.1} {:.1}h6v6h-6z", x - 3.0, y - 3.0),
            };
        }
        let width = match rim {
            ColorRole::Text => "1.6",
            ColorRole::Muted => ".9",
            _ => ".7",
        };
        let area = Area { fill: Some(fill), stroke: Some(rim) };
        self.raw(format_args!(r#"<path d="{data}"{}/>"#, area.attributes(width)));
    }

    fn raw(&self, text: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.out.borrow_mut().write_fmt(text);
    }

    /// The whole document. `name` makes its ids unique within a page.
    pub fn finish(self, name: &str, title: &str, description: &str) -> String {
        let (name, title, description) = (escape(name), escape(title), escape(description));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"gs\" viewBox=\"0 0 {width} {height:.0}\" \
             width=\"100%\" role=\"img\" aria-labelledby=\"gs-{name}-title gs-{name}-desc\" \
             font-family=\"system-ui, sans-serif\">\
             <title id=\"gs-{name}-title\">{title}</title><desc id=\"gs-{name}-desc\">{description}</desc>\
             <style>{style}</style>\
             <rect class=\"gs-page\" width=\"{width}\" height=\"{height:.0}\" fill=\"#fff\"/>\
             {body}</svg>\n",
            width = theme::WIDTH,
            height = self.height,
            style = theme::style_sheet(),
            body = self.out.borrow(),
        )
    }
}

/// How far from a panel a point may be, in its widths: beyond, it is drawn there.
const FARTHEST: f64 = 100.0;

/// A coordinate system over a part of a [`Canvas`].
pub struct Panel {
    area: DrawingArea<Backend, Cartesian2d<RangedCoordf64, RangedCoordf64>>,
    bounds: [Range<f64>; 2],
}

impl Panel {
    /// Where a point of the data is in the picture.
    pub fn at(&self, x: f64, y: f64) -> Point {
        let (x, y) = self.area.map_coordinate(&self.near((x, y)));
        (f64::from(x) / UNITS, f64::from(y) / UNITS)
    }

    /// The point, or one at the same side not very far away: plotters counts pixels in 32 bits, which
    /// the zero of an axis from 6.999999 to 7.000001 overflows.
    fn near(&self, (x, y): Point) -> Point {
        let [x, y] = [(x, &self.bounds[0]), (y, &self.bounds[1])].map(|(v, bounds)| {
            let far = FARTHEST * (bounds.end - bounds.start).abs();
            v.max(bounds.start.min(bounds.end) - far).min(bounds.start.max(bounds.end) + far)
        });
        (x, y)
    }

    /// A filled shape, in coordinates of the data.
    pub fn shape(&self, points: Vec<Point>, color: ColorRole) {
        let points: Vec<Point> = points.into_iter().map(|p| self.near(p)).collect();
        drawn(self.area.draw(&Polygon::new(points, color)));
    }

    /// A line, in coordinates of the data.
    pub fn line(&self, points: Vec<Point>, color: ColorRole, width: f64) {
        let points: Vec<Point> = points.into_iter().map(|p| self.near(p)).collect();
        drawn(self.area.draw(&PathElement::new(points, color.stroke_width(unit(width) as u32))));
    }

    /// A filled rectangle between two corners, in coordinates of the data.
    pub fn bar(&self, a: Point, b: Point, color: ColorRole) {
        drawn(self.area.draw(&Rectangle::new([self.near(a), self.near(b)], color.filled())));
    }
}

fn unit(pixels: f64) -> i32 {
    tenths(pixels)
}

fn units((x, y): Point) -> (i32, i32) {
    (unit(x), unit(y))
}

/// The backend's error type has no values and nothing else holds the shared drawing area during a
/// call, so there is no error to handle.
fn drawn<E>(result: Result<(), E>) {
    debug_assert!(result.is_ok(), "drawing into a text cannot fail");
}
