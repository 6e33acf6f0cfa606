//! Everything that a repository defines, as rows of numbers: a large one defines millions of things, and most of their names,
//! owners and paths are shared.

use std::hash::{BuildHasher, RandomState};

use super::{DefinitionKind, IndexedFile, words::Dictionary};
use crate::writers::builtin::languages::Outlined;

/// Something that a file defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Definition<'a> {
    /// Its name, without what it belongs to.
    pub(crate) name: &'a str,
    /// The file.
    pub(crate) path: &'a str,
    /// What it belongs to, if to anything: a type, a module.
    pub(crate) owner: &'a str,
    /// What it is.
    pub(crate) kind: DefinitionKind,
    /// First and last line, from 1.
    pub(crate) lines: (u32, u32),
    /// Whether other packages may use it.
    pub(crate) is_public: bool,
}

/// Definitions that stand side by side, in order of name, path, owner, kind and place.
#[derive(Clone, Copy)]
pub(crate) struct Definitions<'a> {
    rows: &'a [Row],
    names: &'a Names,
    files: &'a [IndexedFile],
}

impl<'a> Definitions<'a> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The first of them.
    pub(crate) fn first(&self) -> Option<Definition<'a>> {
        self.iter().next()
    }

    /// One after the other.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Definition<'a>> + use<'a> {
        let Self { rows, names, files } = *self;
        rows.iter().map(move |row| Definition {
            name: names.get(row.name),
            path: files.get(row.file as usize).map_or("", |file| file.path.as_str()),
            owner: names.get(row.owner),
            kind: row.kind,
            lines: row.lines,
            is_public: row.is_public,
        })
    }
}

/// A definition in numbers: those of names, which are in order when the table is whole, and the position of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    name: u32,
    file: u32,
    owner: u32,
    kind: DefinitionKind,
    lines: (u32, u32),
    is_public: bool,
}

/// Texts by number.
#[derive(Debug, Default)]
struct Names {
    text: String,
    /// Where each ends.
    ends: Vec<u32>,
}

impl Names {
    fn get(&self, number: u32) -> &str {
        let end = |at: u32| self.ends.get(at as usize).map_or(0, |end| *end as usize);
        let start = number.checked_sub(1).map_or(0, end);
        self.text.get(start..end(number)).unwrap_or_default()
    }

    fn push(&mut self, name: &str) {
        // a repository with 4 GB of names is larger than any that is read; what is too much has no name
        if u32::try_from(self.text.len() + name.len()).is_ok() {
            self.text.push_str(name);
        }
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
    }

    fn count(&self) -> u32 {
        u32::try_from(self.ends.len()).unwrap_or(u32::MAX)
    }
}

/// All definitions of a commit.
#[derive(Debug, Default)]
pub(super) struct Table {
    names: Names,
    rows: Vec<Row>,
}

impl Table {
    /// What is defined by a name.
    pub(super) fn named<'a>(&'a self, name: &str, files: &'a [IndexedFile]) -> Definitions<'a> {
        let from = self.rows.partition_point(|row| self.names.get(row.name) < name);
        let rest = self.rows.get(from..).unwrap_or_default();
        let count = rest.first().filter(|first| self.names.get(first.name) == name);
        let count = count.map_or(0, |first| rest.partition_point(|row| row.name == first.name));
        Definitions { rows: rest.get(..count).unwrap_or_default(), names: &self.names, files }
    }

    /// All of them.
    pub(super) fn all<'a>(&'a self, files: &'a [IndexedFile]) -> Definitions<'a> {
        Definitions { rows: &self.rows, names: &self.names, files }
    }
}

/// A table on its way.
#[derive(Debug, Default)]
pub(super) struct TableBuilder {
    names: Names,
    /// The numbers of names by keyed hashes, which nobody outside can make collide.
    numbers: Dictionary,
    key: RandomState,
    rows: Vec<Row>,
}

impl TableBuilder {
    /// Adds what a file defines. Nothing of a file that is not the project's own is public.
    pub(super) fn add(&mut self, file: u32, definitions: &[Outlined], is_own: bool) {
        for found in definitions {
            let (name, owner) = (self.number(&found.name), self.number(&found.owner));
            let is_public = found.is_public && is_own;
            self.rows.push(Row { name, file, owner, kind: found.kind, lines: found.lines, is_public });
        }
    }

    fn number(&mut self, name: &str) -> u32 {
        let mut hash = self.key.hash_one(name);
        loop {
            let (number, is_new) = self.numbers.number(hash);
            if is_new {
                self.names.push(name);
                return number;
            }
            if self.names.get(number) == name {
                return number;
            }
            hash = hash.wrapping_add(1);
        }
    }

    /// Keeps the mark of what is public where `is_seen` says so of the file.
    pub(super) fn hide(&mut self, mut is_seen: impl FnMut(u32) -> bool) {
        for row in self.rows.iter_mut().filter(|row| row.is_public) {
            row.is_public = is_seen(row.file);
        }
    }

    /// Hashes of all names, in order, each once.
    pub(super) fn name_hashes(&self, hash: fn(&str) -> u64) -> Vec<u64> {
        let mut is_name = vec![false; self.names.ends.len()];
        for row in &self.rows {
            if let Some(is_name) = is_name.get_mut(row.name as usize) {
                *is_name = true;
            }
        }
        let names = (0..self.names.count()).zip(is_name).filter(|(_, is_name)| *is_name);
        let mut hashes: Vec<u64> = names.map(|(number, _)| hash(self.names.get(number))).collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashes
    }

    /// Brings names and rows into order.
    pub(super) fn finish(self) -> Table {
        let Self { names, numbers, mut rows, .. } = self;
        drop(numbers);
        let mut order: Vec<u32> = (0..names.count()).collect();
        order.sort_unstable_by(|a, b| names.get(*a).cmp(names.get(*b)));
        let mut ordered = Names::default();
        let mut ranks = vec![0_u32; order.len()];
        for (number, rank) in order.into_iter().zip(0..) {
            ordered.push(names.get(number));
            if let Some(place) = ranks.get_mut(number as usize) {
                *place = rank;
            }
        }
        drop(names);
        let rank = |number: u32| ranks.get(number as usize).copied().unwrap_or_default();
        for row in &mut rows {
            (row.name, row.owner) = (rank(row.name), rank(row.owner));
        }
        rows.sort_unstable();
        rows.dedup();
        rows.shrink_to_fit();
        Table { names: ordered, rows }
    }
}
