//! The house rules, held against the source as text: who may import whom, what the pure rooms may
//! not know, how long a file, a function and a line may be.
//!
//! It is no parser of Rust: comments and literals are blanked, braces are counted, paths are read.
//! A failure names the place and the rule, one a line:
//!
//! ```text
//! src/engineio/session.rs:12: engineio may not import reactor: see the table of layers
//! ```

use std::fs;
use std::path::{Path, PathBuf};

/// Small, without opinions; importable from everywhere but `http`, which stands alone.
const GROUND: [&str; 9] = [
    "slots",
    "source",
    "message",
    "send_queue",
    "deadlines",
    "outbox",
    "config",
    "counters",
    "entropy",
];

/// Who may import whom, beside itself. The ground's own line is added in `may_import`.
const LAYERS: &[(&str, bool, &[&str])] = &[
    // Module, whether it may import the ground, what else it may import.
    ("http", false, &[]),
    ("websocket", true, &[]),
    ("reactor", true, &["http", "websocket"]),
    ("engineio", true, &["http"]),
    ("socketio", true, &["http", "engineio"]),
    ("handle", true, &["socketio", "admission"]),
    ("admission", true, &["http", "engineio", "socketio"]),
    ("app", true, &["http", "socketio"]),
    ("client_files", false, &["http"]),
    ("bare", true, &["http", "engineio", "socketio"]),
    ("endpoint", true, &["socketio"]),
    (
        "server",
        true,
        &[
            "http",
            "websocket",
            "reactor",
            "engineio",
            "socketio",
            "handle",
            "admission",
            "app",
            "bare",
            "client_files",
            "endpoint",
        ],
    ),
    ("testing", true, &["reactor", "engineio", "socketio", "server"]),
    ("sans_io", true, &["reactor", "socketio", "server"]),
    ("guide", false, &[]),
];

/// Modules without input, output, clock or randomness, and what they therefore never mention.
const PURE: [&str; 2] = ["engineio", "socketio"];
const IMPURE: [&str; 7] =
    ["mio", "std::net", "Instant", "SystemTime", "getrandom", "libc", "std::thread"];

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 100;

/// What is left to do stands in no source.
const UNFINISHED: [&str; 6] = ["TODO", "FIXME", "XXX", "todo!", "unimplemented!", "dbg!"];

#[test]
fn each_module_imports_only_what_stands_below_it() {
    let mut found = Vec::new();
    for file in library() {
        let Some(module) = file.module() else { continue };
        if !is_known(&module) {
            found.push(file.at(1, &format!("give {module} its place in the table of layers")));
            continue;
        }
        for (line, path) in file.crate_paths() {
            let target = path.split("::").nth(1).unwrap_or_default();
            if !is_known(target) {
                let rule = format!("{path} comes through lib.rs: import it from its own module");
                found.push(file.at(line, &rule));
            } else if target != module && !may_import(&module, target) {
                let rule = format!("{module} may not import {target}: see the table of layers");
                found.push(file.at(line, &rule));
            }
        }
    }
    assert_tidy(&found);
}

#[test]
fn nobody_climbs_to_the_crate_by_super() {
    let mut found = Vec::new();
    for file in library().filter(|file| file.module().is_some()) {
        for (line, code) in file.code_lines() {
            if longest_chain(code, "super::") > file.depth() {
                found.push(file.at(line, "name the path from `crate::`, not through `super::`"));
            }
        }
    }
    assert_tidy(&found);
}

#[test]
fn pure_modules_know_no_sockets_no_clock_and_no_chance() {
    let mut found = Vec::new();
    for file in library() {
        let Some(module) = file.module().filter(|name| PURE.contains(&name.as_str())) else {
            continue;
        };
        let used = file.use_paths();
        for word in IMPURE {
            let mentioned =
                file.code_lines().filter(|(_, code)| has_word(code, word)).map(|(line, _)| line);
            let imported = used.iter().filter(|(_, path)| has_word(path, word));
            for line in mentioned.chain(imported.map(|(line, _)| *line)) {
                found.push(file.at(line, &format!("{module} is pure and may not mention {word}")));
            }
        }
    }
    assert_tidy(&found);
}

