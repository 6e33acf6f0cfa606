//! Who does the work: queue runner, pipeline stages, page writers (AI command lines, built-in extractor), git.

mod git;
mod writers;
mod workdir;

#[cfg(test)]
#[expect(unreachable_pub, dead_code, reason = "public to the whole-system tests, which use other parts")]
mod test_support;
