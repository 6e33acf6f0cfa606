//! How many points each figure of a score card is worth. `docs/quality.md` has the formula, `worker/src/grounding/scoring.rs`
//! applies it, and every site tells it on its quality page.

/// For citations that resolve.
pub const VALID: u8 = 20;
/// For names that stand in the cited lines.
pub const SUPPORT: u8 = 20;
/// For citations per 1,000 words.
pub const DENSITY: u8 = 10;
/// For names that exist.
pub const NAMES: u8 = 20;
/// For sections without an error.
pub const VERIFIED: u8 = 10;
/// For what the project offers and a page mentions.
pub const COVERAGE: u8 = 10;
/// For links that lead somewhere.
pub const LINKS: u8 = 5;
/// For quoted code that stands in its source.
pub const VERBATIM: u8 = 5;
/// What warnings take away at most.
pub const MOST_FOR_WARNINGS: u8 = 5;
/// Most points of pages without citations that resolve.
pub const MOST_WITHOUT_CITATIONS: u8 = 59;
/// Most points of pages whose repository is not known: nothing of them was traced.
pub const MOST_WITHOUT_REPOSITORY: u8 = 79;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_points_are_a_hundred() {
        let parts = [VALID, SUPPORT, DENSITY, NAMES, VERIFIED, COVERAGE, LINKS, VERBATIM];
        assert_eq!(parts.iter().map(|part| u32::from(*part)).sum::<u32>(), 100);
    }
}
