//! The commands, one file each.

pub(crate) mod serve;
pub(crate) mod api;
pub(crate) mod worker;
pub(crate) mod migrate;
pub(crate) mod try_repo;
pub(crate) mod import_docsfy;
pub(crate) mod check;
