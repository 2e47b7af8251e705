//! What was accepted, refused, dropped and closed, by reason: plain numbers for the host to read.