#[test]
fn only_the_server_reads_the_clock() {
    let mut found = Vec::new();
    for file in library().filter(|file| file.module().as_deref() != Some("server")) {
        for (line, code) in file.code_lines() {
            for call in ["Instant::now", "SystemTime::now"] {
                if has_word(code, call) {
                    let rule =
                        format!("{call} belongs to the server alone: take the time as `now`");
                    found.push(file.at(line, &rule));
                }
            }
        }
    }
    assert_tidy(&found);
}

#[test]
fn files_functions_and_lines_stay_short() {
    let mut found = Vec::new();
    for file in sources() {
        let lines = file.lines_before_tests();
        if file.is_library() && lines > FILE_LINES_MAX {
            let rule = format!("{lines} lines without tests, {FILE_LINES_MAX} at most");
            found.push(file.at(1, &rule));
        }
        for (line, name, length) in functions(&file.code) {
            if length > FUNCTION_LINES_MAX {
                let rule = format!("fn {name} has {length} lines, {FUNCTION_LINES_MAX} at most");
                found.push(file.at(line, &rule));
            }
        }
        for (index, text) in file.text.lines().enumerate() {
            let columns = text.chars().count();
            if columns > LINE_COLUMNS_MAX {
                let rule = format!("{columns} columns, {LINE_COLUMNS_MAX} at most");
                found.push(file.at(index + 1, &rule));
            }
        }
    }
    assert_tidy(&found);
}

#[test]
fn each_file_says_what_it_is() {
    // A file of a single line says all there is.
    let silent = sources()
        .filter(|file| !file.text.starts_with("//!") && file.text.trim_end().contains('\n'));
    let found: Vec<_> =
        silent.map(|file| file.at(1, "begin with `//!` and what the file is")).collect();
    assert_tidy(&found);
}

#[test]
fn nothing_is_left_to_do() {
    let mut found = Vec::new();
    for file in sources() {
        for (index, text) in file.without_literals.lines().enumerate() {
            for word in UNFINISHED.iter().filter(|word| has_word(text, word)) {
                found.push(file.at(index + 1, &format!("{word} is left: do it, or leave it out")));
            }
        }
    }
    assert_tidy(&found);
}

#[test]
fn commands_of_the_readme_exist() {
    let Ok(readme) = fs::read_to_string(root().join("README.md")) else { return };
    let mut found = Vec::new();
    let mut in_shell = false;
    for (index, line) in readme.lines().enumerate() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            let language = language.trim();
            in_shell = !in_shell && ["sh", "bash", "shell", "console"].contains(&language);
        } else if in_shell {
            let missing = missing_of_command(line);
            found.extend(missing.map(|path| {
                format!("README.md:{}: a command needs {path}, which is not there", index + 1)
            }));
        }
    }
    assert_tidy(&found);
}

/// What a shell line names in this repository and does not find there.
fn missing_of_command(line: &str) -> Option<String> {
    let words: Vec<_> = line.split_whitespace().collect();
    let named = words.windows(2).find_map(|pair| {
        let [flag, name] = pair else { return None };
        match *flag {
            "--example" => Some(format!("examples/{name}")),
            "--bench" => Some(format!("benches/{name}")),
            "--test" => Some(format!("tests/{name}")),
            "--bin" => Some(format!("src/bin/{name}")),
            "throng" | "target/release/throng" | "./target/release/throng"
                if name.starts_with(|first: char| first.is_ascii_lowercase()) =>
            {
                Some(format!("src/bin/throng/{name}"))
            }
            _ => None,
        }
    });
    let called = words.iter().map(|word| word.trim_start_matches("./"));
    let called = called.filter(|word| ["scripts/", "tests/"].iter().any(|at| word.starts_with(at)));
    let exists = |path: &str| {
        let path = root().join(path);
        path.exists() || path.with_extension("rs").exists()
    };
    named.into_iter().chain(called.map(String::from)).find(|path| !exists(path))
}

