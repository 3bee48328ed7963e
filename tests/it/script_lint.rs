//! The script of the pages has none of the mistakes that ESLint knows, by `tests/npm/eslint.config.mjs`.
//! Skipped without node and the packages of `tests/npm`, unless GRADSCOPE_REQUIRE_BROWSER is set.

use std::path::Path;
use std::process::Command;

fn missing(what: &str) {
    assert!(std::env::var_os("GRADSCOPE_REQUIRE_BROWSER").is_none(), "no {what} here");
}

#[test]
fn the_script_of_the_pages_has_no_mistake_that_a_linter_knows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = root.join("target/npm/node_modules/eslint/bin/eslint.js");
    if !program.exists() {
        return missing("ESLint (npm ci in target/npm)");
    }
    let words = ["--config", "tests/npm/eslint.config.mjs", "--max-warnings", "0", "templates/report.js"];
    let Ok(ran) = Command::new("node").arg(program).args(words).current_dir(root).output() else {
        return missing("node");
    };
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
}
