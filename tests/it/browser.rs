//! The report in a real browser: what it does, and that it is whole without doing it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::browser_support::{Browser, missing};
use crate::plot_support::{Scenario, gallery, network};
use crate::support::{Scratch, fixture};
use base64::Engine;
use gradscope::diagnose::{self, Settings};
use gradscope::plot::{self, Compared};
use gradscope::report::compare::{self, Comparison, Variant};
use gradscope::report::{OutputDir, RunReport};
use serde_json::json;

/// The report of a network that was born dead.
fn rendered() -> (Scratch, PathBuf) {
    let scratch = Scratch::new();
    let record = fixture("records/relu5-dead.jsonl");
    scratch.gradscope_words(&["report", record.to_str().unwrap(), "--out", "out", "-q"]).expect(0);
    let page = scratch.path().join("out/report.html");
    (scratch, page)
}

/// The report of a run made by hand, as its own findings have it.
fn page_of(scratch: &Scratch, name: &str, scenario: &Scenario) -> PathBuf {
    let diagnosis = diagnose::diagnose(&scenario.record, &Settings::default());
    let dir = OutputDir::check(&scratch.path().join(name), false).unwrap();
    RunReport::new(&scenario.record, &diagnosis).write(&dir).unwrap().report
}

/// The gallery, but for epochs without end, which no run has.
fn situations() -> impl Iterator<Item = (&'static str, Scenario)> {
    gallery().into_iter().filter(|(name, _)| *name != "extremes")
}

/// Five layers over twenty epochs, of which nothing is dead.
fn fading() -> Scenario {
    network(&["fc1", "fc2", "fc3", "fc4", "fc5"], 9, 0.01, 20)
}

#[test]
fn the_page_opens_from_disk_without_a_request_or_a_word_on_the_console() {
    let (scratch, page) = rendered();
    let Some(browser) = Browser::start() else { return };
    browser.open(&page);
    assert!(browser.text("document.querySelector('h1').textContent").contains("fc1 was born dead"));
    let entries = browser.run("return performance.getEntriesByType('resource').length");
    assert_eq!(entries, json!(0), "nothing was asked for");
    for name in scratch.list("out/plots") {
        browser.open(&scratch.path().join("out/plots").join(&name));
        assert_eq!(browser.text("document.documentElement.localName"), "svg", "{name} is well-formed");
    }
    for (name, scenario) in situations() {
        browser.open(&page_of(&scratch, name, &scenario));
        assert_eq!(browser.text("document.documentElement.className"), "script", "{name}: the script runs");
    }
    assert_eq!(browser.console(), Vec::<String>::new());
}

/// Everything that the profile and the pictures say.
const SAID: &str = "[...document.querySelectorAll('.profile tbody tr')].map(r => r.innerText).join('|') \
     + [...document.querySelectorAll('.moving .picture g.gs-layer')].map(g => g.getAttribute('aria-label')).join('|') \
     + [...document.querySelectorAll('.moving .picture')].map(p => p.querySelector('figcaption').textContent).join('|')";

#[test]
fn a_slider_moves_every_number_and_picture_and_comes_back_to_where_it_was() {
    let scratch = Scratch::new();
    let page = page_of(&scratch, "out", &fading());
    let Some(browser) = Browser::start() else { return };
    browser.open(&page);
    let shape = "document.querySelector('#violin-weights .gs-move').innerHTML";
    let bar = "document.querySelector('tr[data-layer=\"0\"] [data-quantity=gradient] .value').getAttribute('width')";
    let (said, drawn, long) = (browser.text(SAID), browser.text(shape), browser.text(bar));
    assert!(said.contains("epoch 19"));
    browser.press("#epoch", &["Home"]);
    assert_eq!(browser.text("document.querySelector('#epoch').getAttribute('aria-valuetext')"), "epoch 0");
    let first = browser.text(SAID);
    assert!(first.contains("Weights, epoch 0") && !first.contains("epoch 19"), "{first}");
    assert_ne!(browser.text(shape), drawn);
    assert_ne!(browser.text(bar), long);
    browser.press("#epoch", &["End"]);
    // The script writes numbers as the page was written, or this would differ.
    assert_eq!(browser.text(SAID), said);
    assert_eq!(browser.text(bar), long);
}

