//! safetensors: a file, or the index of a model in several.
#![no_main]

use std::fs;
use std::sync::Once;

use gradscope_fuzz::{FIXTURES, directory, inspect};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static SHARDS: Once = Once::new();
    SHARDS.call_once(|| {
        for entry in fs::read_dir(format!("{FIXTURES}/checkpoints/sharded")).expect("fixtures").flatten() {
            fs::copy(entry.path(), directory().join(entry.file_name())).expect("a fixture");
        }
    });
    let index = data.first() == Some(&b'{');
    inspect(if index { "model.safetensors.index.json" } else { "model.safetensors" }, data);
});
