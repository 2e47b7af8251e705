//! A server is a value: made where it runs, several in one process, dropped at any time. What it
//! held goes with it, and what others hold of it does no harm and says so.

use std::cell::{Cell, RefCell};
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use throng::config::Config;
use throng::http::{Method, Response};
use throng::testing::{Connect, TestServer};
use throng::{
    Ack, Decision, Handle, NamespaceDecision, Next, PostError, Refusal, RemoteAck, RemoteDecision,
    RemoteNamespaceDecision, RemoteNext, Server,
};

use super::common::{SOON, engine_get, masked_frame, upgrade_head};

/// Tells, by its count, how many of its clones are still somewhere.
type Held = Rc<()>;

/// A server with few connections, whose handlers, timers, routes and endpoints hold a value each.
fn bind(held: &Held) -> Server {
    let mut config = Config::default();
    config.reactor.connections_max = Some(64);
    let server = Server::builder().config(config).bind("127.0.0.1:0").unwrap();
    let more = || Rc::clone(held);
    let (connect, event, timer, period) = (more(), more(), more(), more());
    server
        .of("/")
        .on_connect(move |socket| {
            let (data, shared, answer) =
                (Rc::clone(&connect), Rc::clone(&connect), Rc::clone(&connect));
            socket.set_data(Rc::new(Cell::new(Some(data))));
            socket.session().unwrap().set_data(Rc::new(Cell::new(Some(shared))));
            socket.emit_with_raw_ack("never answered", (), move |_, _| drop(answer));
        })
        .on_raw("keep", move |_, _, _| drop(Rc::clone(&event)));
    server.io().after(Duration::from_secs(3_600), move |_| drop(timer));
    server.io().every(Duration::from_secs(3_600), move |_| drop(Rc::clone(&period)));
    let (route, later, endpoint, opened) = (more(), more(), more(), more());
    server
        .http()
        .get("/", move |_, _| {
            drop(Rc::clone(&route));
            Response::ok()
        })
        .route_later(Method::Get, "/never", move |io, _, responder| {
            let held = Rc::clone(&later);
            io.after(Duration::from_secs(3_600), move |_| drop((responder, held)));
        });
    server.websocket("/raw", 1_000, move |_, _| drop(Rc::clone(&endpoint)));
    server.engine().on_open(move |_, _| drop(Rc::clone(&opened)));
    server
}

/// A client that has sent this much.
fn client(address: SocketAddr, bytes: impl AsRef<[u8]>) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    std::io::Write::write_all(&mut stream, bytes.as_ref()).unwrap();
    stream
}

