//! Bad input: one sentence on standard error that says what, where and what would be right; exit
//! status 2; nothing left behind.

use crate::support::{Ran, Scratch, idx};

/// Runs a command that must be refused, and gives back what it said.
fn refused(scratch: &Scratch, words: &[&str]) -> String {
    let before = scratch.list(".");
    let ran: Ran = scratch.gradscope_words(words);
    let (message, status) = (ran.stderr(), ran.status());
    assert_eq!(status, 2, "{words:?}: {message}");
    assert_eq!(ran.stdout(), "", "{words:?}");
    assert_eq!(scratch.list("."), before, "{words:?} left something behind");
    for noise in ["panicked", "frame #", "RUST_BACKTRACE", "Exception raised"] {
        assert!(!message.contains(noise), "{message}");
    }
    message.trim_end().to_owned()
}

mod run {
    use super::*;

    fn run(scratch: &Scratch, words: &str) -> String {
        let words: Vec<&str> = "run --out out".split(' ').chain(words.split_whitespace()).collect();
        refused(scratch, &words)
    }

    /// Every message, one after another, for a person to read.
    fn all(scratch: &Scratch, cases: &[&str]) -> String {
        cases.iter().map(|words| format!("$ gradscope run {words}\n{}\n\n", run(scratch, words))).collect()
    }

    #[test]
    fn names_that_there_are_not() {
        let messages = all(
            &Scratch::new(),
            &[
                "--model rleu5",
                "--model relu5 --init xavir-uniform",
                "--model relu5 --init normal:0",
                "--model relu5 --init normal:0,-1",
                "--model relu5 --init uniform:1,0",
                "--model relu5 --init kaiming-normal:gain=2",
                "--model relu5 --bias orthogonal",
                "--model relu5 --bias eight",
                "--model relu5 --data mons",
                "--model relu5 --data cvs:table.csv",
                "--model relu5 --data mnist",
                "--model relu5 --data csv",
                "--model relu5 --data idx:",
                "--model relu5 --data moons:3",
                "--model relu5 --data blobs:1",
                "--model relu5 --data spirals:many",
                "--model mlp --data polynomial:deg=0",
                "--model mlp --data polynomial:degree=3",
                "--model mlp --data polynomial:w=2,x",
                "--model mlp --data polynomial:delta=0.1",
                "--model mlp --data polynomial --task classification",
                "--model mlp --data polynomial --loss bce",
                "--model mlp --data blobs --loss bce",
                "--model mlp --data blobs --no-shuffle-split",
                "--model relu5 --optimizer sdg",
                "--model relu5 --act rleu",
                "--model relu5 --device gpu",
                "--model relu5 --device cuda:x",
                "--model relu5 --fail-on dead-reul",
                "--model relu5 --fail-on error,",
                "--model relu5 --off dead",
                "--model relu5 --set vanishing-depth.erorr=1",
                "--model relu5 --set vanishing-depth",
                "--model relu5 --lrelu-slope 0.2",
                "--model relu5 --optimizer adam --momentum 0.9",
                "--model mlp --norm batch-pre --batch-size 1",
                "--model mlp --norm batch-pre --batch-size 71",
                "--model relu5 --target y",
                "--model relu5 --loss mse",
                "--model mlp --hidden 32768,32768,32768",
                "--model relu5 --lr-decay linear",
                "--model relu5 --lr-decay step:10,2",
            ],
        );
        insta::assert_snapshot!(messages);
    }

    #[test]
    fn cuda_where_there_is_none() {
        let scratch = Scratch::new();
        // A machine with a CUDA build of libtorch answers otherwise.
        if !tch::Cuda::is_available() {
            insta::assert_snapshot!(run(&scratch, "--model relu5 --device cuda"), @"error: --device cuda: no CUDA device is available to this build's libtorch; use --device cpu");
        }
    }

    #[test]
    fn a_negative_zero_nan_or_absurd_number_for_every_flag() {
        let scratch = Scratch::new();
        // Every value of every flag is tried in the unit tests of the command line; here, that the
        // process says it.
        for words in ["--lr -1", "--lr nan", "--epochs 0", "--hidden 0", "--batch-size 0", "--seed 1e300"] {
            let message = run(&scratch, &format!("--model mlp {words}"));
            let flag = words.split(' ').next().unwrap();
            assert!(message.contains(flag) && message.contains("should be"), "{words}: {message}");
        }
        for value in ["0,1,1", "0.9,0.9,0.1", "1,2", "-1,1,1", "NaN,0,0", "0.5,300.5,2", "1e30,1,1"] {
            let message = run(&scratch, &format!("--model mlp --split {value}"));
            assert!(message.contains("split"), "{value}: {message}");
        }
        for value in ["constant:NaN", "constant:1e40", "normal:0,inf", "sparse:2"] {
            let message = run(&scratch, &format!("--model mlp --init {value}"));
            assert!(message.contains(value), "{value}: {message}");
        }
        assert!(run(&scratch, "--model relu5 --bias NaN").contains("finite"));
    }

