//! Paragraphs for a terminal.

/// A paragraph in lines of at most `width` columns, each after `indent`.
pub fn fill(paragraph: &str, width: usize, indent: &str) -> String {
    let options = textwrap::Options::new(width).initial_indent(indent).subsequent_indent(indent);
    // Flags and layer names stay in one piece.
    let options = options.word_splitter(textwrap::WordSplitter::NoHyphenation).break_words(false);
    textwrap::fill(&paragraph.split_whitespace().collect::<Vec<_>>().join(" "), options) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_filled() {
        assert_eq!(fill("aa bb cc", 7, "  "), "  aa bb\n  cc\n");
        assert_eq!(fill("--init kaiming-normal", 12, ""), "--init\nkaiming-normal\n");
    }
}
