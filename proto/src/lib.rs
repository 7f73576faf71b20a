#![doc = include_str!("../README.md")]

/// The meta service: its messages, and the stubs that the features ask for.
pub mod meta {
    include!(concat!(env!("OUT_DIR"), "/meta.rs"));
}

/// The one message of Arrow Flight that the handshake uses.
pub mod flight {
    include!(concat!(env!("OUT_DIR"), "/arrow.flight.protocol.rs"));
}

/// All files of the interface as an encoded `FileDescriptorSet`, for a reflection service.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The metadata entry of a call that carries the token of the handshake: binary, so gRPC encodes
/// it on the wire.
pub const AUTH_TOKEN: &str = "auth-token-bin";

/// The metadata entry in which a follower names the leader's gRPC address, as `HOST:PORT`, when it
/// refuses a call that only the leader answers.
pub const LEADER_ENDPOINT: &str = "x-databend-meta-leader-grpc-endpoint";
