//! throng

pub mod config;
mod deadlines;
mod engineio;
mod entropy;
pub mod http;
mod message;
mod outbox;
mod slots;
mod socketio;
mod websocket;

pub use engineio::{DisconnectReason, EngineCounters, Transport};
