//! Compressed records: written by `run`, read wherever a record is, and never trusted.

use std::io::Write as _;

use crate::support::{Scratch, fixture};

/// A small record: relu5 with bias -8 over two epochs.
fn plain() -> Vec<u8> {
    std::fs::read(fixture("records/relu5-dead.jsonl")).unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn put(scratch: &Scratch, name: &str, bytes: &[u8]) {
    let path = scratch.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_compressed_record_gives_the_report_of_the_plain_one() {
    let scratch = Scratch::new();
    put(&scratch, "run.jsonl", &plain());
    put(&scratch, "zst/record.jsonl.zst", &zstd(&plain()));
    put(&scratch, "gz/other.jsonl.gz", &gzip(&plain()));
    scratch.gradscope("report run.jsonl -q --out plain").expect(0);
    scratch.gradscope("report zst -q").expect(0);
    scratch.gradscope("report gz/other.jsonl.gz -q").expect(0);
    for directory in ["zst", "reports/other"] {
        assert_eq!(scratch.read(&format!("{directory}/report.html")), scratch.read("plain/report.html"));
    }
    assert_eq!(scratch.list("reports/other"), ["plots", "record.jsonl.gz", "report.html", "summary.json"]);
    // Rendered over another record, it takes the place of that one.
    scratch.gradscope("report zst -q --out plain").expect(0);
    assert_eq!(scratch.list("plain"), ["plots", "record.jsonl.zst", "report.html", "summary.json"]);
}

#[test]
fn one_that_was_cut_is_read_as_far_as_it_goes() {
    // Frames one after the other, as several writers leave them.
    let parts: Vec<u8> = plain().split_inclusive(|b| *b == b'\n').flat_map(zstd).collect();
    let first = zstd(plain().split_inclusive(|b| *b == b'\n').next().unwrap()).len();
    for (name, bytes, header) in
        [("run.jsonl.zst", parts.clone(), first), ("run.jsonl.gz", gzip(&plain()), 3_000)]
    {
        let scratch = Scratch::new();
        for cut in [header, header + 5, bytes.len() / 2, bytes.len() - 3] {
            put(&scratch, name, &bytes[..cut]);
            let ran = scratch.gradscope(&format!("report {name} --out out")).expect(0);
            let outcome = &scratch.summary("out")["run"]["outcome"];
            // The last bytes may be a checksum alone.
            assert!(outcome == "killed" || cut == bytes.len() - 3, "{name} cut at {cut}");
            let warned = ran.stderr().contains("cut short");
            assert!(warned || cut == first, "{name} cut at {cut}: {}", ran.stderr());
        }
    }
}

#[test]
fn what_is_no_compressed_record_is_refused_with_its_name() {
    let scratch = Scratch::new();
    let mut damaged = zstd(&plain().repeat(3));
    let middle = damaged.len() / 2;
    damaged[middle..middle + 40].fill(0x55);
    let cases: [(&str, Vec<u8>); 6] = [
        ("a.jsonl.zst", plain()),
        ("b.jsonl.gz", plain()),
        ("c.jsonl.zst", Vec::new()),
        ("d.jsonl.gz", gzip(b"{\"kind\": \"diary\"}\n")),
        ("e.jsonl.zst", damaged),
        ("f.jsonl.zst", zstd(b"")),
    ];
    for (name, bytes) in cases {
        put(&scratch, name, &bytes);
        let ran = scratch.gradscope(&format!("report {name} --out out")).expect(2);
        assert!(ran.stderr().contains(name) && !ran.stderr().contains("panicked"), "{}", ran.stderr());
        assert_eq!((ran.stdout().as_str(), scratch.list("out").len()), ("", 0), "{name}");
    }
}

#[test]
fn a_decompression_bomb_is_refused() {
    let scratch = Scratch::new();
    let header = plain().split_inclusive(|b| *b == b'\n').next().unwrap().to_vec();
    // A line without an end.
    put(&scratch, "line.jsonl.zst", &[zstd(&header), blanks(200)].concat());
    let ran = scratch.gradscope("report line.jsonl.zst --out out").expect(2);
    assert!(ran.stderr().contains("longer than"), "{}", ran.stderr());
}

/// So many MiB of them, compressed.
fn blanks(length: usize) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    let piece = vec![b' '; 1 << 20];
    (0..length).for_each(|_| encoder.write_all(&piece).unwrap());
    encoder.finish().unwrap()
}

#[cfg(feature = "train")]
mod written {
    use super::*;

    #[test]
    fn a_run_writes_one_that_holds_what_the_plain_one_holds() {
        let scratch = Scratch::new();
        let words = "run --model lrelu5 --epochs 3 -q";
        scratch.gradscope(&format!("{words} --out plain")).expect(0);
        // In the place of a plain one of an earlier run.
        scratch.gradscope(&format!("{words} --out packed")).expect(0);
        scratch.gradscope(&format!("{words} --record-compress zstd --out packed")).expect(0);
        assert_eq!(scratch.list("packed"), ["plots", "record.jsonl.zst", "report.html", "summary.json"]);
        let bytes = std::fs::read(scratch.path().join("packed/record.jsonl.zst")).unwrap();
        let text = String::from_utf8(zstd::decode_all(bytes.as_slice()).unwrap()).unwrap();
        let lines = |text: &str| text.lines().count();
        assert_eq!(lines(&text), lines(&scratch.read("plain/record.jsonl")));
        assert!(text.lines().last().unwrap().contains("\"kind\":\"end\""));
        // Its own report, byte for byte.
        let html = scratch.read("packed/report.html");
        scratch.gradscope("report packed -q").expect(0);
        assert_eq!(scratch.read("packed/report.html"), html);
    }

    #[test]
    fn a_finished_run_goes_on_in_it() {
        let scratch = Scratch::new();
        let words = "run --model relu3 --init normal:0,1 --optimizer adam -q --record-compress zstd";
        scratch.gradscope(&format!("{words} --epochs 9 --out whole")).expect(0);
        scratch.gradscope(&format!("{words} --epochs 4 --save-model --out parts")).expect(0);
        scratch.gradscope("run --resume parts --epochs 9 -q").expect(0);
        let [whole, parts] = ["whole", "parts"].map(|d| scratch.summary(d)["layers"].clone());
        assert_eq!(whole, parts);
        assert!(!scratch.list("parts").contains(&"record.jsonl".to_owned()));
    }

    #[cfg(unix)]
    #[test]
    fn a_killed_run_leaves_one_that_can_be_read() {
        let scratch = Scratch::new();
        let words = "run --model mlp --samples 20000 --batch-size 10 --epochs 1000 -q --save-model \
                     --record-compress zstd --out out";
        let mut child = scratch.command().args(words.split_whitespace()).spawn().unwrap();
        let state = scratch.path().join("out/state.safetensors");
        let record = scratch.path().join("out/record.jsonl.zst");
        let epochs = || {
            let file = std::fs::read(&record).unwrap_or_default();
            let mut text = Vec::new();
            let _ = std::io::copy(&mut zstd::Decoder::new(file.as_slice()).unwrap(), &mut text);
            String::from_utf8_lossy(&text).matches("\"kind\":\"epoch\"").count()
        };
        while !(state.is_file() && epochs() > 1) {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let ran = scratch.gradscope("report out -q").expect(0);
        assert!(ran.stderr().contains("cut short"), "{}", ran.stderr());
        assert_eq!(scratch.summary("out")["run"]["outcome"], "killed");
    }
}
