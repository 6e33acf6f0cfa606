//! What a site is: Markdown becomes pages, pages become files in a store, files become an archive.

pub mod render;
pub mod banner;
pub mod store;
pub mod key;
pub mod encoding;
pub mod manifest;
pub mod publish;
pub mod read;
pub mod archive;
pub mod removal;
