//! `metactl.new_admin_client(address)`: a client of the admin API.

use std::rc::Rc;
use std::time::Duration;

use mlua::{Lua, LuaSerdeExt, Table, UserData, UserDataMethods, Value};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Shared, address};
use crate::grpc::{Address, admin_get};

/// A client as scripts have it.
struct AdminClient {
    /// Where the server is asked; or why the address is none.
    address: Result<Address, String>,
    timeout: Duration,
}

/// Adds `new_admin_client`.
pub fn add(lua: &Lua, metactl: &Table, shared: &Shared) -> mlua::Result<()> {
    let options = Rc::clone(&shared.options);
    let new = lua.create_function(move |_, text: String| {
        Ok(AdminClient { address: address(&text), timeout: options.idle_timeout })
    })?;
    metactl.set("new_admin_client", new)
}

impl UserData for AdminClient {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_async_method("metrics", |lua, this, ()| async move {
            let answer = this.get("/v1/metrics").await;
            answered(answer.and_then(|text| text_value(&lua, &text)))
        });
        methods.add_async_method("trigger_snapshot", |_, this, ()| async move {
            let answer = this.get("/v1/ctrl/trigger_snapshot").await;
            answered(answer.map(|_| Value::Boolean(true)))
        });
        methods.add_async_method("status", |lua, this, ()| async move {
            answered(this.json(&lua, "/v1/cluster/status").await)
        });
        methods.add_async_method("list_features", |lua, this, ()| async move {
            answered(this.json(&lua, "/v1/features/list").await)
        });
        methods.add_async_method("transfer_leader", |lua, this, to: Option<u64>| async move {
            let to = to.map_or_else(String::new, |to| format!("?to={to}"));
            let path = format!("/v1/ctrl/trigger_transfer_leader{to}");
            answered(this.json(&lua, &path).await)
        });
        methods.add_async_method(
            "set_feature",
            |lua, this, (feature, enable): (String, bool)| async move {
                let feature = utf8_percent_encode(&feature, NON_ALPHANUMERIC);
                let path = format!("/v1/features/set?feature={feature}&enable={enable}");
                answered(this.json(&lua, &path).await)
            },
        );
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

impl AdminClient {
    async fn get(&self, path: &str) -> Result<String, String> {
        let address = self.address.as_ref().map_err(Clone::clone)?;
        admin_get(address, path, self.timeout).await.map_err(|failure| failure.to_string())
    }

    async fn json(&self, lua: &Lua, path: &str) -> Result<Value, String> {
        let answer = self.get(path).await?;
        let json: serde_json::Value = serde_json::from_str(&answer)
            .map_err(|error| format!("the answer to {path} is not JSON: {error}"))?;
        lua.to_value(&json).map_err(|error| error.to_string())
    }
}
