//! `metactl.new_admin_client(address)`: a client of the admin API.

use std::rc::Rc;

use metadump::record::NodeId;
use mlua::{Lua, LuaSerdeExt, Table, UserData, UserDataMethods, Value};
use serde::Serialize;

use super::{Shared, address};
use crate::grpc::{AdminApi, Failure};

/// A client as scripts have it: the API, or why its address is none.
struct AdminClient(Result<AdminApi, String>);

/// Adds `new_admin_client`.
pub fn add(lua: &Lua, metactl: &Table, shared: &Shared) -> mlua::Result<()> {
    let options = Rc::clone(&shared.options);
    let new = lua.create_function(move |_, text: String| {
        let api = address(&text).map(|address| AdminApi {
            address,
            connect_timeout: options.connect_timeout,
            answer_timeout: options.idle_timeout,
        });
        Ok(AdminClient(api))
    })?;
    metactl.set("new_admin_client", new)
}

impl UserData for AdminClient {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_async_method("metrics", |lua, this, ()| async move {
            let answer = this.ask(async |api| api.metrics().await).await;
            answered(answer.and_then(|text| text_value(&lua, &text)))
        });
        methods.add_async_method("trigger_snapshot", |_, this, ()| async move {
            let answer = this.ask(async |api| api.trigger_snapshot().await).await;
            answered(answer.map(|()| Value::Boolean(true)))
        });
        methods.add_async_method("status", |lua, this, ()| async move {
            let answer = this.ask(async |api| api.status().await).await;
            answered(answer.and_then(|status| value(&lua, &status)))
        });
        methods.add_async_method("list_features", |lua, this, ()| async move {
            let answer = this.ask(async |api| api.features().await).await;
            answered(answer.and_then(|features| value(&lua, &features)))
        });
        methods.add_async_method("transfer_leader", |lua, this, to: Option<u64>| async move {
            let answer = this.ask(async |api| api.transfer_leader(to.map(NodeId)).await).await;
            answered(answer.and_then(|transfer| value(&lua, &transfer)))
        });
        methods.add_async_method(
            "set_feature",
            |lua, this, (feature, enable): (String, bool)| async move {
                let answer = this.ask(async |api| api.set_feature(&feature, enable).await).await;
                answered(answer.and_then(|features| value(&lua, &features)))
            },
        );
    }
}

impl AdminClient {
    async fn ask<T>(
        &self,
        call: impl AsyncFnOnce(&AdminApi) -> Result<T, Failure>,
    ) -> Result<T, String> {
        let api = self.0.as_ref().map_err(Clone::clone)?;
        call(api).await.map_err(|failure| failure.to_string())
    }
}

/// What a call gives a script: a result, or nil and what is wrong.
fn answered(answer: Result<Value, String>) -> mlua::Result<(Value, Option<String>)> {
    Ok(match answer {
        Ok(value) => (value, None),
        Err(what) => (Value::Nil, Some(format!("Admin API error: {what}"))),
    })
}

fn text_value(lua: &Lua, text: &str) -> Result<Value, String> {
    lua.create_string(text).map(Value::String).map_err(|error| error.to_string())
}

fn value(lua: &Lua, answer: &impl Serialize) -> Result<Value, String> {
    lua.to_value(answer).map_err(|error| error.to_string())
}
