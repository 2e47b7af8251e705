//! throng

pub mod config;
mod deadlines;
mod engineio;
mod entropy;
mod http;
mod message;
mod outbox;
mod slots;
mod socketio;
mod websocket;
