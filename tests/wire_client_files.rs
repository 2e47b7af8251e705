//! The JavaScript client's own files, as browsers and caches ask for them.
//!
//! ```text
//! > GET /socket.io/socket.io.min.js?v=1     < 200 ETag: "9.8.7"
//! ```

mod common;

use std::path::PathBuf;

use common::{Response, Running, Wire, serve_with, upgrade_head};
use throng::ClientFiles;
use throng::config::{Config, Cors, CorsOrigin};

/// What npm would install, on a small scale: one of the eight files is missing.
fn install() -> PathBuf {
    let name = format!("client_files_{:?}", std::thread::current().id());
    let package = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let folder = package.join("dist");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(package.join("package.json"), r#"{"name":"c","version":"9.8.7"}"#).unwrap();
    for name in NAMES {
        std::fs::write(folder.join(name), contents(name)).unwrap();
    }
    std::fs::write(folder.join("socket.io.secret.js"), "not one of the eight").unwrap();
    folder
}

fn contents(name: &str) -> String {
    format!("/*! Socket.IO v1.2.3\n */ \"{name}\";\n").repeat(100)
}

fn serve_files(configure: impl FnOnce(&mut Config) + Send + 'static) -> Running {
    let folder = install();
    serve_with(configure, move |server| {
        server.serve_client(Some(ClientFiles::open(folder).unwrap().compressed()));
    })
}

fn request(method: &str, target: &str, lines: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: test\r\n{lines}\r\n")
}

fn get(server: &Running, target: &str, lines: &str) -> Response {
    Wire::connect(server).ask(request("GET", target, lines))
}

#[test]
fn each_file_has_the_headers_of_the_reference() {
    let server = serve_files(|_| {});
    let mut wire = Wire::connect(&server);
    for name in NAMES {
        let response = wire.ask(request("GET", &format!("/socket.io/{name}"), ""));
        response.expect(200, &contents(name));
        let kind = if name.contains(".map") { "json" } else { "javascript" };
        let content_type = format!("application/{kind}; charset=utf-8");
        assert_eq!(response.header("content-type"), Some(&*content_type));
        assert_eq!(response.header("cache-control"), Some("public, max-age=0"));
        assert_eq!(response.header("etag"), Some("\"9.8.7\""));
        assert_eq!(response.header("content-encoding"), None);
    }
}

#[test]
fn any_method_gets_them_and_the_query_is_ignored() {
    let server = serve_files(|_| {});
    let target = "/socket.io/socket.io.js?EIO=4&transport=polling";
    for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
        let response = Wire::connect(&server).ask(request(method, target, ""));
        response.expect(200, &contents("socket.io.js"));
    }
    let mut wire = Wire::connect(&server);
    let posted = request("POST", target, "Content-Length: 4\r\n") + "body";
    for _ in 0..2 {
        wire.ask(&posted).expect(200, &contents("socket.io.js"));
    }
    wire.send(request("HEAD", target, ""));
    let length = contents("socket.io.js").len().to_string();
    assert_eq!(wire.response_to_head().header("content-length"), Some(&*length));
}

#[test]
fn who_has_them_already_is_told_so() {
    let server = serve_files(|_| {});
    let status = |tag: &str| {
        let line = format!("If-None-Match: {tag}\r\n");
        get(&server, "/socket.io/socket.io.js", &line).status
    };
    assert_eq!(status("\"9.8.7\""), 304);
    assert_eq!(status("W/\"9.8.7\""), 304);
    assert_eq!(status("\"9.8.6\""), 200);
    assert_eq!(status("9.8.7"), 200);
    let line = "If-None-Match: \"9.8.7\"\r\n";
    let response = get(&server, "/socket.io/socket.io.js", line);
    assert_eq!(response.header("etag"), Some("\"9.8.7\""));
    assert!(response.body.is_empty());
}

