//! The parsing child by itself, so that this crate's own tests have a program to start; `docmill parse-source` runs the
//! same function.

fn main() -> anyhow::Result<()> {
    worker::parse_source_child()
}
