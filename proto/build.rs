//! Compiles the `.proto` files with `protox`, which needs no `protoc` on the machine.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use prost::Message;

const FILES: [&str; 2] = ["meta/service.proto", "flight/basic_auth.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let mut files = protox::compile(FILES, ["proto"])?;
    // Maps in the order of their keys, so that what is printed from them has one order.
    tonic_prost_build::configure()
        .build_client(env::var_os("CARGO_FEATURE_CLIENT").is_some())
        .build_server(env::var_os("CARGO_FEATURE_SERVER").is_some())
        .btree_map(".")
        .compile_fds(files.clone())?;
    // Reflection asks for names and types; comments would only make the binary larger.
    for file in &mut files.file {
        file.source_code_info = None;
    }
    let out = env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    fs::write(Path::new(&out).join("descriptors.bin"), files.encode_to_vec())?;
    Ok(())
}