#[test]
fn all_other_names_are_engine_io_s() {
    let server = serve_files(|_| {});
    for name in [
        "socket.io.msgpack.min.js.map",
        "socket.io.secret.js",
        "socket.io.esm.js",
        "socket.io.js/",
        "/socket.io.js",
        "%73ocket.io.js",
        "../socket.io/socket.io.js",
        "",
    ] {
        let response = get(&server, &format!("/socket.io/{name}"), "");
        response.expect_code(400, 0, "Transport unknown");
    }
    get(&server, "/socket.io.js", "").expect(404, "");
    get(&server, "/socket.io/?EIO=4&transport=polling", "");
    let mut wire = Wire::connect(&server);
    wire.send(upgrade_head("/socket.io/socket.io.js", ""));
    let refused = String::from_utf8(wire.read_to_end()).unwrap();
    assert!(refused.ends_with("\r\n\r\nTransport unknown"), "{refused}");
}

#[test]
fn without_the_files_there_are_none() {
    let server = common::serve(|_| {});
    let response = get(&server, "/socket.io/socket.io.js", "");
    response.expect_code(400, 0, "Transport unknown");
}

#[test]
fn pages_of_other_origins_may_read_them() {
    let server = serve_files(|config| {
        let mut cors = Cors::default();
        cors.origin = CorsOrigin::One("http://a.test".to_owned());
        config.engine.cors = Some(cors);
    });
    let target = "/socket.io/socket.io.js";
    for line in ["", "If-None-Match: \"9.8.7\"\r\n"] {
        let response = get(&server, target, line);
        assert_eq!(response.header("access-control-allow-origin"), Some("http://a.test"));
    }
    let preflight = Wire::connect(&server).ask(request("OPTIONS", target, ""));
    preflight.expect(204, "");
    assert_eq!(preflight.header("access-control-allow-origin"), Some("http://a.test"));
}

#[cfg(feature = "compression")]
#[test]
fn they_are_coded_as_the_client_likes_best() {
    let server = serve_files(|_| {});
    for (accepted, coding) in [
        ("br, gzip", Some("br")),
        ("gzip, deflate, br", Some("gzip")),
        ("deflate", Some("deflate")),
        ("gzip;q=0.1, br;q=0.5", Some("br")),
        ("identity", None),
    ] {
        let line = format!("Accept-Encoding: {accepted}\r\n");
        let response = get(&server, "/socket.io/socket.io.js", &line);
        assert_eq!(response.header("content-encoding"), coding);
        assert_eq!(response.header("vary"), Some("Accept-Encoding"));
        assert_eq!(response.header("etag"), Some("\"9.8.7\""));
        assert_eq!(coding.is_some(), response.body.len() < 1_000, "{accepted}");
    }
}

#[test]
fn the_version_is_found_or_given() {
    let folder = install();
    assert_eq!(ClientFiles::open(&folder).unwrap().version(), "9.8.7");
    assert_eq!(ClientFiles::open_as(&folder, "mine").unwrap().version(), "mine");
    for version in ["", "two words", "quo\"ted", "é"] {
        assert!(ClientFiles::open_as(&folder, version).is_err(), "{version:?}");
    }
    std::fs::remove_file(folder.parent().unwrap().join("package.json")).unwrap();
    assert_eq!(ClientFiles::open(&folder).unwrap().version(), "1.2.3");
    let missing = ClientFiles::open(folder.join("nothing")).unwrap_err();
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    std::fs::write(folder.join(NAMES[0]), vec![b' '; 4 * 1_024 * 1_024 + 1]).unwrap();
    let large = ClientFiles::open(&folder).unwrap_err();
    assert_eq!(large.kind(), std::io::ErrorKind::InvalidData);
}

const NAMES: [&str; 7] = [
    "socket.io.js",
    "socket.io.js.map",
    "socket.io.min.js",
    "socket.io.min.js.map",
    "socket.io.esm.min.js",
    "socket.io.esm.min.js.map",
    "socket.io.msgpack.min.js",
];
