//! Who does the work: queue runner, pipeline stages, page writers (AI command lines, built-in extractor), git.

mod git;
mod writers;
mod workdir;

pub use self::writers::parse_source_child;
