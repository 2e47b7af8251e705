//! The attached HTTP application on the same port: routes and what HTTP/1.1 asks of a server,
//! malformed requests included.
//!
//! ```text
//! > GET /users/7 HTTP/1.1
//! < HTTP/1.1 200 OK
//! ```

mod common;

use std::time::Duration;

use common::{Response as Answer, Running, WebSocket, Wire, log, serve, serve_with};
use throng::config::Config;
use throng::http::{Folder, Method, Response};

fn declare(server: &mut throng::Server) {
    server.of("/");
    server
        .http()
        .get("/users/{id}", |_, request| {
            let id = request.param("id").unwrap_or_default();
            let name = request.query_param("name").unwrap_or_default();
            Response::ok().text(format!("{id} {name}"))
        })
        .get("/rest/{*path}", |_, request| Response::ok().text(request.param("path").unwrap()))
        .post("/echo", |_, request| Response::ok().bytes("x/y", request.body().to_vec()))
        .post("/notify", |io, request| {
            io.emit("notice", &request.json::<String>().unwrap());
            Response::new(202)
        })
        .route(Method::Put, "/both", |_, _| Response::ok().text("put"))
        .route(Method::Delete, "/both", |_, _| Response::new(204))
        .get("/large", |_, _| Response::ok().text("x".repeat(3_000_000)))
        .get("/panic", |_, _| panic!("a handler's mistake"))
        .route_later(Method::Get, "/dropped", |_, _, responder| drop(responder))
        .route_later(Method::Get, "/later", |io, _, responder| {
            io.after(Duration::from_millis(30), |_| responder.send(Response::ok().text("late")));
        });
}

fn app() -> Running {
    serve(declare)
}

fn app_with(configure: impl FnOnce(&mut Config) + Send + 'static) -> Running {
    serve_with(configure, declare)
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n")
}

fn ask(server: &Running, request: impl AsRef<[u8]>) -> Answer {
    Wire::connect(server).ask(request)
}

/// The request is refused with this status and the connection ends.
fn expect_refused(server: &Running, request: impl AsRef<[u8]>, status: u16) {
    let mut wire = Wire::connect(server);
    wire.send_anyway(&request);
    let response = wire.response();
    let shown = String::from_utf8_lossy(request.as_ref()).chars().take(120).collect::<String>();
    assert_eq!(response.status, status, "{shown:?}");
    assert_eq!(response.header("connection"), Some("close"), "{shown:?}");
    wire.expect_end();
}

#[test]
fn routes_find_their_parameters() {
    let server = app();
    ask(&server, get("/users/7?name=J%C3%B6rg")).expect(200, "7 J\u{f6}rg");
    ask(&server, get("/users/a%2Fb")).expect(200, "a/b ");
    ask(&server, get("/rest/a/b/c")).expect(200, "a/b/c");
    ask(&server, get("/users/7/more")).expect(404, "");
    ask(&server, get("/nothing")).expect(404, "");
    ask(&server, get("http://test/users/8")).expect(200, "8 ");
}

