//! throng

mod admission;
mod app;
mod bare;
pub mod config;
mod counters;
mod deadlines;
mod endpoint;
mod engineio;
mod entropy;
mod handle;
pub mod http;
mod message;
mod outbox;
mod reactor;
mod send_queue;
mod server;
mod slots;
mod socketio;
mod websocket;

pub use admission::{ConnectionError, Decision};
pub use app::{HttpApp, Responder};
pub use bare::{EngineApp, Session, SessionId, SessionMessage};
pub use counters::{ReactorCounters, SocketCounters};
pub use deadlines::Now;
pub use endpoint::{WebSocket, WebSocketEvent};
pub use engineio::{DisconnectReason, EngineCounters, Transport};
pub use handle::{Handle, PostError};
pub use outbox::Delivery;
pub use reactor::net;
pub use reactor::{SystemListener, SystemNet, SystemStream};
pub use server::{Builder, Server, Turn};
pub use socketio::payload::{
    Args, ArgsError, Binary, BinarySlice, EncodeError, IntoArgs, OwnedArgs,
};
pub use socketio::{
    Ack, AckError, BroadcastOperator, Emitted, Emitter, Handshake, InvalidSocketId, Io, Namespace,
    Refusal, RoomNames, Socket, SocketId, TimerId,
};
