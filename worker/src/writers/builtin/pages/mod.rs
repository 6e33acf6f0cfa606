//! The pages that are not reference, one file each: every function returns the Markdown of its page, or nothing.

pub(crate) mod overview;
pub(crate) mod quick_start;
pub(crate) mod facts;
pub(crate) mod layout;
pub(crate) mod dependencies;
