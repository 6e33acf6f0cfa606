//! Rule (g), second half: two pages do not say the same. Reason: a paragraph that stands on several pages is read twice and
//! corrected once. Paragraphs are compared by `MinHash` over runs of words, so that a changed word does not hide it.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use shared::evidence::{Rule, Severity};

use super::{
    document::BlockKind,
    scene::{Findings, Says, Scene, short},
};

/// Fewest words of a paragraph that is compared.
const MIN_WORDS: usize = 30;
/// Words of a run.
const RUN: usize = 3;
/// Hashes of a signature, in bands of [`ROWS`]: what is alike to 80 % shares a band with more than 99 %.
const HASHES: usize = 64;
/// Hashes of a band.
const ROWS: usize = 4;
/// Share of equal hashes from which two paragraphs are the same, in percent.
const SAME_PERCENT: usize = 75;

/// Compares the paragraphs of all pages.
pub(super) fn check(scene: &Scene<'_>, findings: &mut Findings) {
    let mut known: Vec<(usize, [u64; HASHES])> = Vec::new();
    let mut bands: HashMap<(usize, u64), Vec<usize>> = HashMap::new();
    // what the source says twice, an extractor repeats
    let severity = if scene.options.by_model { Severity::Warning } else { Severity::Note };
    for (page, document) in scene.documents.iter().enumerate() {
        for block in document.blocks.iter().filter(|block| matches!(block.kind, BlockKind::Paragraph | BlockKind::Item))
        {
            let Some(signature) = signature(&block.text) else { continue };
            let keys: Vec<(usize, u64)> =
                signature.chunks(ROWS).enumerate().map(|(band, rows)| (band, hash_of(&rows))).collect();
            let twin = keys.iter().flat_map(|key| bands.get(key).into_iter().flatten()).copied().find(|at| {
                let (other, theirs) = &known[*at];
                let equal = signature.iter().zip(theirs).filter(|(a, b)| a == b).count();
                *other != page && equal * 100 >= HASHES * SAME_PERCENT
            });
            if let Some(at) = twin {
                let other = scene.documents[known[at].0].slug.as_str();
                let begin: String = block.text.chars().take(80).collect();
                let message = format!("the paragraph `{}` stands on the page `{other}`, too", short(&begin));
                let fix = format!("say it on one page and link to it, as in `[…]({other}.html)`");
                findings.add(
                    scene,
                    (page, Some(block.section)),
                    Rule::Repetition,
                    severity,
                    &Says { message, evidence: &begin, fix },
                );
            }
            let at = known.len();
            known.push((page, signature));
            for key in keys {
                let band = bands.entry(key).or_default();
                // a text that fills a whole book needs no second look
                if band.len() < 20 {
                    band.push(at);
                }
            }
        }
    }
}

/// The smallest hash of all runs of words, for each of [`HASHES`] functions.
fn signature(text: &str) -> Option<[u64; HASHES]> {
    let words: Vec<u64> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(2_000)
        .map(|word| hash_of(&word.to_lowercase()))
        .collect();
    if words.len() < MIN_WORDS {
        return None;
    }
    let mut smallest = [u64::MAX; HASHES];
    for run in words.windows(RUN) {
        let mut hash = hash_of(&run);
        for least in &mut smallest {
            // the next number of a generator that begins at the run's hash (SplitMix64)
            hash = hash.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *least = (*least).min(mixed ^ (mixed >> 31));
        }
    }
    Some(smallest)
}

fn hash_of(value: &impl Hash) -> u64 {
    // the same keys in every process
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