#[test]
fn arrow_keys_and_a_button_move_through_the_epochs() {
    let scratch = Scratch::new();
    let page = page_of(&scratch, "out", &fading());
    let Some(browser) = Browser::start() else { return };
    browser.open(&page);
    let now = || browser.text("document.querySelector('.moves output').textContent");
    browser.press(".pin", &["ArrowLeft", "ArrowLeft", "ArrowLeft"]);
    assert_eq!(now(), "epoch 16");
    browser.press("#over-time g.gs-layer", &["ArrowRight"]);
    assert_eq!(now(), "epoch 17");
    // Play starts again from the beginning once it is at the end, and then stops there.
    browser.press("#epoch", &["End"]);
    browser.click(".play");
    assert_eq!(now(), "epoch 0");
    assert!(browser.text("document.querySelector('.play').textContent").contains("Pause"));
    browser.promised(
        "while (document.querySelector('.play').textContent.includes('Pause')) \
         await new Promise(later => setTimeout(later, 50));",
    );
    assert_eq!(now(), "epoch 19");
}

#[test]
fn the_heat_map_shows_any_quantity_and_leads_to_any_epoch() {
    let scratch = Scratch::new();
    let page = page_of(&scratch, "out", &fading());
    let Some(browser) = Browser::start() else { return };
    browser.open(&page);
    let shades = "[...document.querySelectorAll('#over-time .gs-cells rect')]\
                  .map(r => r.getAttribute('fill-opacity')).join()";
    let painted = browser.text(shades);
    let choose = |key: &str| {
        browser.run(&format!(
            "const s = document.querySelector('#quantity'); s.value = '{key}'; \
             s.dispatchEvent(new Event('change', {{ bubbles: true }}))"
        ));
    };
    choose("weight");
    assert_ne!(browser.text(shades), painted);
    assert!(
        browser
            .text("document.querySelector('#over-time figcaption').textContent")
            .contains("larger the weight L2, which")
    );
    choose("share");
    assert_eq!(browser.text(shades), painted, "the script paints as the page was painted");
    let cell = "#over-time g.gs-layer[data-layer='1'] .gs-cells rect:nth-child(4)";
    browser.hover(cell);
    let tip = browser.text("document.querySelector('.tip').textContent");
    assert!(tip.starts_with("fc2, epoch 3: elasticity"), "{tip}");
    browser.click(cell);
    assert_eq!(browser.text("document.querySelector('.moves output').textContent"), "epoch 3");
}

#[test]
fn a_layer_is_followed_everywhere() {
    let scratch = Scratch::new();
    let page = page_of(&scratch, "out", &fading());
    let Some(browser) = Browser::start() else { return };
    browser.open(&page);
    let lit = || {
        browser.text(
            "[...new Set([...document.querySelectorAll('.lit')].map(p => p.dataset.layer))].join() \
                      + ' ' + document.querySelectorAll('.lit').length",
        )
    };
    browser.hover("tr[data-layer='2'] .shape");
    let hovered = lit();
    let places: usize = hovered.strip_prefix("2 ").unwrap_or_else(|| panic!("{hovered}")).parse().unwrap();
    assert!(places >= 8, "{places}: the profile, four violins, the heat map, the norms, the histograms");
    browser.hover("h1");
    assert_eq!(lit(), " 0");
    browser.press("tr[data-layer='3'] .pin", &["Enter"]);
    browser.hover("h1");
    assert!(lit().starts_with("3 "), "pinned");
    assert_eq!(browser.text("document.querySelector('tr[data-layer=\"3\"] .pin').ariaPressed"), "true");
    browser.press("tr[data-layer='3'] .pin", &["Escape"]);
    browser.run("document.activeElement.blur()");
    browser.hover("h1");
    assert_eq!(lit(), " 0");
    // By keyboard: a picture is one stop, arrows go through it, and the numbers are shown.
    browser.press("#violin-weights g[tabindex='0']", &["ArrowRight", "ArrowRight"]);
    assert!(lit().starts_with("2 "), "{}", lit());
    let tip = browser.text("document.querySelector('.tip').textContent");
    assert!(tip.starts_with("fc3: median ") && tip.contains("9 values"), "{tip}");
    assert_eq!(browser.text("document.querySelectorAll('#violin-weights svg [tabindex=\"0\"]').length"), "1");
}

