//! The parsing child by itself, so that the worker's own tests have a program to start; `docmill parse-source` runs the same.

fn main() -> anyhow::Result<()> {
    worker::parse_source_child()
}
