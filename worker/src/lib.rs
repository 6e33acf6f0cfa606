//! Who does the work: queue runner, pipeline stages, page writers (AI command lines, built-in extractor), git.

mod git;
mod writers;
mod workdir;

#[cfg(test)]
#[path = "../../tests/support/mod.rs"]
#[expect(unreachable_pub, dead_code, reason = "shared with the whole-system tests")]
mod test_support;
