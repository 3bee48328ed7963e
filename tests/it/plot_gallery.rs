//! Every picture of every situation in the gallery: well-formed, complete, nothing over anything else.
//! The pictures lie in `target/tmp/plots` afterwards, to be looked at.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::plot_support::gallery;
use roxmltree::{Document, Node};

#[test]
fn every_picture_is_well_formed_and_named_once() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plots");
    for (situation, scenario) in gallery() {
        let folder = folder.join(situation);
        fs::create_dir_all(&folder).unwrap();
        let mut names = BTreeSet::new();
        for figure in scenario.figures() {
            let place = format!("{situation}/{}", figure.name);
            fs::write(folder.join(format!("{}.svg", figure.name)), &figure.svg).unwrap();
            assert!(names.insert(figure.name.to_lowercase()), "{place} twice");
            let document = Document::parse(&figure.svg).unwrap_or_else(|e| panic!("{place}: {e}"));
            check_accessible(&document, &place);
            check_numbers(&document, &place);
            check_texts(&document, &place);
            for row in &figure.table.rows {
                assert_eq!(row.len(), figure.table.columns.len(), "{place}");
            }
            let sentences = figure.caption.matches(". ").count() + 1;
            assert!(sentences <= 3 && figure.caption.ends_with('.'), "{place}: {}", figure.caption);
            let text = format!("{}{}{}", figure.title, figure.caption, figure.svg);
            assert!(!text.contains('\u{2212}'), "{place}: the minus is ASCII");
        }
    }
}

fn check_accessible(document: &Document, place: &str) {
    let root = document.root_element();
    assert_eq!(root.attribute("role"), Some("img"), "{place}");
    let ids: Vec<_> = document.descendants().filter_map(|n| n.attribute("id")).collect();
    let labelled_by: Vec<_> = root.attribute("aria-labelledby").unwrap().split(' ').collect();
    assert_eq!(ids, labelled_by, "{place}: ids are the title and the description, nothing else");
}

fn check_numbers(document: &Document, place: &str) {
    let shapes = document.descendants().flat_map(|n| n.attributes());
    for a in shapes.filter(|a| ["d", "x", "y", "cx", "cy", "width", "height", "points"].contains(&a.name())) {
        assert!(!a.value().contains("NaN") && !a.value().contains("inf"), "{place}: {}", a.value());
    }
}

/// A text with the box it covers on a phone, where letters are largest.
struct Label {
    text: String,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

/// Estimated with an average letter: a cheap check for labels that were never thinned or shortened.
fn label(node: Node) -> Label {
    let number = |name| node.attribute(name).and_then(|v| v.parse::<f64>().ok()).unwrap();
    let text = node.text().unwrap_or_default().to_owned();
    let small = node.attribute("class").unwrap_or_default().contains("gs-small");
    let size = if small { 17.5 } else { 20.0 };
    let (x, y, width) = (number("x"), number("y"), 0.52 * size * text.chars().count() as f64);
    let left = match node.attribute("text-anchor") {
        Some("middle") => x - width / 2.0,
        Some("end") => x - width,
        _ => x,
    };
    Label { text, left, right: left + width, top: y - 0.4 * size, bottom: y + 0.4 * size }
}

fn check_texts(document: &Document, place: &str) {
    let view = document.root_element().attribute("viewBox").unwrap();
    let view: Vec<f64> = view.split(' ').map(|v| v.parse().unwrap()).collect();
    let texts = document.descendants().filter(|n| n.has_tag_name("text") || n.tag_name().name() == "text");
    let labels: Vec<Label> = texts.map(label).filter(|l| !l.text.is_empty()).collect();
    for (i, a) in labels.iter().enumerate() {
        let inside = a.left >= -2.0 && a.right <= view[2] + 2.0 && a.top >= -2.0 && a.bottom <= view[3] + 2.0;
        assert!(inside, "{place}: {:?} is clipped", a.text);
        // Marks in the plot may lie over each other as the values do.
        for b in labels[i + 1..].iter().filter(|b| a.text != "✕" && b.text != "✕") {
            let apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
            assert!(apart, "{place}: {:?} over {:?}", a.text, b.text);
        }
    }
}
