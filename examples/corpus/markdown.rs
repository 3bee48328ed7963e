//! The tables, as Markdown.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::draw::Half;
use crate::score::{Count, Scored, Summary, has_as_many_roots, is_layer_right, is_root_right};

/// The whole page.
pub fn page(halves: &[(Half, Summary)], scored: &[Scored]) -> String {
    let mut text = String::from(
        "# The corpus\n\nWritten by `make corpus`. Every run is labelled by what was put into it; the label \
         is checked against whether the run learned. Thresholds may be tuned on the calibration half; the \
         scoring half has other seeds, depths and widths. A faulty run that comes below half the loss of \
         guessing, and a healthy one that stays above 0.8 of it, contradicts its label. Findings count \
         from a warning on. Files that a command names are drawn again by `make corpus`, under \
         `reports/corpus/files/`.\n\n",
    );
    figures(&mut text, halves);
    for (half, summary) in halves {
        earlier(&mut text, *half, summary);
        rules(&mut text, *half, summary);
    }
    misses(&mut text, scored);
    false_alarms(&mut text, scored);
    contradictions(&mut text, scored);
    kinds(&mut text, scored);
    text
}

/// The section about runs that were drawn afresh.
pub fn fresh(halves: &[(Half, Summary)], scored: &[Scored]) -> String {
    let mut text = String::from(
        "## Fresh draws\n\nThe same kinds with seeds (and with them networks and data) that nobody had looked \
         at when the rules were last changed (`make corpus-fresh`).\n\n",
    );
    figures(&mut text, halves);
    let mut missed = String::new();
    misses(&mut missed, scored);
    false_alarms(&mut missed, scored);
    text + &missed.replace("## ", "### ")
}

fn line(text: &mut String, cells: impl IntoIterator<Item = impl AsRef<str>>) {
    for cell in cells {
        write!(text, "| {} ", cell.as_ref()).expect("a string takes everything");
    }
    text.push_str("|\n");
}

fn percent(count: Count) -> String {
    if count.of == 0 {
        return "–".into();
    }
    format!("{:.1}% ({}/{})", 100.0 * count.share(), count.hits, count.of)
}

/// A figure of the first table: what it is, its aim, how it is read.
type Figure = (&'static str, &'static str, fn(&Summary) -> Count);

const FIGURES: [Figure; 14] = [
    ("faulty: an acceptable rule fires", "≥ 98%", |s| s.fires),
    ("faulty: root right", "≥ 97%", |s| s.root),
    ("faulty: as many roots as faults", "", |s| s.as_many),
    ("two faults at once: both are roots", "", |s| s.both),
    ("faulty: layer right, of those with one", "≥ 95%", |s| s.layer),
    ("faulty: onset within one capture", "≥ 95%", |s| s.onset),
    ("faulty: named within 1 epoch", "≥ 90%", |s| s.within[0]),
    ("faulty: named within 2 epochs", "≥ 95%", |s| s.within[1]),
    ("faulty: named within 3 epochs", "≥ 97%", |s| s.within[2]),
    ("healthy: error at the end", "≤ 0.5%", |s| s.healthy_error),
    ("healthy: warning or error at the end", "≤ 2%", |s| s.healthy_alarm),
    ("healthy: alarm after any epoch", "≤ 4%", |s| s.healthy_ever),
    ("label contradicted: faulty, but learned", "0", |s| s.contradicted_faulty),
    ("label contradicted: healthy, but did not learn", "0", |s| s.contradicted_healthy),
];

fn figures(text: &mut String, halves: &[(Half, Summary)]) {
    let names = halves.iter().map(|(half, _)| half.name());
    line(text, ["", "aim"].into_iter().chain(names));
    line(text, std::iter::repeat_n("---", 2 + halves.len()));
    let kinds = halves.iter().map(|(_, s)| format!("{} + {}", s.fault_kinds, s.healthy_kinds));
    line(text, ["kinds of fault + healthy".into(), "25 + 25".into()].into_iter().chain(kinds));
    for (what, aim, count) in FIGURES {
        let counts = halves.iter().map(|(_, summary)| percent(count(summary)));
        line(text, [what.into(), aim.into()].into_iter().chain(counts));
    }
    text.push('\n');
}

fn earlier(text: &mut String, half: Half, summary: &Summary) {
    write!(
        text,
        "## Beside earlier rule sets, {} half\n\nAlarm or none, whatever it names. The earlier rules are \
         evaluated on the same records, on matrices alone; a NaN counts as an alarm of each.\n\n",
        half.name()
    )
    .expect("a string takes everything");
    line(text, ["rules", "faulty, at the end", "faulty, ever", "healthy, at the end", "healthy, ever"]);
    line(text, std::iter::repeat_n("---", 5));
    for tool in &summary.tools {
        let counts = [tool.faulty_end, tool.faulty_ever, tool.healthy_end, tool.healthy_ever];
        line(text, std::iter::once(tool.name.to_string()).chain(counts.map(percent)));
    }
    text.push('\n');
}

