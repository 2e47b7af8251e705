//! Results on disk: reads them, writes what is shown of them. `throng bench report` is here.
//!
//! ```text
//! throng bench report a1.json a2.json b1.json b2.json --html report.html --baseline a
//! ```

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Deserialize;

use super::{charts, hdr_log, html, key_values, markdown, table};
use crate::bench::options::{Output, Render};
use crate::bench::report::{Report, SCHEMA};

/// Writes page and charts where asked to; prints Markdown, or the table of each result.
pub(crate) fn run_report(options: &Render) -> io::Result<ExitCode> {
    let reports: Vec<Report> =
        options.results.iter().map(|path| read(path)).collect::<io::Result<_>>()?;
    let baseline = options.baseline.as_deref();
    if let Some(baseline) = baseline
        && !reports.iter().any(|report| report.label == baseline)
    {
        let labels: Vec<&str> = reports.iter().map(|report| report.label.as_str()).collect();
        return Err(invalid(format!(
            "no result has the label {baseline}; there are: {}",
            labels.join(", ")
        )));
    }
    if let Some(path) = &options.html {
        write(path, &html(&reports, baseline))?;
    }
    if let Some(folder) = &options.charts {
        fs::create_dir_all(folder).map_err(|error| told(folder, "can't make", &error))?;
        for (name, svg) in charts(&reports) {
            write(&folder.join(name), &svg)?;
        }
    }
    if options.markdown {
        print(&markdown(&reports, baseline))?;
    } else if options.html.is_none() && options.charts.is_none() {
        let tables: Vec<String> = reports.iter().map(table).collect();
        print(&tables.join("\n\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the result of a round, flat too, and its log where asked to.
pub(crate) fn write_result(report: &Report, output: &Output, round: u32) -> io::Result<()> {
    let place =
        |path: &Path| if output.rounds > 1 { numbered(path, round) } else { path.to_owned() };
    if let Some(path) = &output.json {
        let mut json = serde_json::to_string(report).map_err(io::Error::other)?;
        json.push('\n');
        write(&place(path), &json)?;
    }
    if let Some(path) = &output.key_values {
        write(&place(path), &key_values(report))?;
    }
    if let Some(path) = &output.hdr {
        write(&place(path), &hdr_log(report))?;
    }
    Ok(())
}

/// Writes one page of all rounds where asked to.
pub(crate) fn write_page(reports: &[Report], output: &Output) -> io::Result<()> {
    match &output.html {
        Some(path) => write(path, &html(reports, None)),
        None => Ok(()),
    }
}

/// `before.json` of the second round is `before-2.json`; standard output takes one after the other.
fn numbered(path: &Path, round: u32) -> PathBuf {
    let Some(stem) = path.file_stem().filter(|_| path != Path::new("-")) else {
        return path.to_owned();
    };
    let mut name = stem.to_owned();
    name.push(format!("-{round}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// A result of `--json`.
pub(crate) fn read(path: &Path) -> io::Result<Report> {
    let text = fs::read_to_string(path).map_err(|error| told(path, "can't read", &error))?;
    parse(&text).map_err(|reason| invalid(format!("{} {reason}", path.display())))
}

/// The one field that every version of the schema has.
#[derive(Deserialize)]
struct Head {
    schema: String,
}

fn parse(text: &str) -> Result<Report, String> {
    let head: Head = serde_json::from_str(text)
        .map_err(|error| format!("is no result of throng bench: {error}"))?;
    if head.schema != SCHEMA {
        return Err(format!(
            "has the schema {:?}; this program reads {SCHEMA}",
            head.schema.chars().take(SCHEMA_SHOWN_MAX).collect::<String>()
        ));
    }
    serde_json::from_str(text).map_err(|error| format!("is a broken result: {error}"))
}

/// To a file, or to standard output where it is called `-`.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if path == Path::new("-") {
        return print(text);
    }
    fs::write(path, text).map_err(|error| told(path, "can't write", &error))
}

fn print(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}

fn told(path: &Path, what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what} {}: {error}", path.display()))
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

const SCHEMA_SHOWN_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::render::sample;

    #[test]
    fn a_result_reads_back() {
        let report = sample::sweep("throng", 1.0);
        let text = serde_json::to_string(&report).unwrap();
        let read = parse(&text).unwrap();
        assert_eq!(read.plan, report.plan);
        assert_eq!(read.verdict, report.verdict);
        assert_eq!(table(&read), table(&report));
    }

    #[test]
    fn each_round_has_a_file_of_its_own() {
        let name = |path: &str| numbered(Path::new(path), 2);
        assert_eq!(name("runs/before.json"), Path::new("runs/before-2.json"));
        assert_eq!(name("a.b.hdr"), Path::new("a.b-2.hdr"));
        assert_eq!(name("result"), Path::new("result-2"));
        assert_eq!(name("-"), Path::new("-"));
    }

    #[test]
    fn what_is_no_result_is_told_so() {
        let reason = parse("<html>").unwrap_err();
        assert!(reason.starts_with("is no result of throng bench: "), "{reason}");
        let reason = parse("{}").unwrap_err();
        assert!(reason.contains("missing field `schema`"), "{reason}");
        let reason = parse(r#"{"schema":"throng-bench/2"}"#).unwrap_err();
        assert_eq!(reason, "has the schema \"throng-bench/2\"; this program reads throng-bench/1");
        let reason = parse(r#"{"schema":"throng-bench/1"}"#).unwrap_err();
        assert!(reason.starts_with("is a broken result: missing field"), "{reason}");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = read(Path::new("no/such/result.json")).unwrap_err();
        assert!(error.to_string().starts_with("can't read no/such/result.json: "), "{error}");
    }

    #[test]
    fn what_was_written_is_rendered_and_compared() {
        let folder = Folder::new("render");
        let rounds = [sample::broadcast("a", 1.0), sample::broadcast("b", 1.3)];
        for report in &rounds {
            let path = |kind| Some(folder.path(&format!("{}.{kind}", report.label)));
            let output = Output {
                json: path("json"),
                key_values: path("txt"),
                hdr: path("hlog"),
                html: path("html"),
                label: None,
                rounds: 1,
                quiet: true,
            };
            write_result(report, &output, 1).unwrap();
            write_page(std::slice::from_ref(report), &output).unwrap();
        }
        let options = Render {
            results: vec![folder.path("a.json"), folder.path("b.json")],
            html: Some(folder.path("both.html")),
            charts: Some(folder.path("charts")),
            markdown: false,
            baseline: Some("a".to_owned()),
        };
        run_report(&options).unwrap();
        let size = |name: &str| fs::metadata(folder.path(name)).unwrap().len();
        for name in
            ["a.hlog", "a.txt", "b.html", "both.html", "charts/broadcast-10000-server-cpu.svg"]
        {
            assert!(size(name) > 1_000, "{name}");
        }
        let mut unknown = options.clone();
        unknown.baseline = Some("c".to_owned());
        let error = run_report(&unknown).unwrap_err();
        assert_eq!(error.to_string(), "no result has the label c; there are: a, b");
    }

    /// A folder that ends with its test.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("throng-{name}-{}", std::process::id());
            let folder = Self(std::env::temp_dir().join(name));
            fs::create_dir_all(&folder.0).unwrap();
            folder
        }

        fn path(&self, name: &str) -> std::path::PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}
