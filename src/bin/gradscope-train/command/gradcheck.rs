//! `gradscope gradcheck`: autograd against numerical differentiation.

use std::fmt::Write;

use gradscope::cli::args::GradcheckArgs;
use gradscope::cli::output;
use gradscope::cli::output::exit;
use gradscope::cli::output::table::aligned;
use gradscope::text::{count, number};
use gradscope::train::choose_device;
use gradscope::train::gradcheck::{AGREED, Gradcheck, GradcheckOptions, gradcheck};
use serde::Serialize;

use crate::input::resolve;

/// The output of `--json`.
#[derive(Serialize)]
struct Printed<'a> {
    model: &'a str,
    /// `None` where the inputs were generated.
    data: Option<&'a str>,
    seed: i64,
    #[serde(flatten)]
    check: &'a Gradcheck,
}

/// Compares every gradient with a numerical one, and prints how far they agree.
pub fn run(args: &GradcheckArgs) -> anyhow::Result<u8> {
    let model = resolve::model(&args.model, &args.network)?;
    let asked = args.data.data.is_some() || model.defaults.data.is_some();
    let (sizes, dataset) = match model.stated_sizes().filter(|_| !asked) {
        Some(stated) => (stated, None),
        None => {
            let (options, source) =
                (resolve::data_options(&args.data)?, resolve::source(&args.data, &model.clone().into())?);
            let dataset = source.dataset(&options, model.defaults.loss, args.seed, choose_device("cpu")?)?;
            (model.sizes_for(&dataset), Some(dataset))
        }
    };
    let options = GradcheckOptions { rows: args.rows, coordinates: args.coordinates, seed: args.seed };
    let check = gradcheck(&model, sizes, dataset.as_ref(), options)?;
    let data = dataset.as_ref().map(|d| d.info.name.as_str());
    if args.json {
        let printed = Printed { model: &model.name, data, seed: args.seed, check: &check };
        output::print(&(serde_json::to_string_pretty(&printed)? + "\n"))?;
    } else {
        output::print(&shown(&model.name, data, &check)?)?;
    }
    Ok(exit::DONE)
}

fn shown(model: &str, data: Option<&str>, check: &Gradcheck) -> Result<String, std::fmt::Error> {
    let columns =
        ["layer", "parameters", "checked", "kinks", "unresolved", "largest gradient", "relative error"];
    let mut cells = vec![columns.map(String::from)];
    let error = |e: Option<f64>| e.map_or("–".into(), number);
    for l in &check.layers {
        let counts = [l.parameters, l.checked, l.kinks, l.unresolved].map(count);
        let [parameters, checked, kinks, unresolved] = counts;
        let (gradient, error) = (number(l.max_gradient), error(l.max_relative_error));
        cells.push([l.name.clone(), parameters, checked, kinks, unresolved, gradient, error]);
    }
    let mut text = String::new();
    let data = data.map_or("generated inputs".into(), |name| format!("data {name}"));
    writeln!(text, "{model}: {} rows of {data}, float64, evaluation mode\n", check.rows)?;
    text += &aligned(&cells, 1..7);
    let verdict = match check.max_relative_error {
        None => "nothing could be compared",
        Some(e) if e <= AGREED => "autograd and differences agree",
        Some(_) => "autograd and differences disagree",
    };
    let largest = error(check.max_relative_error);
    writeln!(text, "\n{verdict}: the largest relative error is {largest} (limit {})", number(AGREED))?;
    let sampled = if check.sampled { ", reckoned from the parameters that were checked" } else { "" };
    writeln!(
        text,
        "the numerical way takes {} times as long: {} s against {} s{sampled}",
        number(check.times_slower),
        number(check.numerical_s),
        number(check.autograd_s),
    )?;
    if check.layers.iter().any(|l| l.kinks > 0) {
        text += "kinks: a nonlinearity or a pooling switches within the difference, so there is nothing to compare with\n";
    }
    if check.layers.iter().any(|l| l.unresolved > 0) {
        text += "unresolved: gradients too small for differences of this loss; compared as if they were just large enough\n";
    }
    Ok(text)
}
