//! Clients that mean harm or do not know better.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::server::{Server, block_on, status};
use crate::program::Environment;

#[test]
fn who_takes_too_long_is_cut_off_and_others_are_served() {
    let environment = Environment::new();
    let server = Server::start(&environment, &["--header-timeout", "0.2", "--body-timeout", "0.2"]);
    for slow in ["", "P", "PRI * HTTP", "GET /readyz HTTP/1.1\r\nx: "] {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(slow.as_bytes()).unwrap();
        block_on(async { assert_eq!(status(reqwest::Client::new().get(format!("{}/readyz", server.url))).await, 200) });
        // Ends only because the host closes the connection.
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!String::from_utf8_lossy(&answer).contains(" 200 "), "{slow:?}");
    }
    let head =
        "POST /tokens HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    let answer = server.raw(head.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    server.stop();
}

#[test]
fn malformed_and_oversized_requests_are_refused() {
    let environment = Environment::new();
    let server = Server::start(&environment, &["--header-timeout", "1"]);
    for bad in ["\r\n\r\n\r\nx\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /\0 HTTP/1.1\r\n\r\n"] {
        let answer = server.raw(bad.as_bytes());
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{bad:?}: {answer}");
    }
    let long = format!("GET /readyz HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(100_000));
    assert!(server.raw(long.as_bytes()).starts_with("HTTP/1.1 431"));
    let many = format!("GET /readyz HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x: y\r\n".repeat(200));
    assert!(server.raw(many.as_bytes()).starts_with("HTTP/1.1 431"));
    let both = "POST /tokens HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n";
    assert!(server.raw(both.as_bytes()).starts_with("HTTP/1.1 400"));
    server.stop();
}

#[test]
fn who_finds_no_room_waits_until_there_is_some() {
    let environment = Environment::new();
    let server = Server::start(&environment, &["--max-connections", "1"]);
    let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut first = TcpStream::connect(server.address()).unwrap();
    first.write_all(request).unwrap();
    assert_eq!(first.read(&mut [0; 12]).unwrap(), 12);
    let mut second = TcpStream::connect(server.address()).unwrap();
    second.write_all(request).unwrap();
    drop(first);
    let mut answer = [0; 12];
    second.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    drop(second);
    server.stop();
}
