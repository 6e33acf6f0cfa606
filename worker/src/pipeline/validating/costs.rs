//! What each section cost: its share of the calls that wrote it, by length.

use std::collections::HashMap;

use shared::{
    db::sections::{EarlierSection, PageCost},
    evidence::{PageEvidence, SectionEvidence},
};

/// Fills in the costs of all sections. One whose text an earlier run wrote keeps what it cost then, as long as its page was not
/// written anew.
pub(super) fn share(pages: &mut [PageEvidence], paid: &[PageCost], earlier: &HashMap<String, EarlierSection>) {
    for page in pages {
        let paid = paid.iter().find(|paid| paid.slug == page.slug);
        let whole = paid.and_then(|paid| paid.whole_usd);
        for section in &mut page.sections {
            let earlier = earlier.get(&section.content_hash).and_then(|earlier| earlier.cost_usd);
            section.cost_usd = earlier.filter(|_| whole.is_none());
        }
        let Some(paid) = paid else { continue };
        add(&mut page.sections, whole, |_| true);
        let is_asked = |section: &SectionEvidence| paid.sections.iter().any(|at| at.unsigned_abs() == section.position);
        let is_new = |section: &SectionEvidence| !earlier.contains_key(&section.content_hash);
        if page.sections.iter().any(is_asked) {
            add(&mut page.sections, paid.parts_usd, is_asked);
        } else if page.sections.iter().any(is_new) {
            add(&mut page.sections, paid.parts_usd, is_new);
        } else {
            add(&mut page.sections, paid.parts_usd, |_| true);
        }
    }
}

fn add(sections: &mut [SectionEvidence], usd: Option<f64>, is_part: impl Fn(&SectionEvidence) -> bool) {
    let Some(usd) = usd else { return };
    let length = |section: &SectionEvidence| f64::from(section.bytes.1.saturating_sub(section.bytes.0));
    let total: f64 = sections.iter().filter(|section| is_part(section)).map(length).sum();
    for section in sections.iter_mut().filter(|section| is_part(section)) {
        let share = if total > 0.0 { length(section) / total } else { 1.0 };
        section.cost_usd = Some(section.cost_usd.unwrap_or_default() + usd * share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(lengths: &[u32]) -> PageEvidence {
        let mut at = 0;
        let sections = (0..).zip(lengths).map(|(position, length)| {
            let bytes = (at, at + length);
            at += length;
            SectionEvidence { position, bytes, content_hash: position.to_string(), ..SectionEvidence::default() }
        });
        PageEvidence { slug: "a".parse().unwrap(), sections: sections.collect() }
    }

    fn costs(paid: (Option<f64>, Option<f64>, &[i32]), known: &[(&str, f64)]) -> Vec<Option<f64>> {
        let (whole_usd, parts_usd, sections) = paid;
        let paid = PageCost { slug: "a".parse().unwrap(), whole_usd, parts_usd, sections: sections.to_vec() };
        let earlier = known
            .iter()
            .map(|(hash, usd)| ((*hash).to_owned(), EarlierSection { cost_usd: Some(*usd), citations: Vec::new() }));
        let mut pages = [page(&[100, 300])];
        share(&mut pages, &[paid], &earlier.collect());
        pages[0].sections.iter().map(|section| section.cost_usd).collect()
    }

    #[test]
    fn calls_are_shared_by_length_among_what_they_wrote() {
        assert_eq!(costs((Some(4.0), None, &[]), &[]), [Some(1.0), Some(3.0)]);
        assert_eq!(costs((Some(4.0), Some(2.0), &[1]), &[]), [Some(1.0), Some(5.0)]);
        assert_eq!(costs((None, Some(2.0), &[]), &[("0", 9.0)]), [Some(9.0), Some(2.0)]);
        assert_eq!(costs((None, None, &[]), &[("1", 9.0)]), [None, Some(9.0)]);
        // written anew: what the same words cost once is not counted again
        assert_eq!(costs((Some(4.0), None, &[]), &[("0", 9.0)]), [Some(1.0), Some(3.0)]);
    }
}
