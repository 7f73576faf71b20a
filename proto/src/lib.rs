//! The gRPC interface of a Databend meta service: messages, and stubs for both ends.
//!
//! The `.proto` files beside this crate are written from the documented wire format; field
//! numbers and types are those of every release from 0.6 on, so that one client speaks with all of
//! them. Fields that a release does not know yet are absent, fields that it no longer knows are
//! ignored.
//!
//! Without features there are messages only. `client` adds `meta::meta_service_client`, `server`
//! adds `meta::meta_service_server`; neither brings in the other's code.
//!
//! ```
//! use metadump_proto::meta::ExportRequest;
//! use prost::Message;
//!
//! let request = ExportRequest { chunk_size: Some(32) };
//! assert_eq!(request.encode_to_vec(), [10 << 3, 32]);
//! ```

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
