//! `throng doctor`: what on this machine will spoil a measurement, and how to mend it.

mod fingerprint;

pub(crate) use fingerprint::Fingerprint;
