//! The state machine's own data: everything but keys and expiry.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::{Error as _, SerializeMap};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::state::node::SystemState;

/// The state machine's own data in a snapshot.
///
/// It serialises to the bytes that servers write: members in the order below, the later ones only
/// when they are there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SysData {
    /// What every version has. Its features stay empty: those of the file are in `sm_features`.
    pub system: SystemState,
    /// A count that newer servers keep; what an import writes has none.
    pub data_seq: Option<u64>,
    /// How many rows there are of each kind, by the first four bytes of their keys; kinds
    /// without a row are left out. Empty in what a plain import writes.
    pub key_counts: BTreeMap<String, u64>,
    /// The features of the state machine that are on, as they stand in the file.
    pub sm_features: Option<JsonText>,
    /// Members that this release does not know, as they stand in the file.
    pub others: Vec<(String, JsonText)>,
}

/// The text of one JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonText(String);

impl JsonText {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.clone()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(raw.get().to_owned()))
    }
}

const LAST_APPLIED: &str = "last_applied";
const LAST_MEMBERSHIP: &str = "last_membership";
const NODES: &str = "nodes";
const SEQUENCE: &str = "sequence";
const DATA_SEQ: &str = "data_seq";
const KEY_COUNTS: &str = "key_counts";
const SM_FEATURES: &str = "sm_features";

impl Serialize for SysData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        members.serialize_entry(LAST_APPLIED, &self.system.last_applied)?;
        members.serialize_entry(LAST_MEMBERSHIP, &self.system.last_membership)?;
        members.serialize_entry(NODES, &self.system.nodes)?;
        members.serialize_entry(SEQUENCE, &self.system.sequence)?;
        if let Some(data_seq) = self.data_seq {
            members.serialize_entry(DATA_SEQ, &data_seq)?;
        }
        if !self.key_counts.is_empty() {
            members.serialize_entry(KEY_COUNTS, &self.key_counts)?;
        }
        if let Some(features) = &self.sm_features {
            members.serialize_entry(SM_FEATURES, features)?;
        }
        for (name, value) in &self.others {
            members.serialize_entry(name, value)?;
        }
        members.end()
    }
}

impl<'de> Deserialize<'de> for SysData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = SysData;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the state machine's own data")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SysData, A::Error> {
                let mut sys_data = SysData::default();
                let mut seen = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if seen.contains(&name) {
                        return Err(A::Error::custom(format!("{name} stands there twice")));
                    }
                    match name.as_str() {
                        LAST_APPLIED => sys_data.system.last_applied = map.next_value()?,
                        LAST_MEMBERSHIP => sys_data.system.last_membership = map.next_value()?,
                        NODES => sys_data.system.nodes = map.next_value()?,
                        SEQUENCE => sys_data.system.sequence = map.next_value()?,
                        DATA_SEQ => sys_data.data_seq = map.next_value()?,
                        KEY_COUNTS => sys_data.key_counts = map.next_value()?,
                        SM_FEATURES => sys_data.sm_features = Some(map.next_value()?),
                        _ => sys_data.others.push((name.clone(), map.next_value()?)),
                    }
                    seen.push(name);
                }
                for required in [LAST_MEMBERSHIP, NODES, SEQUENCE] {
                    if !seen.iter().any(|name| name == required) {
                        return Err(A::Error::missing_field(required));
                    }
                }
                Ok(sys_data)
            }
        }
        deserializer.deserialize_map(Members)
    }
}
