//! throng

pub mod config;
mod counters;
mod deadlines;
mod engineio;
mod entropy;
pub mod http;
mod message;
mod outbox;
mod reactor;
mod send_queue;
mod slots;
mod socketio;
mod websocket;
pub use socketio::payload::{Args, ArgsError, Binary, BinarySlice, EncodeError, IntoArgs, OwnedArgs};
