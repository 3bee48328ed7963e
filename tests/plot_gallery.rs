//! Every picture of every situation in the gallery: well-formed, complete, nothing over anything else.
//! The pictures lie in `target/tmp/plots` afterwards, to be looked at.

mod plot_support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use plot_support::gallery;

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
            roxmltree::Document::parse(&figure.svg).unwrap_or_else(|e| panic!("{place}: {e}"));
            for row in &figure.table.rows {
                assert_eq!(row.len(), figure.table.columns.len(), "{place}");
            }
            let text = format!("{}{}{}", figure.title, figure.caption, figure.svg);
            assert!(!text.contains('−'), "{place}: the minus is ASCII");
        }
    }
}
