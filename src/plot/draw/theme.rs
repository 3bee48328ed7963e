//! The look of every picture: colors, sizes, and the style sheet that lets one SVG follow the page
//! that it is part of and stand alone as well.
//!
//! A page overrides a color by setting its variable (`--gs-text`, say). A picture by itself falls
//! back to light or dark by the system's setting. Where style sheets are stripped, the light colors
//! that every element carries as attributes remain.

use plotters::style::Color;
use plotters_backend::BackendColor;

/// Width of every picture, in pixels of its own coordinate system; it scales with its rect.
pub const WIDTH: f64 = 720.0;
/// Size of labels.
pub const TEXT: f64 = 13.0;
/// Size of notes beneath labels.
pub const SMALL: f64 = 11.5;
/// Sizes of the two where a picture is scaled down to a phone. Room is always left for these.
pub const PHONE_TEXT: f64 = 20.0;
/// Size of notes on a phone.
pub const PHONE_SMALL: f64 = 17.5;
/// Width of the page below which text grows.
const PHONE_WIDTH: u32 = 520;
/// Distance of a line of labels from the next.
pub const LINE: f64 = 22.0;
/// Distance of a line of notes from the next.
pub const SMALL_LINE: f64 = 19.0;

/// A color by its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tone {
    /// Of its CSS variable (`--gs-` before it).
    pub name: &'static str,
    /// The color on white.
    pub light: &'static str,
    /// The color on black.
    pub dark: &'static str,
}

const fn tone(name: &'static str, light: &'static str, dark: &'static str) -> Tone {
    Tone { name, light, dark }
}

/// Every color there is. The series can be told apart with every common color blindness, and have
/// three to one against either background.
pub const TONES: [Tone; 14] = [
    tone("text", "#1a1d21", "#e8eaed"),
    tone("muted", "#59626e", "#9aa3af"),
    tone("grid", "#dfe3e8", "#2c323a"),
    tone("line", "#3566b0", "#7ba6e6"),
    tone("fill", "#d9e3f2", "#263347"),
    tone("alarm", "#b3322b", "#f0877d"),
    tone("alarm-fill", "#f6e2e0", "#3b2625"),
    tone("paper", "#ffffff", "#14171b"),
    tone("series-1", "#3566b0", "#7ba6e6"),
    tone("series-2", "#b35900", "#f0a35e"),
    tone("series-3", "#00796b", "#4fc3b0"),
    tone("series-4", "#8a3fa0", "#cf9ae6"),
    tone("series-5", "#6b6b00", "#c9c26a"),
    tone("series-6", "#007a9c", "#6fd0f0"),
];

/// Number of [`ColorRole::series`] that differ.
pub const SERIES: usize = 6;

/// The role of something that is drawn, which gives it its color.
///
/// plotters hands colors to a backend as red, green and blue. An color travels as its number in the
/// red channel, and the backend turns it into a class: a color that is fixed when the file is
/// written could not follow the theme of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ColorRole {
    /// Names, medians, quartile bars.
    Text,
    /// Labels of axes, and notes.
    Muted,
    /// Lines of the grid.
    Grid,
    /// The line at zero.
    Axis,
    /// Lines of data.
    Line,
    /// Layers that a finding is about, and values that are not finite.
    Alarm,
    /// Body of a violin or bar, with its outline.
    Body,
    /// The same of a layer that a finding is about.
    AlarmBody,
    /// The background of the picture.
    Paper,
    /// Background with an outline: a median's dot.
    Dot,
    /// Lines that are context for others.
    Ghost,
    /// A reference line.
    Reference,
    /// Lines that are told apart by color, dashes and label.
    Series1,
    /// The second of these lines.
    Series2,
    /// The third of these lines.
    Series3,
    /// The fourth of these lines.
    Series4,
    /// The fifth of these lines.
    Series5,
    /// The sixth of these lines.
    Series6,
}

/// How an color looks: fill where a shape is filled, stroke where a line is drawn or a body outlined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Inside of shapes, and text.
    pub fill: Tone,
    /// Lines, and outlines of shapes.
    pub stroke: Tone,
    /// Whether a filled shape is outlined too.
    pub outlined: bool,
    /// Further attributes of a line.
    pub line_attributes: &'static str,
}

impl ColorRole {
    const ALL: [ColorRole; 18] = [
        ColorRole::Text,
        ColorRole::Muted,
        ColorRole::Grid,
        ColorRole::Axis,
        ColorRole::Line,
        ColorRole::Alarm,
        ColorRole::Body,
        ColorRole::AlarmBody,
        ColorRole::Paper,
        ColorRole::Dot,
        ColorRole::Ghost,
        ColorRole::Reference,
        ColorRole::Series1,
        ColorRole::Series2,
        ColorRole::Series3,
        ColorRole::Series4,
        ColorRole::Series5,
        ColorRole::Series6,
    ];

    /// The color of the n-th line of a picture.
    pub fn series(n: usize) -> Self {
        Self::ALL[ColorRole::Series1 as usize + n % SERIES]
    }