/// One file, as it stands and with what is no code blanked; blanks keep every line in its place.
struct Source {
    /// From the repository's root, with `/` on every system.
    path: String,
    text: String,
    /// Without comments and literals.
    code: String,
    /// With comments, without literals.
    without_literals: String,
}

impl Source {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("{} can't be read: {error}", path.display()));
        let relative = path.strip_prefix(root()).unwrap_or(path);
        let names: Vec<_> = relative.iter().map(|name| name.to_string_lossy()).collect();
        Self {
            path: names.join("/"),
            code: blank(&text, true),
            without_literals: blank(&text, false),
            text,
        }
    }

    fn at(&self, line: usize, rule: &str) -> String {
        format!("{}:{line}: {rule}", self.path)
    }

    fn is_library(&self) -> bool {
        self.path.starts_with("src/") && !self.path.starts_with("src/bin/")
    }

    /// The top module the file belongs to; none for `lib.rs`, which is the face of all.
    fn module(&self) -> Option<String> {
        let inside = self.path.strip_prefix("src/")?;
        let name = inside.split('/').next()?.trim_end_matches(".rs");
        (name != "lib").then(|| name.to_string())
    }

    /// How many modules lie between the file's own and the crate: 0 for `slots.rs`.
    fn depth(&self) -> usize {
        let inside = self.path.trim_start_matches("src/").trim_end_matches("/mod.rs");
        inside.matches('/').count()
    }

    /// Files of tests alone are tests from their first line on.
    fn lines_before_tests(&self) -> usize {
        if self.path.ends_with("/tests.rs") || self.path.contains("/tests/") {
            return 0;
        }
        let lines: Vec<_> = self.code.lines().map(str::trim).collect();
        let is_tests = |index: usize| {
            let mut below = lines.iter().skip(index + 1).filter(|line| !line.starts_with("#["));
            let opens = |line: &&str| line.contains("mod ") && line.ends_with('{');
            lines.get(index) == Some(&"#[cfg(test)]") && below.next().is_some_and(opens)
        };
        (0..lines.len()).find(|&index| is_tests(index)).unwrap_or(lines.len())
    }

    /// Numbered lines of code, up to the tests: those may reach for what the code may not.
    fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let before_tests = self.lines_before_tests();
        self.code.lines().take(before_tests).enumerate().map(|(index, line)| (index + 1, line))
    }

    fn code_before_tests(&self) -> &str {
        let lines = self.code.split_inclusive('\n').take(self.lines_before_tests());
        let bytes = lines.map(str::len).sum();
        self.code.get(..bytes).unwrap_or_default()
    }

    /// Every path that begins with `crate::`, with the line it begins on; trees are spread out.
    fn crate_paths(&self) -> Vec<(usize, String)> {
        let code = self.code_before_tests();
        let mut paths = Vec::new();
        for (start, _) in code.match_indices("crate::") {
            if !ends_in_word(code.get(..start).unwrap_or_default()) {
                let tree = code.get(start..).unwrap_or_default();
                spread(&tree_text(tree), "", line_of(code, start), &mut paths);
            }
        }
        paths
    }

    /// Every path that a `use` brings in, so that `use std::{net, io}` hides nothing.
    fn use_paths(&self) -> Vec<(usize, String)> {
        let code = self.code_before_tests();
        let mut paths = Vec::new();
        for (start, found) in code.match_indices("use ") {
            if !ends_in_word(code.get(..start).unwrap_or_default()) {
                let tree = code.get(start + found.len()..).unwrap_or_default();
                spread(&tree_text(tree), "", line_of(code, start), &mut paths);
            }
        }
        paths
    }
}

fn is_known(module: &str) -> bool {
    GROUND.contains(&module) || LAYERS.iter().any(|(name, ..)| *name == module)
}

fn may_import(module: &str, target: &str) -> bool {
    let onto_ground = GROUND.contains(&target);
    if GROUND.contains(&module) {
        return onto_ground;
    }
    let layer = LAYERS.iter().find(|(name, ..)| *name == module);
    layer.is_some_and(|(_, ground, others)| (*ground && onto_ground) || others.contains(&target))
}

