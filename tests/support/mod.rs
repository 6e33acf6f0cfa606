//! What whole-system tests need: stand-ins for AI command lines, a fake model server.

pub mod model_server;
pub mod stand_ins;
