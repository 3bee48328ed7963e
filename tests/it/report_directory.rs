//! Where a report goes, and what is never lost or left half-written.

use std::fs;
use std::path::Path;

use crate::report_support::{diagnosis, figures, healthy, record};
use gradscope::record::{Compression, Writer};
use gradscope::report::{OutputDir, ReportError, RunReport, Written};
use tempfile::TempDir;

fn write(path: &Path) -> Written {
    let dir = OutputDir::check(path, false).unwrap();
    RunReport::with_figures(&record(), &diagnosis(), figures()).write(&dir).unwrap()
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_report_is_a_page_a_summary_and_plots() {
    let temp = TempDir::new().unwrap();
    let out = temp.path().join("reports/first");
    let written = write(&out);
    assert_eq!(names(&out), ["plots", "report.html", "summary.json"]);
    assert_eq!(names(&out.join("plots")), ["histogram-fc1-weights.svg", "violin-weights.svg"]);
    assert_eq!(written.report, out.join("report.html"));
    assert_eq!(written.summary, out.join("summary.json"));
    assert_eq!(written.files.len(), 4);
}

#[test]
fn checking_touches_nothing() {
    let temp = TempDir::new().unwrap();
    OutputDir::check(&temp.path().join("a/b/c"), false).unwrap();
    OutputDir::check(temp.path(), false).unwrap();
    assert!(names(temp.path()).is_empty());
}

#[test]
fn a_file_in_the_way_is_wrong_usage() {
    let temp = TempDir::new().unwrap();
    let file = temp.path().join("notes.txt");
    fs::write(&file, "mine").unwrap();
    for path in [file.clone(), file.join("sub"), file.join("sub/deeper")] {
        for force in [false, true] {
            let error = OutputDir::check(&path, force).unwrap_err();
            assert!(!error.is_run_failure());
            assert_eq!(error.to_string(), format!("{} is a file: --out wants a directory", file.display()));
        }
    }
    assert!(matches!(OutputDir::check(Path::new(""), false), Err(ReportError::NoPath)));
}

#[test]
fn a_directory_of_someone_else_is_refused_unless_forced_and_then_keeps_what_is_not_ours() {
    let temp = TempDir::new().unwrap();
    fs::write(temp.path().join("thesis.tex"), "mine").unwrap();
    fs::write(temp.path().join("record.jsonl"), "{\"kind\": \"diary\"}\n").unwrap();
    let error = OutputDir::check(temp.path(), false).unwrap_err();
    assert!(!error.is_run_failure());
    assert!(error.to_string().contains("was not written by gradscope"), "{error}");
    assert!(error.to_string().contains("--force"), "{error}");
    let dir = OutputDir::check(temp.path(), true).unwrap();
    RunReport::with_figures(&record(), &diagnosis(), Vec::new()).write(&dir).unwrap();
    assert_eq!(fs::read_to_string(temp.path().join("thesis.tex")).unwrap(), "mine");
}

#[test]
fn an_own_directory_is_reused_and_plots_without_a_successor_go() {
    let temp = TempDir::new().unwrap();
    let out = temp.path().join("run");
    let dir = OutputDir::check(&out, false).unwrap();
    dir.create().unwrap();
    Writer::create(&dir.record(Compression::None), &record().header).unwrap();
    OutputDir::check(&out, false).unwrap();
    write(&out);
    fs::write(out.join("plots/notes.txt"), "mine").unwrap();
    let dir = OutputDir::check(&out, false).unwrap();
    RunReport::with_figures(&record(), &healthy(), figures()[1..].to_vec()).write(&dir).unwrap();
    assert_eq!(names(&out.join("plots")), ["notes.txt", "violin-weights.svg"]);
    assert!(fs::read_to_string(out.join("summary.json")).unwrap().contains("\"healthy\""));
}

#[test]
fn a_rendered_report_without_its_record_is_known_as_ours_too() {
    let temp = TempDir::new().unwrap();
    write(temp.path());
    OutputDir::check(temp.path(), false).unwrap();
}

#[test]
fn a_write_that_fails_leaves_the_earlier_report_and_nothing_half_written() {
    for blocked in ["summary.json", "plots"] {
        let temp = TempDir::new().unwrap();
        let out = temp.path();
        write(out);
        let page = fs::read_to_string(out.join("report.html")).unwrap();
        // What stands in the way: a directory where a file belongs, or a file where a directory does.
        if blocked == "plots" {
            fs::remove_dir_all(out.join(blocked)).unwrap();
            fs::write(out.join(blocked), "").unwrap();
        } else {
            fs::remove_file(out.join(blocked)).unwrap();
            fs::create_dir(out.join(blocked)).unwrap();
        }
        let dir = OutputDir::check(out, true).unwrap();
        let error = RunReport::with_figures(&record(), &healthy(), figures()).write(&dir).unwrap_err();
        assert!(error.is_run_failure());
        assert!(error.to_string().contains(blocked), "{error}");
        assert_eq!(fs::read_to_string(out.join("report.html")).unwrap(), page);
        assert_eq!(names(out), ["plots", "report.html", "summary.json"]);
    }
}

#[test]
fn a_place_that_nothing_can_be_written_to_is_found_out_early() {
    // Not even root can make files here.
    if !Path::new("/proc/self").exists() {
        return;
    }
    let error = OutputDir::check(Path::new("/proc/gradscope-report"), false).unwrap_err();
    assert!(!error.is_run_failure());
    assert!(error.to_string().starts_with("cannot write into /proc"), "{error}");
}
