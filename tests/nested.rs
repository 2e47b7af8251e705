//! Each loop that the server can be nested in, as its example has it: a client that stays is
//! answered, is told of the host's own events, and kept alive; then the loop ends by itself.

mod common;

use std::net::UdpSocket;

use common::Example;

#[test]
fn nested_epoll_level_triggered() {
    check("nested_epoll", &["level"]);
}

#[test]
fn nested_epoll_edge_triggered() {
    check("nested_epoll", &["edge"]);
}

#[test]
fn nested_mio() {
    check("nested_mio", &[]);
}

#[test]
fn nested_calloop() {
    check("nested_calloop", &[]);
}

#[test]
fn nested_tokio() {
    check("nested_tokio", &[]);
}

#[test]
fn prepare_check() {
    check("prepare_check", &[]);
}

#[test]
fn spin() {
    let example = Example::run("spin", 2);
    let (mut client, _) = example.join();
    let price = client.text();
    assert!(price.starts_with("42[\"price\","), "{price}");
    client.send("420[\"add\",20,22]");
    while client.text() != "430[42]" {}
    example.end();
}

fn check(name: &str, arguments: &[&str]) {
    let example = Example::run_with(name, 2, arguments);
    let news = example.line();
    let news = news.strip_prefix("news by UDP to ").expect("where it hears news");
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (mut first, _) = example.join();
    let (mut second, _) = example.join();
    for round in 0..3 {
        first.send(&format!("42{round}[\"add\",{round},40]"));
        assert_eq!(first.text(), format!("43{round}[{}]", round + 40));
        let text = format!("news of {name}, {round}");
        sender.send_to(text.as_bytes(), news).unwrap();
        for client in [&mut first, &mut second] {
            assert_eq!(client.text(), format!("42[\"news\",\"{text}\"]"));
        }
    }
    // The server has started none, and handles no signal: SIGSEGV and SIGBUS are the runtime's.
    assert_eq!(example.threads(), 1);
    assert_eq!(example.signals(), "0000000000000440");
    example.end();
}
