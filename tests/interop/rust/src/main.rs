//! Speaks to the running smoke app with `rust_socketio`, over one transport.
//!
//! ```text
//! throng-interop http://127.0.0.1:40123 polling
//! ```
//!
//! Prints one line per case, and panics at the first that fails. Every wait is for an event and has
//! a bound.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use rust_socketio::client::Client;
use rust_socketio::{ClientBuilder, Event, Payload, TransportType};
use serde_json::{Value, json};

const BOUND: Duration = Duration::from_secs(15);
const CASES: [(&str, fn(&Server)); 9] = [
    ("welcome and payload", welcome_and_payload),
    ("echo and acknowledgement", echo_and_acknowledgement),
    ("bytes", bytes),
    ("order", order),
    ("rooms", rooms),
    ("who, count, rooms of a socket", tells),
    ("a namespace that wants a token", auth),
    ("a namespace made when it is asked for", dynamic),
    ("the server ends it", ended),
];

/// Where the app listens, and how it is reached.
struct Server {
    url: String,
    transport: TransportType,
}

/// A client and what it hears, in order.
struct Connected {
    client: Client,
    heard: Receiver<(String, Payload)>,
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let [_, url, transport] = &words[..] else { panic!("usage: throng-interop URL TRANSPORT") };
    for (name, case) in CASES {
        println!("{name}");
        let transport = match transport.as_str() {
            "polling" => TransportType::Polling,
            "websocket" => TransportType::Websocket,
            "upgrade" => TransportType::WebsocketUpgrade,
            other => panic!("there is no transport {other}"),
        };
        case(&Server { url: url.clone(), transport });
    }
}

impl Server {
    fn connect(&self, namespace: &str, auth: Option<Value>) -> Connected {
        let (tell, heard) = channel();
        let told = tell.clone();
        let mut builder = ClientBuilder::new(&self.url)
            .namespace(namespace)
            .transport_type(self.transport.clone())
            .reconnect(false)
            .on_any(move |event, payload, _| drop(tell.send((event.into(), payload))));
        for event in [Event::Connect, Event::Close, Event::Error] {
            let tell = told.clone();
            let name = event.as_str().to_owned();
            builder = builder.on(event, move |payload, _| {
                drop(tell.send((name.clone(), payload)));
            });
        }
        if let Some(auth) = auth {
            builder = builder.auth(auth);
        }
        let client = builder.connect().expect("the handshake succeeds");
        Connected { client, heard }
    }

    /// A client in `/`, and the id that it was welcomed with.
    fn join(&self) -> (Connected, String) {
        let connected = self.connect("/", None);
        let welcome = connected.next("welcome");
        (connected, welcome[0]["id"].as_str().expect("an id").to_owned())
    }
}

impl Connected {
    /// The next event of this name; what comes before it is thrown away.
    fn next_payload(&self, event: &str) -> Payload {
        loop {
            match self.heard.recv_timeout(BOUND) {
                Ok((heard, payload)) if heard == event => return payload,
                Ok(_) => {}
                Err(error) => panic!("no event {event} came: {error}"),
            }
        }
    }

    fn next(&self, event: &str) -> Vec<Value> {
        match self.next_payload(event) {
            Payload::Text(values) => values,
            other => panic!("{event} came with {other:?}"),
        }
    }

    fn emit(&self, event: &str, args: Vec<Value>) {
        self.client.emit(event, args).expect("it is sent");
    }

    /// The arguments of the acknowledgement.
    fn ask(&self, event: &str, args: Vec<Value>) -> Value {
        let (answer, answered) = channel();
        let callback = move |payload, _| drop(answer.send(payload));
        self.client.emit_with_ack(event, args, BOUND, callback).expect("it is sent");
        match answered.recv_timeout(BOUND) {
            Ok(Payload::Text(mut values)) => values.remove(0),
            other => panic!("{event} was answered with {other:?}"),
        }
    }

    /// Nothing has come that was sent before the server answers this.
    fn expect_nothing_of(&self, event: &str) {
        self.ask("count", vec![]);
        loop {
            match self.heard.recv_timeout(Duration::ZERO) {
                Ok((heard, payload)) => assert_ne!(heard, event, "{payload:?}"),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let _ = self.client.disconnect();
    }
}

fn welcome_and_payload(server: &Server) {
    let client = server.connect("/", Some(json!({ "key": "value" })));
    let welcome = client.next("welcome");
    assert_eq!(welcome[0]["auth"], json!({ "key": "value" }));
    assert_eq!(welcome[0]["recovered"], json!(false));
}

fn echo_and_acknowledgement(server: &Server) {
    let (client, _) = server.join();
    let args = vec![json!(1), json!("tëxt 你好"), json!([null, { "a": [true] }])];
    assert_eq!(client.ask("echo", args.clone()), json!(args));
    client.emit("echo", args.clone());
    assert_eq!(client.next("echo"), args);
}

fn bytes(server: &Server) {
    let (client, _) = server.join();
    client.client.emit("echo", vec![0_u8, 1, 254, 255]).expect("it is sent");
    match client.next_payload("echo") {
        Payload::Binary(bytes) => assert_eq!(&bytes[..], [0, 1, 254, 255]),
        other => panic!("bytes came back as {other:?}"),
    }
}

fn order(server: &Server) {
    let (client, _) = server.join();
    for number in 0..300 {
        client.emit("echo", vec![json!(number)]);
    }
    for number in 0..300 {
        assert_eq!(client.next("echo"), [json!(number)]);
    }
}

fn rooms(server: &Server) {
    let (member, _) = server.join();
    let (other, _) = server.join();
    assert_eq!(member.ask("join", vec![json!("blue")]), json!([["blue"]]));
    other.emit("to", ["blue", "said", "to blue"].map(Value::from).to_vec());
    assert_eq!(member.next("said"), [json!("to blue")]);
    assert_eq!(member.ask("leave", vec![json!("blue")]), json!([[]]));
    other.emit("to", ["blue", "said", "unheard"].map(Value::from).to_vec());
    other.ask("count", vec![]);
    member.expect_nothing_of("said");
}

fn tells(server: &Server) {
    let (client, id) = server.join();
    let who = client.ask("who", vec![]);
    assert_eq!(who[0]["id"], json!(id));
    assert_eq!(who[0]["protocol"], json!(4));
    client.ask("join", vec![json!("a")]);
    client.ask("set", vec![json!("k"), json!(5)]);
    let mut rooms = ["a".to_owned(), id.clone()];
    rooms.sort();
    let fetched = json!([[{ "id": id, "rooms": rooms, "data": { "k": 5 } }]]);
    assert_eq!(client.ask("fetch", vec![json!("a")]), fetched);
}

fn auth(server: &Server) {
    let refused = server.connect("/auth", Some(json!({ "token": "wrong" })));
    let told = format!("{:?}", refused.next_payload("error"));
    assert!(told.contains("unauthorized") && told.contains("E_TOKEN"), "{told}");
    let let_in = server.connect("/auth", Some(json!({ "token": "secret", "user": "Ann" })));
    assert_eq!(let_in.next("user"), [json!("Ann")]);
}

fn dynamic(server: &Server) {
    let client = server.connect("/room-42", None);
    assert_eq!(client.next("nsp"), [json!("/room-42")]);
}

fn ended(server: &Server) {
    let (client, _) = server.join();
    client.emit("bye", vec![json!(false)]);
    client.next_payload("close");
}
