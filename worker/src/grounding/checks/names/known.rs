//! Names that everybody knows and no repository defines: of standard libraries, protocols and tools.

use std::{collections::HashSet, sync::LazyLock};

static NAMES: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    include_str!("known.txt").lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace).collect()
});

/// Whether it is one of them.
pub(crate) fn is_well_known(name: &str) -> bool {
    NAMES.contains(name)
}