#[test]
fn light_and_dark_follow_the_system_and_the_switch() {
    let (_scratch, page) = rendered();
    let Some(browser) = Browser::start() else { return };
    let paper = "getComputedStyle(document.body).backgroundColor";
    let ink = "getComputedStyle(document.querySelector('svg.gs text')).fill";
    let (light, dark) = ("rgb(255, 255, 255)", "rgb(20, 23, 27)");
    browser.media("dark", "screen").open(&page);
    assert_eq!(browser.text(paper), dark);
    let on_dark = browser.text(ink);
    browser.click("#theme");
    assert_eq!(
        (browser.text("document.querySelector('#theme').textContent"), browser.text(paper)),
        ("○ Theme: light".into(), light.into())
    );
    assert_ne!(browser.text(ink), on_dark, "pictures follow");
    browser.media("light", "screen").click("#theme");
    assert_eq!((browser.text(paper), browser.text(ink)), (dark.into(), on_dark));
    browser.open(&page);
    assert_eq!(browser.text(paper), dark, "it is remembered");
    browser.click("#theme");
    assert_eq!(browser.text(paper), light);
}

#[test]
fn tables_are_sorted_by_value_and_commands_are_copied() {
    let (_scratch, page) = rendered();
    let Some(browser) = Browser::start() else { return };
    browser.devtools("Browser.grantPermissions", json!({ "permissions": ["clipboardReadWrite"] }));
    browser.open(&page);
    let column =
        "[...document.querySelectorAll('.profile tbody tr')].map(r => r.cells[2].textContent).join()";
    let order = browser.text(column);
    assert_eq!(order, "9,12,12,12,4");
    let head = ".profile thead th:nth-child(3) button";
    let sorted = || {
        browser.click(head);
        let state = browser.text("document.querySelector('.profile thead th:nth-child(3)').ariaSort");
        (browser.text(column), state)
    };
    assert_eq!(sorted(), ("4,9,12,12,12".into(), "ascending".into()));
    assert_eq!(sorted(), ("12,12,12,9,4".into(), "descending".into()));
    assert_eq!(sorted(), (order, "null".into()), "and back to the order of the layers");

    let flag = browser.text("document.querySelector('.remedies code').textContent");
    browser.click(".remedies .copy");
    assert_eq!(browser.promised("return navigator.clipboard.readText()"), json!(flag));
    assert_eq!(browser.text("document.querySelector('#said').textContent"), "Copied");

    browser.click("details.histograms > summary");
    assert_eq!(browser.text("document.querySelector('details.histograms').open"), "true");
    assert!(
        browser.text("document.querySelector('details.histograms svg').getBoundingClientRect().height > 50")
            == "true"
    );
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
    let Some(browser) = Browser::start() else { return };
    browser.open(&scratch.path().join("out/report.html"));
    assert_eq!(browser.console(), Vec::<String>::new());
    let links = browser.run("return [...document.querySelectorAll('a[href^=\"cells/\"]')].map(a => decodeURI(a.getAttribute('href')))");
    let links = links.as_array().unwrap();
    assert_eq!(links.len(), 2);
    for link in links {
        assert!(scratch.path().join("out").join(link.as_str().unwrap()).is_file(), "{link}");
    }
}

