//! A folder on a real file system, and everything that should not be reachable through it.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use super::{Folder, Validators, YEAR_10000_SECONDS};
use crate::http::request::Request;
use crate::http::response::Response;

/// A directory of its own for one test, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name =
            format!("throng-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        for (file, content) in [
            ("secret.txt", "secret"),
            ("public/index.html", "<p>"),
            ("public/app.js", "1;"),
            ("public/data.json", "{}"),
            ("public/noext", "raw"),
            ("public/with space.txt", "space"),
            ("public/.env", "secret"),
            ("public/.git/config", "secret"),
            ("public/sub/index.html", "<sub>"),
            ("public/empty/file.css", "a{}"),
            ("public-not/secret.txt", "secret"),
        ] {
            let file = path.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        Self(path)
    }

    fn folder(&self) -> Folder {
        Folder::new(self.0.join("public"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn get(folder: &Folder, path: &str, headers: &[(&str, &str)]) -> Response {
    folder.respond(path, &Request::for_tests("GET", "/", headers, ""))
}

fn status(folder: &Folder, path: &str) -> u16 {
    get(folder, path, &[]).status().code()
}

#[test]
fn files_are_sent_with_their_types() {
    let scratch = Scratch::new();
    let folder = scratch.folder();
    for (path, content_type, body) in [
        ("", "text/html; charset=utf-8", "<p>"),
        ("index.html", "text/html; charset=utf-8", "<p>"),
        ("app.js", "text/javascript; charset=utf-8", "1;"),
        ("data.json", "application/json", "{}"),
        ("noext", "application/octet-stream", "raw"),
        ("with space.txt", "text/plain; charset=utf-8", "space"),
        ("sub", "text/html; charset=utf-8", "<sub>"),
        ("sub/", "text/html; charset=utf-8", "<sub>"),
    ] {
        let response = get(&folder, path, &[]);
        assert_eq!(response.status().code(), 200, "{path}");
        assert_eq!(response.header_value("content-type"), Some(content_type), "{path}");
        assert_eq!(response.body(), body.as_bytes(), "{path}");
        assert!(response.header_value("etag").unwrap().starts_with("W/\""));
        assert!(response.header_value("last-modified").unwrap().ends_with(" GMT"));
    }
}

#[test]
fn nothing_outside_of_the_folder_is_sent() {
    let scratch = Scratch::new();
    let folder = scratch.folder();
    let absolute = scratch.0.join("secret.txt");
    for path in [
        "../secret.txt",
        "..",
        "../",
        ".",
        "./app.js",
        "sub/../../secret.txt",
        "sub/../app.js",
        "%2e%2e/secret.txt",
        "%2e%2e%2fsecret.txt",
        "..%2fsecret.txt",
        "..\\secret.txt",
        "sub\\..\\app.js",
        "../public-not/secret.txt",
        "/secret.txt",
        "/etc/passwd",
        "//etc/passwd",
        "/",
        "sub//index.html",
        "app.js/",
        "app.js/x",
        "app.js\0",
        "\0",
        "app.js\n",
        "C:/secret.txt",
        "C:secret.txt",
        ".env",
        ".git/config",
        ".git",
        "empty",
        "empty/",
        "missing",
        "..\u{2215}secret.txt",
        absolute.to_str().unwrap(),
    ] {
        assert_eq!(status(&folder, path), 404, "{path:?}");
    }
    assert_eq!(status(&folder, &"x".repeat(100_000)), 404);
    assert_eq!(status(&folder, &"x/".repeat(50_000)), 404);
}

#[cfg(unix)]
#[test]
fn symbolic_links_lead_nowhere_else() {
    use std::os::unix::fs::symlink;
    let scratch = Scratch::new();
    let public = scratch.0.join("public");
    symlink(scratch.0.join("secret.txt"), public.join("out.txt")).unwrap();
    symlink("..", public.join("up")).unwrap();
    symlink("../public-not", public.join("beside")).unwrap();
    symlink("loop", public.join("loop")).unwrap();
    symlink("gone", public.join("dangling")).unwrap();
    symlink("app.js", public.join("inside.js")).unwrap();
    symlink("public", scratch.0.join("current")).unwrap();
    fs::create_dir(public.join("trap")).unwrap();
    symlink("../../secret.txt", public.join("trap/index.html")).unwrap();
    let folder = scratch.folder();
    for path in ["out.txt", "up", "up/secret.txt", "beside/secret.txt", "loop", "dangling", "trap"]
    {
        assert_eq!(status(&folder, path), 404, "{path}");
    }
    assert_eq!(get(&folder, "inside.js", &[]).body(), b"1;");
    // The folder itself may be reached by a link.
    let current = Folder::new(scratch.0.join("current"));
    assert_eq!(get(&current, "app.js", &[]).body(), b"1;");
}

#[cfg(unix)]
#[test]
fn what_is_not_a_file_is_not_opened() {
    let scratch = Scratch::new();
    let _listener = std::os::unix::net::UnixListener::bind(scratch.0.join("public/s")).unwrap();
    assert_eq!(status(&scratch.folder(), "s"), 404);
}

#[test]
fn a_client_that_has_the_file_is_told_so() {
    let scratch = Scratch::new();
    let folder = scratch.folder();
    let first = get(&folder, "app.js", &[]);
    let etag = first.header_value("etag").unwrap();
    let strong = etag.strip_prefix("W/").unwrap();
    let modified = first.header_value("last-modified").unwrap();
    let later = "Fri, 31 Dec 9999 23:59:59 GMT";
    let earlier = "Thu, 01 Jan 1970 00:00:00 GMT";
    let listed = format!("\"x\", {etag} ,W/\"y\"");
    for (headers, expected) in [
        (vec![("If-None-Match", etag)], 304),
        (vec![("If-None-Match", strong)], 304),
        (vec![("If-None-Match", "*")], 304),
        (vec![("If-None-Match", &listed)], 304),
        (vec![("If-None-Match", "\"x\""), ("If-None-Match", etag)], 304),
        (vec![("If-None-Match", "\"x\"")], 200),
        (vec![("If-None-Match", "")], 200),
        (vec![("If-Modified-Since", modified)], 304),
        (vec![("If-Modified-Since", later)], 304),
        (vec![("If-Modified-Since", earlier)], 200),
        (vec![("If-Modified-Since", "yesterday")], 200),
        (vec![("If-None-Match", "\"x\""), ("If-Modified-Since", later)], 200),
        (vec![("If-None-Match", etag), ("If-Modified-Since", earlier)], 304),
    ] {
        let response = get(&folder, "app.js", &headers);
        assert_eq!(response.status().code(), expected, "{headers:?}");
        assert_eq!(response.header_value("etag"), Some(etag));
        assert_eq!(response.body().is_empty(), expected == 304);
    }
    fs::write(scratch.0.join("public/app.js"), "changed").unwrap();
    assert_eq!(get(&folder, "app.js", &[("If-None-Match", etag)]).status().code(), 200);
}

#[test]
fn only_get_and_head_are_answered() {
    let scratch = Scratch::new();
    for (method, expected) in [("HEAD", 200), ("POST", 405), ("OPTIONS", 405), ("PURGE", 405)] {
        let request = Request::for_tests(method, "/", &[], "");
        let response = scratch.folder().respond("app.js", &request);
        assert_eq!(response.status().code(), expected, "{method}");
        let allow = (expected == 405).then_some("GET, HEAD");
        assert_eq!(response.header_value("allow"), allow, "{method}");
    }
}

#[test]
fn files_over_the_maximum_are_not_read() {
    let scratch = Scratch::new();
    let folder = scratch.folder();
    assert_eq!(status(&folder.clone().file_bytes_max(2), "app.js"), 200);
    let refused = get(&folder.file_bytes_max(1), "app.js", &[]);
    assert_eq!(refused.status().code(), 500);
    assert!(refused.body().starts_with(b"The file is larger"));
}

#[test]
fn a_folder_that_is_not_there_has_no_files() {
    assert_eq!(status(&Folder::new("/nonexistent/throng"), "index.html"), 404);
}

#[test]
fn times_that_no_header_can_say_are_left_out() {
    let scratch = Scratch::new();
    let path = scratch.0.join("public/app.js");
    let file = fs::File::options().write(true).open(&path).unwrap();
    for time in [
        UNIX_EPOCH.checked_sub(Duration::from_secs(5)),
        UNIX_EPOCH.checked_add(Duration::from_secs(YEAR_10000_SECONDS)),
    ] {
        // Not every file system can hold such a time.
        if file.set_modified(time.unwrap()).is_ok()
            && file.metadata().is_ok_and(|metadata| metadata.modified().ok() == time)
        {
            assert!(Validators::of(&file.metadata().unwrap()).modified.is_none());
            assert_eq!(status(&scratch.folder(), "app.js"), 200);
        }
    }
}
