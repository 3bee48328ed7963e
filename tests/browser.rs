//! The report in a real browser. Needs chromium; without one these tests skip themselves, unless
//! GRADSCOPE_REQUIRE_BROWSER is set (as `.ci/run` does): then that is a failure.

mod support;

use std::path::Path;
use std::process::Command;

use support::{Scratch, fixture};

/// The page after its scripts have run, and everything that the console said; `None` without a browser.
fn open(page: &Path, flags: &[&str]) -> Option<(String, String)> {
    let profile = tempfile::tempdir().expect("a temporary directory");
    let ran = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--dump-dom"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        // Anything that the page asks the network for fails, and says so on the console.
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(flags)
        .arg(format!("file://{}", page.display()))
        .output();
    match ran {
        Ok(ran) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let console =
                text(&ran.stderr).lines().filter(|l| l.contains("CONSOLE")).collect::<Vec<_>>().join("\n");
            Some((text(&ran.stdout), console))
        }
        Err(error) => {
            assert!(std::env::var_os("GRADSCOPE_REQUIRE_BROWSER").is_none(), "no chromium: {error}");
            None
        }
    }
}

fn rendered() -> Scratch {
    let scratch = Scratch::new();
    let record = fixture("records/relu5-dead.jsonl");
    scratch.gradscope_words(&["report", record.to_str().unwrap(), "--out", "out", "-q"]).expect(0);
    scratch
}

#[test]
fn the_page_opens_from_disk_without_a_request_or_a_word_on_the_console() {
    let scratch = rendered();
    let Some((page, console)) = open(&scratch.path().join("out/report.html"), &[]) else { return };
    assert_eq!(console, "");
    let heading = page.split("<h1").nth(1).and_then(|rest| rest.split("</h1>").next()).unwrap_or_default();
    assert!(heading.contains("fc1 was born dead"), "{heading}");
    assert!(page.matches("<svg").count() >= 17 && page.matches("<table").count() >= 10);
}

/// Two runs in one table.
fn swept() -> Scratch {
    let scratch = Scratch::new();
    let record = std::fs::read_to_string(fixture("records/relu5-dead.jsonl")).expect("the fixture");
    for bias in ["-8", "-800000000"] {
        let name = format!("bias{bias}.jsonl");
        scratch.file(&name, &record.replacen("\"-8\"", &format!("\"{bias}\""), 1));
        let out = format!("out/cells/bias={bias}");
        scratch.gradscope_words(&["report", &name, "--out", &out, "-q"]).expect(0);
    }
    scratch.gradscope("sweep --collect out -q").expect(0);
    scratch
}

#[test]
fn the_table_of_a_sweep_leads_to_the_reports_of_its_runs() {
    let scratch = swept();
    let Some((page, console)) = open(&scratch.path().join("out/report.html"), &[]) else { return };
    assert_eq!(console, "");
    for link in page.split("href=\"cells/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(scratch.path().join("out/cells").join(link).is_file(), "{link}");
    }
    assert_eq!(page.matches("href=\"cells/").count(), 2);
}

#[test]
fn no_width_from_a_phone_to_a_large_screen_needs_sideways_scrolling() {
    needs_no_sideways_scrolling(&rendered());
    needs_no_sideways_scrolling(&swept());
}

fn needs_no_sideways_scrolling(scratch: &Scratch) {
    for width in [320, 375, 768, 1280, 3840] {
        let frame = scratch.file(
            "frame.html",
            &format!(
                "<iframe width={width} height=800 style='border:0' src=out/report.html></iframe>\
                 <script>onload = () => {{ const d = frames[0].document.documentElement;\
                 document.title = `needs ${{d.scrollWidth}}` }}</script>"
            ),
        );
        let flags = ["--allow-file-access-from-files", "--window-size=4000,1000"];
        let Some((page, _)) = open(&frame, &flags) else { return };
        let needs = page.split("<title>needs ").nth(1).and_then(|rest| rest.split('<').next());
        let needs: u32 = needs.unwrap_or_else(|| panic!("no measurement: {page}")).parse().unwrap();
        assert!(needs <= width, "at {width} the page is {needs} wide");
    }
}

#[test]
fn every_picture_can_be_opened_by_itself() {
    let scratch = rendered();
    for name in scratch.list("out/plots") {
        let Some((picture, console)) = open(&scratch.path().join("out/plots").join(&name), &[]) else {
            return;
        };
        assert_eq!(console, "", "{name}");
        // A file that is not well-formed is shown as an error page.
        assert!(picture.contains("<svg") && !picture.contains("parsererror"), "{name}");
    }
}
