//! `throng bench`: the load generator.

pub(crate) mod compare;
pub(crate) mod latency;
pub(crate) mod options;
pub(crate) mod payload;
pub(crate) mod plan;
pub(crate) mod render;
pub(crate) mod report;
