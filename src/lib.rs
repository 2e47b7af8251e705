//! throng

mod engineio;
pub mod http;
mod message;
mod slots;
mod socketio;
mod websocket;
