//! The machine that a result was measured on.

use serde::{Deserialize, Serialize};

/// What of a machine decides the figures measured on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fingerprint {
    /// Such as `Linux 6.18.44`.
    pub(crate) kernel: String,
    /// Logical ones.
    pub(crate) cores: Option<u32>,
    /// Over one, five and fifteen minutes.
    pub(crate) load_average: Option<[f64; 3]>,
}
