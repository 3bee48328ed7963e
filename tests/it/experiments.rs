//! The exercises of the teaching material: that they run, and that they show what they are to show.

use std::path::Path;
use std::process::Command;

use crate::support::{Scratch, fixture, number};
use serde_json::Value;

/// The list that `make experiments` runs.
fn experiments() -> Vec<toml::Table> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/experiments.toml");
    let list: toml::Table = std::fs::read_to_string(path).expect("the list").parse().expect("valid TOML");
    let experiments = list["experiment"].as_array().expect("an array").iter();
    experiments.map(|e| e.as_table().expect("a table").clone()).collect()
}

fn commands(experiment: &toml::Table) -> Vec<&str> {
    experiment["commands"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect()
}

#[test]
fn the_readme_names_every_experiment_with_its_commands_and_what_to_look_for() {
    let readme = include_str!("../../README.md");
    let list = experiments();
    assert_eq!(list.len(), 11);
    for (number, experiment) in (1..).zip(&list) {
        let lines: String = commands(experiment).iter().map(|c| format!("   {c}\n")).collect();
        let entry = format!(
            "{number}. **{}.** Look for {}.\n\n   ```sh\n{lines}   ```\n",
            experiment["title"].as_str().unwrap(),
            experiment["look_for"].as_str().unwrap()
        );
        assert!(readme.contains(&entry), "the README lacks:\n{entry}");
    }
}

#[test]
fn all_of_them_run_and_the_index_links_what_came_of_them() {
    let scratch = Scratch::new();
    let program = Path::new(env!("CARGO_BIN_EXE_gradscope"));
    let runner = program.with_file_name("examples").join("experiments");
    let images = fixture("idx");
    let ran = Command::new(runner)
        .args([program, Path::new("out"), images.as_path()])
        .current_dir(scratch.path())
        .output()
        .expect("the example is built");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let index = scratch.read("out/index.html");
    for (number, experiment) in (1..).zip(&experiments()) {
        assert!(index.contains(&format!("<h2 id=\"experiment-{number}\">")));
        for (part, command) in (1..).zip(commands(experiment)) {
            let name = format!("{number:02}-{part}");
            if ["run", "compare", "sweep"].iter().any(|c| command.starts_with(&format!("gradscope {c} "))) {
                assert!(index.contains(&format!("href=\"{name}/report.html\"")), "{command}");
                assert!(scratch.list(&format!("out/{name}")).contains(&"report.html".into()), "{command}");
            }
        }
    }
    assert_eq!(index.matches("<svg").count(), 2, "the two initial distributions");
    assert!(index.contains("235,146"));
}

/// The summary of a run of the zoo.
fn run(scratch: &Scratch, flags: &str) -> Value {
    let ran = scratch.gradscope(&format!("run {flags} --out r --force --json --quiet")).expect(0);
    serde_json::from_str(&ran.stdout()).expect("valid JSON")
}

fn vanishes(summary: &Value) -> bool {
    summary["findings"].as_array().unwrap().iter().any(|f| f["family"] == "vanishing")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    (values[(n - 1) / 2] + values[n / 2]) / 2.0
}

/// PyTorch 2.13: median ratio 5 to 11 by the set of seeds.
#[test]
fn the_first_layers_of_sigmoid4_stop_under_the_default_draw_and_not_under_xavier() {
    let scratch = Scratch::new();
    let first = |s: &Value| {
        let epochs = s["layers"][0]["epochs"].as_array().unwrap();
        number(&epochs.last().unwrap()["weight_grad"]["l2"])
    };
    let (mut default, mut xavier, mut ratios) = (0, 0, Vec::new());
    for seed in 0..10 {
        let of =
            |init: &str| run(&scratch, &format!("--model sigmoid4 --init {init} --epochs 40 --seed {seed}"));
        let (a, b) = (of("default"), of("xavier-uniform"));
        ratios.push(first(&b) / first(&a));
        if seed < 5 {
            default += u32::from(vanishes(&a));
            xavier += u32::from(vanishes(&b));
        }
    }
    assert!(default >= 4, "{default} of 5 vanish under the default draw");
    assert!(xavier <= 1, "{xavier} of 5 vanish under Xavier's");
    assert!(median(ratios.clone()) >= 3.0, "{ratios:?}");
}

/// PyTorch 2.13: 4 of 5.
#[test]
fn he_starts_relu3_nearer_to_its_goal() {
    let scratch = Scratch::new();
    let better = (0..5).filter(|seed| {
        let mse = |init: &str| {
            let summary = run(&scratch, &format!("--model relu3 --init {init} --epochs 20 --seed {seed}"));
            -number(&summary["epochs"].as_array().unwrap().last().unwrap()["train_score"])
        };
        mse("kaiming-normal") < mse("default")
    });
    assert!(better.count() >= 4);
}

/// PyTorch 2.13: 0.865 and 0.99.
fn moons(model: &str, lr: f64) -> f64 {
    let scratch = Scratch::new();
    let score = |seed: u32| {
        number(&run(&scratch, &format!("--model {model} --lr {lr} --seed {seed}"))["test"]["score"])
    };
    median((0..5).map(score).collect())
}

#[test]
fn moons1_learns_to_the_end() {
    assert!(moons("moons1", 0.2) >= 0.84);
    assert!(moons("moons1", 5.0) >= 0.98);
}

#[test]
fn moons2_learns_to_the_end() {
    assert!(moons("moons2", 0.2) >= 0.84);
    assert!(moons("moons2", 5.0) >= 0.98);
}

#[test]
fn zeros1_is_found_symmetric_and_guesses() {
    let scratch = Scratch::new();
    let summary = run(&scratch, "--model zeros1");
    let roots: Vec<&Value> =
        summary["findings"].as_array().unwrap().iter().filter(|f| f["root"] == true).collect();
    assert_eq!(roots.len(), 1);
    assert_eq!(roots[0]["rule"], "symmetric");
    let dev = number(&summary["epochs"].as_array().unwrap().last().unwrap()["dev_score"]);
    assert!((dev - 0.5).abs() < 0.05, "{dev}");
}
