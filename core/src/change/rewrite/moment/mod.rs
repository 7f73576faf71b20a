//! Rewrites a dump to the state at a moment: what the log makes of the snapshot, and nothing later.

mod changes;
mod excerpt;
mod plan;
mod planner;
mod rank;
mod rewriter;

pub use changes::MomentChanges;
pub use excerpt::{Excerpt, ExcerptError, ExcerptPlanner, ExcerptRewriter};
pub use plan::MomentPlan;
pub use planner::{LogFate, MomentPlanner};
pub use rewriter::MomentRewriter;
pub(crate) use rewriter::plain_key;
