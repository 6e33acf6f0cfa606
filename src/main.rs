//! docmill
fn main() {}
