//! `gradscope sweep`, with real processes: killed, interrupted, handed to other programs, grown.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use crate::support::{Ran, Scratch};

/// Six by four runs that take a moment each.
const GRID: [&str; 10] = [
    "sweep",
    "--model",
    "mlp",
    "--grid",
    "hidden=2;3;4;3,3;4,4;5,5",
    "--grid",
    "lr=0.01;0.1;1;10",
    "--epochs",
    "2",
    "--batch-size=100",
];
const RUNS: usize = 24;
/// Two by two.
const SMALL: [&str; 8] =
    ["sweep", "--model", "relu5", "--grid", "bias=-8;0", "--grid", "standardize=on;off", "--epochs=2"];

fn sweep(scratch: &Scratch, grid: &[&str], more: &str) -> Ran {
    let words: Vec<&str> = grid.iter().copied().chain(more.split_whitespace()).collect();
    scratch.gradscope_words(&words)
}

fn start(scratch: &Scratch, grid: &[&str], more: &str) -> Child {
    let mut command = scratch.command();
    let stderr = fs::File::create(scratch.path().join("stderr.txt")).unwrap();
    command.args(grid).args(more.split_whitespace()).stdout(Stdio::null()).stderr(stderr);
    command.spawn().expect("gradscope starts")
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not after two minutes");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(pid: &str, name: &str) {
    assert!(Command::new("kill").args([name, pid]).status().unwrap().success(), "kill {name} {pid}");
}

/// Summaries that are there, with what tells whether they have been written again.
fn done(sweep: &Path) -> Vec<(String, u64, SystemTime)> {
    let cells = fs::read_dir(sweep.join("cells")).into_iter().flatten().flatten();
    let summary = |cell: fs::DirEntry| {
        let file = fs::metadata(cell.path().join("summary.json")).ok()?;
        Some((cell.file_name().to_string_lossy().into_owned(), file.ino(), file.modified().ok()?))
    };
    let mut all: Vec<_> = cells.filter_map(summary).collect();
    all.sort();
    all
}

/// The table in all its forms, without wall times.
fn table(scratch: &Scratch, out: &str) -> Vec<String> {
    let csv = scratch.read(&format!("{out}/sweep.csv"));
    let timeless: String = csv.lines().map(|l| l.rsplit_once(',').unwrap().0.to_owned() + "\n").collect();
    let json = scratch.read(&format!("{out}/sweep.json"));
    let json: String =
        json.lines().filter(|l| !l.contains("\"wall_s\"")).map(|l| l.to_owned() + "\n").collect();
    let [page, picture] = ["report.html", "plots/heatmap.svg"].map(|f| scratch.read(&format!("{out}/{f}")));
    vec![timeless, json, page, picture]
}

