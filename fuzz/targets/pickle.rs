//! What torch.save writes: as it is, and an archive with the input as its pickle.
#![no_main]

use std::io::{Cursor, Write};

use gradscope_fuzz::inspect;
use zip::write::SimpleFileOptions;

/// Bytes of every storage.
const STORAGE: [u8; 256] = [1; 256];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    inspect("weights.pt", data);
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in
        [("m/data.pkl", data), ("m/data/0", &STORAGE[..]), ("m/data/1", &STORAGE[..]), ("m/version", &b"3\n"[..])]
    {
        archive.start_file(name, stored).expect("in memory");
        archive.write_all(content).expect("in memory");
    }
    inspect("weights.pt", &archive.finish().expect("in memory").into_inner());
});
