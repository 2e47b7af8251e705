//! `throng bench`: the load generator.

pub(crate) mod latency;
pub(crate) mod options;
pub(crate) mod payload;
pub(crate) mod plan;
pub(crate) mod report;
pub(crate) mod watch;
