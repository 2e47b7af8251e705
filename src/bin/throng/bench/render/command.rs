//! A command line as a reader may paste it into a shell, and as much of it as there is room for.
//!
//! ```text
//! node server.js --name 'two words'      node --max-old-space-size=4096 serv…
//! ```

/// Its words side by side, each as a shell takes it.
pub(crate) fn line(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

/// The command of another process in at most so many characters, and none that moves a cursor.
pub(crate) fn short(words: &[String], letters_max: usize) -> String {
    let line: String =
        line(words).chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect();
    if line.chars().count() <= letters_max {
        return line;
    }
    let kept: String = line.chars().take(letters_max.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// One of them.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=,%+@".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn words_that_a_shell_would_split_are_quoted() {
        assert_eq!(line(&words(&["node", "a.js", "--port=1"])), "node a.js --port=1");
        assert_eq!(line(&words(&["sh", "-c", "it's", ""])), r"sh -c 'it'\''s' ''");
    }

    #[test]
    fn what_is_long_is_cut_and_what_moves_a_cursor_is_not_shown() {
        assert_eq!(short(&words(&["abc", "def"]), 7), "abc def");
        assert_eq!(short(&words(&["abc", "def"]), 6), "abc d…");
        assert_eq!(short(&words(&["abc", "def"]), 5), "abc…");
        assert_eq!(short(&words(&["a\u{1b}[2J\n"]), 80), "'a?[2J?'");
        assert_eq!(short(&[], 0), "");
    }
}