/// A use tree or a path, up to what ends it: `crate::a::{B, c::D}` of `crate::a::{B, c::D};`.
fn tree_text(code: &str) -> String {
    let mut depth = 0_usize;
    let mut text = String::new();
    for letter in code.chars() {
        match letter {
            '{' if text.ends_with("::") || depth > 0 => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ':' | '_' | '*' => {}
            ',' | ' ' | '\n' if depth > 0 => {}
            _ if letter.is_alphanumeric() => {}
            _ => break,
        }
        text.push(letter);
        if letter == '}' && depth == 0 {
            break;
        }
    }
    text
}

/// `a::{b, c::{d, e}}` becomes `a::b`, `a::c::d` and `a::c::e`.
fn spread(tree: &str, prefix: &str, line: usize, paths: &mut Vec<(usize, String)>) {
    let Some((head, inside)) = tree.split_once('{') else {
        let name = tree.split_whitespace().next().unwrap_or_default();
        if !name.is_empty() {
            paths.push((line, format!("{prefix}{name}")));
        }
        return;
    };
    let prefix = format!("{prefix}{}", head.trim());
    let inside = inside.trim_end().strip_suffix('}').unwrap_or(inside);
    let mut depth = 0_usize;
    let parts = inside.split(|letter| {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    });
    parts.for_each(|part| spread(part.trim(), &prefix, line, paths));
}

/// Line, name and length of each function, from its `fn` to its closing brace.
fn functions(code: &str) -> Vec<(usize, String, usize)> {
    let mut found = Vec::new();
    for (start, keyword) in code.match_indices("fn ") {
        let after = code.get(start + keyword.len()..).unwrap_or_default();
        let is_name = |letter: &char| letter.is_alphanumeric() || *letter == '_';
        let name: String = after.chars().take_while(is_name).collect();
        if name.is_empty() || ends_in_word(code.get(..start).unwrap_or_default()) {
            continue;
        }
        if let Some(bytes) = body_end(after) {
            let body = after.get(..bytes).unwrap_or_default();
            found.push((line_of(code, start), name, 1 + body.matches('\n').count()));
        }
    }
    found
}

/// Where the body after a signature ends; none where there is no body.
fn body_end(signature: &str) -> Option<usize> {
    let mut nested = 0_usize;
    let mut braces = 0_usize;
    for (index, letter) in signature.char_indices() {
        match letter {
            '(' | '[' => nested += 1,
            ')' | ']' => nested = nested.saturating_sub(1),
            ';' if nested == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' if braces == 1 => return Some(index),
            '}' => braces = braces.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// The text with each letter of a literal, and of a comment too if told, made a blank.
fn blank(text: &str, comments: bool) -> String {
    let mut blanked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let comment = comment_bytes(rest);
        let literal = literal_bytes(rest, ends_in_word(&blanked));
        let bytes = if comment > 0 { comment } else { literal.max(letter.len_utf8()) };
        let (part, after) = rest.split_at(bytes);
        if (comment > 0 && comments) || (comment == 0 && literal > 0) {
            blanked.extend(part.chars().map(|each| if each == '\n' { '\n' } else { ' ' }));
        } else {
            blanked.push_str(part);
        }
        rest = after;
    }
    blanked
}

/// How long the comment is that the text begins with; 0 if with none.
fn comment_bytes(text: &str) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if !text.starts_with("/*") {
        return 0;
    }
    let mut depth = 0_usize;
    let mut rest = text;
    while !rest.is_empty() {
        let step = if rest.starts_with("/*") {
            depth += 1;
            2
        } else if rest.starts_with("*/") {
            depth -= 1;
            2
        } else {
            rest.chars().next().map_or(0, char::len_utf8)
        };
        rest = rest.get(step..).unwrap_or_default();
        if depth == 0 {
            break;
        }
    }
    text.len() - rest.len()
}

/// How long the string or character is that the text begins with; 0 if with none.
fn literal_bytes(text: &str, after_word: bool) -> usize {
    if let Some(inside) = text.strip_prefix('"') {
        return 1 + quoted_bytes(inside, '"');
    }
    if let Some(inside) = text.strip_prefix('\'') {
        // A quote that closes after one letter or an escape; all else is a lifetime.
        let mut letters = inside.chars();
        let first = letters.next();
        let is_character = first == Some('\\') || letters.next() == Some('\'');
        return if is_character { 1 + quoted_bytes(inside, '\'') } else { 0 };
    }
    let raw = ["br", "cr", "r"].iter().find_map(|prefix| text.strip_prefix(prefix));
    let Some(raw) = raw.filter(|_| !after_word) else { return 0 };
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    let (fence, inside) = raw.split_at(hashes);
    let Some(inside) = inside.strip_prefix('"') else { return 0 };
    let end = format!("\"{fence}");
    let closed = inside.find(&end).map_or(inside.len(), |index| index + end.len());
    text.len() - inside.len() + closed
}

/// Bytes up to and with the closing quote, escapes stepped over.
fn quoted_bytes(inside: &str, quote: char) -> usize {
    let mut escaped = false;
    for (index, letter) in inside.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == quote => return index + 1,
            _ => {}
        }
    }
    inside.len()
}

