//! Answers of a service as tables, with the members that the official tool gives them.

use metadump::record::SeqV;
use metadump_proto::meta::{self, TxnReply, TxnRequest, txn_op, txn_op_response};
use serde::Serialize;

use crate::grpc::seq_v;

/// What an upsert changed.
#[derive(Serialize)]
pub struct Change<'a> {
    ident: Option<&'a str>,
    prev: Option<SeqV<'a>>,
    result: Option<SeqV<'a>>,
}

impl<'a> Change<'a> {
    /// The answer to [`upsert`]; none when it is that to something else.
    pub fn of(reply: &'a TxnReply) -> Option<Self> {
        use txn_op_response::Response::{Get, Put};
        match reply.responses.as_slice() {
            [put, get] => match (&put.response, &get.response) {
                (Some(Put(put)), Some(Get(get))) => Some(Self {
                    ident: None,
                    prev: put.prev_value.as_ref().map(seq_v),
                    result: get.value.as_ref().map(seq_v),
                }),
                _ => None,
            },
            _ => None,
        }
    }
}

/// The transaction that writes a key, whatever it holds, and reads it: older servers do not say by
/// themselves what became of it.
pub fn upsert(key: String, value: Vec<u8>) -> TxnRequest {
    let put = meta::TxnPutRequest {
        key: key.clone(),
        value,
        prev_value: true,
        ..meta::TxnPutRequest::default()
    };
    let get = meta::TxnGetRequest { key };
    let operations = [txn_op::Request::Put(put), txn_op::Request::Get(get)];
    let operation = |request| meta::TxnOp { request: Some(request) };
    TxnRequest { if_then: operations.map(operation).into(), ..TxnRequest::default() }
}

/// What a transaction did.
#[derive(Serialize)]
pub struct Reply<'a> {
    success: bool,
    execution_path: &'a str,
    responses: Vec<Done<'a>>,
}

#[derive(Serialize)]
struct Done<'a> {
    response: Option<Response<'a>>,
}

#[derive(Serialize)]
enum Response<'a> {
    Get { key: &'a str, value: Option<SeqV<'a>> },
    Put { key: &'a str, prev_value: Option<SeqV<'a>>, current: Option<SeqV<'a>> },
    Delete { key: &'a str, success: bool, prev_value: Option<SeqV<'a>> },
    DeleteByPrefix { prefix: &'a str, count: u32 },
    FetchIncreaseU64 { key: &'a str, before_seq: u64, before: u64, after_seq: u64, after: u64 },
}

impl<'a> From<&'a TxnReply> for Reply<'a> {
    fn from(reply: &'a TxnReply) -> Self {
        let path = match (reply.execution_path.as_str(), reply.success) {
            // Servers before 1.2.676 do not say it.
            ("", true) => "then",
            ("", false) => "else",
            (path, _) => path,
        };
        let done = |done: &'a meta::TxnOpResponse| Done {
            response: done.response.as_ref().map(Response::from),
        };
        Self {
            success: reply.success,
            execution_path: path,
            responses: reply.responses.iter().map(done).collect(),
        }
    }
}

impl<'a> From<&'a txn_op_response::Response> for Response<'a> {
    fn from(response: &'a txn_op_response::Response) -> Self {
        use txn_op_response::Response as Of;
        match response {
            Of::Get(get) => Self::Get { key: &get.key, value: get.value.as_ref().map(seq_v) },
            Of::Put(put) => Self::Put {
                key: &put.key,
                prev_value: put.prev_value.as_ref().map(seq_v),
                current: put.current.as_ref().map(seq_v),
            },
            Of::Delete(delete) => Self::Delete {
                key: &delete.key,
                success: delete.success,
                prev_value: delete.prev_value.as_ref().map(seq_v),
            },
            Of::DeleteByPrefix(delete) => {
                Self::DeleteByPrefix { prefix: &delete.prefix, count: delete.count }
            }
            Of::FetchIncreaseU64(fetch) => Self::FetchIncreaseU64 {
                key: &fetch.key,
                before_seq: fetch.before_seq,
                before: fetch.before,
                after_seq: fetch.after_seq,
                after: fetch.after,
            },
        }
    }
}
