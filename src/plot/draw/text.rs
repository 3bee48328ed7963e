//! Text that comes from strangers: made harmless, and measured without a font.

/// Longest name in a tooltip; a layer may be called anything.
const LONGEST_TITLE: usize = 200;

/// Width of a text in ems, on the safe side for the sans-serif fonts that systems come with (DejaVu
/// Sans and Verdana are the widest of them).
pub fn ems(text: &str) -> f64 {
    text.chars().map(char_ems).sum()
}

/// Width of a text in pixels.
pub fn width(text: &str, size: f64) -> f64 {
    ems(text) * size
}

fn char_ems(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | 'I' | '|' | '\'' | '.' | ',' | ':' | ';' | '!' | ' ' | '·' => 0.34,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '-' | '_' | '⁻' => 0.44,
        '⁰' | '¹' | '²' | '³' | '⁴'..='⁹' => 0.42,
        '0'..='9' | 'a'..='e' | 'g' | 'h' | 'k' | 'n'..='q' | 's' | 'u' | 'v' | 'x'..='z' => 0.64,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '…' => 1.0,
        'A'..='Z' => 0.76,
        '\u{0}'..='\u{2fff}' => 0.85,
        // Ideographs and emoji are an em wide, and a little more in some fonts.
        _ => 1.1,
    }
}

/// Without characters that XML forbids, that steer the direction of writing or that have no width:
/// they could make a name read as another one.
pub fn clean(text: &str) -> String {
    text.chars().filter(|c| !is_unwanted(*c)).map(|c| if c.is_whitespace() { ' ' } else { c }).collect()
}

fn is_unwanted(c: char) -> bool {
    (c.is_control() && !c.is_whitespace())
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{061c}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}')
}

/// A name that fits into `room` pixels at this font size. The middle is left out of one that does
/// not: the ends of `encoder.layers.0.attention.query` are what tells layers apart.
pub fn fit(text: &str, size: f64, room: f64) -> String {
    let text = clean(text);
    if width(&text, size) <= room {
        return text;
    }
    let chars: Vec<char> = text.chars().collect();
    let budget = room / size - char_ems('…');
    let (mut head, mut tail) = (0, chars.len());
    let (mut head_ems, mut tail_ems) = (0.0, 0.0);
    loop {
        // The end of a dotted name says more than its beginning.
        let from_tail = tail_ems <= head_ems;
        let next = if from_tail { tail.checked_sub(1) } else { Some(head) };
        let Some(next) = next.filter(|n| head < tail && *n < chars.len()) else { break };
        let wide = char_ems(chars[next]);
        if head_ems + tail_ems + wide > budget {
            break;
        }
        if from_tail {
            (tail, tail_ems) = (next, tail_ems + wide);
        } else {
            (head, head_ems) = (next + 1, head_ems + wide);
        }
    }
    chars[..head].iter().chain(&['…']).chain(&chars[tail..]).collect()
}

/// Names of layers, each made to fit in a way that still tells it from the others: first the
/// beginning that they share goes, then the middle of dotted names (`e.l.0.a.query`), then any middle.
/// Names that end up equal are numbered.
pub fn shorten<'a>(names: impl Iterator<Item = &'a str>, size: f64, room: f64) -> Vec<String> {
    let names: Vec<String> = names.map(clean).collect();
    if names.iter().all(|n| width(n, size) <= room) {
        return names;
    }
    let shared = shared_prefix(&names);
    let short: Vec<String> = names
        .iter()
        .map(|name| {
            if width(name, size) <= room {
                return name.clone();
            }
            let rest = if shared > 0 { format!("…{}", &name[shared..]) } else { name.clone() };
            fit(&initials(&rest, size, room), size, room)
        })
        .collect();
    let numbered = short.iter().enumerate().map(|(i, s)| {
        let number = format!("{} ", i + 1);
        let rest = room - width(&number, size);
        if short.iter().filter(|o| *o == s).count() > 1 { number + &fit(s, size, rest) } else { s.clone() }
    });
    numbered.collect()
}

