//! Which files use which of the names that the repository defines. By name alone: whose `len` a call means is not asked.

use super::words::{Dictionary, hash_of_name};
use crate::writers::builtin::languages::packing::{Input, put};

/// The names that each file uses, while it is not known yet which of them are defined.
#[derive(Debug, Default)]
pub(super) struct UsesByFile {
    /// Numbers of words in a row for each content, each as its distance to the one before.
    bytes: Vec<u8>,
    /// For each file where its row begins.
    rows: Vec<(u32, usize)>,
}

impl UsesByFile {
    /// Notes the names of a content, by their numbers in any order, for the files that have it.
    pub(super) fn add(&mut self, files: &[usize], mut numbers: Vec<u32>) {
        if numbers.is_empty() {
            return;
        }
        let start = self.bytes.len();
        self.rows.extend(files.iter().filter_map(|file| Some((u32::try_from(*file).ok()?, start))));
        numbers.sort_unstable();
        put(&mut self.bytes, numbers.len() as u64);
        let mut last = 0;
        for number in numbers {
            put(&mut self.bytes, u64::from(number - last));
            last = number;
        }
    }

    /// Turns it round, for these names alone, which are hashes in order.
    pub(super) fn by_name(mut self, defined: &[u64], dictionary: &Dictionary) -> Uses {
        self.rows.sort_unstable();
        let mut ranks = vec![u32::MAX; dictionary.len()];
        for (hash, rank) in defined.iter().zip(0_u32..) {
            if let Some(place) = dictionary.known(*hash).and_then(|number| ranks.get_mut(number as usize)) {
                *place = rank;
            }
        }
        // once to see how much room each name takes, and once to fill it
        let mut ends = vec![0_usize; defined.len()];
        self.each(&ranks, |rank, distance| ends[rank] += length(distance));
        let mut sum = 0;
        for end in &mut ends {
            (*end, sum) = (sum, sum + *end);
        }
        let mut files = vec![0; sum];
        let mut buffer = Vec::with_capacity(8);
        self.each(&ranks, |rank, distance| {
            buffer.clear();
            put(&mut buffer, u64::from(distance));
            let start = ends[rank];
            ends[rank] += buffer.len();
            files[start..ends[rank]].copy_from_slice(&buffer);
        });
        let mut uses = Uses { files, ..Uses::default() };
        let mut last = 0;
        for (hash, end) in defined.iter().zip(ends) {
            if end > last {
                uses.names.push(*hash);
                uses.ends.push(u32::try_from(end).unwrap_or(u32::MAX));
                last = end;
            }
        }
        uses
    }

    /// Every name that counts in every file, in order of file: its rank, and how far the file is from the last one with it.
    fn each(&self, ranks: &[u32], mut visit: impl FnMut(usize, u32)) {
        let mut lasts = vec![0_u32; ranks.len()];
        for (file, start) in &self.rows {
            let mut input = Input::of(self.bytes.get(*start..).unwrap_or_default());
            let mut number = 0;
            for _ in 0..input.length().unwrap_or_default() {
                number += usize::try_from(input.number().unwrap_or_default()).unwrap_or_default();
                let Some(rank) = ranks.get(number).filter(|rank| **rank != u32::MAX) else { continue };
                if let Some(last) = lasts.get_mut(number) {
                    // the first file is 1, so that none is at the distance 0
                    visit(*rank as usize, file + 1 - *last);
                    *last = file + 1;
                }
            }
        }
    }
}

/// The bytes that [`put`] makes of a number.
fn length(number: u32) -> usize {
    (32 - number.leading_zeros()).div_ceil(7).max(1) as usize
}

/// The files that use each name.
#[derive(Debug, Default)]
pub(super) struct Uses {
    /// Hashes of the names that are used at all, in order.
    names: Vec<u64>,
    /// Where the files of each end.
    ends: Vec<u32>,
    /// Positions of files, each as its distance to the one before.
    files: Vec<u8>,
}

impl Uses {
    fn of(&self, name: &str) -> &[u8] {
        let Ok(at) = self.names.binary_search(&hash_of_name(name)) else { return &[] };
        let end = |at: usize| self.ends.get(at).map_or(0, |end| *end as usize);
        let start = at.checked_sub(1).map_or(0, end);
        self.files.get(start..end(at)).unwrap_or_default()
    }

    /// Positions of the files that use a name, in order.
    pub(super) fn files(&self, name: &str) -> impl Iterator<Item = usize> {
        let mut input = Input::of(self.of(name));
        let mut next = 0;
        std::iter::from_fn(move || {
            next += usize::try_from(input.number()?).ok()?;
            next.checked_sub(1)
        })
    }

    /// How many files use a name.
    pub(super) fn count(&self, name: &str) -> usize {
        // every number ends with a byte without the highest bit
        self.of(name).iter().filter(|byte| **byte < 0x80).count()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::words::hash, *};

    #[test]
    fn names_lead_to_their_files_and_those_that_are_not_defined_nowhere() {
        let mut dictionary = Dictionary::default();
        let mut uses = UsesByFile::default();
        let mut add = |files: &[usize], names: &[&str]| {
            let numbers = names.iter().map(|name| dictionary.number(hash(name)).0).collect();
            uses.add(files, numbers);
        };
        add(&[500], &["open", "close", "local"]);
        add(&[0, 70_000], &["close"]);
        add(&[3], &["local"]);
        add(&[4], &[]);
        let mut defined = [hash("open"), hash("close"), hash("never")];
        defined.sort_unstable();
        let uses = uses.by_name(&defined, &dictionary);
        assert_eq!(uses.files("close").collect::<Vec<_>>(), [0, 500, 70_000]);
        assert_eq!(uses.files("open").collect::<Vec<_>>(), [500]);
        assert_eq!((uses.count("close"), uses.count("open"), uses.count("never"), uses.count("local")), (3, 1, 0, 0));
        assert_eq!((length(0), length(127), length(128), length(u32::MAX)), (1, 1, 2, 5));
    }
}
