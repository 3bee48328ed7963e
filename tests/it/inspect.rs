//! `gradscope inspect`: the numbers of a checkpoint are those that PyTorch gives, what weights do not tell
//! is said to be unknown, and no file, however hostile, does more than be refused. Needs no libtorch.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

use crate::support::{Scratch, archive, fixture};
use gradscope::record::Record;
use gradscope::stats::Distribution;
use serde_json::Value;

fn checkpoint(name: &str) -> PathBuf {
    fixture("checkpoints").join(name)
}

fn text(path: PathBuf) -> String {
    path.into_os_string().into_string().unwrap()
}

/// What PyTorch says of the tensors of a file.
fn expected() -> BTreeMap<String, Value> {
    serde_json::from_str(&fs::read_to_string(checkpoint("expected.json")).unwrap()).unwrap()
}

/// The record of these files.
fn inspected(names: &[&str]) -> Record {
    let scratch = Scratch::new();
    let files: Vec<String> = names.iter().map(|n| text(checkpoint(n))).collect();
    let mut words = vec!["inspect", "--out", "out", "--quiet"];
    words.extend(files.iter().map(String::as_str));
    scratch.gradscope_words(&words).expect(0);
    Record::read(&scratch.path().join("out/record.jsonl")).unwrap().0
}

fn close(found: f64, wanted: f64, what: &str) {
    assert!((found - wanted).abs() <= 1e-12 * wanted.abs().max(1e-3), "{what}: {found} and not {wanted}");
}

fn same(d: &Distribution, wanted: &Value, what: &str) {
    let of = |key: &str| wanted[key].as_f64().unwrap();
    assert_eq!(
        (d.count(), d.zeros(), d.nan()),
        (of("count") as u64, of("zeros") as u64, of("nan") as u64),
        "{what}"
    );
    close(d.l2(), of("l2"), what);
    close(d.mean().unwrap(), of("mean"), what);
    close(d.std().unwrap(), of("std"), what);
    assert_eq!((d.min(), d.max()), (Some(of("min")), Some(of("max"))), "{what}");
}

/// Compares every tensor that is the weight or bias of a layer, and counts them.
fn compare(record: &Record, wanted: &Value, file: &str) -> usize {
    let mut compared = 0;
    for (layer, captured) in record.header.layers.iter().zip(&record.epochs[0].layers) {
        let what = format!("{file}: {}", layer.name);
        let weight = &wanted[format!("{}.weight", layer.name)];
        same(&captured.weight, weight, &what);
        if let Some(rows) = captured.weight_row_deviation {
            close(rows, weight["rows"].as_f64().unwrap(), &what);
        }
        let bias = &wanted[format!("{}.bias", layer.name)];
        match &captured.bias {
            Some(d) if !bias.is_null() => same(d, bias, &what),
            other => assert!(bias.is_null() || other.is_some(), "{what} has lost its bias"),
        }
        compared += 1;
    }
    compared
}

#[test]
fn the_numbers_are_those_of_pytorch_whatever_the_format() {
    let expected = expected();
    let cases = [
        ("plain.pt", "plain.pt", 4),
        ("legacy.pt", "plain.pt", 4),
        ("nested.pt", "nested.pt", 4),
        ("bf16.pt", "bf16.pt", 4),
        ("odd.pt", "odd.pt", 4),
        ("plain.safetensors", "plain.pt", 4),
        ("sharded", "plain.pt", 4),
        ("sharded/model.safetensors.index.json", "plain.pt", 4),
        ("plain.npz", "plain.npz", 4),
        ("packed.npz", "plain.npz", 4),
    ];
    for (file, numbers, layers) in cases {
        assert_eq!(compare(&inspected(&[file]), &expected[numbers], file), layers, "{file}");
    }
}

#[test]
fn layers_are_told_by_their_names() {
    let kinds = |file: &str| -> Vec<String> {
        let layers = inspected(&[file]).header.layers;
        layers
            .iter()
            .map(|l| format!("{} {} {:?} {}", l.name, l.kind.name(), l.shape, l.parameters))
            .collect()
    };
    let network = [
        "0 conv2d [8, 1, 3, 3] 80",
        "1 batch-norm [8] 16",
        "4 linear [30, 288] 8670",
        "5 linear [4, 30] 124",
    ];
    assert_eq!(kinds("plain.pt"), network);
    assert_eq!(kinds("plain.safetensors"), network);
    // The head is the same tensor as the table, and not counted twice.
    let odd = [
        "embed embedding [20, 6] 120",
        "view linear [4, 6] 24",
        "turned linear [5, 6] 35",
        "strided linear [5, 4] 20",
    ];
    assert_eq!(kinds("odd.pt"), odd);
}

