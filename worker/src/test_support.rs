//! Parts of `tests/support` that tests of this crate use, too: stand-ins for AI command lines, the fake model server.

#[path = "../../tests/support/model_server.rs"]
pub mod model_server;
#[path = "../../tests/support/stand_ins.rs"]
pub mod stand_ins;
