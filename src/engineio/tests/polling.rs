//! Polling: held GETs, POSTs, overlaps, payloads.

use super::*;

#[test]
fn a_get_is_held_until_there_is_something_to_say() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.get(session);
    assert!(driver.events().is_empty());
    assert_eq!(driver.outboxes.sink(session), Sink::Poll);
    driver.queue(session, "a");
    driver.queue(session, "b");
    driver.settle();
    assert_eq!(driver.events(), ["2 200 4a|4b"]);
    assert_eq!(driver.outboxes.sink(session), Sink::Held);
    let response = driver.last_response.take().unwrap();
    assert_eq!(
        response.headers().collect::<Vec<_>>(),
        [("Content-Type", "text/plain; charset=UTF-8"), ("cache-control", "no-store")]
    );
    driver.send(session, "c");
    assert!(driver.events().is_empty());
    driver.get(session);
    assert_eq!(driver.events(), ["3 200 4c"]);
}

#[test]
fn binary_waits_in_its_place() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.queue(session, "a");
    let _ = driver.outboxes.push(session, &Message::binary(&[1, 2, 3, 4]), Lane::Soon);
    driver.queue(session, "b");
    driver.get(session);
    assert_eq!(driver.events(), ["2 200 4a|bAQIDBA==|4b"]);
}

#[test]
fn a_post_is_answered_after_its_packets() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    let (connection, start) = driver.begin_post(session);
    assert_eq!(start, PostStart::Accept { body_bytes_max: 1_000_000 });
    driver.text(session, connection, "4a");
    driver.text(session, connection, "bAQID");
    assert!(driver.events().is_empty());
    driver.engine.finish_post(driver.now(), session, connection, &mut driver.outboxes);
    driver.settle();
    assert_eq!(driver.events(), ["2 200 ok"]);
    let response = driver.last_response.take().unwrap();
    assert_eq!(
        response.headers().collect::<Vec<_>>(),
        [("Content-Type", "text/html"), ("cache-control", "no-store")]
    );
    assert_eq!(driver.incoming, ["a", "[1, 2, 3]"]);
}

#[test]
fn overlapping_gets_end_the_session() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.get(session);
    driver.get(session);
    assert_eq!(
        driver.events(),
        ["2 200 1", "3 400 ", "closed transport_error (overlap from client)"]
    );
    driver.get(session);
    assert_eq!(driver.events(), [r#"4 400 {"code":1,"message":"Session ID unknown"}"#]);
}

#[test]
fn overlapping_posts_end_the_session_and_the_first_connection() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.get(session);
    driver.begin_post(session);
    assert_eq!(driver.begin_post(session).1, PostStart::Refused);
    assert_eq!(
        driver.events(),
        [
            "3 destroy",
            "2 200 1",
            "4 400 ",
            "closed transport_error (data request overlap from client)"
        ]
    );
    driver.begin_post(session);
    assert_eq!(driver.events(), [r#"5 400 {"code":1,"message":"Session ID unknown"}"#]);
}

#[test]
fn octet_streams_end_the_session() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.get(session);
    let headers = [("Content-Type", "application/octet-stream")];
    assert_eq!(driver.begin_post_with(session, &headers).1, PostStart::Refused);
    assert_eq!(driver.events(), ["2 200 1", "3 400 ", "closed transport_error (invalid content)"]);
    let session = driver.open_polling();
    let headers = [("Content-Type", "application/octet-stream; x")];
    assert_ne!(driver.begin_post_with(session, &headers).1, PostStart::Refused);
}

#[test]
fn an_aborted_get_ends_the_session() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    let get = driver.get(session);
    driver.lose(session, get, Lost::Eof);
    assert_eq!(driver.events(), ["closed transport_error (poll connection closed prematurely)"]);
}

#[test]
fn a_get_that_was_answered_may_go() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    let get = driver.get(session);
    driver.send(session, "a");
    driver.lose(session, get, Lost::Reset);
    assert_eq!(driver.events(), ["2 200 4a"]);
}