fn rules(text: &mut String, half: Half, summary: &Summary) {
    write!(
        text,
        "## Rule by rule, {} half\n\nPrecision: of the runs of which it is said to be a root, those where \
         it may be. Recall: of the runs whose usual root it is, those in which it fires; epochs until it \
         does, the median.\n\n",
        half.name()
    )
    .expect("a string takes everything");
    line(text, ["rule", "precision as root", "recall", "epochs"]);
    line(text, std::iter::repeat_n("---", 4));
    for (rule, score) in &summary.rules {
        let epochs = score.epochs.map_or("–".into(), |n| n.to_string());
        line(text, [format!("`{rule}`"), percent(score.precision), percent(score.recall), epochs]);
    }
    text.push('\n');
}

/// What a list says of some runs, a kind at a time.
fn by_kind(text: &mut String, title: &str, found: &[(&Scored, String)], runs: &[Scored]) {
    writeln!(text, "## {title}\n").expect("a string takes everything");
    if found.is_empty() {
        text.push_str("None.\n\n");
        return;
    }
    let mut names: Vec<&str> = found.iter().map(|(s, _)| s.run.kind.name).collect();
    names.dedup();
    for name in names {
        let of = runs.iter().filter(|s| s.run.kind.name == name).count();
        let here: Vec<_> = found.iter().filter(|(s, _)| s.run.kind.name == name).collect();
        writeln!(text, "- **{name}**: {} of {of}", here.len()).expect("a string takes everything");
        let mut known = BTreeSet::new();
        for (scored, what) in here {
            // The same words of every seed would say nothing more.
            if known.insert(what.clone()) {
                let half = scored.run.half.name();
                writeln!(text, "  - {half}: {what}\n    `{}`", scored.run.command())
                    .expect("a string takes everything");
            }
        }
    }
    text.push('\n');
}

fn misses(text: &mut String, runs: &[Scored]) {
    let missed = |s: &Scored| {
        let fault = s.fault()?;
        let layer = fault.layers.is_empty() || is_layer_right(s, fault);
        if is_root_right(s, fault) && has_as_many_roots(s, fault) && layer {
            return None;
        }
        let said: Vec<String> = s
            .end
            .said
            .iter()
            .map(|said| {
                let layer = said.layer.as_ref().map_or(String::new(), |l| format!(" {l}"));
                format!("{}{layer}{}", said.rule, if said.root { " (root)" } else { "" })
            })
            .collect();
        let said = if said.is_empty() { "nothing".into() } else { said.join(", ") };
        let at = if fault.layers.is_empty() {
            String::new()
        } else {
            format!(" at {}", fault.layers.join(" or "))
        };
        let wanted = [fault.roots, fault.second].map(|roots| roots.join(" or "));
        let wanted = wanted.join(if fault.second.is_empty() { "" } else { ", and " });
        Some(format!("wanted {wanted}{at}; said {said}; loss {:.2} of guessing", s.share))
    };
    let found: Vec<_> = runs.iter().filter_map(|s| Some((s, missed(s)?))).collect();
    by_kind(text, "Misses: another root, another layer, one root more, or none", &found, runs);
}

fn false_alarms(text: &mut String, runs: &[Scored]) {
    let alarm = |s: &Scored| {
        let alarms = s.alarms();
        if s.fault().is_some() || alarms.is_empty() {
            return None;
        }
        let rules = alarms.iter().map(|(rule, epochs)| {
            let list: Vec<String> = epochs.iter().take(4).map(u64::to_string).collect();
            let more =
                if epochs.len() > 4 { format!(" … ({} in all)", epochs.len()) } else { String::new() };
            format!("{rule} after {}{more}", list.join(", "))
        });
        let end = if s.end.said.is_empty() { "clear at the end" } else { "still at the end" };
        Some(format!("{}; {end}; loss {:.2} of guessing", rules.collect::<Vec<_>>().join("; "), s.share))
    };
    let found: Vec<_> = runs.iter().filter_map(|s| Some((s, alarm(s)?))).collect();
    by_kind(text, "False alarms, after any epoch", &found, runs);
}

fn contradictions(text: &mut String, runs: &[Scored]) {
    let found: Vec<_> = runs
        .iter()
        .filter(|s| s.is_contradicted())
        .map(|s| (s, format!("loss {:.2} of guessing", s.share)))
        .collect();
    by_kind(text, "Labels that the end of the run contradicts", &found, runs);
}

fn kinds(text: &mut String, runs: &[Scored]) {
    text.push_str("## The kinds\n\n");
    line(text, ["kind", "label", "why it is true", "runs", "loss over guessing, median"]);
    line(text, std::iter::repeat_n("---", 5));
    let mut names: Vec<&str> = runs.iter().map(|s| s.run.kind.name).collect();
    names.dedup();
    for name in names {
        let here: Vec<&Scored> = runs.iter().filter(|s| s.run.kind.name == name).collect();
        let mut shares: Vec<f64> = here.iter().map(|s| s.share).collect();
        shares.sort_unstable_by(f64::total_cmp);
        let label = here[0].fault().map_or("healthy".into(), |f| {
            let second = if f.second.is_empty() { "" } else { ", and " };
            format!("{}{second}{}", f.roots.join(" or "), f.second.join(" or "))
        });
        let share = match shares[shares.len() / 2] {
            share if share.is_infinite() => "not finite".into(),
            share if share > 1e3 => format!("{share:.0e}"),
            share => format!("{share:.2}"),
        };
        line(text, [name.into(), label, here[0].run.kind.about.into(), here.len().to_string(), share]);
    }
}
