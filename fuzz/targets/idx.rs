//! MNIST's files: one of the four is the input.
#![no_main]

use std::fs;
use std::sync::Once;

use gradscope::train::DataSource;
use gradscope_fuzz::{FIXTURES, directory, file};
use tch::Device;

const FILES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

fn restore(name: &str) {
    let name = format!("{name}.gz");
    fs::copy(format!("{FIXTURES}/idx/{name}"), directory().join(name)).expect("a fixture");
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static FIXTURE: Once = Once::new();
    FIXTURE.call_once(|| FILES.iter().for_each(|name| restore(name)));
    let Some((which, rest)) = data.split_first() else { return };
    let name = FILES[usize::from(*which) % FILES.len()];
    // Half of the inputs are unpacked first.
    let packed = *which >= 128;
    let path = file(&if packed { format!("{name}.gz") } else { name.to_owned() }, rest);
    if !packed {
        fs::remove_file(directory().join(format!("{name}.gz"))).expect("the fixture is there");
    }
    let source: DataSource = format!("idx:{}", directory().display()).parse().expect("a directory");
    let _ = source.dataset(&Default::default(), None, 0, Device::Cpu);
    fs::remove_file(path).expect("it is there");
    restore(name);
});
