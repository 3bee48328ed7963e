//! What is made from the flags themselves, and what works here: completions, manual pages, doctor.

use std::process::{Command, Stdio};

use crate::support::Scratch;
use serde_json::Value;

#[test]
fn every_shell_gets_a_script_that_it_can_read() {
    let scratch = Scratch::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = scratch.gradscope(&format!("completions {shell}")).expect(0).stdout();
        assert!(script.contains("fail-on") && script.contains("gradscope"), "{shell}");
        scratch.file(shell, &script);
        // Of those that are here: no complaint about its syntax.
        let mut command = Command::new(shell);
        command.args(["-n", shell]).current_dir(scratch.path()).stdin(Stdio::null());
        if let (true, Ok(ran)) = (["bash", "zsh", "fish"].contains(&shell), command.output()) {
            assert!(ran.status.success(), "{shell}: {}", String::from_utf8_lossy(&ran.stderr));
        }
    }
    scratch.gradscope("completions csh").expect(2);
}

#[test]
fn every_command_has_a_page() {
    let scratch = Scratch::new();
    let all = scratch.gradscope("man").expect(0).stdout();
    assert!(all.starts_with(".ie") || all.contains(".TH gradscope 1"), "{all}");
    let check = scratch.gradscope("man check").expect(0).stdout();
    assert!(check.contains(".TH gradscope-check 1") && check.contains("fail\\-on"), "{check}");
    for command in ["run", "report", "diff", "export", "schema", "doctor"] {
        assert!(all.contains(&format!("gradscope\\-{command}(1)")), "{command}: {all}");
        scratch.gradscope(&format!("man {command}")).expect(0);
    }
    let message = scratch.gradscope("man chekc").expect(2).stderr();
    assert!(message.contains("did you mean check?"), "{message}");
}

#[test]
fn the_doctor_says_what_works() {
    let scratch = Scratch::new();
    let said = scratch.gradscope("doctor").expect(0).stdout();
    assert!(said.contains("reports can be written into"), "{said}");
    let report: Value = serde_json::from_str(&scratch.gradscope("doctor --json").expect(0).stdout()).unwrap();
    assert_eq!(report["reports"]["writable"], true);
    // One of another build may stand beside it.
    let trains = report["train"].is_string();
    assert!(trains || !cfg!(feature = "train"));
    assert_eq!(report["libtorch"].is_string(), trains);
    assert_eq!(report["devices"].as_array().unwrap().iter().any(|d| d == "cpu"), trains);
    // Where a file stands in its place, nothing can be written.
    scratch.file("reports", "");
    let said = scratch.gradscope("doctor").expect(0).stdout();
    assert!(said.contains("reports is a file"), "{said}");
    assert_eq!(scratch.list("."), ["reports"]);
}
