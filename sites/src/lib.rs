//! What a site is: Markdown becomes pages, pages become files in a store, files become an archive.

pub mod render;
