//! What an entry does.

use std::fmt;

use super::{As, OrNone, Time, span};
use crate::dump::record::{
    AddNode, Cmd, LogEntryBody, MatchSeq, Membership, MetaSpec, Node, Operation, Payload, UpsertKV,
    expire_at_ms,
};

impl fmt::Display for As<'_, Payload<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Payload::Blank => f.write_str("blank"),
            Payload::Normal(body) => write!(f, "normal:{}", self.part(body)),
            Payload::Membership(membership) => write!(f, "membership:{}", self.part(membership)),
        }
    }
}

impl fmt::Display for As<'_, Membership> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = |id| if self.0.nodes.contains_key(id) { "EmptyNode" } else { "None" };
        let set = |ids: &mut dyn Iterator<Item = String>| ids.collect::<Vec<_>>().join(",");
        let configs = self.0.configs.iter().map(|voters| {
            format!("{{{}}}", set(&mut voters.iter().map(|id| format!("{id}:{}", node(id)))))
        });
        let configs = configs.collect::<Vec<_>>().join(",");
        let learners = set(&mut self.0.learners().iter().map(|id| format!("{id}:{}", node(id))));
        write!(f, "{{voters:[{configs}], learners:[{learners}]}}")
    }
}

impl fmt::Display for As<'_, LogEntryBody<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(time_ms) = self.0.time_ms {
            write!(f, "time: {}", Time(time_ms))?;
        }
        write!(f, " cmd: {}", self.part(&self.0.cmd))
    }
}

impl fmt::Display for As<'_, Cmd<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Cmd::AddNode(AddNode { node_id, node, overriding }) => {
                let how = if *overriding { "override" } else { "no-override" };
                write!(f, "add_node({how}):{node_id}={}", self.part(node))
            }
            Cmd::RemoveNode { node_id } => write!(f, "remove_node:{node_id}"),
            Cmd::SetFeature { feature, enable } => write!(f, "set_feature:{feature} to {enable}"),
            Cmd::UpsertKV(upsert) => write!(f, "upsert_kv:{}", self.part(upsert)),
            Cmd::Transaction(transaction) => write!(f, "txn:{}", self.part(transaction)),
            Cmd::KvTransaction(transaction) => {
                write!(f, "kv_transaction:{}", self.part(transaction))
            }
            // What no server of today applies; its content is not kept.
            retired => write!(f, "{}(..)", retired.name()),
        }
    }
}

impl fmt::Display for As<'_, Node> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Node { name, endpoint, grpc_api_addr, grpc_api_advertise_address, .. } = self.0;
        let grpc = grpc_api_advertise_address.as_ref().or(grpc_api_addr.as_ref());
        write!(f, "id={name} raft={endpoint} grpc={}", grpc.map_or("", String::as_str))?;
        match &self.0.raft_tls_advertise_address {
            Some(address) => write!(f, " raft_tls={address}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for As<'_, UpsertKV<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UpsertKV { key, seq, value, value_meta } = self.0;
        let meta = OrNone(value_meta.as_ref().map(|meta| self.part(meta)));
        let (key, seq, value) = (self.key(key), self.part(seq), self.part(value));
        write!(f, "{key}({seq}) = {value} ({meta})")
    }
}

impl fmt::Display for As<'_, MatchSeq> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            MatchSeq::Any => f.write_str("Any"),
            MatchSeq::Exact(seq) => write!(f, "Exact({seq})"),
            MatchSeq::GE(seq) => write!(f, "GE({seq})"),
        }
    }
}

impl fmt::Display for As<'_, Operation<'_>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Operation::Update(_) => "Update(\"[binary]\")",
            Operation::Delete => "Delete",
            Operation::AsIs => "AsIs",
        })
    }
}

impl fmt::Display for As<'_, MetaSpec> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetaSpec(")?;
        if let Some(expire_at) = self.0.expire_at {
            write!(f, "expire_at: {} ", Time(expire_at_ms(expire_at)))?;
        }
        if let Some(ttl) = self.0.ttl {
            write!(f, "ttl: {:?} ", span(ttl.millis))?;
        }
        f.write_str(")")
    }
}
