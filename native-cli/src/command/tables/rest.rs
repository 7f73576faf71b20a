//! What can be read of a dump, whatever is wrong with it.

use anyhow::Result;
use metadump::moment::{AsOf, At};
use metadump::objects::Objects;
use metadump::record::DataVersion;

use crate::command::objects::catalogue;
use crate::command::state::State;
use crate::failure;
use crate::input::Source;
use crate::progress::Progress;

/// What can be read of a dump.
pub struct Rest {
    /// The state at the moment.
    pub state: State,
    /// Which moment that is.
    pub as_of: AsOf,
    /// The objects at the moment.
    pub objects: Objects,
    /// The state at the end of the committed log.
    pub end: State,
    /// The last entry of the log that the moment has, where one is asked for.
    pub until: Option<u64>,
    /// What is to be known of the moment.
    pub remark: Option<String>,
}

impl Rest {
    /// Reads a dump. Without a moment that is asked for, the state is that after the last committed
    /// entry, or else as near to it as the dump has it.
    ///
    /// # Errors
    ///
    /// When the dump cannot be read, and when there is no state of the moment that is asked for.
    pub fn read(
        source: &Source,
        asked: Option<At>,
        rules_of: Option<DataVersion>,
        progress: &Progress,
    ) -> Result<Self> {
        let placed = |at| {
            let (state, no_moment) = State::of_rest(source.clone(), at, progress)?;
            let state = if rules_of.is_some() { state.by_rules_of(rules_of) } else { state };
            anyhow::Ok((state, no_moment))
        };
        let (mut state, no_moment) = placed(asked.unwrap_or_default())?;
        if let (Some(_), Some(error)) = (asked, &no_moment) {
            return Err(state.has_no_moment(error));
        }
        let mut remark = no_moment
            .map(|error| format!("warning: {error}: the state is what stands in the dump"));
        let (objects, as_of) = match catalogue(&state, progress) {
            Err(error) if asked.is_none() && state.moment().until.is_some() => {
                let error = failure::in_a_line(&error);
                remark = Some(format!("warning: {error}; the state is that of the snapshot"));
                (state, _) = placed(At::Snapshot)?;
                catalogue(&state, progress)?
            }
            found => found?,
        };
        let until = asked.and(state.moment().last_index());
        let (end, _) = placed(At::End)?;
        Ok(Self { state, as_of, objects, end, until, remark })
    }
}