/// Whether the word stands in the text alone, not as a part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices(word).any(|(start, _)| {
        let after = text.get(start + word.len()..).unwrap_or_default();
        let open_ended = !word.ends_with(is_part) || !after.starts_with(is_part);
        !ends_in_word(text.get(..start).unwrap_or_default()) && open_ended
    })
}

fn ends_in_word(text: &str) -> bool {
    text.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_')
}

fn longest_chain(text: &str, link: &str) -> usize {
    (1..=text.len()).take_while(|&count| text.contains(&link.repeat(count))).last().unwrap_or(0)
}

fn line_of(text: &str, byte: usize) -> usize {
    1 + text.get(..byte).unwrap_or_default().matches('\n').count()
}

fn assert_tidy(found: &[String]) {
    assert!(found.is_empty(), "\n\n{}\n", found.join("\n"));
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn library() -> impl Iterator<Item = Source> {
    sources().filter(Source::is_library)
}

/// Every Rust file of the repository, in a fixed order.
fn sources() -> impl Iterator<Item = Source> {
    let mut paths = Vec::new();
    for folder in ["src", "tests", "examples", "benches"] {
        gather(&root().join(folder), &mut paths);
    }
    paths.sort();
    paths.into_iter().map(|path| Source::read(&path))
}

fn gather(folder: &Path, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        // Packages of Node.js and of Python, and what was built, are no source of ours.
        let is_foreign = path.ends_with("interop") || path.ends_with("target");
        if path.is_dir() {
            if !is_foreign {
                gather(&path, paths);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

#[test]
fn blanking_leaves_code_and_its_lines() {
    let text =
        "let a = \"x // y\\\"\"; // note\nlet b: &'a str = r#\"\"{\"#; /* { */ let c = '{';\n";
    let blanked = blank(text, true);
    assert_eq!(blanked.matches('\n').count(), 2);
    let words: Vec<_> = blanked.split_whitespace().collect();
    let expected = "let a = ; let b: &'a str = ; let c = ;";
    assert_eq!(words.join(" "), expected);
    assert!(blank(text, false).contains("// note"));
}

#[test]
fn trees_are_spread() {
    let mut paths = Vec::new();
    spread(&tree_text("crate::a::{B, c::{D as E, self}};"), "", 1, &mut paths);
    let paths: Vec<_> = paths.into_iter().map(|(_, path)| path).collect();
    assert_eq!(paths, ["crate::a::B", "crate::a::c::D", "crate::a::c::self"]);
    assert_eq!(tree_text("crate::slots::Key<T>) {"), "crate::slots::Key");
}

#[test]
fn functions_are_measured() {
    let code = "trait T { fn none(&self) -> [u8; 2]; }\nfn one() {}\nfn three()\n{\n}\n";
    let found = functions(code);
    let lengths: Vec<_> = found.iter().map(|(line, name, n)| (*line, name.as_str(), *n)).collect();
    assert_eq!(lengths, [(2, "one", 1), (3, "three", 3)]);
}
