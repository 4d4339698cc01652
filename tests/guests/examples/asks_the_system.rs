//! Asks for files, environment, arguments, input, network, names, threads and the time, and writes what it is told.

use polyfold_guest::{Event, state};
use std::io::Read;
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::SystemTime;

polyfold_test_guests::misbehaving!("asks-the-system", ask);

fn ask(_: &Event) -> Result<(), polyfold_guest::Error> {
    let said = |what: &str, answer: String| state::put(&format!("asked/{what}"), &answer);
    let kind = |result: Result<(), std::io::Error>| {
        result.map_or_else(|error| error.kind().to_string(), |()| "yes".to_owned())
    };
    said("arguments", std::env::args().count().to_string())?;
    said("environment", std::env::vars().count().to_string())?;
    said("working directory", kind(std::env::current_dir().map(drop)))?;
    said("list files", kind(std::fs::read_dir("/").map(drop)))?;
    said("read a file", kind(std::fs::read("/etc/passwd").map(drop)))?;
    said("write a file", kind(std::fs::write("/left-behind", "left behind")))?;
    said(
        "input",
        std::io::stdin().read_to_end(&mut Vec::new()).map_or_else(|error| error.to_string(), |n| n.to_string()),
    )?;
    said("connect", kind(TcpStream::connect("127.0.0.1:80").map(drop)))?;
    said("listen", kind(TcpListener::bind("127.0.0.1:0").map(drop)))?;
    said("send", kind(UdpSocket::bind("127.0.0.1:0").map(drop)))?;
    said("look a name up", kind("localhost:80".to_socket_addrs().map(drop)))?;
    said("thread", kind(std::thread::Builder::new().spawn(|| ()).map(drop)))?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    said("seconds since 1970", now.as_secs().to_string())
}
