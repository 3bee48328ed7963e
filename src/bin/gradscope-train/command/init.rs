//! `gradscope init` and `gradscope inits`: initial weights by themselves.

use std::fmt::Write;

use gradscope::cli::args::InitArgs;
use gradscope::cli::output;
use gradscope::cli::output::{Listing, exit};
use gradscope::plot::density_histogram;
use gradscope::stats::Distribution;
use gradscope::text::{count, number};
use gradscope::train::Scheme;
use gradscope::train::init::{Drawn, FORMS, draw_linear};
use serde::Serialize;

/// Bars of the plot: the teaching material's.
const BARS: usize = 200;
/// Rows and columns up to which a matrix is printed.
const MAX_PRINTED: usize = 12;

/// Columns for the forms: the two longest of them would push all explanations off the screen.
const FORM_WIDTH: usize = 28;
/// Values of one matrix, at most.
const MAX_VALUES: u64 = 100_000_000;

/// The output of `--json`.
#[derive(Serialize)]
struct Printed<'a> {
    scheme: &'a str,
    seed: i64,
    weight: &'a [Vec<f32>],
    bias: &'a [f32],
}

/// Draws one matrix and a bias, and prints them with their distribution.
pub fn init(args: &InitArgs) -> anyhow::Result<u8> {
    let scheme: Scheme = args.scheme.parse()?;
    let bias = Scheme::for_bias(&args.bias)?;
    let values = args.fan_in * args.fan_out;
    if values > MAX_VALUES {
        anyhow::bail!(
            "--fan-in {} --fan-out {} make {} values; at most {} are drawn",
            args.fan_in,
            args.fan_out,
            count(values),
            count(MAX_VALUES)
        );
    }
    let drawn = draw_linear(scheme.init, bias.init, args.fan_in, args.fan_out, args.seed);
    if let Some(path) = &args.plot {
        let what = format!("{}, {} → {}, seed {}", scheme.text, args.fan_in, args.fan_out, args.seed);
        let figure = density_histogram("init", &what, &drawn.weight.concat(), BARS);
        std::fs::write(path, figure.svg)
            .map_err(|e| anyhow::anyhow!("--plot: cannot write {}: {e}", path.display()))?;
    }
    if args.json {
        let (weight, bias) = (&drawn.weight, &drawn.bias);
        let printed = Printed { scheme: &scheme.text, seed: args.seed, weight, bias };
        output::print(&(serde_json::to_string(&printed)? + "\n"))?;
    } else {
        output::print(&described(&scheme, &drawn)?)?;
    }
    Ok(exit::DONE)
}

/// The matrix where it is small, and its distribution.
fn described(scheme: &Scheme, drawn: &Drawn) -> Result<String, std::fmt::Error> {
    let (rows, columns) = (drawn.weight.len(), drawn.weight[0].len());
    let mut text = String::new();
    if rows <= MAX_PRINTED && columns <= MAX_PRINTED {
        let cells: Vec<Vec<String>> =
            drawn.weight.iter().map(|row| row.iter().map(|v| number(f64::from(*v))).collect()).collect();
        let width = cells.iter().flatten().map(String::len).max().unwrap_or(0);
        for row in cells {
            let row: Vec<String> = row.iter().map(|cell| format!("{cell:>width$}")).collect();
            writeln!(text, "{}", row.join("  "))?;
        }
        text.push('\n');
    }
    let d = Distribution::new(&drawn.weight.concat());
    let value = |v: Option<f64>| v.map_or("–".into(), number);
    writeln!(
        text,
        "{}: {} values, {columns} → {rows}\nmean {}  std {}  min {}  max {}  L2 {}  zeros {}",
        scheme.text,
        count(d.count()),
        value(d.mean()),
        value(d.std()),
        value(d.min()),
        value(d.max()),
        number(d.l2()),
        count(d.zeros()),
    )?;
    Ok(text)
}

/// One initialiser, for `--json`.
#[derive(Serialize)]
struct Listed {
    name: &'static str,
    form: String,
    about: &'static str,
}

/// Prints the initialisers.
pub fn inits(form: Listing) -> anyhow::Result<u8> {
    let forms = FORMS.iter().map(|f| Listed { name: f.name, form: f.text(), about: f.about });
    let forms: Vec<Listed> = forms.collect();
    if form == Listing::Json {
        output::print(&(serde_json::to_string_pretty(&forms)? + "\n"))?;
        return Ok(exit::DONE);
    }
    let mut text = String::new();
    for form in forms {
        writeln!(text, "{:FORM_WIDTH$}  {}", form.form, form.about)?;
    }
    output::print(&text)?;
    Ok(exit::DONE)
}
