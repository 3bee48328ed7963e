//! Model files, to the plan of their layers.
#![no_main]

use gradscope::train::{Model, Plan};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(model) = Model::parse("model.toml", text) else { return };
    if let Some(sizes) = model.stated_sizes() {
        let _ = Plan::new(&model, sizes);
    }
});
