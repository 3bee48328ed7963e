//! `action.yml`: its steps are run as GitHub runs them, with a gradscope that is here.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Ran, Scratch, fixture};
use yaml_rust2::{Yaml, YamlLoader};

const DEAD: &str = "records/relu5-dead.jsonl";

/// One run of the action.
struct Action {
    document: Yaml,
    scratch: Scratch,
    /// What expressions stand for, such as `inputs.record`.
    values: BTreeMap<String, String>,
    /// Where programs are looked for.
    path: String,
}

impl Action {
    /// With these inputs, and the defaults of the others.
    fn new(inputs: &[(&str, &str)]) -> Self {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("action.yml")).unwrap();
        let document = YamlLoader::load_from_str(&text).unwrap().remove(0);
        let mut values = BTreeMap::from([("github.action_path".into(), env!("CARGO_MANIFEST_DIR").into())]);
        for (name, input) in document["inputs"].as_hash().unwrap() {
            let name = name.as_str().unwrap();
            assert!(!input["description"].is_badvalue(), "{name}");
            let given = inputs.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
            let required = input["required"].as_bool() == Some(true);
            assert!(!required || given.is_some(), "{name} is required");
            values.insert(
                format!("inputs.{name}"),
                given.or(input["default"].as_str()).unwrap_or_default().into(),
            );
        }
        assert!(inputs.iter().all(|(name, _)| values.contains_key(&format!("inputs.{name}"))));
        Self { document, scratch: Scratch::new(), values, path: std::env::var("PATH").unwrap() }
    }

    /// A text with its expressions evaluated; one that nothing sets would be empty on GitHub too, unnoticed.
    fn evaluated(&self, text: &str) -> String {
        let mut parts = text.split("${{");
        let mut all = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (expression, rest) = part.split_once("}}").expect("a closed expression");
            all +=
                self.values.get(expression.trim()).unwrap_or_else(|| panic!("{expression} is nowhere set"));
            all += rest;
        }
        all
    }

    /// Runs the steps up to the first that fails, and gives the last.
    fn run(&mut self) -> Ran {
        assert_eq!(self.document["runs"]["using"].as_str(), Some("composite"));
        let mut last = None;
        for step in self.document["runs"]["steps"].clone().as_vec().unwrap() {
            assert_eq!(step["shell"].as_str(), Some("bash"), "a composite action names its shell");
            let run = step["run"].as_str().expect("a step of a shell");
            assert!(!run.contains("${{"), "an input inside a script could run commands; give it as env");
            let script = self.scratch.file("step.sh", run);
            let output = self.scratch.file("github_output", "");
            let mut command = Command::new("bash");
            command.args(["--noprofile", "--norc", "-e", "-o", "pipefail"]).arg(script);
            command.current_dir(self.scratch.path()).env("NO_COLOR", "1").env("PATH", &self.path);
            command.env("RUNNER_TEMP", self.scratch.path()).env("GITHUB_OUTPUT", &output);
            command.env("GITHUB_STEP_SUMMARY", self.scratch.path().join("step.md"));
            for (name, value) in step["env"].as_hash().unwrap() {
                command.env(name.as_str().unwrap(), self.evaluated(value.as_str().unwrap()));
            }
            let ran = Ran(command.output().unwrap());
            let id = step["id"].as_str().unwrap();
            for line in self.scratch.read("github_output").lines() {
                let (name, value) = line.split_once('=').unwrap();
                self.values.insert(format!("steps.{id}.outputs.{name}"), value.into());
            }
            let status = ran.status();
            last = Some(ran);
            if status != 0 {
                break;
            }
        }
        last.expect("a step")
    }

    fn output(&self, name: &str) -> String {
        self.evaluated(self.document["outputs"][name]["value"].as_str().unwrap())
    }
}

#[test]
fn a_dead_network_fails_the_job_with_annotations_a_summary_and_junit() {
    let record = fixture(DEAD);
    let mut action = Action::new(&[
        ("record", record.to_str().unwrap()),
        ("gradscope", env!("CARGO_BIN_EXE_gradscope")),
        ("junit", "out/gradscope.xml"),
    ]);
    let ran = action.run().expect(1);
    assert!(ran.stdout().contains("::error title=dead-layer"), "{}", ran.stdout());
    assert!(action.scratch.read("step.md").contains("dead-layer"));
    assert!(action.scratch.read("out/gradscope.xml").contains("<testsuites"));
    assert_eq!(action.output("findings"), "7");
}

#[test]
fn the_inputs_decide_what_fails() {
    let record = fixture(DEAD);
    let record = record.to_str().unwrap();
    let with = |more: &[(&str, &str)]| {
        let inputs = [("record", record), ("gradscope", env!("CARGO_BIN_EXE_gradscope"))];
        let mut action = Action::new(&[&inputs, more].concat());
        (action.run().status(), action.values.get("steps.check.outputs.findings").cloned())
    };
    assert_eq!(with(&[("fail-on", "symmetric")]), (0, Some("7".into())));
    assert_eq!(with(&[("fail-on", "")]), (0, Some("7".into())));
    assert_eq!(with(&[("baseline", record)]), (0, Some("0".into())), "nothing is new");
    assert_eq!(with(&[("fail-on", "nothing-such")]).0, 2);
    // What an input says is a word, never a command.
    assert_eq!(with(&[("fail-on", "error; touch owned $(touch owned)")]).0, 2);
    let mut missing = Action::new(&[("record", "-nothing"), ("gradscope", env!("CARGO_BIN_EXE_gradscope"))]);
    let ran = missing.run().expect(2);
    assert!(ran.stderr().contains("-nothing"), "{}", ran.stderr());
    assert!(!missing.scratch.list(".").contains(&"owned".to_owned()));
}

#[test]
fn without_a_gradscope_it_is_built_from_the_actions_sources() {
    let mut action = Action::new(&[("record", fixture(DEAD).to_str().unwrap())]);
    // A cargo that only writes down what it is told, and puts the program where it should.
    fs::create_dir(action.scratch.path().join("bin")).unwrap();
    let cargo = action.scratch.file(
        "bin/cargo",
        &format!(
            "#!/bin/sh\necho \"$@\" > cargo-words\nmkdir -p gradscope/bin\nln -s {} gradscope/bin/gradscope\n",
            env!("CARGO_BIN_EXE_gradscope")
        ),
    );
    Ran(Command::new("chmod").arg("+x").arg(cargo).output().unwrap()).expect(0);
    action.path = format!("{}:{}", action.scratch.path().join("bin").display(), action.path);
    assert_eq!(action.run().status(), 1);
    let words = action.scratch.read("cargo-words");
    assert!(words.starts_with("install --quiet --locked --no-default-features --path /"), "{words}");
}