/// Bytes of the dotted beginning that all names have in common.
fn shared_prefix(names: &[String]) -> usize {
    let Some((first, rest)) = names.split_first().filter(|(_, rest)| !rest.is_empty()) else { return 0 };
    let dots = first.match_indices('.').map(|(i, _)| i + 1);
    dots.take_while(|end| rest.iter().all(|n| n.as_bytes().starts_with(&first.as_bytes()[..*end])))
        .last()
        .unwrap_or(0)
}

/// Shortens the parts of a dotted name to their initials, from the left, until it fits. Numbers and
/// the last part are what the name is about and stay.
fn initials(name: &str, size: f64, room: f64) -> String {
    if name.len() > LONGEST_TITLE {
        return name.into();
    }
    let mut parts: Vec<String> = name.split('.').map(Into::into).collect();
    for i in 0..parts.len() - 1 {
        if width(&parts.join("."), size) <= room {
            break;
        }
        let letters = parts[i].trim_start_matches('…');
        if !letters.starts_with(|c: char| c.is_ascii_digit()) {
            let keep = parts[i].len() - letters.len() + letters.chars().next().map_or(0, char::len_utf8);
            parts[i].truncate(keep);
        }
    }
    parts.join(".")
}

/// A name that can be seen.
pub fn named(name: &str) -> String {
    let name = clean(name);
    if name.trim().is_empty() { "(no name)".into() } else { name }
}

/// A name for a tooltip: whole, unless it is absurdly long.
pub fn in_full(text: &str) -> String {
    let text = clean(text);
    match text.char_indices().nth(LONGEST_TITLE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Escaped for text and for attributes of XML and HTML alike.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A layer's name as part of a file name: nothing that a shell, a URL or a file system minds.
pub fn file_stem(name: &str) -> String {
    const LONGEST: usize = 60;
    let is_safe = name.chars().map(|c| (c, c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')));
    let stem: String = is_safe.map(|(c, safe)| if safe { c } else { '_' }).take(LONGEST).collect();
    let stem = stem.trim_matches(['.', '_', '-']);
    if stem.is_empty() { "layer".into() } else { stem.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_harmless() {
        let text = "</g><script>\"'&]]>\u{0}\u{1b}\u{202e}\u{fffe}\n";
        assert_eq!(escape(text), "&lt;/g&gt;&lt;script&gt;&quot;&#39;&amp;]]&gt; ");
    }

    #[test]
    fn a_long_name_keeps_both_ends_and_fits() {
        let name = "encoder.layers.0.attention.query";
        let short = fit(name, 13.0, 120.0);
        assert!(width(&short, 13.0) <= 120.0, "{short}");
        assert!(short.starts_with("enc") && short.contains('…') && short.ends_with("query"), "{short}");
        assert_eq!(fit("fc1", 13.0, 120.0), "fc1");
        for room in [0.0, 10.0, 14.0, 30.0] {
            assert!(fit(&"x".repeat(10_000), 13.0, room).chars().count() <= 3);
        }
    }

    #[test]
    fn shortened_names_stay_apart() {
        let names: Vec<String> = (0..8).map(|i| format!("encoder.layers.{i}.attention.query")).collect();
        let short = shorten(names.iter().map(String::as_str), 13.0, 110.0);
        assert_eq!(short[3], "…3.a.query");
        let alike = ["block_one_of_many_convolution_first", "block_two_of_many_convolution_first"];
        let short = shorten(alike.into_iter(), 13.0, 110.0);
        assert!(short[0] != short[1] && short.iter().all(|s| width(s, 13.0) <= 110.0), "{short:?}");
        assert_eq!(shorten(["fc1", "fc2"].into_iter(), 13.0, 110.0), ["fc1", "fc2"]);
        assert_eq!(shorten(std::iter::empty(), 13.0, 110.0), Vec::<String>::new());
    }

    #[test]
    fn file_names_are_safe() {
        let names = ["fc1", "../../etc/passwd", "a b/c", "", "…", ".hidden", "CON:x"];
        let stems = names.map(file_stem);
        assert_eq!(stems, ["fc1", "etc_passwd", "a_b_c", "layer", "layer", "hidden", "CON_x"]);
        assert!(file_stem(&"x".repeat(10_000)).len() <= 60);
    }
}