#[test]
fn a_post_aborted_in_its_body_ends_the_session_but_not_after() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    let (post, _) = driver.begin_post(session);
    driver.text(session, post, "4a");
    driver.lose(session, post, Lost::Eof);
    driver.text(session, post, "4b");
    driver.engine.finish_post(driver.now(), session, post, &mut driver.outboxes);
    driver.settle();
    assert_eq!(driver.events(), ["2 200 ok"]);
    assert_eq!(driver.incoming, ["a", "b"]);
    driver.get(session);
    let (post, _) = driver.begin_post(session);
    driver.lose(session, post, Lost::Reset);
    assert_eq!(
        driver.events(),
        ["3 200 1", "closed transport_error (data request connection closed prematurely)"]
    );
}

#[test]
fn a_body_too_large_is_told_and_the_next_one_works() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    let (post, _) = driver.begin_post(session);
    driver.engine.post_too_large(driver.now(), session, post, &mut driver.outboxes);
    driver.settle();
    driver.post(session, "4a");
    assert_eq!(driver.events(), ["2 413 ", "3 200 ok"]);
    assert_eq!(driver.incoming, ["a"]);
    assert_eq!(driver.engine.counters().posts_too_large, 1);
}

#[test]
fn a_body_too_large_ends_the_session_where_the_host_wants_it() {
    let mut driver = Driver::with(|config| config.large_body_ends_session = true);
    let session = driver.open_polling();
    driver.get(session);
    let (post, _) = driver.begin_post(session);
    driver.engine.post_too_large(driver.now(), session, post, &mut driver.outboxes);
    driver.settle();
    assert_eq!(
        driver.events(),
        ["3 413 ", "2 200 1", "closed transport_error (Max payload size exceeded)"]
    );
    assert_eq!(driver.engine.counters().posts_too_large, 1);
    assert_eq!(driver.engine.sid(session), None);
}

#[test]
fn invalid_packets_end_the_session_and_the_rest_is_ignored() {
    for body in ["", "4a\x1e\x1e4b", "4a\x1ex\x1e4b", "4a\x1e9"] {
        let mut driver = Driver::new();
        let session = driver.open_polling();
        driver.get(session);
        driver.post(session, body);
        assert_eq!(driver.events(), ["2 200 1", "3 200 ok", "closed parse_error"], "{body:?}");
        assert!(!driver.incoming.contains(&"b".to_owned()));
    }
}

#[test]
fn a_close_packet_releases_the_get() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.get(session);
    driver.post(session, "4a\x1e1\x1e4b");
    assert_eq!(driver.events(), ["2 200 6", "3 200 ok", "closed transport_close"]);
    assert_eq!(driver.incoming, ["a"]);
    let session = driver.open_polling();
    driver.post(session, "1");
    assert_eq!(driver.events(), ["5 200 ok", "closed transport_close"]);
}

#[test]
fn what_was_said_before_the_end_still_arrives() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.get(session);
    driver.queue(session, "a");
    driver.post(session, "2");
    assert_eq!(
        driver.events(),
        ["2 200 4a", "3 200 ok", "closed transport_error (invalid heartbeat direction)"]
    );
}

#[test]
fn packets_without_meaning_are_ignored() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    driver.post(session, "0{}\x1e5\x1e6\x1e3\x1e4a");
    assert_eq!(driver.events(), ["2 200 ok"]);
    assert_eq!(driver.incoming, ["a"]);
    assert_eq!(driver.engine.counters().packets_received, 5);
}

#[cfg(feature = "compression")]
#[test]
fn large_answers_are_compressed_where_the_client_likes_it() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    let request = Request::for_tests("GET", POLLING, &[("Accept-Encoding", "gzip, br")], "");
    for (text, flag, coding) in [
        ("x".repeat(1_023), true, Some("gzip")),
        ("x".repeat(1_022), true, None),
        ("x".repeat(5_000), false, None),
    ] {
        let mut builder = crate::message::TextBuilder::with_capacity(0);
        builder.push(&text);
        builder.set_compress(flag);
        let _ = driver.outboxes.push(session, &builder.finish(), Lane::Soon);
        driver.get_with(session, &request);
        let response = driver.last_response.take().unwrap();
        assert_eq!(response.header_value("content-encoding"), coding, "{}", text.len());
    }
    assert_eq!(driver.engine.counters().polls_compressed, 1);
}