    #[test]
    fn tables_that_cannot_be_trained_on() {
        let scratch = Scratch::new();
        let good: String = (0..9).map(|i| format!("{i},{},{}\n", i * i, i % 2)).collect();
        for (name, content) in [
            ("empty.csv", String::new()),
            ("header.csv", "a,b,y\n".into()),
            ("numbers.csv", good.clone()),
            ("ragged.csv", "a,b,y\n1,2,0\n1,2\n".into()),
            ("word.csv", "a,b,y\n1,2,0\n1,two,1\n".into()),
            ("nan.csv", "a,b,y\n1,2,0\nNaN,1,1\n".into()),
            ("inf.csv", "a,b,y\n1,1e60,0\n1,1,1\n".into()),
            ("hole.csv", "a,b,y\n1,,0\n1,1,1\n".into()),
            ("target-hole.csv", "a,b,y\n1,1,0\n1,1,\n".into()),
            ("target-nan.csv", "a,b,y\n1,1,0\n1,1,NaN\n".into()),
            ("one-class.csv", "a,b,y\n1,2,0\n2,1,0\n".into()),
            ("one-column.csv", "y\n1\n0\n".into()),
            ("semicolons.csv", "a;b;y\n1;2;0\n".into()),
            ("commas.csv", ",,\n1,2,0\n".into()),
            ("one-class-twice.csv", "a,y\n1,1\n2,1.0\n".into()),
            ("endless.csv", format!("a,y\n1,{}", "0".repeat(17 << 20))),
            ("twice.csv", "a,a,y\n1,2,0\n2,1,1\n".into()),
            ("good.csv", format!("a,b,y\n{good}")),
        ] {
            scratch.file(name, &content);
        }
        std::fs::write(scratch.path().join("binary.csv"), b"a,b\n\xff\xfe,1\n").unwrap();
        std::fs::create_dir(scratch.path().join("folder.csv")).unwrap();
        let mut cases: Vec<String> = [
            "missing",
            "folder",
            "empty",
            "header",
            "numbers",
            "ragged",
            "word",
            "nan",
            "inf",
            "hole",
            "target-hole",
            "target-nan",
            "one-class",
            "one-column",
            "twice",
            "semicolons",
            "commas",
            "one-class-twice",
            "endless",
            "binary",
        ]
        .map(|name| format!("--model mlp --data csv:{name}.csv"))
        .to_vec();
        for extra in [
            "--target label",
            "--split 8,1,1",
            "--split 0.01,0.1,0.1",
            "--split 1,4,4 --no-shuffle-split",
            "--loss mse",
            "--loss cross-entropy --task regression",
            "--noise 0.1",
            "--samples 10",
        ] {
            cases.push(format!("--model mlp --data csv:good.csv {extra}"));
        }
        let cases: Vec<&str> = cases.iter().map(String::as_str).collect();
        insta::assert_snapshot!(all(&scratch, &cases));
    }

    /// One of the four files damaged, in a directory of its own.
    fn damage(scratch: &Scratch, case: &str, name: &str, change: impl Fn(Vec<u8>) -> Vec<u8>) -> String {
        let named = name.trim_end_matches(".gz");
        idx::write(&scratch.path().join(case), |file| match file.name == named {
            true => (name.into(), change(file.bytes)),
            false => (file.name.into(), file.bytes),
        });
        format!("--model mlp --data idx:{case}")
    }

