//! A store that fails: the error comes through, whichever operation it was.

use std::borrow::Cow;
use std::cell::Cell;

use super::*;
use crate::dump::record::ExpireValue;

#[derive(Debug, Clone, PartialEq, Eq)]
struct DiskFull;

/// Fails at the operation after so many good ones.
#[derive(Default)]
struct Failing {
    memory: MemoryStore,
    good: Cell<u64>,
    commits: u64,
}

impl Failing {
    fn step(&self) -> Result<(), DiskFull> {
        let left = self.good.get().checked_sub(1).ok_or(DiskFull)?;
        self.good.set(left);
        Ok(())
    }
}

impl Store for Failing {
    type Error = DiskFull;

    fn system(&self) -> &SystemState {
        self.memory.system()
    }

    fn system_mut(&mut self) -> &mut SystemState {
        self.memory.system_mut()
    }

    fn record(&self, key: &str) -> Result<Option<SharedRecord>, DiskFull> {
        self.step()?;
        self.memory.record(key).map_err(|never| match never {})
    }

    fn put_record(&mut self, key: &str, record: SharedRecord) -> Result<(), DiskFull> {
        self.step()?;
        self.memory.put_record(key, record).map_err(|never| match never {})
    }

    fn remove_record(&mut self, key: &str) -> Result<(), DiskFull> {
        self.step()?;
        self.memory.remove_record(key).map_err(|never| match never {})
    }

    fn records(
        &self,
        range: KeyRange,
    ) -> impl Iterator<Item = Result<(Cow<'_, str>, SharedRecord), DiskFull>> {
        self.memory.records(range).map(|read| {
            self.step()?;
            read.map_err(|never| match never {})
        })
    }

    fn expiries(
        &self,
        from_ms: u64,
        before_ms: Option<u64>,
    ) -> impl Iterator<Item = Result<(ExpireKey, ExpireValue<'_>), DiskFull>> {
        self.memory.expiries(from_ms, before_ms).map(|read| {
            self.step()?;
            read.map_err(|never| match never {})
        })
    }

    fn put_expiry(&mut self, at: ExpireKey, value: ExpireValue<'_>) -> Result<(), DiskFull> {
        self.step()?;
        self.memory.put_expiry(at, value).map_err(|never| match never {})
    }

    fn remove_expiry(&mut self, at: ExpireKey) -> Result<(), DiskFull> {
        self.step()?;
        self.memory.remove_expiry(at).map_err(|never| match never {})
    }

    fn commit(&mut self) -> Result<(), DiskFull> {
        self.step()?;
        self.commits += 1;
        Ok(())
    }
}

const EVERYTHING: &str = r#"{"Transaction":{
    "condition":[
        {"key":"k","expected":0,"target":{"Seq":2}},
        {"key":"k","expected":0,"target":{"Value":[118]}},
        {"key":"","expected":2,"target":{"KeysWithPrefix":1}}],
    "if_then":[
        {"request":{"Get":{"key":"k"}}},
        {"request":{"Put":{"key":"p","value":[118],"ttl_ms":1000000}}},
        {"request":{"FetchIncreaseU64":{"key":"c","delta":1,"max_value":0}}},
        {"request":{"PutSequential":{"prefix":"p/","sequence_key":"c","value":[118]}}},
        {"request":{"DeleteByPrefix":{"prefix":"p"}}},
        {"request":{"Delete":{"key":"k"}}}],
    "else_then":[]}}"#;

#[test]
fn every_failure_of_the_store_comes_through_and_commits_nothing() {
    let body = LogEntryBody {
        txid: None,
        time_ms: Some(20_000),
        cmd: serde_json::from_str(EVERYTHING).unwrap(),
    };
    let entry = LogEntry { log_id: LogId::new(1, 1, 2), payload: Payload::Normal(body) };
    let mut good = 0;
    let done = loop {
        let mut server = Server::new(ApplyRules::CURRENT);
        server.set(1, "expiring", r#"{"expire_at":10}"#);
        server.set(1, "k", "null");
        let store = Failing { memory: server.machine.into_store(), good: good.into(), commits: 0 };
        let mut machine = StateMachine::new(store, ApplyRules::CURRENT);
        match machine.apply(&entry) {
            Ok(_) => break machine,
            Err(error) => assert_eq!(error, ApplyError::Store(DiskFull)),
        }
        assert_eq!(machine.store().commits, 0);
        good += 1;
    };
    assert_eq!(done.store().commits, 1);
    assert_eq!(done.store().good.get(), 0, "the last operation is the commit");
    assert!(good > 20, "{good} operations were tried");

    // Reads fail as well.
    assert_eq!(done.get("k", 0), Err(DiskFull));
    assert_eq!(done.mget(["k"], 0).next(), Some(Err(DiskFull)));
    assert_eq!(done.list("", None, 0).next(), Some(Err(DiskFull)));
    assert_eq!(done.present(KeyRange::all()).next(), Some(Err(DiskFull)));
    assert_eq!(done.snapshot().last(), Some(Err(DiskFull)));
    assert_eq!(done.keys_layout(None, |_| {}), Err(DiskFull));
}
