//! A connection to a service that breaks.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

/// Passes everything on to a service until so many bytes have come from clients; then all
/// connections break, and there are no new ones.
pub fn breaking(service: SocketAddr, bytes: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut left = bytes;
        while left > 0 {
            let (client, _) = listener.accept().unwrap();
            let server = TcpStream::connect(service).unwrap();
            let (mut answers, mut to_client) =
                (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut answers, &mut to_client));
            let (mut requests, mut to_server) = (&client, &server);
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = requests.read(&mut piece) {
                left = left.saturating_sub(read);
                if left == 0 || to_server.write_all(&piece[..read]).is_err() {
                    break;
                }
            }
            for stream in [client, server] {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    });
    address
}
