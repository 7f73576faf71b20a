//! `metactl.new_grpc_client(address)`: a client that connects when it is first asked, and again
//! after a connection broke.
//!
//! **Invariant:** a write is sent once. When no answer comes it may have taken place, which only the
//! script can find out.

use std::rc::Rc;

use metadump_proto::meta::{TxnReply, TxnRequest};
use mlua::{FromLua, Lua, LuaSerdeExt, Table, UserData, UserDataMethods, Value};
use serde::Serialize;
use tokio::sync::Mutex;
use tonic::Code;

use super::answers::{Change, Reply, upsert};
use super::transaction::{byte_list, parse};
use super::{Shared, address};
use crate::grpc::{ConnectOptions, Failure, Retry, Session, get, seq_v, transact};

/// What is said of a write to which no answer came.
const UNKNOWN: &str = "; whether it was written is not known";

/// A client as scripts have it.
struct GrpcClient {
    /// How to reach the service; or why the address is none.
    options: Result<ConnectOptions, String>,
    session: Mutex<Option<Rc<Session>>>,
}

/// What a call gives a script: a result, or nil and what is wrong.
type Answer = mlua::Result<(Value, Option<String>)>;

/// Adds `new_grpc_client`. Without an address it takes the one of the command line.
pub fn add(lua: &Lua, metactl: &Table, shared: &Shared) -> mlua::Result<()> {
    let shared = shared.clone();
    let new = lua.create_function(move |_, text: Option<String>| {
        // The script decides how often it tries.
        let retry = Retry { tries: 1, ..Retry::default() };
        let base = ConnectOptions { retry, ..(*shared.options).clone() };
        let options = match text.map(|text| address(&text)) {
            None => Ok(base),
            Some(Ok(address)) => Ok(ConnectOptions { addresses: vec![address], ..base }),
            Some(Err(what)) => Err(what),
        };
        Ok(GrpcClient { options, session: Mutex::default() })
    })?;
    metactl.set("new_grpc_client", new)
}

impl UserData for GrpcClient {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_async_method("get", |lua, this, key: String| async move {
            match this.get(key).await {
                Ok(value) => result(&lua, &value.as_ref().map(seq_v)),
                Err(what) => Ok(failed(&what)),
            }
        });
        methods.add_async_method("upsert", |lua, this, (key, value): (String, Value)| async move {
            let listed = value.as_table().and_then(byte_list);
            let value = match listed {
                Some(bytes) => bytes,
                None => mlua::String::from_lua(value, &lua)?.as_bytes().to_vec(),
            };
            match this.write(upsert(key, value)).await {
                Ok(reply) => match Change::of(&reply) {
                    Some(change) => result(&lua, &change),
                    None => Ok(failed("the answer is not that to an upsert")),
                },
                Err(what) => Ok(failed(&what)),
            }
        });
        methods.add_async_method("transaction", |lua, this, table: Table| async move {
            let request = match parse(&table) {
                Ok(request) => request,
                Err(mlua::Error::RuntimeError(what)) => {
                    return Ok((Value::Nil, Some(format!("Invalid transaction: {what}"))));
                }
                Err(error) => return Err(error),
            };
            match this.write(request).await {
                Ok(reply) => result(&lua, &Reply::from(&reply)),
                Err(what) => Ok(failed(&what)),
            }
        });
    }
}

fn result(lua: &Lua, answer: &impl Serialize) -> Answer {
    // Lua has bytes, as texts; the official tool gives scripts the numbers that JSON has.
    let answer = serde_json::to_value(answer).map_err(mlua::Error::external)?;
    Ok((lua.to_value(&answer)?, None))
}

fn failed(what: &str) -> (Value, Option<String>) {
    (Value::Nil, Some(format!("gRPC error: {what}")))
}

/// Whether a transaction that failed so may have taken place.
fn may_have_happened(failure: &Failure) -> bool {
    match failure {
        Failure::Broken { .. } | Failure::Silent { .. } => true,
        // Of these a server knows before it proposes anything; that an answer is too large, only
        // behind it.
        Failure::Call { code, .. } => !matches!(
            code,
            Code::InvalidArgument
                | Code::PermissionDenied
                | Code::Unauthenticated
                | Code::Unimplemented
        ),
        _ => false,
    }
}

impl GrpcClient {
    /// The value of a key. A read does no harm when it happens twice.
    async fn get(&self, key: String) -> Result<Option<metadump_proto::meta::SeqV>, String> {
        let keys = [key];
        let mut is_new = false;
        loop {
            let session = self.session(&mut is_new).await?;
            match get(&session, &keys).await {
                Ok(values) => return Ok(values.into_iter().next().flatten()),
                Err(failure) => {
                    self.forget(&session).await;
                    // A connection that was open for long may just have ended with its server.
                    if is_new || !failure.may_pass() {
                        return Err(failure.to_string());
                    }
                }
            }
        }
    }

    /// A transaction, which is sent once.
    async fn write(&self, request: TxnRequest) -> Result<TxnReply, String> {
        let session = self.session(&mut false).await?;
        match transact(&session, request).await {
            Ok(reply) => Ok(reply),
            Err(failure) => {
                self.forget(&session).await;
                let unknown = if may_have_happened(&failure) { UNKNOWN } else { "" };
                Err(format!("{failure}{unknown}"))
            }
        }
    }

    /// The session, which is opened when there is none: `is_new` says whether it was.
    async fn session(&self, is_new: &mut bool) -> Result<Rc<Session>, String> {
        let options = self.options.as_ref().map_err(Clone::clone)?;
        let mut kept = self.session.lock().await;
        if let Some(session) = &*kept {
            return Ok(session.clone());
        }
        *is_new = true;
        let opened = Session::open(options, &mut |_| {}).await;
        let session = Rc::new(opened.map_err(|failure| failure.to_string())?);
        *kept = Some(session.clone());
        Ok(session)
    }

    /// Has the next call open another session, unless there is another one already.
    async fn forget(&self, session: &Rc<Session>) {
        let mut kept = self.session.lock().await;
        if kept.as_ref().is_some_and(|kept| Rc::ptr_eq(kept, session)) {
            *kept = None;
        }
    }
}
