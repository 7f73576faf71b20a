//! The features of the state machine, which an operator enables and disables.

use metadump::record::Cmd;
use serde_json::{Value, json};

use super::state::State;
use super::writer::{WriteError, Writer};

/// Those that a server of 260312 knows; they are for tests alone.
const KNOWN: [&str; 2] = ["dummy", "dummy_feature2"];

/// A feature that is to be changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    feature: String,
    enable: bool,
}

impl Change {
    /// Reads `feature=NAME&enable=true`.
    ///
    /// # Errors
    ///
    /// What is missing, or is none.
    pub fn of_query(query: &str) -> Result<Self, String> {
        let feature = parameter(query, "feature").ok_or("feature=NAME is missing")?;
        let enable = match parameter(query, "enable").as_deref() {
            Some("true") => true,
            Some("false") => false,
            _ => return Err("enable=true or enable=false is missing".to_owned()),
        };
        if !KNOWN.contains(&&*feature) {
            return Err(format!("there is no feature {feature:?}, only {}", KNOWN.join(", ")));
        }
        Ok(Self { feature, enable })
    }

    /// Writes it, as an entry of the log.
    pub async fn write(self, writer: &Writer) -> Result<(), WriteError> {
        let Self { feature, enable } = self;
        writer.write(Cmd::SetFeature { feature, enable }).await.map(drop)
    }
}

/// A parameter of a query, decoded.
pub fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(found, _)| *found == name)?;
    let value = value.replace('+', " ");
    Some(percent_encoding::percent_decode_str(&value).decode_utf8_lossy().into_owned())
}

/// All features, and those that are enabled.
pub fn features(state: &State) -> Value {
    json!({ "features": KNOWN, "enabled": state.published().system.features })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries() {
        let change = |feature: &str, enable| Ok(Change { feature: feature.to_owned(), enable });
        assert_eq!(Change::of_query("feature=dummy&enable=true"), change("dummy", true));
        let encoded = "enable=false&feature=dummy%5Ffeature2";
        assert_eq!(Change::of_query(encoded), change("dummy_feature2", false));
        let check = |query: &str, error: &str| {
            assert_eq!(Change::of_query(query), Err(error.to_owned()), "{query}");
        };
        check("", "feature=NAME is missing");
        check("feature=dummy", "enable=true or enable=false is missing");
        check("feature=dummy&enable=1", "enable=true or enable=false is missing");
        check("feature=a+b&enable=true", "there is no feature \"a b\", only dummy, dummy_feature2");
    }
}
