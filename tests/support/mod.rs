//! What the whole-system tests stand on.

pub(crate) mod database;
pub(crate) mod world;
pub(crate) mod repository;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod stand_ins;
pub(crate) mod agent_traps;
pub(crate) mod model_server;
pub(crate) mod docsfy;
pub(crate) mod turns;
pub(crate) mod random;
