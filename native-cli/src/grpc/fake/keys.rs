//! The keys of services of a test, with which transactions go as a script says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use metadump_proto::meta::txn_condition::Target;
use metadump_proto::meta::txn_op::Request;
use metadump_proto::meta::txn_op_response::Response;
use metadump_proto::meta::{
    KvMeta, SeqV, StreamItem, TxnGetRequest, TxnGetResponse, TxnOpResponse, TxnReply, TxnRequest,
};
use tokio::sync::watch;
use tonic::Status;

/// Keys; a clone is the same ones, so that several services have them in common.
#[derive(Clone, Default)]
pub struct Keys(Arc<Shared>);

#[derive(Default)]
struct Shared {
    records: Mutex<Records>,
    script: Mutex<VecDeque<Answer>>,
    /// How many transactions are held until they are so many, once.
    hold: Mutex<usize>,
    /// How many transactions have come.
    come: watch::Sender<usize>,
    pending: Mutex<Pending>,
}

#[derive(Default)]
struct Records {
    sequence: u64,
    by_key: BTreeMap<String, SeqV>,
}

#[derive(Default)]
struct Pending {
    now: usize,
    most: usize,
}

/// What becomes of a transaction.
#[derive(Clone)]
pub enum Answer {
    /// It is done, and answered.
    Done,
    /// It is not done.
    Refused(Status),
    /// It is done, and its answer is lost.
    Lost(Status),
}

impl Keys {
    /// What becomes of the next transactions; those after them are done.
    pub fn with_script(self, script: impl IntoIterator<Item = Answer>) -> Self {
        self.0.script.lock().unwrap().extend(script);
        self
    }

    /// No transaction is answered before so many have come.
    pub fn holding(self, transactions: usize) -> Self {
        *self.0.hold.lock().unwrap() = transactions;
        self
    }

    /// Puts a key, as somebody else.
    pub fn put(&self, key: &str, value: &[u8]) {
        self.0.records.lock().unwrap().put(key, value.to_vec(), None);
    }

    /// A key.
    pub fn get(&self, key: &str) -> Option<SeqV> {
        self.0.records.lock().unwrap().by_key.get(key).cloned()
    }

    /// All keys.
    pub fn list(&self) -> Vec<StreamItem> {
        let records = self.0.records.lock().unwrap();
        let item = |(key, value): (&String, &SeqV)| StreamItem {
            key: key.clone(),
            value: Some(value.clone()),
        };
        records.by_key.iter().map(item).collect()
    }

    /// How many numbers were given out.
    pub fn sequence(&self) -> u64 {
        self.0.records.lock().unwrap().sequence
    }

    /// How many transactions were there at once.
    pub fn most_pending(&self) -> usize {
        self.0.pending.lock().unwrap().most
    }

    pub(super) async fn transaction(&self, request: TxnRequest) -> Result<TxnReply, Status> {
        {
            let mut pending = self.0.pending.lock().unwrap();
            pending.now += 1;
            pending.most = pending.most.max(pending.now);
        }
        self.0.come.send_modify(|come| *come += 1);
        let hold = *self.0.hold.lock().unwrap();
        self.0.come.subscribe().wait_for(|come| *come >= hold).await.unwrap();
        self.0.pending.lock().unwrap().now -= 1;
        let answer = self.0.script.lock().unwrap().pop_front().unwrap_or(Answer::Done);
        if let Answer::Refused(status) = answer {
            return Err(status);
        }
        let reply = self.0.records.lock().unwrap().carry_out(request);
        match answer {
            Answer::Lost(status) => Err(status),
            _ => Ok(reply),
        }
    }
}

impl Records {
    fn put(&mut self, key: &str, data: Vec<u8>, expire_at: Option<u64>) {
        self.sequence += 1;
        let meta = Some(KvMeta { expire_at, proposed_at_ms: None });
        self.by_key.insert(key.to_owned(), SeqV { seq: self.sequence, data, meta });
    }

    fn carry_out(&mut self, request: TxnRequest) -> TxnReply {
        let success = request.condition.iter().all(|condition| {
            let seq = self.by_key.get(&condition.key).map_or(0, |record| record.seq);
            condition.target == Some(Target::Seq(seq))
        });
        let mut reply = TxnReply { success, ..TxnReply::default() };
        for operation in if success { request.if_then } else { request.else_then } {
            match operation.request.unwrap() {
                Request::Put(put) => self.put(&put.key, put.value, put.expire_at),
                Request::Delete(delete) => drop(self.by_key.remove(&delete.key)),
                Request::Get(TxnGetRequest { key }) => {
                    let value = self.by_key.get(&key).cloned();
                    let response = Some(Response::Get(TxnGetResponse { key, value }));
                    reply.responses.push(TxnOpResponse { response });
                }
                other => panic!("{other:?}"),
            }
        }
        reply
    }
}