/// Clients at every stage of a connection.
fn clients(address: SocketAddr) -> Vec<TcpStream> {
    let joining = upgrade_head("/socket.io/?EIO=4&transport=websocket", "").into_bytes();
    let joining = [joining, masked_frame(0x81, b"40")].concat();
    vec![
        client(address, ""),
        client(address, "GET / HT"),
        client(address, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        client(address, "GET /never HTTP/1.1\r\nHost: h\r\n\r\n"),
        client(address, engine_get("transport=polling")),
        client(address, upgrade_head("/raw", "")),
        client(address, &joining),
        client(address, &joining),
    ]
}

/// Polls until this holds.
fn poll_until(server: &mut Server, holds: impl Fn(&Server) -> bool) {
    for _ in 0..10_000 {
        if holds(server) {
            return;
        }
        server.poll(Some(Duration::from_millis(1))).unwrap();
    }
    panic!("it never came to be");
}

/// The connection ends, whatever came before.
fn expect_end(mut stream: TcpStream) {
    let mut rest = Vec::new();
    if let Err(error) = stream.read_to_end(&mut rest) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
}

fn expect_closed(handle: &Handle) {
    assert_eq!(handle.post(|_| unreachable!()), Err(PostError::Closed));
    assert_eq!(handle.close(), Err(PostError::Closed));
    assert!(matches!(handle.emit("late", ()), Err(throng::EmitError::Closed)));
    assert_eq!(handle.waiting(), 0);
}

#[test]
fn a_server_may_be_dropped_before_it_was_polled() {
    let held = Held::default();
    let server = bind(&held);
    let (address, handle) = (server.local_addresses()[0], server.handle());
    let waiting = client(address, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    handle.post(|_| unreachable!()).unwrap();
    server.emit("nobody is there", ());
    drop(server);
    expect_end(waiting);
    expect_closed(&handle);
    assert_eq!(Rc::strong_count(&held), 1);
    TcpListener::bind(address).unwrap();
}

#[test]
fn a_server_may_be_dropped_with_connections_at_every_stage() {
    let held = Held::default();
    let mut server = bind(&held);
    let (address, handle) = (server.local_addresses()[0], server.handle());
    let mut clients = clients(address);
    poll_until(&mut server, |server| server.of("/").sockets_len() == 2);
    poll_until(&mut server, |server| server.connections_len() == 8);
    // In the backlog, and accepted by nobody.
    clients.push(client(address, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    drop(server);
    clients.into_iter().for_each(expect_end);
    expect_closed(&handle);
    assert_eq!(Rc::strong_count(&held), 1);
}

#[test]
fn a_server_may_be_dropped_in_the_middle_of_what_it_sends() {
    let held = Held::default();
    let mut server = bind(&held);
    let clients = clients(server.local_addresses()[0]);
    poll_until(&mut server, |server| server.of("/").sockets_len() == 2);
    server.emit("queued", &"a".repeat(4 << 20));
    drop(server);
    clients.into_iter().for_each(expect_end);

    let mut server = bind(&held);
    let clients = self::clients(server.local_addresses()[0]);
    poll_until(&mut server, |server| server.of("/").sockets_len() == 2);
    server.emit("begun", &"a".repeat(12 << 20));
    // Nobody reads: a part of it lies in the system's buffers, the rest with the server.
    server.poll(Some(Duration::ZERO)).unwrap();
    drop(server);
    clients.into_iter().for_each(expect_end);
    assert_eq!(Rc::strong_count(&held), 1);
}

#[test]
fn a_server_may_be_dropped_while_it_closes() {
    let held = Held::default();
    let mut server = bind(&held);
    let clients = clients(server.local_addresses()[0]);
    poll_until(&mut server, |server| server.of("/").sockets_len() == 2);
    server.close();
    server.poll(Some(Duration::ZERO)).unwrap();
    drop(server);
    clients.into_iter().for_each(expect_end);
    assert_eq!(Rc::strong_count(&held), 1);
}

#[test]
fn a_server_frees_its_unix_socket_when_it_is_dropped() {
    let path = std::env::temp_dir().join(format!("throng-lifetime-{}.sock", std::process::id()));
    for _ in 0..2 {
        let mut server = Server::builder().listen_unix(&path).build().unwrap();
        let mut client = UnixStream::connect(&path).unwrap();
        poll_until(&mut server, |server| server.connections_len() == 1);
        drop(server);
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        assert!(!path.exists());
    }
}

/// Descriptors are counted in a process in which no other test runs.
#[test]
fn a_server_gives_its_descriptors_back() {
    const ALONE: &str = "THRONG_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let name = "lifetime::a_server_gives_its_descriptors_back";
        let mut alone = Command::new(std::env::current_exe().unwrap());
        let told = alone.args(["--exact", name]).env(ALONE, "1").output().unwrap();
        let output = String::from_utf8_lossy(&told.stdout);
        assert!(told.status.success() && output.contains("1 passed"), "{output}");
        return;
    }
    let held = Held::default();
    let before = descriptors();
    for _ in 0..3 {
        let mut server = bind(&held);
        let _handle = server.handle();
        let clients = clients(server.local_addresses()[0]);
        poll_until(&mut server, |server| server.of("/").sockets_len() == 2);
        poll_until(&mut server, |server| server.connections_len() == 8);
        assert!(descriptors() >= before + 2 + 2 * 8);
        drop(server);
        clients.into_iter().for_each(expect_end);
        // The handle's waker has a descriptor of its own, as long as somebody may wake by it.
        assert!(descriptors() <= before + 1, "{} of {before}", descriptors());
    }
    assert_eq!(descriptors(), before);
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// What handlers have put aside, to be answered when it is too late.
#[derive(Default)]
struct Owned {
    acks: RefCell<Vec<Ack>>,
    nexts: RefCell<Vec<Next>>,
    decisions: RefCell<Vec<Decision>>,
    names: RefCell<Vec<NamespaceDecision>>,
    responders: RefCell<Vec<throng::Responder>>,
}

/// A server in memory that keeps all that is asked of it, and clients that have asked.
fn asked(owned: &Rc<Owned>) -> TestServer {
    let keep = || Rc::clone(owned);
    let (acks, nexts, decisions) = (keep(), keep(), keep());
    let (names, responders) = (keep(), keep());
    let mut test = TestServer::new(|server| {
        server.of("/").on_raw("ask", move |_, _, ack| acks.acks.borrow_mut().extend(ack));
        server.of("/later").middleware_deferred(move |_, next| nexts.nexts.borrow_mut().push(next));
        server.allow_request(move |_, request, decision| match request.query_param("later") {
            Some(_) => decisions.decisions.borrow_mut().push(decision),
            None => decision.allow(),
        });
        server.of_deferred(move |_, _, _, decision| names.names.borrow_mut().push(decision));
        server.http().route_later(Method::Get, "/later", move |_, _, responder| {
            responders.responders.borrow_mut().push(responder);
        });
    });
    for _ in 0..2 {
        let alice = test.connect("/").unwrap();
        test.ask(alice, "ask", ());
        test.start_connect(Connect::to("/later"));
        test.start_connect(Connect::to("/dynamic"));
        test.start_connect(Connect::to("/").query("later", "yes"));
        let net = test.server_mut().net_mut();
        let route = net.connect();
        net.send(route, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
        test.settle();
    }
    assert_eq!(owned.acks.borrow().len(), 2);
    assert_eq!((owned.nexts.borrow().len(), owned.names.borrow().len()), (2, 2));
    assert_eq!((owned.decisions.borrow().len(), owned.responders.borrow().len()), (2, 2));
    test
}

#[test]
fn what_is_answered_after_the_server_has_gone_is_thrown_away() {
    let owned = Rc::new(Owned::default());
    drop(asked(&owned));
    owned.acks.take().pop().unwrap().send(&1);
    owned.nexts.take().pop().unwrap().allow();
    owned.decisions.take().pop().unwrap().header("X-Late", "yes").allow();
    owned.names.take().pop().unwrap().allow();
    owned.responders.take().pop().unwrap().send(Response::ok());

    let owned = Rc::new(Owned::default());
    drop(asked(&owned));
    owned.nexts.take().pop().unwrap().refuse(Refusal::new("late"));
    owned.decisions.take().pop().unwrap().refuse("late");
    owned.names.take().pop().unwrap().refuse();
    // The rest is dropped undecided.
}

#[test]
fn other_threads_are_told_that_their_answers_come_too_late() {
    type Remote = (Vec<RemoteAck>, Vec<RemoteNext>, Vec<RemoteDecision>);
    let owned = Rc::new(Owned::default());
    let test = asked(&owned);
    let handle = test.server().handle();
    let (acks, nexts, decisions): Remote = (
        owned.acks.take().into_iter().map(|ack| handle.remote_ack(ack)).collect(),
        owned.nexts.take().into_iter().map(|next| handle.remote_next(next)).collect(),
        owned.decisions.take().into_iter().map(|each| handle.remote_decision(each)).collect(),
    );
    let names: Vec<RemoteNamespaceDecision> =
        owned.names.take().into_iter().map(|name| handle.remote_namespace_decision(name)).collect();
    drop(test);
    let thread = std::thread::spawn(move || {
        for ack in acks {
            assert_eq!(ack.send(1), Err(PostError::Closed));
        }
        for next in nexts {
            assert_eq!(next.allow(), Err(PostError::Closed));
        }
        for decision in decisions {
            assert_eq!(decision.refuse("late"), Err(PostError::Closed));
        }
        // One is answered, the other dropped undecided.
        assert_eq!(names.into_iter().next().unwrap().allow(), Err(PostError::Closed));
        expect_closed(&handle);
    });
    thread.join().unwrap();
}

#[test]
fn what_is_made_remote_after_the_server_has_gone_does_no_harm() {
    let owned = Rc::new(Owned::default());
    let test = asked(&owned);
    let handle = test.server().handle();
    drop(test);
    for ack in owned.acks.take() {
        let _ = handle.remote_ack(ack).send(1);
    }
    for next in owned.nexts.take() {
        drop(handle.remote_next(next));
    }
    for decision in owned.decisions.take() {
        let _ = handle.remote_decision(decision).header("X-Late", "yes").allow();
    }
    for name in owned.names.take() {
        let _ = handle.remote_namespace_decision(name).refuse();
    }
}

#[test]
fn posted_closures_that_never_run_are_dropped_with_what_they_hold() {
    let held = std::sync::Arc::new(());
    let (mut test, mut acks) = (TestServer::new(|_| {}), Vec::new());
    let kept: Rc<RefCell<Vec<Ack>>> = Rc::default();
    let keep = Rc::clone(&kept);
    test.server().of("/").on_raw("ask", move |_, _, ack| keep.borrow_mut().extend(ack));
    let alice = test.connect("/").unwrap();
    test.ask(alice, "ask", ());
    let handle = test.server().handle();
    acks.extend(kept.take().into_iter().map(|ack| handle.remote_ack(ack)));
    let value = std::sync::Arc::clone(&held);
    // The answer's own end posts once more, into a mailbox that is on its way out.
    handle.post(move |_| drop((value, acks))).unwrap();
    drop(test);
    assert_eq!(std::sync::Arc::strong_count(&held), 1);
    expect_closed(&handle);
}

#[test]
fn who_posts_while_the_server_goes_hears_of_it() {
    let held = Held::default();
    let mut server = bind(&held);
    let posters: Vec<_> = (0..4)
        .map(|_| {
            let handle = server.handle();
            std::thread::spawn(move || {
                loop {
                    match handle.post(|io| drop(io.of("/").name())) {
                        Err(PostError::Closed) => return,
                        Ok(()) | Err(_) => std::thread::yield_now(),
                    }
                }
            })
        })
        .collect();
    for _ in 0..100 {
        server.poll(Some(Duration::from_millis(1))).unwrap();
    }
    drop(server);
    for poster in posters {
        poster.join().unwrap();
    }
    assert_eq!(Rc::strong_count(&held), 1);
}

/// Data whose end talks to the server that ends.
#[derive(Default)]
struct Talkative(RefCell<Vec<Ack>>, RefCell<Option<Handle>>);

impl Drop for Talkative {
    fn drop(&mut self) {
        for ack in self.0.take() {
            ack.send(&"gone");
        }
        if let Some(handle) = self.1.take() {
            assert_eq!(handle.post(|_| unreachable!()), Err(PostError::Closed));
        }
    }
}

#[test]
fn data_may_talk_to_the_server_that_ends_with_it() {
    let mut test = TestServer::new(|server| {
        let handle = server.handle();
        server.of("/").on_raw("keep", move |socket, _, ack| {
            let data = socket.data::<Talkative>();
            data.0.borrow_mut().extend(ack);
            *data.1.borrow_mut() = Some(handle.clone());
        });
    });
    let alice = test.connect("/").unwrap();
    test.ask(alice, "keep", ());
    drop(test);
}

/// A server that echoes with its own name before.
fn echoing(name: &'static str) -> TestServer {
    TestServer::new(|server| {
        server.of("/").on_with_ack("who", move |_, (): ()| name);
    })
}

#[test]
fn two_servers_in_one_thread_know_nothing_of_each_other() {
    let (mut one, mut other) = (echoing("one"), echoing("other"));
    let alice = one.connect("/").unwrap();
    let bob = other.connect("/").unwrap();
    for _ in 0..2 {
        assert_eq!(one.emit_with_ack(alice, "who", ()), Ok("one".to_owned()));
        assert_eq!(other.emit_with_ack(bob, "who", ()), Ok("other".to_owned()));
    }
    one.server().emit("hello", ());
    assert_eq!((one.received(alice).len(), other.received(bob).len()), (1, 0));
    drop(one);
    assert_eq!(other.emit_with_ack(bob, "who", ()), Ok("other".to_owned()));
}

#[test]
fn a_server_may_be_polled_within_a_handler_of_another() {
    let inner = Rc::new(RefCell::new(echoing("inner")));
    let bob = inner.borrow_mut().connect("/").unwrap();
    let within = Rc::clone(&inner);
    let mut outer = TestServer::new(|server| {
        server.of("/").on_with_ack("who", move |_, (): ()| {
            within.borrow_mut().emit_with_ack::<String>(bob, "who", ()).unwrap()
        });
    });
    let alice = outer.connect("/").unwrap();
    assert_eq!(outer.emit_with_ack(alice, "who", ()), Ok("inner".to_owned()));
    drop(outer);
    assert_eq!(Rc::strong_count(&inner), 1);
}

#[test]
fn two_servers_in_two_threads_serve_at_once() {
    let threads: Vec<_> = ["one", "other"]
        .map(|name| {
            std::thread::spawn(move || {
                let mut test = echoing(name);
                let alice = test.connect("/").unwrap();
                for _ in 0..100 {
                    assert_eq!(test.emit_with_ack(alice, "who", ()), Ok(name.to_owned()));
                }
            })
        })
        .into_iter()
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
