//! What the pictures say.

use crate::plot_support::{Scenario, capture, network};
use gradscope::plot::{Figure, Section};
use roxmltree::Document;

fn names(figures: &[Figure]) -> Vec<&str> {
    figures.iter().map(|f| f.name.as_str()).collect()
}

/// Every text that is drawn, in order.
fn texts(figure: &Figure) -> Vec<String> {
    let document = Document::parse(&figure.svg).unwrap();
    let texts = document.descendants().filter(|n| n.tag_name().name() == "text");
    texts.filter_map(|n| n.text()).map(str::to_owned).collect()
}

/// A capture whose gradients are `scale` times a fixed nine.
fn layer(scale: f32) -> gradscope::record::LayerCapture {
    let values = [-2.0f32, -1.0, -0.5, 0.25, 0.5, 1.0, 1.5, 2.0, 4.0].map(|v| v * scale);
    capture(&[0.1, 0.2, -0.3], Some(&values), Some(&[0.0, 0.5, 1.0]))
}

fn with(layers: Vec<gradscope::record::LayerCapture>) -> Scenario {
    let names: Vec<String> = (1..=layers.len()).map(|i| format!("fc{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Scenario::new(&names).epoch([0.6, 0.7], [0.8, 0.7], layers)
}

#[test]
fn the_figures_of_a_run_come_in_the_order_of_the_report() {
    let figures = with(vec![layer(1.0), layer(1.0)]).figures();
    let expected = [
        "violin-gradients",
        "violin-gradients-log",
        "over-time",
        "violin-weights",
        "violin-activations",
        "norms",
        "loss",
        "accuracy",
        "histogram-fc1-weights",
        "histogram-fc1-gradients",
        "histogram-fc2-weights",
        "histogram-fc2-gradients",
    ];
    assert_eq!(names(&figures), expected);
    let sections: Vec<Section> = figures.iter().map(|f| f.section).collect();
    assert!(sections.is_sorted());
}

#[test]
fn magnitudes_come_first_where_medians_are_more_than_two_decades_apart() {
    let first = |layers| names(&with(layers).figures())[0].to_owned();
    assert_eq!(first(vec![layer(1.0), layer(0.02)]), "violin-gradients");
    assert_eq!(first(vec![layer(1.0), layer(0.005)]), "violin-gradients-log");
    assert_eq!(first(vec![layer(1.0), layer(0.0)]), "violin-gradients-log");
    assert_eq!(first(vec![layer(0.0), layer(0.0)]), "violin-gradients");
}

#[test]
fn nothing_is_dropped_and_nothing_is_hidden() {
    let nan = f32::NAN;
    let scenario = with(vec![
        capture(&[0.01; 9], Some(&[0.0; 9]), None),
        capture(&[1.0, 2.0, nan], Some(&[0.0, 0.0, 0.0, 1.0, 2.0, 3.0, nan, f32::INFINITY]), None),
        capture(&[1.0, 2.0], None, None),
        capture(&[nan; 4], Some(&[-0.5; 3]), None),
    ]);
    let log = scenario.figure("violin-gradients-log");
    let drawn = texts(&log).join(" | ");
    for text in ["all 9 zero", "zeros 3/8", "NaN 1/8", "inf 1/8", "no gradient", "all 0.5"] {
        assert!(drawn.contains(text), "{text} is not in {drawn}");
    }
    assert_eq!(log.table.rows.len(), 4);
    assert_eq!(log.table.rows[1][1..], ["8", "2", "1.5", "2.5", "3", "3", "1", "1"]);
    let weights = scenario.figure("violin-weights");
    let drawn = texts(&weights).join(" | ");
    assert!(drawn.contains("all 0.01") && drawn.contains("all 4 NaN"), "{drawn}");
    let document = Document::parse(&weights.svg).unwrap();
    let layers = document.descendants().filter_map(|n| n.attribute("data-layer"));
    assert_eq!(layers.collect::<Vec<_>>(), ["0", "1", "2", "3"]);
}

#[test]
fn a_flagged_layer_is_told_by_more_than_its_colour() {
    let scenario = with(vec![layer(1.0), layer(1.0)]).flag(&["fc1"]);
    for name in ["violin-gradients", "violin-weights", "norms"] {
        let figure = scenario.figure(name);
        let drawn = texts(&figure);
        assert!(drawn.contains(&"✕ fc1".into()) && drawn.contains(&"fc2".into()), "{name}: {drawn:?}");
        assert!(figure.caption.contains("red and ✕"), "{name}");
    }
    assert!(!with(vec![layer(1.0)]).figure("violin-weights").svg.contains('✕'));
}

#[test]
fn hostile_names_are_text_and_nothing_else() {
    let name = "</g></svg><script>alert(1)</script>\"'&]]>\u{0}\u{1b}[31m\u{202e}evil";
    let scenario = Scenario::new(&[name, "fc2"])
        .epoch([0.6, 0.7], [0.8, 0.7], vec![layer(1.0), layer(1.0)])
        .flag(&[name]);
    for figure in scenario.figures() {
        let document = Document::parse(&figure.svg).unwrap();
        assert!(document.descendants().all(|n| n.tag_name().name() != "script"), "{}", figure.name);
        let unwanted = |c: char| c == '\u{202e}' || (c.is_control() && c != '\n');
        assert!(!figure.svg.contains(unwanted), "{}", figure.name);
        let safe = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        assert!(figure.name.chars().all(safe) && figure.name.len() < 100, "{}", figure.name);
    }
    let title = scenario.figure("violin-weights").svg;
    assert!(
        title.contains("&lt;/g&gt;&lt;/svg&gt;&lt;script&gt;alert(1)"),
        "the whole name is in the tooltip"
    );
}

#[test]
fn curves_list_every_captured_epoch() {
    let scenario = network(&["fc1", "fc2"], 9, 0.5, 70);
    let loss = scenario.figure("loss");
    assert_eq!(loss.table.columns, ["epoch", "train bce loss", "dev bce loss"]);
    assert_eq!(loss.table.rows.len(), 70);
    assert!(texts(&loss).contains(&"guessing 0.693".into()));
    assert_eq!(scenario.figure("norms").table.rows.len(), 140);
    assert_eq!(scenario.figure("accuracy").title, "Accuracy over epochs");
}

#[test]
fn lines_that_end_at_the_same_place_share_a_label_only_if_they_are_layers() {
    let dead = || capture(&[1.0], Some(&[0.0; 3]), None);
    let scenario = Scenario::new(&["fc1", "fc2", "fc3"])
        .epoch([0.7, 0.7], [0.5, 0.5], vec![dead(), dead(), dead()])
        .flag(&["fc1", "fc2", "fc3"]);
    assert!(texts(&scenario.figure("norms")).contains(&"✕ 3 layers".into()));
    let loss = texts(&scenario.figure("loss")).join(" ");
    assert!(["train", "dev", "guessing 0.693"].iter().all(|l| loss.contains(l)), "{loss}");
}

#[test]
fn a_record_without_a_captured_epoch_has_no_pictures() {
    assert!(Scenario::new(&["fc1"]).figures().is_empty());
}

#[test]
fn without_gradients_and_activations_there_are_no_pictures_of_them() {
    let figures = with(vec![capture(&[1.0, 2.0], None, None)]).figures();
    assert_eq!(
        names(&figures),
        ["over-time", "violin-weights", "norms", "loss", "accuracy", "histogram-fc1-weights"]
    );
}

#[test]
fn pictures_do_not_change_unnoticed() {
    let scenario =
        with(vec![layer(0.001), layer(1.0), capture(&[0.5; 3], Some(&[0.0; 9]), None)]).flag(&["fc1"]);
    for name in ["violin-gradients-log", "loss", "histogram-fc2-gradients"] {
        let figure = scenario.figure(name);
        // The style sheet is the same in all; a line an element shows what changed.
        let (head, rest) = figure.svg.split_once("<style>").unwrap();
        let (_, body) = rest.split_once("</style>").unwrap();
        let svg = format!("{head}{body}").replace("><", ">\n<");
        let table: Vec<String> = figure.table.rows.iter().map(|r| r.join(" | ")).collect();
        let text = format!("{}\n{}\n{}\n{svg}", figure.title, figure.caption, table.join("\n"));
        insta::assert_snapshot!(name, text);
    }
}
