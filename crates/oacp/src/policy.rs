//! Grants, asked without running anything: what a recorded run would be denied under another grant, why
//! something is allowed, and the smallest grant for what was denied.

mod explain;
mod judge;
mod learn;

pub use self::explain::{Explanation, explain_env, explain_read, explain_url, explain_write};
pub use self::judge::{Asked, judge, judge_variables};
pub use self::learn::{Learned, learn, looks_like_a_secret};
