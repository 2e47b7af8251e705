//! The contract of embedding, sentence by sentence: each test is named after what the page about
//! embedding promises (`src/guide/embedding.md`).

#[path = "../common/mod.rs"]
mod common;

mod acts;
mod channels;
mod descriptor;
mod host;
mod lifetime;
mod reentrancy;
mod sans_io;
mod sources;
mod threads;
mod turn;
mod waiting;
