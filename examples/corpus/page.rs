//! A page that several modes write: the scores the whole of it, the others a section each.

/// Where one section ends and the next begins.
const HEADING: &str = "\n## ";
/// Sections that modes other than scoring write.
pub const PARTS: [&str; 3] = ["Fresh draws", "Prescriptions", "Guessed limits"];

fn title(section: &str) -> &str {
    section.lines().next().unwrap_or_default()
}

/// The whole page anew, with the parts that the old one has.
pub fn whole(old: &str, new: &str) -> String {
    let kept = old.split(HEADING).skip(1).filter(|section| PARTS.contains(&title(section)));
    kept.fold(new.trim_end().to_owned() + "\n", |page, section| page + HEADING + section.trim_end() + "\n")
}

/// The old page with this part in its place, or at the end.
pub fn part(old: &str, new: &str) -> String {
    let new = new.trim().trim_start_matches(HEADING.trim_start());
    let mut sections: Vec<&str> = old.trim_end().split(HEADING).map(str::trim_end).collect();
    match sections.iter_mut().find(|section| title(section) == title(new)) {
        Some(section) => *section = new,
        None => sections.push(new),
    }
    sections.join(&format!("\n{HEADING}")) + "\n"
}

#[cfg(test)]
mod tests {
    use super::{part, whole};

    const PAGE: &str = "# Head\n\nText.\n\n## A\n\na\n\n## Prescriptions\n\np\n";

    #[test]
    fn a_part_replaces_itself_or_is_added() {
        assert_eq!(part(PAGE, "## Prescriptions\n\nnew\n"), PAGE.replace("\np\n", "\nnew\n"));
        assert_eq!(part(PAGE, "## Fresh draws\n\nf\n"), format!("{PAGE}\n## Fresh draws\n\nf\n"));
    }

    #[test]
    fn a_whole_page_keeps_the_parts() {
        let new = "# Head\n\nOther.\n\n## B\n\nb\n";
        assert_eq!(whole(PAGE, new), format!("{new}\n## Prescriptions\n\np\n"));
        assert_eq!(whole("", new), new);
    }
}
