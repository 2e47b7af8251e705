//! throng

mod engineio;
mod http;
mod message;
mod slots;
mod socketio;
mod websocket;

pub use socketio::payload::{
    Args, ArgsError, Binary, BinarySlice, EncodeError, IntoArgs, OwnedArgs,
};
