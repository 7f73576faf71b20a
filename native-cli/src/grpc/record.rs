//! Records as the service sends them.

use metadump::record::{Bytes, KVMeta, SeqV};
use metadump_proto::meta;

/// A record of the service as one of a dump.
pub fn seq_v(record: &meta::SeqV) -> SeqV<'_> {
    SeqV {
        seq: record.seq,
        meta: record
            .meta
            .map(|meta| KVMeta { expire_at: meta.expire_at, proposed_at_ms: meta.proposed_at_ms }),
        data: Bytes::Decoded((&record.data).into()),
    }
}