#[test]
fn several_files_tell_what_changed() {
    let record = inspected(&["plain.pt", "nested.pt"]);
    let expected = &expected()["change"];
    for (layer, captured) in record.header.layers.iter().zip(&record.epochs[1].layers) {
        let wanted = expected[format!("{}.weight", layer.name)].as_f64().unwrap();
        close(captured.update.as_ref().unwrap().l2(), wanted, &layer.name);
    }
    assert!(record.epochs[0].layers.iter().all(|l| l.update.is_none()));
    let files: Vec<_> = record.epochs.iter().map(|e| e.source.as_deref().unwrap()).collect();
    assert_eq!(files, ["plain.pt", "nested.pt"]);
    let scratch = Scratch::new();
    let (a, b) = (text(checkpoint("plain.pt")), text(checkpoint("odd.pt")));
    let message = scratch.gradscope_words(&["inspect", &a, &b]).expect(2).stderr();
    assert!(
        message.contains("no checkpoint of the same model") && message.contains("layer embed"),
        "{message}"
    );
    // The same file twice: whatever happened in between changed nothing.
    let ran = scratch.gradscope_words(&["inspect", &a, &a, "--out", "o", "--fail-on", "stalled"]).expect(1);
    assert!(ran.stdout().contains("No weight differs"), "{}", ran.stdout());
}

/// Paths of this machine have no place in a snapshot.
fn cleaned(words: &str) -> String {
    words.replace(&text(fixture("checkpoints")), "FIXTURES")
}

#[test]
fn what_people_read() {
    let scratch = Scratch::new();
    let mut all = String::new();
    for files in [
        &["nested.pt"][..],
        &["plain.pt", "nested.pt"],
        &["odd.pt"],
        &["nan.pt"],
        &["torchscript.pt"],
        &["objects.npz"],
    ] {
        let paths: Vec<String> = files.iter().map(|f| text(checkpoint(f))).collect();
        let mut words = vec!["inspect", "--out", "out"];
        words.extend(paths.iter().map(String::as_str));
        let ran = scratch.gradscope_words(&words);
        all += &format!(
            "$ gradscope inspect {}\n{}{}status {}\n\n",
            files.join(" "),
            ran.stderr(),
            ran.stdout(),
            ran.status()
        );
    }
    insta::assert_snapshot!("what_people_read", cleaned(&all));
}

#[test]
fn what_weights_do_not_tell_is_listed_and_never_passed() {
    let scratch = Scratch::new();
    let file = text(checkpoint("plain.pt"));
    scratch.gradscope_words(&["inspect", &file, "--out", "out", "--quiet"]).expect(0);
    let summary = scratch.summary("out");
    assert_eq!(summary["verdict"], "healthy");
    let unknown: Vec<&str> =
        summary["not_measured"].as_array().unwrap().iter().map(|n| n["rule"].as_str().unwrap()).collect();
    let all = scratch.gradscope("rules").stdout();
    let rules: Vec<&str> = all.lines().filter_map(|l| l.split_whitespace().next()).collect();
    for known in ["non-finite", "symmetric"] {
        assert!(!unknown.contains(&known) && rules.contains(&known));
    }
    for rule in ["dead-layer", "vanishing-depth", "plateau", "expected-zero", "layer-frozen", "ranks-differ"]
    {
        assert!(unknown.contains(&rule) && rules.contains(&rule), "{rule}");
    }
    // The record says the same wherever it is read.
    let again = scratch.gradscope("report out/record.jsonl --out again").expect(0).stdout();
    assert!(again.contains("nothing wrong with the weights alone"), "{again}");
    let page = scratch.read("out/report.html");
    assert!(!page.contains("Healthy") && page.contains("Nothing wrong with the weights alone"));
    let broken = text(checkpoint("nan.pt"));
    scratch.gradscope_words(&["inspect", &broken, "--out", "nan", "--fail-on", "error"]).expect(1);
}

/// Demands a refusal in one sentence that says this, and nothing left behind.
fn refused(name: &str, bytes: &[u8], says: &str) {
    let scratch = Scratch::new();
    fs::write(scratch.path().join(name), bytes).unwrap();
    let ran = scratch.gradscope_words(&["inspect", name, "--out", "out"]);
    let message = ran.stderr();
    assert_eq!((ran.status(), ran.stdout().as_str()), (2, ""), "{message}");
    assert!(
        message.contains(says) && message.lines().count() == 1 && message.len() < 600,
        "{says}: {message}"
    );
    assert_eq!(scratch.list("."), [name], "{says}");
}

