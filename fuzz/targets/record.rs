//! Records, packed or not, to the verdict.
#![no_main]

use gradscope::diagnose::diagnose;
use gradscope::record::Record;
use gradscope_fuzz::file;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok((record, _)) = Record::read(&file("record.jsonl", data)) {
        diagnose(&record, &Default::default());
    }
});