/// Process ids of the runs that a sweep has started.
#[cfg(target_os = "linux")]
fn children(sweep: &Child) -> Vec<String> {
    let pid = sweep.id();
    let ids = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    ids.split_whitespace().map(str::to_owned).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_sweep_goes_on_where_it_stopped_and_ends_with_the_same_table() {
    let whole = Scratch::new();
    let printed = sweep(&whole, &GRID, "--out out -q").expect(0).stdout();
    assert_eq!(done(&whole.path().join("out")).len(), RUNS);
    for with_children in [false, true] {
        let scratch = Scratch::new();
        let out = scratch.path().join("out");
        let mut killed = start(&scratch, &GRID, "--out out --jobs 2");
        wait_until("some runs", || done(&out).len() >= RUNS / 3);
        // Stopped, it starts no more of them while they are looked up.
        signal(&killed.id().to_string(), "-STOP");
        let orphans = children(&killed);
        signal(&killed.id().to_string(), "-KILL");
        if with_children {
            // One of them may have ended meanwhile.
            orphans.iter().for_each(|pid| drop(Command::new("kill").args(["-KILL", pid]).output()));
        }
        killed.wait().unwrap();
        let before = done(&out);
        assert!(before.len() < RUNS - 2, "killed too late: {}", before.len());
        let again = sweep(&scratch, &GRID, "--out out").expect(0);
        let after = done(&out);
        assert_eq!(after.len(), RUNS);
        assert!(before.iter().all(|run| after.contains(run)), "a run that was done was trained again");
        let told = again.stderr().lines().filter(|l| l.starts_with('[')).count();
        assert!(told <= RUNS - before.len() && told >= RUNS - before.len() - 2, "{}", again.stderr());
        assert!(again.stderr().contains("runs are done already"), "{}", again.stderr());
        assert_eq!(table(&scratch, "out"), table(&whole, "out"));
        assert_eq!(sweep(&scratch, &GRID, "--out out -q").expect(0).stdout(), printed);
        assert_eq!(done(&out), after);
    }
}

#[test]
fn other_programs_can_train_the_runs_and_the_table_is_the_same() {
    let scratch = Scratch::new();
    let printed = sweep(&scratch, &GRID, "--out ours -q").expect(0).stdout();
    let parallel = Command::new("parallel").arg("--version").output();
    if let Err(error) = &parallel {
        assert!(std::env::var_os("GRADSCOPE_REQUIRE_ALL").is_none(), "no GNU parallel: {error}");
        eprintln!("No GNU parallel here: its part of the test is skipped.");
    }
    for (out, program) in [("xargs", "xargs -I{} -P2 sh -c '{}'"), ("parallel", "parallel --will-cite -j2")] {
        if out == "parallel" && parallel.is_err() {
            continue;
        }
        let commands = sweep(&scratch, &GRID, &format!("--out {out} --print-commands")).expect(0);
        assert_eq!((commands.stdout().lines().count(), commands.stderr().as_str()), (RUNS, ""));
        assert!(!scratch.path().join(out).exists(), "printing writes nothing");
        scratch.file("commands", &commands.stdout());
        let ran = Command::new("sh")
            .args(["-c", &format!("{program} < commands")])
            .current_dir(scratch.path())
            .env_remove("LD_LIBRARY_PATH")
            .output()
            .unwrap();
        assert!(ran.status.success(), "{program}: {}", String::from_utf8_lossy(&ran.stderr));
        let collected = scratch.gradscope(&format!("sweep --collect {out} -q")).expect(0);
        assert_eq!(collected.stdout(), printed, "{program}");
        assert_eq!(table(&scratch, out), table(&scratch, "ours"), "{program}");
        // What they trained is known to the sweep as well.
        let before = done(&scratch.path().join(out));
        sweep(&scratch, &GRID, &format!("--out {out} -q")).expect(0);
        assert_eq!(done(&scratch.path().join(out)), before);
    }
}

#[test]
fn a_shell_reads_a_printed_command_as_it_was_meant() {
    let scratch = Scratch::new();
    scratch.file("my data.csv", "a,y\n0,0\n1,1\n2,0\n3,1\n4,0\n5,1\n6,0\n7,1\n8,0\n9,1\n");
    let words = [
        "sweep",
        "--model",
        "mlp",
        "--data",
        "csv:my data.csv",
        "--grid",
        "init=normal:0,1;orthogonal",
        "--epochs",
        "1",
        "--out",
        "it's here",
        "--print-commands",
    ];
    let commands = scratch.gradscope_words(&words).expect(0).stdout();
    let first = commands.lines().next().unwrap();
    let ran = Command::new("sh").args(["-c", first]).current_dir(scratch.path()).output().unwrap();
    assert!(ran.status.success(), "{first}: {}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(scratch.list("it's here/cells"), ["init=normal-0,1"]);
}

#[test]
fn the_number_of_jobs_and_the_order_of_the_flags_change_nothing() {
    let scratch = Scratch::new();
    sweep(&scratch, &SMALL, "--out one --jobs 1 -q").expect(0);
    sweep(&scratch, &SMALL, "--out two --jobs 2 -q").expect(0);
    assert_eq!(table(&scratch, "one"), table(&scratch, "two"));
    let before = done(&scratch.path().join("one"));
    let turned =
        "sweep --epochs 2 --grid bias=0;-8 --model relu5 --grid standardize=off;on --threads 1 --out one -q";
    scratch.gradscope(turned).expect(0);
    assert_eq!(done(&scratch.path().join("one")), before);
}

#[test]
fn a_grown_grid_trains_what_is_new_and_other_flags_train_all_again() {
    let scratch = Scratch::new();
    let out = scratch.path().join("out");
    let run = |lr: &str, epochs: u32| {
        let words = format!("sweep --model relu5 --grid lr={lr} --epochs {epochs} --out out");
        scratch.gradscope(&words).expect(0).stderr()
    };
    run("0.1;1", 2);
    let before = done(&out);
    let said = run("0.1;1;2", 2);
    assert!(said.starts_with("2 of 3 runs are done already\n[3/3] lr=2: "), "{said}");
    let after = done(&out);
    assert!(before.iter().all(|run| after.contains(run)) && after.len() == 3);
    assert_eq!(run("0.1;1;2", 3).lines().count(), 3);
    assert!(done(&out).iter().all(|run| !after.contains(run)));
}

#[test]
fn a_run_that_fails_is_a_row_and_stops_no_other() {
    let scratch = Scratch::new();
    scratch.file("one.csv", "a,y\n1,1\n2,1\n3,1\n");
    let words = "sweep --model mlp --grid data=csv:no.csv;moons;csv:one.csv --epochs 1 --out out";
    let ran = scratch.gradscope(words).expect(3);
    let sweep: serde_json::Value = serde_json::from_str(&scratch.read("out/sweep.json")).unwrap();
    let outcomes: Vec<_> = sweep["cells"].as_array().unwrap().iter().map(|c| c["outcome"].clone()).collect();
    assert_eq!(outcomes, ["finished", "failed", "failed"]);
    assert!(sweep["cells"][1]["error"].as_str().unwrap().contains("no.csv"));
    assert!(ran.stdout().contains("2 failed") && ran.stdout().contains("no.csv: No such file"));
    assert!(ran.stderr().contains("data=csv:no.csv: failed: cannot read no.csv"), "{}", ran.stderr());
    // They are tried again, and their reasons outlive another reader of the directory.
    assert_eq!(scratch.gradscope("sweep --collect out").expect(3).stdout(), ran.stdout());
    scratch.file("no.csv", "a,y\n0,0\n1,1\n2,0\n3,1\n4,0\n5,1\n6,0\n7,1\n8,0\n9,1\n");
    let again = scratch.gradscope(words).expect(3);
    assert!(again.stderr().starts_with("1 of 3 runs are done already\n"), "{}", again.stderr());
}

#[test]
fn a_finding_that_is_named_ends_with_1() {
    let scratch = Scratch::new();
    sweep(&scratch, &SMALL, "--out out -q --fail-on dead-relu").expect(1);
    // Only what to make of findings has changed: nothing is trained again.
    let before = done(&scratch.path().join("out"));
    sweep(&scratch, &SMALL, "--out out -q --fail-on symmetric").expect(0);
    assert_eq!(done(&scratch.path().join("out")), before);
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_is_passed_on_and_the_table_is_of_what_was_done() {
    for (name, status, outcome) in [("-INT", 130, "interrupted"), ("-TERM", 143, "terminated")] {
        let scratch = Scratch::new();
        let grid = ["sweep", "--model", "relu5", "--grid", "epochs=1;1000000;2000000;2"];
        let mut child = start(&scratch, &grid, "--out out --jobs 2");
        wait_until("two runs side by side", || {
            let record =
                |run| fs::metadata(scratch.path().join(format!("out/cells/epochs={run}/record.jsonl")));
            ["1000000", "2000000"].iter().all(|run| record(run).is_ok_and(|m| m.len() > 10_000))
        });
        let runs = children(&child);
        assert_eq!(runs.len(), 2);
        signal(&child.id().to_string(), name);
        assert_eq!(child.wait().unwrap().code(), Some(status));
        assert!(runs.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()), "a run was left behind");
        let sweep: serde_json::Value = serde_json::from_str(&scratch.read("out/sweep.json")).unwrap();
        let outcomes: Vec<_> =
            sweep["cells"].as_array().unwrap().iter().map(|c| c["outcome"].clone()).collect();
        assert_eq!(outcomes, ["finished", "untrained", outcome, outcome]);
        assert!(scratch.read("out/report.html").contains("1 of 4 finished"));
        assert_eq!(scratch.summary("out/cells/epochs=1000000")["run"]["outcome"], outcome);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn no_run_is_trained_by_two_at_once() {
    let scratch = Scratch::new();
    let grid = ["sweep", "--model", "relu5", "--grid", "epochs=1000000"];
    let mut first = start(&scratch, &grid, "--out out");
    let record = scratch.path().join("out/cells/epochs=1000000/record.jsonl");
    wait_until("a run", || fs::metadata(&record).is_ok_and(|m| m.len() > 10_000));
    let refused = sweep(&scratch, &grid, "--out out").expect(2);
    assert!(refused.stderr().contains("is being swept by another process"), "{}", refused.stderr());
    let orphan = children(&first);
    signal(&first.id().to_string(), "-KILL");
    first.wait().unwrap();
    // The run goes on without its sweep: the next one waits for it.
    let mut second = start(&scratch, &grid, "--out out");
    wait_until("the second waits", || scratch.read("stderr.txt").contains("another process is training it"));
    assert!(children(&second).is_empty());
    signal(&orphan[0], "-KILL");
    wait_until("the second trains", || !children(&second).is_empty());
    signal(&second.id().to_string(), "-INT");
    assert_eq!(second.wait().unwrap().code(), Some(130));
}

#[test]
fn without_a_name_the_directory_is_made_up_and_is_never_shared() {
    let scratch = Scratch::new();
    for _ in 0..2 {
        scratch.gradscope("sweep --model relu5 --grid lr=1 --epochs 1 -q").expect(0);
    }
    let made = scratch.list("reports");
    assert!(made.len() == 2 && made.iter().all(|name| name.starts_with("sweep-relu5-")), "{made:?}");
}

#[test]
fn what_cannot_be_swept_is_refused_before_anything_is_written() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path().join("mine")).unwrap();
    scratch.file("mine/notes.txt", "mine");
    let before = scratch.list(".");
    let cases = [
        "sweep --model relu5 --grid lr=1;x --out out",
        "sweep --model relu5 --grid lr=1;-1 --out out",
        "sweep --model relu5 --grid lr=1;2 --grid init=default;xavir --out out",
        "sweep --model relu5 --grid lrr=1 --out out",
        "sweep --model relu5 --grid lr= --out out",
        "sweep --model relu5 --grid lr=1 --grid lr=2 --out out",
        "sweep --model relu5 --grid out=a;b",
        "sweep --model relu5 --grid model=relu5;rleu5 --out out",
        "sweep --model relu5 --grid seed=1;2 --fail-on nothing --out out",
        "sweep --grid lr=1;2 --out out",
        "sweep --model relu5 --grid lr=1;2 --print-commands",
        "sweep --model relu5 --grid lr=1;2 --out mine",
        "sweep --model relu5 --grid lr=1;2 --out mine/notes.txt",
    ];
    let said = |words: &str| {
        let ran = scratch.gradscope(words).expect(2);
        assert_eq!(ran.stdout(), "", "{words}");
        format!("$ gradscope {words}\n{}\n", ran.stderr())
    };
    insta::assert_snapshot!(cases.map(said).concat());
    for words in ["sweep --model relu5 --out out", "sweep --model relu5 --grid lr=1 --jobs 0"] {
        scratch.gradscope(words).expect(2);
    }
    assert_eq!(scratch.list("."), before);
}

#[test]
fn a_strangers_files_in_the_place_of_a_run_are_left_alone() {
    let scratch = Scratch::new();
    let sweep = "sweep --model mlp --hidden 4 --samples 60 --epochs 1 --grid lr=1;2 --out s -q";
    scratch.gradscope(sweep).expect(0);
    std::fs::remove_dir_all(scratch.path().join("s/cells/lr=1")).unwrap();
    std::fs::create_dir(scratch.path().join("s/cells/lr=1")).unwrap();
    scratch.file("s/cells/lr=1/summary.json", "mine");
    let ran = scratch.gradscope(sweep).expect(3);
    assert!(ran.stdout().contains("was not written by gradscope"), "{}", ran.stdout());
    assert_eq!(scratch.read("s/cells/lr=1/summary.json"), "mine");
}

#[test]
fn a_flag_that_some_runs_cannot_take_is_refused_for_all() {
    let scratch = Scratch::new();
    let words = "sweep --model mlp --momentum 0.9 --grid optimizer=sgd;adam --out s -q";
    let message = scratch.gradscope(words).expect(2).stderr();
    assert!(message.contains("--momentum is for sgd"), "{message}");
    assert!(scratch.list("s").is_empty());
}

#[test]
#[cfg(unix)]
fn a_directory_need_not_be_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let scratch = Scratch::new();
    let name = std::ffi::OsStr::from_bytes(b"c\xff");
    let ran = scratch.command().args(["sweep", "--collect"]).arg(name).output().unwrap();
    assert_eq!(ran.status.code(), Some(2), "{}", String::from_utf8_lossy(&ran.stderr));
}
