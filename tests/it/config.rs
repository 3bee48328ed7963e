//! `gradscope.toml`: below the flags, refused with its line where it is wrong, shown by `--show-config`.

use crate::support::Scratch;

const FILE: &str = "model = \"relu5\"\nbias = -8\nepochs = 2\nhidden = [4, 4]\nfail-on = [\"dead-relu\"]\nquiet = true\n\
                    standardize = false\nset = [\"dead-layer.share=1\"]\n";

fn with(file: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.file("gradscope.toml", file);
    scratch
}

#[test]
fn the_file_is_below_the_flags_and_both_are_shown() {
    let scratch = with(&FILE.replace("set = [\"dead-layer.share=1\"]\n", ""));
    let shown = scratch.gradscope("run --show-config --epochs 3 --lr=0.5").expect(0).stdout();
    insta::assert_snapshot!("shown", shown);
    assert_eq!(scratch.list("."), ["gradscope.toml"], "nothing was trained");
    scratch.gradscope("run --epochs 3 --out r").expect(1);
    let summary = scratch.summary("r");
    assert_eq!((summary["run"]["epochs"].as_u64(), summary["run"]["bias"].as_str()), (Some(3), Some("-8")));
    // What is shown is such a file again, and a record repeats its run without it.
    let command = summary["run"]["command"].as_array().unwrap();
    let words: Vec<&str> = command.iter().skip(1).map(|w| w.as_str().unwrap()).collect();
    assert!(words.contains(&"--bias=-8") && !words.contains(&"--quiet"), "{words:?}");
    scratch.file("gradscope.toml", &shown);
    let again = scratch.gradscope("run --show-config").expect(0).stdout();
    let settings = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split("  # ").next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(settings(&again), settings(&shown));
}

#[test]
fn what_is_wrong_is_refused_with_its_line() {
    let cases = [
        "model = \"relu5\"\n\nlrr = 1\n",
        "model = \"relu5\"\nlr = -1\n",
        "model = \"relu5\"\ninit = \"xavir-uniform\"\n",
        "model = \"relu5\"\nlr = true\n",
        "model = \"relu5\"\nstandardize = 1\n",
        "model = \"relu5\"\nresume = \"r\"\n",
        "model = \"relu5\"\nlr = {a = 1}\n",
        "model = \"relu5\"\nhidden = []\n",
        "model = \"relu5\"\nlr =\n",
        "[run]\nmodel = \"relu5\"\n",
    ];
    let said: Vec<String> = cases
        .iter()
        .map(|case| {
            let message = with(case).gradscope("run --epochs 1").expect(2).stderr();
            message
                .lines()
                .filter(|l| !l.trim().is_empty() && !l.starts_with("For more"))
                .collect::<Vec<_>>()
                .join(" | ")
        })
        .collect();
    assert!(said.iter().all(|message| message.contains("gradscope.toml, line ")), "{said:#?}");
    insta::assert_snapshot!("refused", said.join("\n"));
}

#[test]
fn comparisons_and_sweeps_have_it_too_and_other_commands_do_not() {
    let scratch = with("model = \"moons1\"\nepochs = 2\nquiet = true\n");
    scratch.gradscope_words(&["compare", "--vary", "lr=0.1;1", "--out", "c"]).expect(0);
    scratch.gradscope_words(&["sweep", "--grid", "lr=0.1;1", "--out", "s"]).expect(0);
    assert_eq!(scratch.summary("s/cells/lr=0.1")["run"]["epochs"], 2);
    scratch.gradscope("check s/cells/lr=0.1").expect(0);
    scratch.file("gradscope.toml", "nonsense");
    scratch.gradscope("check s/cells/lr=0.1").expect(0);
    scratch.gradscope("run --model moons1").expect(2);
    let mut command = scratch.command();
    command.env("GRADSCOPE_CONFIG", "").args(["run", "--model", "moons1", "--epochs", "1", "--out", "r"]);
    assert!(command.output().unwrap().status.success(), "an empty variable: no file");
}
