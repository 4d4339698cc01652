//! Texts from anybody as one line that a person reads: nothing in them is obeyed, and they end.

/// As much of a foreign text as a message needs.
const BRIEF_CHARS: usize = 200;

/// Whether a terminal obeys it: controls, ends of lines, and what turns the direction of writing.
pub fn is_order(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text on one line, with escapes for what would be obeyed.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if is_order(c) { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

/// The same, cut where it is long.
pub fn brief(text: &str) -> String {
    cut(text, BRIEF_CHARS)
}

/// The same, cut behind so many characters.
pub(super) fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => one_line(&text[..end]) + "…",
        None => one_line(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_text_is_one_line_and_turns_nothing() {
        assert_eq!(one_line("a\nb\t\u{1b}[2J\u{202e}\u{2028}ü\\"), "a\\nb\\t\\u{1b}[2J\\u{202e}\\u{2028}ü\\");
        assert_eq!(brief(&"ü".repeat(201)), "ü".repeat(200) + "…");
        assert_eq!(brief(&"ü".repeat(200)), "ü".repeat(200));
    }
}
