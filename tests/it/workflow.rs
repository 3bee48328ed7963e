//! The workflow runs what there is: every step that is a command is a target of the Makefile, or known.

use std::fs;
use std::path::Path;

use yaml_rust2::YamlLoader;

/// Commands that are no target of the Makefile.
const OTHERS: [&str; 2] = ["bash .ci/run", "cargo install --locked cargo-deny cargo-machete"];

#[test]
fn every_step_of_the_workflow_is_a_target_of_the_makefile() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let makefile = fs::read_to_string(root.join("Makefile")).unwrap();
    let text = fs::read_to_string(root.join(".github/workflows/ci.yml")).unwrap();
    let workflow = YamlLoader::load_from_str(&text).unwrap().remove(0);
    let jobs = workflow["jobs"].as_hash().expect("jobs");
    let steps = jobs.values().flat_map(|job| job["steps"].as_vec().expect("steps of a job"));
    let mut targets = Vec::new();
    for command in steps.filter_map(|step| step["run"].as_str()) {
        match command.strip_prefix("make ") {
            Some(target) => {
                let rule = format!("\n{target}:");
                assert!(makefile.contains(&rule), "the Makefile has no target {target}");
                targets.push(target);
            }
            None => assert!(OTHERS.contains(&command), "{command} is no command of this project"),
        }
    }
    for target in ["test-slim", "test-train", "test-torch", "deny", "msrv"] {
        assert!(targets.contains(&target), "no job runs make {target}");
    }
}