    #[test]
    fn images_that_cannot_be_trained_on() {
        let scratch = Scratch::new();
        let (images, labels) = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte");
        let (test_images, test_labels) = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte");
        let (packed, packed_labels) = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz");
        let set = |at: usize, new: &'static [u8]| {
            move |mut bytes: Vec<u8>| {
                bytes[at..at + new.len()].copy_from_slice(new);
                bytes
            }
        };
        let cut = |length: usize| move |bytes: Vec<u8>| bytes[..length].to_vec();
        let longer = |bytes: Vec<u8>| [bytes.as_slice(), &[0]].concat();
        let half = |bytes: Vec<u8>| {
            let gzip = idx::gzip(&bytes);
            gzip[..gzip.len() / 2].to_vec()
        };
        let damaged = |bytes: Vec<u8>| {
            let mut gzip = idx::gzip(&bytes);
            let checksum = gzip.len() - 8;
            gzip[checksum] ^= 1;
            gzip
        };
        let twice_as_many = |bytes: Vec<u8>| {
            let data = [&bytes[16..], &bytes[16..]].concat();
            idx::idx(&[600, 8, 8], &data)
        };
        let cases = [
            damage(&scratch, "magic", images, set(0, &[0x50, 0x4b, 3, 4])),
            damage(&scratch, "floats", images, set(2, &[0x0d])),
            damage(&scratch, "swapped", images, |_| idx::idx(&[300], &[0; 300])),
            damage(&scratch, "empty", images, cut(0)),
            damage(&scratch, "header", images, cut(9)),
            damage(&scratch, "short", images, cut(5_000)),
            damage(&scratch, "long", test_labels, longer),
            damage(&scratch, "huge", images, set(4, &[0xff; 12])),
            damage(&scratch, "huge-gz", packed, |bytes| idx::gzip(&set(4, &[0xff; 12])(bytes))),
            damage(&scratch, "none", test_images, set(4, &[0; 4])),
            damage(&scratch, "truncated", packed, half),
            damage(&scratch, "truncated-header", packed_labels, |bytes| idx::gzip(&bytes)[..14].to_vec()),
            damage(&scratch, "checksum", packed, damaged),
            damage(&scratch, "short-gz", packed, |bytes| idx::gzip(&bytes[..5_000])),
            damage(&scratch, "long-gz", packed, |bytes| idx::gzip(&longer(bytes))),
            damage(&scratch, "label", labels, set(8 + 17, &[200])),
            damage(&scratch, "next-label", labels, set(8 + 17, &[4])),
            damage(&scratch, "test-label", test_labels, set(8 + 5, &[4])),
            damage(&scratch, "one-class", labels, |_| idx::idx(&[300], &[0; 300])),
            damage(&scratch, "counts", images, twice_as_many),
            damage(&scratch, "sides", test_images, |_| idx::idx(&[60, 4, 16], &[0; 60 * 64])),
            "--model mlp --data idx:nowhere".into(),
            "--model mlp --data idx:incomplete".into(),
            "--model mlp --data idx:file".into(),
            "--model mlp --data idx:directory".into(),
            "--model mlp --data idx:good --samples 10".into(),
            "--model mlp --data idx:good --target y".into(),
            "--model mlp --data idx:good --split 300,1,0".into(),
            "--model mlp --data idx:good --split 240,60,61".into(),
            "--model mlp --data idx:good --split 0.9,0.9,0.1".into(),
        ];
        scratch.file("file", "");
        idx::write(&scratch.path().join("good"), |file| (file.name.into(), file.bytes));
        std::fs::create_dir(scratch.path().join("incomplete")).unwrap();
        std::fs::create_dir_all(scratch.path().join("directory").join(images)).unwrap();
        scratch.file(&format!("directory/{labels}"), "");
        let cases: Vec<&str> = cases.iter().map(String::as_str).collect();
        insta::assert_snapshot!(all(&scratch, &cases));
    }

    #[test]
    fn output_that_cannot_go_there() {
        let scratch = Scratch::new();
        scratch.file("file", "mine");
        std::fs::create_dir(scratch.path().join("folder")).unwrap();
        scratch.file("folder/mine.txt", "mine");
        for (out, says) in
            [("file", "file"), ("file/below", "file"), ("folder", "--force"), ("/proc/none", "/proc")]
        {
            let message = refused(&scratch, &["run", "--model", "relu5", "--epochs", "1", "--out", out]);
            assert!(message.contains(says), "{out}: {message}");
            assert_eq!(message.lines().count(), 1, "{message}");
        }
        assert_eq!(scratch.read("file"), "mine");
        assert_eq!(scratch.list("folder"), ["mine.txt"]);
        // Its own directory is written into again, a foreign one only when told to.
        scratch.gradscope("run --model relu5 --epochs 1 -q --out own").expect(0);
        scratch.gradscope("run --model relu5 --epochs 1 -q --out own").expect(0);
        std::fs::create_dir(scratch.path().join("folder/plots")).unwrap();
        scratch.file("folder/plots/mine.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>");
        scratch.gradscope("run --model mlp --hidden 3,3 --epochs 1 -q --out folder --force").expect(0);
        assert!(scratch.list("folder/plots").contains(&"histogram-fc3-weights.svg".into()));
        scratch.gradscope("run --model mlp --hidden 3 --epochs 1 -q --out folder").expect(0);
        assert_eq!(scratch.read("folder/mine.txt"), "mine");
        let plots = scratch.list("folder/plots");
        assert!(plots.contains(&"mine.svg".into()) && !plots.contains(&"histogram-fc3-weights.svg".into()));
    }
}
