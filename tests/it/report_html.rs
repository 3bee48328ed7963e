//! The page for people: its order, its words, and that nothing in a record can break it.

use std::fs;

use crate::report_support::{diagnosis, figures, healthy, record, record_of, text};
use gradscope::diagnose::{self, Diagnosis, Settings, Verdict};
use gradscope::plot::Figure;
use gradscope::record::Record;
use gradscope::report::{OutputDir, RunReport};

fn html(record: &Record, diagnosis: &Diagnosis, figures: &[Figure]) -> String {
    let temp = tempfile::TempDir::new().unwrap();
    let dir = OutputDir::check(temp.path(), false).unwrap();
    let written = RunReport::with_figures(record, diagnosis, figures.to_vec()).write(&dir).unwrap();
    fs::read_to_string(written.report).unwrap()
}

/// Positions of these texts, which must all be there.
fn places(page: &str, texts: &[&str]) -> Vec<usize> {
    texts.iter().map(|t| page.find(t).unwrap_or_else(|| panic!("{t:?} is not in the page"))).collect()
}

#[test]
fn the_text_of_an_unhealthy_run() {
    insta::assert_snapshot!(text(&html(&record(), &diagnosis(), &figures())));
}

#[test]
fn the_text_of_a_healthy_run() {
    insta::assert_snapshot!(text(&html(&record(), &healthy(), &figures())));
}

#[test]
fn the_verdict_comes_first_and_the_consequence_stays_with_its_root() {
    let page = html(&record(), &diagnosis(), &figures());
    let order = [
        "<h1>",
        "dead-layer",
        "--bias 0",
        "1 consequence: stalled",
        "overfit",
        "Not measured",
        "Layer by layer",
        "Weights, epoch 1",
        "<h2>Histograms",
        "<h2>Epochs",
        "Configuration",
        "How it was measured",
    ];
    assert!(places(&page, &order).is_sorted());
    assert_eq!(page.matches("<h1>").count(), 1);
}

#[test]
fn a_remedy_is_a_whole_command_that_does_not_overwrite_the_evidence() {
    let page = html(&record(), &diagnosis(), &[]);
    assert!(page.contains("<code>gradscope run --model tiny --bias 0</code>"));
}

#[test]
fn a_value_is_drawn_against_its_limit_and_said_in_words() {
    let page = html(&record(), &diagnosis(), &[]);
    assert!(page.contains(r#"aria-label="1 against a limit of 1; linear scale, 0 to 1.2""#));
    assert!(page.contains("<strong>NaN</strong> (limit 5)"), "what has no bar still has its number");
}

#[test]
fn a_run_that_ended_early_says_so() {
    let mut record = record();
    record.end = None;
    let page = html(&record, &diagnosis(), &[]);
    assert!(page.contains("This run ended early"), "killed");
    record.epochs.clear();
    let page = html(&record, &diagnosis(), &[]);
    assert!(page.contains("This run ended early") && page.contains("No epoch was captured"));
}

#[test]
fn nothing_in_a_record_becomes_markup() {
    let hostile = "</style></script><img src=x onerror=alert(1)>\"'&";
    let mut record = record_of([hostile, "fc2"]);
    record.header.run.model = hostile.into();
    record.header.data.name = hostile.into();
    record.header.commit = hostile.into();
    record.header.command.push(hostile.into());
    let mut diagnosis = diagnosis();
    diagnosis.headline = format!("{hostile} is dead.");
    for finding in &mut diagnosis.findings {
        finding.layer = Some(hostile.into());
        finding.layers = vec![hostile.into(), hostile.into(), "fc2".into()];
        finding.message = format!("{hostile} says. {hostile}");
        finding.quantity = hostile.into();
        finding.evidence.insert(hostile.into(), hostile.into());
        finding.remedies.iter_mut().for_each(|r| r.why = hostile.into());
    }
    diagnosis.not_measured[0].why = hostile.into();
    let mut figures = figures();
    figures[0].title = hostile.into();
    figures[0].caption = hostile.into();
    figures[0].table.rows[0][0] = hostile.into();
    let page = html(&record, &diagnosis, &figures);
    assert!(!page.contains("<img"));
    assert_eq!(page.matches("<script").count(), 2, "the page's own, and the numbers for it");
    assert_eq!(page.matches("</script").count(), 2);
    assert_eq!(page.matches("</style>").count(), 2, "of the page and of the pictures");
    assert!(text(&page).contains("onerror=alert(1)"), "still readable");
}

#[test]
fn a_name_neither_buries_the_page_nor_steers_its_writing() {
    let long = format!("encoder.{}.query", "x".repeat(10_000));
    let record = record_of([&long, "fc\u{202e}2"]);
    let mut diagnosis = diagnosis();
    diagnosis.headline = format!("{long} was born dead.");
    diagnosis.findings[0].layers = vec![long.clone()];
    diagnosis.findings[0].message = format!("{long} was born dead. Nothing passes {long}.");
    let page = html(&record, &diagnosis, &[]);
    assert!(!page.contains(&long) && !page.contains('\u{202e}'));
    assert!(page.contains("encoder.") && page.contains(".query") && page.contains("<bdi>fc2</bdi>"));
}

#[test]
fn the_page_asks_nobody_for_anything() {
    let page = html(&record(), &diagnosis(), &figures());
    let without_namespace = page.replace("http://www.w3.org/2000/svg", "");
    let (markup, script) = without_namespace.split_once("<script>").expect("a script");
    for request in ["http:", "https:", "//", "@import", "url(", " src=", "<iframe", "<link rel=\"style"] {
        assert!(!markup.contains(request), "{request}");
    }
    for request in ["fetch", "XMLHttpRequest", "import(", "WebSocket", "sendBeacon", ".src", "http:"] {
        assert!(!script.contains(request), "{request}");
    }
    // A policy that allows this one script by its hash, and no request.
    assert!(page.contains("content=\"default-src 'none'; script-src 'sha256-"));
}

#[test]
fn no_style_attribute_is_used_which_a_strict_policy_would_drop() {
    assert!(!html(&record(), &diagnosis(), &figures()).contains(" style="));
}

#[test]
fn a_layer_that_is_not_finite_has_no_check_mark() {
    let mut record = record();
    record.epochs[1].layers[1].weight_grad = Some(gradscope::stats::Distribution::new(&[f32::NAN]));
    let page = text(&html(&record, &healthy(), &[]));
    assert!(page.contains("✕ not finite"), "{page}");
}

#[test]
fn findings_that_explain_each_other_in_a_circle_come_to_an_end() {
    let mut diagnosis = diagnosis();
    diagnosis.findings[0].root = false;
    diagnosis.findings[0].caused_by = Some(1);
    diagnosis.findings[2].caused_by = Some(99);
    let page = html(&record(), &diagnosis, &[]);
    places(&page, &["dead-layer", "stalled", "overfit"]);
}

#[test]
fn every_kind_of_record_has_a_page() {
    let empty = Record::new(record().header);
    let diagnosis = diagnose::diagnose(&empty, &Settings::default());
    assert_eq!(diagnosis.verdict, Verdict::Healthy);
    assert!(html(&empty, &diagnosis, &[]).contains("Not measured"));
    let mut bare = record();
    bare.header.layers.clear();
    bare.epochs.iter_mut().for_each(|e| e.layers.clear());
    html(&bare, &healthy(), &[]);
}
