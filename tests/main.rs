//! Whole-system tests.

#[expect(dead_code, unreachable_pub, clippy::unwrap_used, reason = "tests may panic, and each uses a part of it")]
mod support;
