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

pub use counters::{ReactorCounters, SocketCounters};
pub use deadlines::Now;
pub use engineio::{DisconnectReason, EngineCounters, Transport};
pub use outbox::Delivery;
pub use reactor::net;
pub use socketio::payload::{
    Args, ArgsError, Binary, BinarySlice, EncodeError, IntoArgs, OwnedArgs,
};
pub use socketio::{
    Ack, AckError, BroadcastOperator, Emitted, Emitter, Handshake, InvalidSocketId, Io, Namespace,
    Refusal, RoomNames, Socket, SocketId, TimerId,
};
