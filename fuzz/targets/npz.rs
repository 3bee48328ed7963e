//! NumPy's archives: as they are, and one with the input as its array.
#![no_main]

use std::io::{Cursor, Write};

use gradscope_fuzz::inspect;
use zip::write::SimpleFileOptions;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if data.starts_with(b"PK") {
        return inspect("weights.npz", data);
    }
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file("fc1.weight.npy", stored).expect("in memory");
    archive.write_all(data).expect("in memory");
    inspect("weights.npz", &archive.finish().expect("in memory").into_inner());
});
