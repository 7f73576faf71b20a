#!/usr/bin/env bash
# Does a message that prost has written come out of prost-reflect with the same bytes?
#
# Guess:    yes: both write the fields of a message in the order of their numbers, so decoding and
#           encoding what prost wrote gives its bytes again.
# Fact:     prost writes a oneof at the place of the lowest number among its members, whichever member
#           is set; prost-reflect writes each member at its own number. With a oneof of 1 and 6 beside
#           a field 5, prost writes 6 before 5 and prost-reflect 5 before 6. A hash of the bytes, or a
#           comparison of them, tells the two apart though the messages are equal.
# Versions: prost 0.14.6, prost-reflect 0.16.5, protox 0.10.0.
# Source:   seen in values that Databend, which writes with prost, stores for its functions; prost-derive
#           sorts the fields of a struct by the smallest tag of each.
#
# Needs cargo. Exits with 0 while the behaviour is as described.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "probe"
version = "0.0.0"
edition = "2021"

[dependencies]
prost = "=0.14.6"
prost-reflect = "=0.16.5"
protox = "=0.10.0"
TOML
cat >probe.proto <<'PROTO'
syntax = "proto3";
message Probe {
  oneof kind {
    string low = 1;
    string high = 6;
  }
  uint32 between = 5;
}
PROTO
cat >src/main.rs <<'RUST'
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};

#[derive(Clone, PartialEq, Message)]
struct Probe {
    #[prost(oneof = "Kind", tags = "1, 6")]
    kind: Option<Kind>,
    #[prost(uint32, tag = "5")]
    between: u32,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(string, tag = "1")]
    Low(String),
    #[prost(string, tag = "6")]
    High(String),
}

fn main() {
    let probe = Probe { kind: Some(Kind::High("x".into())), between: 7 };
    let written = probe.encode_to_vec();
    let files = protox::compile(["probe.proto"], ["."]).unwrap();
    let pool = DescriptorPool::from_file_descriptor_set(files).unwrap();
    let descriptor = pool.get_message_by_name("Probe").unwrap();
    let read = DynamicMessage::decode(descriptor, written.as_slice()).unwrap();
    let again = read.encode_to_vec();
    println!("prost {written:02x?}\nprost-reflect {again:02x?}");
    assert_eq!(Probe::decode(again.as_slice()).unwrap(), probe);
}
RUST
cargo build --quiet
versions=$(cargo metadata --format-version 1 |
    grep -oE '"name":"(prost|prost-reflect|protox)","version":"[^"]*"' | sort -u)
echo "$versions"
seen=$(./target/debug/probe)
echo "$seen"
expected='prost [32, 01, 78, 28, 07]
prost-reflect [28, 07, 32, 01, 78]'
[ "$seen" = "$expected" ] || {
    echo 'the behaviour has changed' >&2
    exit 1
}