#[test]
fn no_width_from_a_phone_to_a_large_screen_needs_sideways_scrolling() {
    let Some(browser) = Browser::start() else { return };
    let (scratch, page) = rendered();
    let swept = swept();
    let mut pages = vec![page, swept.path().join("out/report.html")];
    for (name, scenario) in gallery() {
        if ["sixty-long-names", "hostile-names", "odd"].contains(&name) {
            pages.push(page_of(&scratch, name, &scenario));
        }
    }
    for page in pages {
        for width in [320, 375, 768, 1280, 3840] {
            browser.width(width).open(&page);
            browser.run("for (const d of document.querySelectorAll('details')) d.open = true");
            let needs = browser.text("document.documentElement.scrollWidth");
            assert!(
                needs.parse::<u32>().unwrap() <= width,
                "{}: at {width} it is {needs} wide",
                page.display()
            );
        }
    }
}

/// Everything that has to be in the text of a report whatever is missing.
fn is_whole(text: &str) {
    for part in [
        "fc1 was born dead",
        "dead-layer",
        "--bias 0",
        "vanishing-all",
        "stalled",
        "Layer by layer",
        "Over time",
        "gradient: median",
        "Histograms",
        "learning rate",
        "How it was measured",
    ] {
        assert!(text.contains(part), "{part} is not in the text");
    }
}

#[test]
fn a_policy_that_strips_styles_and_scripts_leaves_a_document() {
    let (scratch, page) = rendered();
    let Some(browser) = Browser::start() else { return };
    // What Jenkins sends with every artifact.
    let policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src 'self'; style-src 'self'\">";
    let html = std::fs::read_to_string(&page).unwrap().replacen("<head>", &format!("<head>{policy}"), 1);
    browser.open(&scratch.file("strict.html", &html));
    assert_eq!(browser.text("document.documentElement.className"), "", "no script ran");
    assert_eq!(browser.text("getComputedStyle(document.body).maxWidth"), "none", "no style was applied");
    is_whole(&browser.text("document.body.textContent"));
    let visible = browser.text("document.body.innerText");
    assert!(!visible.contains("Play") && !visible.contains("Theme"), "no control without its script");
    let pictures = browser.run(
        "return [...document.querySelectorAll('svg.gs')].filter(s => !s.closest('details')) \
         .map(s => s.getBoundingClientRect()).every(b => b.width > 200 && b.height > 100)",
    );
    assert_eq!(pictures, json!(true), "pictures have a size of their own");
    assert!(browser.text("document.querySelectorAll('h2').length").parse::<u32>().unwrap() >= 8);
}

#[test]
fn without_javascript_the_last_epoch_is_shown_and_the_others_are_in_tables() {
    let (_scratch, page) = rendered();
    let Some(browser) = Browser::start() else { return };
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    browser.open(&page);
    assert_eq!(browser.text("document.documentElement.className"), "");
    is_whole(&browser.text("document.body.textContent"));
    assert!(!browser.text("document.body.innerText").contains("Play"));
    let rows = browser.text("document.querySelectorAll('#over-time tbody tr').length");
    let epochs = browser.text(
        "new Set([...document.querySelectorAll('#over-time tbody tr')].map(r => r.cells[0].textContent)).size",
    );
    let captured = std::fs::read_to_string(fixture("records/relu5-dead.jsonl")).unwrap();
    let captured = captured.matches("\"kind\":\"epoch\"").count();
    assert_eq!((rows, epochs), ((5 * captured).to_string(), captured.to_string()));
}

#[test]
fn on_paper_everything_is_unfolded() {
    let (scratch, page) = rendered();
    let Some(browser) = Browser::start() else { return };
    browser.open(&page);
    let printed = browser.devtools("Page.printToPDF", json!({ "printBackground": true }));
    let pdf = base64::engine::general_purpose::STANDARD.decode(printed["data"].as_str().unwrap()).unwrap();
    let file = scratch.path().join("page.pdf");
    std::fs::write(&file, pdf).unwrap();
    let text = match Command::new("pdftotext").arg("-layout").arg(&file).arg("-").output() {
        Ok(ran) => String::from_utf8_lossy(&ran.stdout).into_owned(),
        Err(_) => return missing("pdftotext").unwrap_or_default(),
    };
    // Words may be broken over lines, headings are not.
    for part in [
        "dead-layer",
        "vanishing-all",
        "Layer by layer",
        "Gradients",
        "Over time",
        "Weights",
        "Activations",
        "Norms",
        "Curves",
        "Histograms",
        "fc5: weights",
        "Epochs",
        "learning rate",
        "How it was measured",
    ] {
        assert!(text.contains(part), "{part} is not on paper");
    }
    assert!(!text.contains("Play") && !text.contains("Theme: "));
    let commands = text.split_whitespace().collect::<String>();
    assert!(
        commands.contains("gradscoperun--modelrelu5--epochs2--bias0--normbatch-pre"),
        "whole commands are unfolded"
    );
}

