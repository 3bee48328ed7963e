//! `gradscope models`: the zoo.

use std::fmt::Write;

use gradscope::cli::output::{self, Listing, exit};
use gradscope::record::Loss;
use gradscope::record::settings::Named;
use gradscope::text::count;
use gradscope::train::{Plan, zoo};
use serde::Serialize;

/// A model of the zoo, for `--json`.
#[derive(Serialize)]
struct Listed {
    name: String,
    about: String,
    parameters: u64,
    data: Option<String>,
    loss: Option<Loss>,
    optimizer: String,
    lr: f64,
    batch_size: String,
    epochs: u64,
    init: String,
    bias: String,
}

/// Prints the models of the zoo with their defaults.
pub fn models(form: Listing) -> anyhow::Result<u8> {
    let mut listed = Vec::new();
    for model in zoo()? {
        // Each of them states its sizes.
        let plan = model.stated_sizes().map(|sizes| Plan::new(&model, sizes)).transpose()?;
        let parameters = plan.map_or(0, |plan| plan.parameters());
        let d = model.defaults;
        let (data, loss, optimizer, batch_size) = (d.data, d.loss, d.optimizer, d.batch_size);
        let (lr, epochs, init, bias) = (d.lr, d.epochs, d.init, d.bias);
        let (name, about) = (model.name, model.about);
        listed.push(Listed {
            name,
            about,
            parameters,
            data,
            loss,
            optimizer,
            lr,
            batch_size,
            epochs,
            init,
            bias,
        });
    }
    if form == Listing::Json {
        output::print(&(serde_json::to_string_pretty(&listed)? + "\n"))?;
        return Ok(exit::DONE);
    }
    let mut text = String::new();
    for m in &listed {
        writeln!(text, "{:10}{}", m.name, m.about)?;
        let data = m.data.as_deref().unwrap_or("DATA");
        let loss = m.loss.map_or(String::new(), |loss| format!(" --loss {}", loss.name()));
        writeln!(
            text,
            "{:10}{} parameters; --data {data}{loss} --optimizer {} --lr {} --batch-size {} --epochs {} --init {} --bias {}",
            "",
            count(m.parameters),
            m.optimizer,
            m.lr,
            m.batch_size,
            m.epochs,
            m.init,
            m.bias
        )?;
    }
    output::print(&text)?;
    Ok(exit::DONE)
}
