//! What a reader sees of results: a table, an HDR log, a page, charts, Markdown. Pure functions
//! over [`Report`](super::report::Report); `files` alone reads and writes.
//!
//! ```text
//! Report ─► table · key_values · hdr_log      [Report] ─► html · charts · markdown · summary
//! ```

mod axis;
mod bars;
mod chart;
mod command;
mod describe;
mod drawings;
pub(crate) mod figure;
mod files;
mod hdr;
mod key_values;
mod machine;
mod markdown;
mod page;
mod rounds;
#[cfg(test)]
pub(crate) mod sample;
mod summary;
mod table;
pub(crate) mod units;

pub(crate) use drawings::charts;
pub(crate) use files::{read, run_report, write_page, write_result};
pub(crate) use hdr::hdr_log;
pub(crate) use key_values::key_values;
pub(crate) use markdown::markdown;
pub(crate) use page::html;
pub(crate) use summary::{round_line, summary};
pub(crate) use table::table;
