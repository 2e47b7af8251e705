//! Raw WebSockets that send every message back, in their order and to the last.
//!
//! ```text
//! > 81 82 37 fa 21 3d 5f 93    < 81 02 68 69
//! ```

mod common;

use common::{Running, WebSocket, masked_frame, serve};
use throng::WebSocketEvent;

fn echoing() -> Running {
    serve(|server| {
        server.websocket("/echo", 1_000, |socket, event| match event {
            WebSocketEvent::Text(text) => socket.send_text(text),
            WebSocketEvent::Binary(bytes) => socket.send_binary(bytes),
            _ => {}
        });
    })
}

#[test]
fn more_answers_than_one_write_joins_all_go_out() {
    let server = echoing();
    let mut socket = WebSocket::upgrade(&server, "/echo");
    let texts: Vec<String> = (0..200).map(|index| format!("m{index}")).collect();
    let frames: Vec<_> = texts.iter().map(|text| masked_frame(0x81, text.as_bytes())).collect();
    // One segment, so that all of them are answered in one turn.
    socket.wire.send(frames.concat());
    for text in &texts {
        assert_eq!(socket.text(), *text);
    }
}
