//! `throng bench`: the load generator.

pub(crate) mod checks;
pub(crate) mod descriptors;
pub(crate) mod latency;
pub(crate) mod options;
pub(crate) mod payload;
pub(crate) mod percentile;
pub(crate) mod plan;
pub(crate) mod report;
pub(crate) mod rooms;
pub(crate) mod schedule;
pub(crate) mod search;
pub(crate) mod source;
pub(crate) mod target;
pub(crate) mod verdict;
