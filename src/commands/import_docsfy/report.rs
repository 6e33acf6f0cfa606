//! What is said on standard output: a line for each thing, a line below it for each repair, and the counts at the end.

use std::{collections::BTreeMap, io::Write};

use anyhow::Context;

/// Most characters of foreign text that a line repeats.
const MAX_SHOWN_CHARS: usize = 120;

/// Kinds of things that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    User,
    Grant,
    Setting,
    Variant,
    Site,
    Page,
    Folder,
}

impl Kind {
    const ALL: [Self; 7] =
        [Self::User, Self::Grant, Self::Setting, Self::Variant, Self::Site, Self::Page, Self::Folder];

    fn singular(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Grant => "access",
            Self::Setting => "setting",
            Self::Variant => "variant",
            Self::Site => "site",
            Self::Page => "page",
            Self::Folder => "folder",
        }
    }

    fn plural(self) -> &'static str {
        match self {
            Self::User => "users",
            Self::Grant => "access grants",
            Self::Setting => "settings",
            Self::Variant => "variants",
            Self::Site => "sites",
            Self::Page => "pages",
            Self::Folder => "folders",
        }
    }
}

/// What became of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Brought over now.
    Imported,
    /// Here before; nothing is changed.
    AlreadyThere,
    /// Not brought over.
    LeftOut,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    imported: usize,
    already_there: usize,
    left_out: usize,
}

/// The report, said line by line.
pub(super) struct Report<W> {
    out: W,
    counts: BTreeMap<Kind, Counts>,
    repairs: usize,
}

impl<W: Write> Report<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, counts: BTreeMap::new(), repairs: 0 }
    }

    /// A plain line.
    pub(super) fn say(&mut self, line: &str) -> anyhow::Result<()> {
        writeln!(self.out, "{line}").and_then(|()| self.out.flush()).context("cannot write to standard output")
    }

    /// What became of something, with the reason or what is worth knowing.
    pub(super) fn tell(&mut self, kind: Kind, name: &str, outcome: Outcome, remark: &str) -> anyhow::Result<()> {
        self.count(kind, outcome, 1);
        let outcome = match outcome {
            Outcome::Imported => "imported",
            Outcome::AlreadyThere => "already there",
            Outcome::LeftOut => "left out",
        };
        let remark = if remark.is_empty() { String::new() } else { format!(": {remark}") };
        self.say(&format!("{} {}: {outcome}{remark}", kind.singular(), shown(name)))
    }

    /// A repair of the thing that was told of last.
    pub(super) fn repaired(&mut self, what: &str) -> anyhow::Result<()> {
        self.repairs += 1;
        self.say(&format!("  {what}"))
    }

    /// Something that belongs to the thing that was told of last and is left out.
    pub(super) fn left_out_of_it(&mut self, kind: Kind, name: &str, reason: &str) -> anyhow::Result<()> {
        self.count(kind, Outcome::LeftOut, 1);
        self.say(&format!("  {} {}: left out: {reason}", kind.singular(), shown(name)))
    }

    /// Counts things that need no line of their own.
    pub(super) fn count(&mut self, kind: Kind, outcome: Outcome, number: usize) {
        let counts = self.counts.entry(kind).or_default();
        *match outcome {
            Outcome::Imported => &mut counts.imported,
            Outcome::AlreadyThere => &mut counts.already_there,
            Outcome::LeftOut => &mut counts.left_out,
        } += number;
    }

    /// The end of the report.
    pub(super) fn summary(&mut self, dry_run: bool) -> anyhow::Result<()> {
        self.say("")?;
        self.say(&format!("{:<14}{:>9}{:>15}{:>10}", "", "imported", "already there", "left out"))?;
        for kind in Kind::ALL {
            let Counts { imported, already_there, left_out } = self.counts.get(&kind).copied().unwrap_or_default();
            self.say(&format!("{:<14}{imported:>9}{already_there:>15}{left_out:>10}", kind.plural()))?;
        }
        self.say(&format!("{} repaired", self.repairs))?;
        if dry_run {
            self.say("this was a dry run: nothing was written")?;
        }
        Ok(())
    }
}

/// Foreign text for a terminal: no control characters, and not too long.
pub(super) fn shown(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown: String = text.chars().take(MAX_SHOWN_CHARS).map(|c| if hidden(c) { '?' } else { c }).collect();
    if text.chars().nth(MAX_SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}