    /// The color that a backend receives.
    pub fn from_backend(color: BackendColor) -> Self {
        Self::ALL.get(usize::from(color.rgb.0)).copied().unwrap_or(ColorRole::Text)
    }

    /// How it looks.
    pub fn look(self) -> Look {
        match self {
            ColorRole::Text => plain(0),
            ColorRole::Muted | ColorRole::Axis => plain(1),
            ColorRole::Grid => plain(2),
            ColorRole::Line => plain(3),
            ColorRole::Alarm => plain(5),
            ColorRole::Body => body(4, 3),
            ColorRole::AlarmBody => body(6, 5),
            ColorRole::Paper => plain(7),
            ColorRole::Dot => body(7, 0),
            ColorRole::Ghost => Look { line_attributes: r#" stroke-opacity=".45""#, ..plain(1) },
            ColorRole::Reference => Look { line_attributes: r#" stroke-dasharray="2 4""#, ..plain(1) },
            ColorRole::Series1 => plain(8),
            ColorRole::Series2 => Look { line_attributes: r#" stroke-dasharray="7 3""#, ..plain(9) },
            ColorRole::Series3 => Look { line_attributes: r#" stroke-dasharray="2 2""#, ..plain(10) },
            ColorRole::Series4 => Look { line_attributes: r#" stroke-dasharray="9 3 2 3""#, ..plain(11) },
            ColorRole::Series5 => Look { line_attributes: r#" stroke-dasharray="12 4""#, ..plain(12) },
            ColorRole::Series6 => Look { line_attributes: r#" stroke-dasharray="4 2 1 2""#, ..plain(13) },
        }
    }
}

/// The look of a single tone, by its number among [`TONES`].
fn plain(tone: usize) -> Look {
    Look { fill: TONES[tone], stroke: TONES[tone], outlined: false, line_attributes: "" }
}

/// The look of a body with its outline.
fn body(fill: usize, stroke: usize) -> Look {
    Look { fill: TONES[fill], stroke: TONES[stroke], outlined: true, line_attributes: "" }
}

impl Color for ColorRole {
    fn to_backend_color(&self) -> BackendColor {
        BackendColor { alpha: 1.0, rgb: (*self as u8, 0, 0) }
    }
}

/// The style sheet of every picture: the same text in each, under the class `gs`, so that many of
/// them in one page do not clash. A page with many pictures may say it once, and take the `<style>`
/// element with exactly this text out of each.
pub fn style_sheet() -> String {
    let classes: String = TONES
        .iter()
        .map(|t| format!(".gs .f-{0}{{fill:var(--gs_{0})}}.gs .s-{0}{{stroke:var(--gs_{0})}}", t.name))
        .collect();
    format!(
        ".gs{{{light}}}\
         @media(prefers-color-scheme:dark){{.gs{{{dark}}}}}\
         .gs text{{font-family:system-ui,sans-serif}}\
         {classes}\
         .gs .gs-page{{fill:none}}\
         svg.gs:root{{color-scheme:light dark;background:var(--gs_paper)}}\
         svg.gs:root .gs-page{{fill:var(--gs_paper)}}\
         .gs .gs-layer:hover .gs-hit{{fill:var(--gs_grid);fill-opacity:.5}}\
         @media(max-width:{PHONE_WIDTH}px){{.gs text{{font-size:{PHONE_TEXT}px}}\
         .gs .gs-small{{font-size:{PHONE_SMALL}px}}}}",
        light = variables(|tone| tone.light),
        dark = variables(|tone| tone.dark),
    )
}

/// The variables of all tones, each with the value that it has where a page sets none.
fn variables(value: fn(&Tone) -> &'static str) -> String {
    TONES.iter().map(|t| format!("--gs_{0}:var(--gs-{0},{1});", t.name, value(t))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ink_survives_its_way_through_plotters() {
        for (i, color) in ColorRole::ALL.into_iter().enumerate() {
            assert_eq!(color as usize, i);
            assert_eq!(ColorRole::from_backend(color.to_backend_color()), color);
        }
    }

    /// WCAG 2.2: text 4.5 to one, graphics 3 to one.
    #[test]
    fn every_colour_stands_out_from_its_background() {
        let luminance = |hex: &str| {
            let channel = |i: usize| {
                let c = f64::from(u8::from_str_radix(&hex[i..i + 2], 16).unwrap()) / 255.0;
                if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
        };
        let contrast = |a: &str, b: &str| {
            let (a, b) = (luminance(a), luminance(b));
            (a.max(b) + 0.05) / (a.min(b) + 0.05)
        };
        let paper = TONES[7];
        for t in TONES {
            let least = match t.name {
                "grid" | "fill" | "alarm-fill" | "paper" => 1.0,
                _ => 4.5,
            };
            for (color, page) in [(t.light, paper.light), (t.dark, paper.dark)] {
                assert!(contrast(color, page) >= least, "{}: {:.2}", t.name, contrast(color, page));
            }
        }
    }
}
