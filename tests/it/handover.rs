//! `gradscope` and `gradscope-train`: the one has no libtorch in it and starts the other for what trains.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Ran, Scratch, fixture};

/// A prefix with gradscope in it and nothing else.
fn alone(scratch: &Scratch) -> PathBuf {
    let bin = scratch.path().join("prefix/bin");
    fs::create_dir_all(&bin).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_gradscope"), bin.join("gradscope")).unwrap();
    bin.join("gradscope")
}

/// That program, where nothing else is on PATH.
fn command(program: &Path, words: &str) -> Command {
    let mut command = Command::new(program);
    command.args(words.split_whitespace()).env("PATH", "/nowhere");
    command.current_dir(program.parent().unwrap());
    command
}

/// A program that says what it was given, in place of `gradscope-train`.
fn stand_in(directory: &Path, script: &str) {
    fs::create_dir_all(directory).unwrap();
    let program = directory.join("gradscope-train");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn without_the_program_that_trains_one_sentence_says_how_to_get_it() {
    let scratch = Scratch::new();
    let program = alone(&scratch);
    for words in [
        "run --model relu5",
        "compare --model relu5",
        "sweep --model relu5 --grid lr=1;2",
        "prescribe --model relu5",
        "models",
        "datasets",
        "summary --model relu5",
        "inits",
        "gradcheck --model relu5",
        "init --scheme zeros --fan-in 2 --fan-out 2",
    ] {
        let ran = Ran(command(&program, words).output().unwrap()).expect(2);
        let message = ran.stderr();
        assert!(message.starts_with("error: gradscope ") && message.lines().count() == 1, "{message}");
        assert!(message.contains("needs gradscope-train") && message.contains("make install"), "{message}");
        assert_eq!(ran.stdout(), "");
    }
    let doctor = Ran(command(&program, "doctor").output().unwrap()).expect(0).stdout();
    assert!(doctor.contains("training   no: gradscope-train is neither"), "{doctor}");
    // What does not train is whole, and so is the help of what does.
    let record = fixture("records/relu5-dead.jsonl");
    let check = Ran(command(&program, "check").arg(&record).output().unwrap()).expect(0);
    assert!(check.stdout().contains("dead-layer fc1"));
    for words in ["run --help", "sweep -h", "man run", "completions bash"] {
        let help = Ran(command(&program, words).output().unwrap()).expect(0).stdout();
        assert!(help.contains("weight-decay") || help.contains("weight\\-decay"), "{words}: {help}");
    }
    let missing = Ran(command(&program, "sweep --collect nothing").output().unwrap()).expect(2).stderr();
    assert!(missing.contains("--collect wants the directory of a sweep"), "{missing}");
}

#[test]
fn it_is_looked_for_beside_it_then_in_the_prefix_then_on_the_path() {
    let scratch = Scratch::new();
    let program = alone(&scratch);
    let [beside, prefix, path] =
        ["prefix/bin", "prefix/lib/gradscope", "path"].map(|d| scratch.path().join(d));
    let places = [(&path, "path"), (&prefix, "prefix"), (&beside, "beside")];
    for (directory, name) in places {
        stand_in(directory, &format!("echo {name} \"$@\""));
        let ran = command(&program, "run --model a --json").env("PATH", &path).output().unwrap();
        assert_eq!(Ran(ran).expect(0).stdout(), format!("{name} run --model a --json\n"));
    }
    // A link to the program is not where its prefix is.
    let link = scratch.path().join("gradscope");
    std::os::unix::fs::symlink(&program, &link).unwrap();
    assert_eq!(Ran(command(&link, "models").output().unwrap()).expect(0).stdout(), "beside models\n");
}

#[test]
fn the_other_takes_its_place_with_its_streams_its_name_and_its_status() {
    let scratch = Scratch::new();
    let program = alone(&scratch);
    let beside = program.parent().unwrap();
    // The same process: what is sent to the one arrives at the other.
    stand_in(beside, "echo $$; cat; echo said >&2; exit 1");
    let input = scratch.file("input", "typed\n");
    let child = command(&program, "run")
        .env("PATH", "/usr/bin:/bin")
        .stdin(fs::File::open(input).unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = child.id();
    let ran = Ran(child.wait_with_output().unwrap()).expect(1);
    assert_eq!(ran.stdout(), format!("{id}\ntyped\n"));
    assert_eq!(ran.stderr(), "said\n");
    // One that is there and cannot be started is said to be.
    fs::write(beside.join("gradscope-train"), "#!/nowhere/sh\n").unwrap();
    let message = Ran(command(&program, "run").output().unwrap()).expect(2).stderr();
    assert!(message.starts_with("error: cannot start ") && message.contains("gradscope-train"), "{message}");
    let doctor = Ran(command(&program, "doctor").output().unwrap()).expect(0).stdout();
    assert!(doctor.contains("it cannot be started"), "{doctor}");
}

/// The libraries that the loader maps for a program.
#[cfg(target_os = "linux")]
fn libraries(program: &str) -> String {
    Ran(Command::new("ldd").arg(program).output().unwrap()).stdout()
}

#[cfg(target_os = "linux")]
#[test]
fn gradscope_maps_no_libtorch() {
    let mapped = libraries(env!("CARGO_BIN_EXE_gradscope"));
    assert!(mapped.contains("libc.so") && !mapped.contains("torch") && !mapped.contains("c10"), "{mapped}");
    #[cfg(feature = "train")]
    assert!(libraries(env!("CARGO_BIN_EXE_gradscope-train")).contains("libtorch_cpu"));
}

#[cfg(feature = "train")]
#[test]
fn a_run_that_is_handed_over_behaves_as_if_it_were_not() {
    let scratch = Scratch::new();
    let words = "run --model relu5 --bias -8 --epochs 2 -q --fail-on error --out";
    scratch.gradscope(&format!("{words} a")).expect(1);
    let mut whole = Command::new(env!("CARGO_BIN_EXE_gradscope-train"));
    whole.args(words.split(' ')).arg("b").current_dir(scratch.path());
    Ran(whole.output().unwrap()).expect(1);
    let [a, b] = ["a", "b"].map(|directory| scratch.summary(directory));
    assert_eq!(a["run"]["command"], b["run"]["command"]);
    assert_eq!(a["findings"], b["findings"]);
    // Both go by one name.
    for program in [env!("CARGO_BIN_EXE_gradscope"), env!("CARGO_BIN_EXE_gradscope-train")] {
        for words in ["run --bogus", "check --bogus"] {
            let message =
                Ran(Command::new(program).args(words.split(' ')).output().unwrap()).expect(2).stderr();
            assert!(message.contains("Usage: gradscope ") && !message.contains("-train"), "{message}");
        }
    }
    // And it is the file in the working directory that counts, read once.
    scratch.file("gradscope.toml", "model = \"relu5\"\nepochs = 1\n");
    let shown = scratch.gradscope("run --show-config --lr 1").expect(0).stdout();
    assert_eq!(shown.matches("epochs = 1").count(), 1, "{shown}");
}