#[test]
fn another_method_is_405_with_the_allowed_ones() {
    let server = app();
    let response = ask(&server, "POST /both HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(response.status, 405);
    assert_eq!(response.header("allow"), Some("PUT, DELETE"));
    ask(&server, "PUT /both HTTP/1.1\r\nHost: h\r\n\r\n").expect(200, "put");
    ask(&server, "DELETE /both HTTP/1.1\r\nHost: h\r\n\r\n").expect(204, "");
    assert_eq!(ask(&server, "BREW /both HTTP/1.1\r\nHost: h\r\n\r\n").status, 405);
}

#[test]
fn head_is_answered_without_the_body() {
    let server = app();
    let mut wire = Wire::connect(&server);
    wire.send("HEAD /users/7 HTTP/1.1\r\nHost: h\r\n\r\n");
    let response = wire.response_to_head();
    assert_eq!((response.status, response.header("content-length")), (200, Some("2")));
    wire.ask(get("/users/8")).expect(200, "8 ");
}

#[test]
fn a_connection_is_kept_alive_unless_either_side_says_close() {
    let server = app();
    let mut wire = Wire::connect(&server);
    for _ in 0..3 {
        let response = wire.ask(get("/users/7"));
        assert_ne!(response.header("connection"), Some("close"));
    }
    let response = wire.ask("GET /users/7 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_eq!(response.header("connection"), Some("close"));
    wire.expect_end();
    let mut wire = Wire::connect(&server);
    wire.ask("GET /users/7 HTTP/1.0\r\n\r\n").expect(200, "7 ");
    wire.expect_end();
    let mut wire = Wire::connect(&server);
    wire.ask("GET /users/7 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").expect(200, "7 ");
    wire.ask(get("/users/8")).expect(200, "8 ");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = app();
    let mut wire = Wire::connect(&server);
    let requests = [get("/later"), get("/users/1"), get("/later"), get("/users/2")].concat();
    wire.send(requests);
    for body in ["late", "1 ", "late", "2 "] {
        wire.response().expect(200, body);
    }
}

#[test]
fn more_answers_than_one_write_takes_all_go_out() {
    let server = app();
    let mut wire = Wire::connect(&server);
    let many: Vec<String> = (0..500).map(|number| get(&format!("/users/{number}"))).collect();
    wire.send(many.concat());
    for number in 0..500 {
        wire.response().expect(200, &format!("{number} "));
    }
}

#[test]
fn requests_stay_in_order_behind_an_answer_that_is_awaited() {
    let server = app();
    let mut wire = Wire::connect(&server);
    // Far more than is kept back, with further deferred answers on the way.
    let many: Vec<String> = (0..5_000)
        .map(|number| match number % 1_000 {
            0 => get("/later"),
            _ => get(&format!("/users/{number}")),
        })
        .collect();
    let mut writer = wire.stream.try_clone().unwrap();
    let writing = std::thread::spawn(move || {
        std::io::Write::write_all(&mut writer, many.concat().as_bytes())
    });
    for number in 0..5_000 {
        match number % 1_000 {
            0 => wire.response().expect(200, "late"),
            _ => wire.response().expect(200, &format!("{number} ")),
        };
    }
    writing.join().unwrap().unwrap();
}

#[test]
fn bodies_come_by_length_and_in_chunks() {
    let server = app();
    let mut wire = Wire::connect(&server);
    wire.ask("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
        .expect(200, "hello");
    wire.ask(
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
         3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: x\r\n\r\n",
    )
    .expect(200, "hello");
    wire.ask("POST /echo HTTP/1.1\r\nHost: h\r\n\r\n").expect(200, "");
    wire.dribble(
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
    );
    wire.response().expect(200, "hello");
    // A well-formed body that nobody asked for is read and ignored.
    wire.ask("GET /users/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
        .expect(200, "1 ");
    wire.ask(get("/users/2")).expect(200, "2 ");
}

#[test]
fn expect_100_continue_is_answered_before_the_body() {
    let server = app();
    let mut wire = Wire::connect(&server);
    let head = "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n";
    wire.send(format!("{head}Content-Length: 2\r\n\r\n"));
    assert_eq!(wire.read_until(b"\r\n\r\n"), b"HTTP/1.1 100 Continue\r\n\r\n");
    wire.ask("hi").expect(200, "hi");
    // What would be too large is not asked for.
    wire.send(format!("{head}Content-Length: 99999999\r\n\r\n"));
    assert_eq!(wire.response().status, 413);
    wire.expect_end();
}

#[test]
fn malformed_requests_are_refused() {
    let server = app();
    let long = "x".repeat(9_000);
    let post = |rest: &str| format!("POST /echo HTTP/1.1\r\nHost: h\r\n{rest}");
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(), 400),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0".repeat(4) + "\r\n\r\n", 400),
        ("GET /\r\n\r\n".to_owned(), 400),
        ("GET  / HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), 400),
        ("GET x HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nBad Name: x\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\nhello".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 5\r\n\r\nhello".to_owned(), 400),
        (post("Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"), 400),
        (post("Content-Length: 18446744073709551616\r\n\r\n"), 400),
        (post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), 400),
        (post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 400),
        (post("Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n"), 400),
        (post("Transfer-Encoding: chunked\r\n\r\nx\r\n"), 400),
        (post("Transfer-Encoding: gzip, chunked\r\n\r\n"), 501),
        (post("Transfer-Encoding: identity\r\n\r\n"), 501),
        (format!("GET /{long} HTTP/1.1\r\nHost: h\r\n\r\n"), 414),
        (format!("GET / HTTP/1.1\r\nHost: h\r\nX: {long}{long}\r\n\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "X: y\r\n".repeat(101)), 431),
        ("GET / HTTP/2.0\r\nHost: h\r\n\r\n".to_owned(), 505),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 505),
        ("GET / HTTP/1.1\r\nHost: h\r\nExpect: a miracle\r\n\r\n".to_owned(), 417),
        (post("Content-Length: 9999999\r\n\r\n"), 413),
    ] {
        expect_refused(&server, request, status);
    }
    ask(&server, get("/users/7")).expect(200, "7 ");
}

#[test]
fn a_chunked_body_over_the_limit_is_413() {
    let server = app_with(|config| config.http.body_bytes_max = 100);
    let chunk = format!("40\r\n{}\r\n", "x".repeat(64));
    let request = format!(
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
         {chunk}{chunk}0\r\n\r\n"
    );
    expect_refused(&server, request, 413);
    let body = "x".repeat(100);
    ask(&server, format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{body}"))
        .expect(200, &body);
}

#[test]
fn a_413_arrives_though_the_body_is_still_being_sent() {
    let server = app_with(|config| config.http.body_bytes_max = 1_000);
    let mut wire = Wire::connect(&server);
    wire.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n");
    for _ in 0..9 {
        wire.send_anyway(vec![b'x'; 100_000]);
    }
    assert_eq!(wire.response().status, 413);
    wire.expect_end();
}

#[test]
fn a_head_or_body_that_takes_too_long_is_408_and_an_idle_connection_is_closed() {
    let server = app_with(|config| {
        config.http.head_timeout = Duration::from_millis(100);
        config.http.body_timeout = Duration::from_millis(100);
        config.http.keep_alive_timeout = Duration::from_millis(100);
    });
    for request in [
        "GET /users/7 HTTP/1.1\r\nHo",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe",
    ] {
        let mut wire = Wire::connect(&server);
        wire.send(request);
        assert_eq!(wire.response().status, 408);
        wire.expect_end();
    }
    let mut wire = Wire::connect(&server);
    wire.expect_end();
    let mut wire = Wire::connect(&server);
    wire.ask(get("/users/7")).expect(200, "7 ");
    wire.expect_end();
    // An answer that is awaited isn't idleness.
    let server = serve_with(
        |config| config.http.keep_alive_timeout = Duration::from_millis(50),
        |server| {
            server.http().route_later(Method::Get, "/later", |io, _, responder| {
                io.after(Duration::from_millis(300), |_| responder.send(Response::ok()));
            });
        },
    );
    assert_eq!(ask(&server, get("/later")).status, 200);
}

#[test]
fn answers_may_come_later_or_never() {
    let server = app();
    ask(&server, get("/later")).expect(200, "late");
    assert_eq!(ask(&server, get("/dropped")).status, 500);
    assert_eq!(ask(&server, get("/panic")).status, 500);
    assert_eq!(server.ask(|io| io.socket_counters().handler_panics), 1);
    // Whoever leaves before the answer costs nothing.
    let mut wire = Wire::connect(&server);
    wire.send(get("/later"));
    drop(wire);
    ask(&server, get("/later")).expect(200, "late");
}

#[test]
fn routes_reach_the_sockets() {
    let server = app();
    let mut socket = WebSocket::joined(&server);
    let body = "\"hello\"";
    let request = format!("POST /notify HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\n{body}");
    ask(&server, request).expect(202, "");
    assert_eq!(socket.text(), "42[\"notice\",\"hello\"]");
}

#[test]
fn a_large_answer_arrives_whole_at_a_slow_reader() {
    let server = app();
    let mut wire = Wire::connect(&server);
    let socket = socket2::SockRef::from(&wire.stream);
    socket.set_recv_buffer_size(100_000).unwrap();
    wire.send([get("/large"), get("/users/7")].concat());
    assert_eq!(wire.response().body.len(), 3_000_000);
    wire.response().expect(200, "7 ");
}

#[test]
fn a_fallback_takes_what_no_route_does() {
    let server = serve(|server| {
        server
            .http()
            .get("/a", |_, _| Response::ok().text("a"))
            .fallback(|_, request| Response::new(404).text(request.path().to_owned()));
    });
    ask(&server, get("/a")).expect(200, "a");
    ask(&server, get("/b/c?d")).expect(404, "/b/c");
    ask(&server, "DELETE /x HTTP/1.1\r\nHost: h\r\n\r\n").expect(404, "/x");
}

#[test]
fn answers_have_a_date_and_headers_that_cannot_be_split() {
    let server = serve(|server| {
        server.http().get("/", |_, request| {
            let name = request.query_param("name").unwrap_or_default();
            Response::ok().header("X-Name", &*name).text("x")
        });
    });
    let response = ask(&server, get("/?name=eve%0d%0aSet-Cookie:%20admin"));
    assert_eq!(response.header("x-name"), Some("eveSet-Cookie: admin"));
    assert!(response.header("set-cookie").is_none());
    assert!(response.header("date").unwrap().ends_with(" GMT"));
}

#[test]
fn files_are_served_and_nothing_beside_them() {
    let root = std::env::temp_dir().join(format!("throng-wire-http-{}", std::process::id()));
    let folder = root.join("public");
    std::fs::create_dir_all(folder.join("sub")).unwrap();
    std::fs::write(folder.join("index.html"), "<p>home").unwrap();
    std::fs::write(folder.join("sub/a b.txt"), "text").unwrap();
    std::fs::write(folder.join(".hidden"), "no").unwrap();
    std::fs::write(root.join("secret"), "no").unwrap();
    let public = folder.clone();
    let server = serve(move |server| {
        server.http().folder("/static", Folder::new(public));
    });
    let mut wire = Wire::connect(&server);
    let response = wire.ask(get("/static/"));
    response.expect(200, "<p>home");
    assert_eq!(response.header("content-type"), Some("text/html; charset=utf-8"));
    let response = wire.ask(get("/static/sub/a%20b.txt"));
    response.expect(200, "text");
    let tag = response.header("etag").unwrap();
    let again = "GET /static/sub/a%20b.txt HTTP/1.1\r\nHost: h\r\nIf-None-Match: ";
    let response = wire.ask(format!("{again}{tag}\r\n\r\n"));
    assert_eq!((response.status, response.body.len()), (304, 0));
    for path in
        ["../secret", "%2e%2e/secret", "..%2fsecret", "sub/../../secret", ".hidden", "none", "sub"]
    {
        assert_eq!(wire.ask(get(&format!("/static/{path}"))).status, 404, "{path}");
    }
    std::fs::remove_dir_all(root).unwrap();
}

#[test]
fn a_closing_server_finishes_its_answers() {
    let (tell, told) = log();
    let server = serve(move |server| {
        server.http().get("/", move |io, _| {
            io.close();
            tell.send("closing".to_owned()).unwrap();
            Response::ok().text("bye")
        });
    });
    let mut wire = Wire::connect(&server);
    wire.ask(get("/")).expect(200, "bye");
    told.expect(&["closing"]);
    wire.expect_end();
    drop(wire);
    server.join();
}