/// Reports of every kind, by name.
fn kinds() -> (Scratch, Vec<(&'static str, PathBuf)>) {
    let (scratch, dead) = rendered();
    let mut pages = vec![("dead", dead)];
    for (name, scenario) in gallery() {
        if ["twenty-four", "odd", "hostile-names"].contains(&name) {
            pages.push((name, page_of(&scratch, name, &scenario)));
        }
    }
    pages.push(("compared", compared(&scratch)));
    pages.push(("fading", page_of(&scratch, "fading", &fading())));
    (scratch, pages)
}

/// Two runs side by side.
fn compared(scratch: &Scratch) -> PathBuf {
    let runs = [("vanishing", network(&["fc1", "fc2", "fc3"], 9, 0.01, 5)), ("<b>as it is", fading())];
    let diagnoses: Vec<_> =
        runs.iter().map(|(_, s)| diagnose::diagnose(&s.record, &Settings::default())).collect();
    let variants: Vec<_> = runs
        .iter()
        .zip(&diagnoses)
        .map(|((label, s), diagnosis)| Variant { label, directory: "a", record: &s.record, diagnosis })
        .collect();
    let flagged: Vec<_> = diagnoses.iter().map(|d| d.flagged_layers()).collect();
    let drawn: Vec<_> = runs
        .iter()
        .zip(&flagged)
        .zip(["a", "b"])
        .map(|(((label, s), flagged), file_name)| Compared { label, file_name, record: &s.record, flagged })
        .collect();
    let dir = OutputDir::check(&scratch.path().join("compared"), false).unwrap();
    let comparison = Comparison::new(&variants, &["gradscope".into(), "compare".into()]);
    compare::write(&dir, &comparison, &variants, &plot::comparison(&drawn, None)).unwrap()
}

fn has_no_violation(browser: &Browser, name: &str, page: &Path) {
    for scheme in ["light", "dark"] {
        browser.media(scheme, "screen").open(page);
        browser.run("for (const d of document.querySelectorAll('details')) d.open = true");
        let Some(found) = browser.axe() else { return };
        assert!(found.is_empty(), "{name}, {scheme}: {}", found.join("\n"));
    }
}

#[test]
fn axe_finds_nothing_to_complain_about() {
    let Some(browser) = Browser::start() else { return };
    let (_scratch, pages) = kinds();
    for (name, page) in pages {
        has_no_violation(&browser, name, &page);
    }
    let swept = swept();
    has_no_violation(&browser, "sweep", &swept.path().join("out/report.html"));
}

#[test]
fn a_hostile_name_does_nothing() {
    let scratch = Scratch::new();
    let (name, scenario) = gallery().into_iter().find(|(name, _)| *name == "hostile-names").unwrap();
    let page = page_of(&scratch, name, &scenario);
    let Some(browser) = Browser::start() else { return };
    browser.open(&page);
    assert_eq!(browser.text("document.querySelectorAll('img').length"), "0");
    assert_eq!(browser.text("document.querySelectorAll('script').length"), "2");
    let row = browser.text("document.querySelector('.profile tbody th').textContent");
    assert!(row.starts_with("</script><img onerror") && row.chars().count() <= 61, "{row}");
    browser.press("#epoch", &["Home", "End"]);
    browser.hover("#violin-weights g.gs-layer");
    let tip = browser.text("document.querySelector('.tip').textContent");
    assert!(tip.starts_with("</script><img onerror"), "{tip}");
    assert_eq!(browser.text("document.querySelectorAll('img').length"), "0");
    assert_eq!(browser.console(), Vec::<String>::new());
}