fn safetensors(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

#[test]
fn hostile_safetensors_are_refused() {
    let tensor = |shape: &str, from: u64, to: u64| {
        format!(r#"{{"dtype":"F32","shape":[{shape}],"data_offsets":[{from},{to}]}}"#)
    };
    let refused = |bytes: Vec<u8>, says: &str| refused("x.safetensors", &bytes, says);
    let huge = [&(1u64 << 63).to_le_bytes()[..], b"{}"].concat();
    refused(huge, "say that the header has 9223372036854775808 bytes");
    refused(vec![1, 2, 3], "it has 3 bytes");
    refused(Vec::new(), "it is empty");
    refused(safetensors("[[[[", 0), "its header cannot be read");
    refused(safetensors(&"[".repeat(100_000), 0), "its header cannot be read");
    let one = |tensor: String| format!(r#"{{"a.weight":{tensor}}}"#);
    refused(safetensors(&one(tensor("2,2", 0, 16)), 15), "16 bytes of values and there are 15");
    refused(safetensors(&one(tensor("2,2", 0, 16)), 99), "16 bytes of values and there are 99");
    refused(safetensors(&one(tensor("2,3", 0, 16)), 16), "shape and its length do not fit");
    refused(safetensors(&one(tensor("2,2", 8, 24)), 24), "does not begin where the one before it ends");
    refused(safetensors(&one(tensor("4294967296,4294967296,4", 0, 16)), 16), "impossibly large");
    refused(safetensors(&one(tensor("-1", 0, 16)), 16), "its header cannot be read");
    let two = format!(r#"{{"a.weight":{},"b.weight":{}}}"#, tensor("2,2", 0, 16), tensor("2,2", 8, 24));
    refused(safetensors(&two, 24), "does not begin where the one before it ends");
    let whole = r#"{"a.weight":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#;
    refused(safetensors(whole, 8), "no floating-point numbers");
    refused(safetensors("{}", 0), "no floating-point numbers");
}

#[test]
fn an_index_names_files_beside_it_and_no_others() {
    let index = |file: &str| format!(r#"{{"weight_map":{{"a.weight":"{file}"}}}}"#);
    for file in ["../x.safetensors", "/etc/passwd", "a/b.safetensors", "..", ""] {
        refused("m.index.json", index(file).as_bytes(), "which is no file beside it");
    }
    refused("m.index.json", index("none.safetensors").as_bytes(), "cannot read none.safetensors");
    refused("m.index.json", b"{}", "no index of safetensors files");
}

/// A pickle of one tensor, `w.weight`, of the float32 storage "0" with so many numbers.
fn pickle(count: u8, first: u8, shape: &[u8], strides: &[u8]) -> Vec<u8> {
    let tuple = |numbers: &[u8]| -> Vec<u8> {
        [&b"("[..], &numbers.iter().flat_map(|n| [b'K', *n]).collect::<Vec<_>>(), b"t"].concat()
    };
    let word = |text: &str| [&b"X"[..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
    [
        &b"\x80\x02}"[..],
        &word("w.weight"),
        b"ctorch._utils\n_rebuild_tensor_v2\n((",
        &word("storage"),
        b"ctorch\nFloatStorage\n",
        &word("0"),
        &word("cpu"),
        &[b'K', count, b't', b'Q', b'K', first],
        &tuple(shape),
        &tuple(strides),
        b"\x89}tRs.",
    ]
    .concat()
}

fn pt(pickle: &[u8], data: &[u8]) -> Vec<u8> {
    archive(&[("archive/data.pkl", pickle), ("archive/data/0", data), ("archive/version", b"3\n")])
}

#[test]
fn hostile_pickles_are_read_as_data_and_never_run() {
    let scratch = Scratch::new();
    let proof = scratch.path().join("proof");
    let run = |module: &str, name: &str| format!("c{module}\n{name}\n(S'touch {}'\ntR.", proof.display());
    for (module, name) in [("os", "system"), ("posix", "system"), ("builtins", "eval"), ("__main__", "Net")] {
        refused(
            "x.pt",
            &pt(run(module, name).as_bytes(), &[]),
            &format!("its pickle asks for {module}.{name}"),
        );
    }
    // By the names of protocol 4, and as an object of the oldest one.
    refused(
        "x.pt",
        &pt(b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02ls\x85R.", &[]),
        "its pickle asks for os.system",
    );
    refused("x.pt", &pt(b"(S'ls'\nios\nsystem\n.", &[]), "its pickle asks for os.system");
    refused("x.pt", &pt(b"\x82\x01.", &[]), "opcode 0x82");
    assert!(!proof.exists(), "it was run");
    // A program that never ends well: no stop, nothing on the stack, lists in lists in lists, circles.
    refused("x.pt", &pt(b"\x80\x02}", &[]), "cut short");
    refused("x.pt", &pt(b"R.", &[]), "damaged");
    refused("x.pt", &pt(b"h\x07.", &[]), "damaged");
    refused("x.pt", &pt(b"X\xff\xff\xff\xffab.", &[]), "cut short");
    let deep = [vec![b']'; 1_000_000], vec![b'a'; 999_999], b".".to_vec()].concat();
    refused("x.pt", &pt(&deep, &[]), "but a list");
    refused("x.pt", &pt(b"}q\x00X\x01\x00\x00\x00ah\x00s.", &[]), "a dict with the keys \"a\"");
    let copies = [
        &b"](K\x01"[..],
        &b"2".repeat(5_000),
        b"eq\x00",
        &b"0cbuiltins\nlist\nh\x00\x85R".repeat(5_000),
        b".",
    ]
    .concat();
    refused("x.pt", &pt(&copies, &[]), "damaged");
}

#[test]
fn what_stands_beside_weights_or_in_their_place_is_told_apart() {
    for file in ["circle.pt", "settings.pt"] {
        let layers = inspected(&[file]).header.layers;
        assert_eq!(layers.iter().map(|l| l.name.as_str()).collect::<Vec<_>>(), ["fc"], "{file}");
    }
    let said = |file: &str, says: &str| refused("x.pt", &fs::read(checkpoint(file)).unwrap(), says);
    said("quantised.pt", "but a dict with \"fc.weight\", a tensor that is quantised; save one with");
    said("integers.pt", "but a dict with \"fc.weight\", a tensor that is int64; save one with");
    refused("x.pt", &pt(b"}.", &[]), "but an empty dict; save one with");
    refused("x.pt", &pt(b"}K\x01K\x02s.", &[]), "but a dict whose keys are no names; save one with");
    let optimizer = b"}(S'state'\n}S'param_groups'\n]u.";
    refused("x.pt", &pt(optimizer, &[]), "but the state of an optimizer; save one with");
}

#[test]
fn tensors_stay_inside_their_storage() {
    let data = [0u8; 24];
    // What all of them vary: six numbers as 2 × 3.
    let scratch = Scratch::new();
    fs::write(scratch.path().join("x.pt"), pt(&pickle(6, 0, &[2, 3], &[3, 1]), &data)).unwrap();
    scratch.gradscope("inspect x.pt --out out").expect(0);
    refused("x.pt", &pt(&pickle(6, 1, &[2, 3], &[3, 1]), &data), "should take 28 bytes and there are 24");
    refused("x.pt", &pt(&pickle(6, 0, &[2, 3], &[200, 1]), &data), "and there are 24");
    refused("x.pt", &pt(&pickle(7, 0, &[2, 3], &[3, 1]), &data), "should take 7 × 4 bytes and take 24");
    refused("x.pt", &pt(&pickle(6, 0, &[255; 12], &[0; 12]), &data), "impossible shape");
    refused("x.pt", &pt(&pickle(6, 0, &[200, 3], &[0, 1]), &data), "600 values in the place of 3");
    refused("x.pt", &pt(&pickle(6, 0, &[2, 3], &[1]), &data), "damaged");
    // A view of a storage begins elsewhere than the storage: None in its place says that it is none.
    let with_view = |view: &[u8]| {
        let plain = pickle(6, 0, &[2, 3], &[3, 1]);
        let at = plain.windows(4).position(|w| w == b"\x06tQK").unwrap() + 1;
        [&plain[..at], view, &plain[at..]].concat()
    };
    fs::write(scratch.path().join("x.pt"), pt(&with_view(b"N"), &data)).unwrap();
    scratch.gradscope("inspect x.pt --out out --force").expect(0);
    refused("x.pt", &pt(&with_view(b"(X\x01\0\0\x001K\x02K\x04t"), &data), "a view of another");
    refused(
        "x.pt",
        &archive(&[("archive/data.pkl", &pickle(6, 0, &[2, 3], &[3, 1]))]),
        "(data/0) are missing",
    );
}

#[test]
fn files_that_are_cut_or_something_else_are_refused() {
    for name in ["plain.pt", "legacy.pt", "plain.npz", "packed.npz", "plain.safetensors"] {
        let whole = fs::read(checkpoint(name)).unwrap();
        for share in [10, 50, 90, 99] {
            refused(name, &whole[..whole.len() * share / 100], "it is cut short");
        }
    }
    refused("x.pt", b"hello", "cut short or no checkpoint");
    refused("x.txt", b"hello", "no checkpoint that can be read");
    refused("x.pt", &archive(&[("a", b"b")]), "neither of torch.save");
    refused("x.npz", &archive(&[("a", b"b")]), "without arrays");
    let exported: &[(&str, &[u8])] = &[("serialized_exported_program.json", b"{}"), ("version", b"1")];
    refused("x.pt2", &archive(exported), "archive of torch.export");
    let program: &[(&str, &[u8])] =
        &[("m/data.pkl", b"."), ("m/code/__torch__.py", b""), ("m/constants.pkl", b".")];
    refused("x.pt", &archive(program), "TorchScript archive");
    let twice: &[(&str, &[u8])] = &[("a.npy", b"1"), ("a.npy", b"2")];
    refused("x.npz", &archive(twice), "it holds \"a.npy\" twice");
}

#[test]
fn hostile_arrays_are_refused() {
    let array = |header: &str, data: usize| {
        let mut bytes =
            [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes()].concat();
        bytes.resize(bytes.len() + data, 0);
        archive(&[("a.weight.npy", &bytes)])
    };
    let of = |shape: &str| format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}");
    refused("x.npz", &array(&of("2, 3"), 23), "should take");
    refused("x.npz", &array(&of("4294967296, 4294967296, 4"), 24), "impossible shape");
    refused("x.npz", &array("{'descr': '<f4'}", 24), "cannot be read");
    refused("x.npz", &archive(&[("a.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff")]), "none is so long");
    // A bomb: the directory claims what deflate cannot give.
    let mut bomb = archive(&[("a.npy", &[0; 100])]);
    let directory = bomb.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
    bomb[directory + 24..directory + 28].copy_from_slice(&0x7fff_ffffu32.to_le_bytes());
    refused("x.npz", &bomb, "cannot have the size that it claims");
}

#[test]
fn names_of_tensors_lead_nowhere() {
    let names = ["../../escape", "/etc/x", "a/b", "<script>", "e\\u0007", "ü.ü"];
    let tensors: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(i, n)| {
            format!(
                r#""{n}.weight":{{"dtype":"F32","shape":[2,2],"data_offsets":[{},{}]}}"#,
                16 * i,
                16 * i + 16
            )
        })
        .collect();
    let scratch = Scratch::new();
    let bytes = safetensors(&format!("{{{}}}", tensors.join(",")), 16 * names.len());
    fs::write(scratch.path().join("x.safetensors"), bytes).unwrap();
    scratch.gradscope("inspect x.safetensors --out out").expect(0);
    assert_eq!(scratch.list("."), ["out", "x.safetensors"]);
    let page = scratch.read("out/report.html");
    assert!(!page.contains("<script>.weight") && !page.contains('\u{7}'));
    assert!(scratch.list("out/plots").iter().all(|n| n.ends_with(".svg")));
}

#[test]
fn offsets_beyond_four_gigabytes_are_reached_without_reading_what_is_before() {
    let far = 5u64 << 30;
    let header = format!(
        r#"{{"steps":{{"dtype":"I64","shape":[{}],"data_offsets":[0,{far}]}},"w.weight":{{"dtype":"F64","shape":[2,2],"data_offsets":[{far},{}]}}}}"#,
        far / 8,
        far + 32
    );
    let scratch = Scratch::new();
    let path = scratch.path().join("x.safetensors");
    let mut file = File::create(&path).unwrap();
    file.write_all(&safetensors(&header, 0)).unwrap();
    // A file with a hole takes no room.
    let end = 8 + header.len() as u64 + far;
    file.seek(SeekFrom::Start(end)).unwrap();
    for value in [1.0f64, 2.0, 3.0, 1e300] {
        file.write_all(&value.to_le_bytes()).unwrap();
    }
    drop(file);
    scratch.gradscope("inspect x.safetensors --out out --quiet").expect(0);
    let summary = scratch.summary("out");
    assert_eq!(summary["layers"][0]["epochs"][0]["weight"]["max"], 1e300);
}

#[test]
fn more_layers_than_a_page_has_room_for_are_refused_before_they_are_read() {
    let n = 100_000;
    let tensor = |i: usize| {
        format!(r#""{i}.weight":{{"dtype":"F32","shape":[1,2],"data_offsets":[{},{}]}}"#, 8 * i, 8 * i + 8)
    };
    let header = format!("{{{}}}", (0..n).map(tensor).collect::<Vec<_>>().join(","));
    refused(
        "x.safetensors",
        &safetensors(&header, 8 * n),
        "it has 100000 layers, and more than 10000 are not diagnosed",
    );
}
