//! throng

mod engineio;
mod http;
mod message;
mod slots;
mod socketio;
mod websocket;
