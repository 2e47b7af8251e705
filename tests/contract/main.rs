//! The contract of embedding, sentence by sentence: each test is named after what the page about
//! embedding promises (`src/guide/embedding.md`).

mod descriptor;
mod host;
mod sources;
mod turn;
