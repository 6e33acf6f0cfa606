//! What is known about the words of a site: where each section's citations lead at the commit, what is wrong with them, and
//! how good the whole is. Made by the validating stage without a model; kept in rows, shown to readers, served by the API.

use serde::{Deserialize, Serialize};

use crate::names::PageSlug;

/// Everything that was found out about a site.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Its pages, in the order of its plan.
    pub pages: Vec<PageEvidence>,
    /// What is wrong, in the order in which it is told.
    pub findings: Vec<Finding>,
    /// How good it is, when that was counted.
    pub score: Option<ScoreCard>,
}

/// What was found out about one page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageEvidence {
    /// The page.
    pub slug: PageSlug,
    /// Its sections, in order; the first is what stands before the first heading of level 2.
    pub sections: Vec<SectionEvidence>,
}

/// What was found out about one section.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SectionEvidence {
    /// Its place in the page, from 0.
    pub position: u32,
    /// Its heading; empty for the first one.
    pub heading: String,
    /// First byte in the page's text, and the first one behind it.
    pub bytes: (u32, u32),
    /// SHA-256 of its text, in hex.
    pub content_hash: String,
    /// The identifiers it speaks of, in order of name, each once.
    pub identifiers: Vec<String>,
    /// Its citations in order, each place once.
    pub citations: Vec<Citation>,
    /// What the checks counted.
    pub counts: Counts,
    /// Whether nothing of weight is open: no finding of severity `error` is left.
    pub verified: bool,
    /// What its text cost in US dollars, when somebody knows: its share of the calls that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}

/// A citation and where it leads at the commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Citation {
    /// What stands between the brackets or behind the fence, letter by letter: by this and its section it is found again.
    pub written: String,
    /// The file at the commit; what was written when it does not resolve.
    pub path: String,
    /// First and last line at the commit, from 1; none for a whole file.
    #[schema(value_type = Option<Vec<u32>>)]
    pub lines: Option<(u32, u32)>,
    /// SHA-256 of the cited lines (of the whole file without lines), in hex; empty when it does not resolve.
    pub content_hash: String,
    /// How it got there.
    pub state: CitationState,
}

/// How a citation came to its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CitationState {
    /// As written.
    Exact,
    /// The path was completed, the lines cut at the end of the file or narrowed to a definition.
    Adjusted,
    /// The lines stand elsewhere now, and were found by their hash or by the symbol that is named.
    Moved,
    /// It leads nowhere.
    Unresolved,
}

impl CitationState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Exact, Self::Adjusted, Self::Moved, Self::Unresolved];

    /// The word in rows and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Adjusted => "adjusted",
            Self::Moved => "moved",
            Self::Unresolved => "unresolved",
        }
    }
}

/// What the checks counted in a section, a page or a site; sums add up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Counts {
    /// Words of prose, code not included.
    pub words: u32,
    /// Citations, and those that resolve.
    pub citations: u32,
    /// Citations that resolve.
    pub resolved: u32,
    /// Identifiers of cited sections, and those that stand in the cited lines.
    pub supportable: u32,
    /// Identifiers found in the cited lines.
    pub supported: u32,
    /// Names in backticks that could be looked up, and those that exist.
    pub names: u32,
    /// Names that exist.
    pub known_names: u32,
    /// Lines of code blocks that name their source, and those that stand there.
    pub code_lines: u32,
    /// Lines that are verbatim.
    pub verbatim_lines: u32,
    /// Links between pages.
    pub links: u32,
    /// Links that lead nowhere.
    pub broken_links: u32,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.words += other.words;
        self.citations += other.citations;
        self.resolved += other.resolved;
        self.supportable += other.supportable;
        self.supported += other.supported;
        self.names += other.names;
        self.known_names += other.known_names;
        self.code_lines += other.code_lines;
        self.verbatim_lines += other.verbatim_lines;
        self.links += other.links;
        self.broken_links += other.broken_links;
    }
}

/// A rule of the validating stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// (a) A citation resolves.
    Citation,
    /// (b) What a section names stands in the lines that it cites.
    Support,
    /// (c) A name in backticks exists.
    Name,
    /// (d) Code that names a source is verbatim.
    Verbatim,
    /// (d) A shell command uses what there is.
    Command,
    /// (e) A number beside a citation stands in the cited lines.
    Number,
    /// (f) Links lead somewhere, pages are reached.
    Link,
    /// (g) A page is a page.
    Structure,
    /// (g) Two pages do not say the same.
    Repetition,
    /// (h) What the project offers is mentioned.
    Coverage,
}

impl Rule {
    /// Every rule, in order.
    pub const ALL: [Self; 10] = [
        Self::Citation,
        Self::Support,
        Self::Name,
        Self::Verbatim,
        Self::Command,
        Self::Number,
        Self::Link,
        Self::Structure,
        Self::Repetition,
        Self::Coverage,
    ];

    /// The word in rows and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Citation => "citation",
            Self::Support => "support",
            Self::Name => "name",
            Self::Verbatim => "verbatim",
            Self::Command => "command",
            Self::Number => "number",
            Self::Link => "link",
            Self::Structure => "structure",
            Self::Repetition => "repetition",
            Self::Coverage => "coverage",
        }
    }
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The section goes back to its writer once, and is marked as unverified when it stays.
    Error,
    /// Told to people, weighs on the grade.
    Warning,
    /// Told to people.
    Note,
}

impl Severity {
    /// Every severity, the gravest first.
    pub const ALL: [Self; 3] = [Self::Error, Self::Warning, Self::Note];

    /// The word in rows and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Something that is wrong with a section, a page or a site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Finding {
    /// The page; none when it is about the whole site.
    #[schema(value_type = Option<String>)]
    pub page: Option<PageSlug>,
    /// The section's position; none when it is about the whole page.
    pub section: Option<u32>,
    /// Which rule.
    pub rule: Rule,
    /// How much it weighs.
    pub severity: Severity,
    /// What is wrong, one sentence for the writer and for people; at most 500 characters.
    pub message: String,
    /// What it is about, letter by letter: the name, the citation, the line; at most 500 characters.
    pub evidence: String,
    /// What to do about it; empty when nothing is known.
    pub fix: String,
}

/// How good a site is, in figures that anybody can count again. A share is `None` when there is nothing to count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ScoreCard {
    /// What was counted.
    pub counts: Counts,
    /// Citations per 1,000 words of prose.
    pub citations_per_1000_words: f64,
    /// Median number of lines of a citation that names lines.
    pub median_width: Option<u32>,
    /// Share of citations that resolve, in percent.
    pub valid_percent: Option<f64>,
    /// Share of identifiers of cited sections that stand in the cited lines, in percent.
    pub support_percent: Option<f64>,
    /// Share of names in backticks that exist, in percent.
    pub names_percent: Option<f64>,
    /// Share of lines of sourced code that are verbatim, in percent.
    pub verbatim_percent: Option<f64>,
    /// Share of what the project offers that a page mentions, in percent.
    pub coverage_percent: Option<f64>,
    /// Links that lead nowhere.
    pub broken_links: u32,
    /// Sections.
    pub sections: u32,
    /// Sections with an open finding of severity `error`.
    pub unverified_sections: u32,
    /// From 0 to 100, by the formula of `docs/quality.md`.
    pub points: f64,
    /// The grade.
    pub grade: Grade,
}

/// The grade of a site; the best is `A`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub enum Grade {
    /// 90 points and more.
    A,
    /// 80 points and more.
    B,
    /// 70 points and more.
    C,
    /// 60 points and more.
    D,
    /// Less.
    F,
}

impl Grade {
    /// Every grade, the best first.
    pub const ALL: [Self; 5] = [Self::A, Self::B, Self::C, Self::D, Self::F];

    /// The letter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
            Self::F => "F",
        }
    }

    /// The grade of so many points.
    pub fn of_points(points: f64) -> Self {
        Self::ALL.into_iter().find(|grade| points >= f64::from(grade.least_points())).unwrap_or(Self::F)
    }

    /// The points from which on it is given.
    pub fn least_points(self) -> u8 {
        match self {
            Self::A => 90,
            Self::B => 80,
            Self::C => 70,
            Self::D => 60,
            Self::F => 0,
        }
    }

    /// Whether it is at least as good as what is asked for.
    pub fn reaches(self, least: Self) -> bool {
        self <= least
    }
}

impl std::fmt::Display for Grade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Grade {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|grade| grade.as_str().eq_ignore_ascii_case(text.trim()));
        found.ok_or_else(|| "a grade is one of `A`, `B`, `C`, `D` and `F`".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_rows_and_json_are_the_same() {
        let json = |value: &dyn erased::Json| value.json();
        for rule in Rule::ALL {
            assert_eq!(json(&rule), rule.as_str());
        }
        for severity in Severity::ALL {
            assert_eq!(json(&severity), severity.as_str());
        }
        for state in CitationState::ALL {
            assert_eq!(json(&state), state.as_str());
        }
        for grade in Grade::ALL {
            assert_eq!(json(&grade), grade.as_str());
        }
    }

    mod erased {
        pub(super) trait Json {
            fn json(&self) -> String;
        }

        impl<T: serde::Serialize> Json for T {
            fn json(&self) -> String {
                serde_json::to_value(self).unwrap().as_str().unwrap().to_owned()
            }
        }
    }

    #[test]
    fn an_a_reaches_everything_and_an_f_only_itself() {
        assert!(Grade::ALL.iter().all(|least| Grade::A.reaches(*least)));
        assert!(!Grade::F.reaches(Grade::D) && Grade::F.reaches(Grade::F));
        assert_eq!((Grade::of_points(89.9), Grade::of_points(90.0)), (Grade::B, Grade::A));
        assert_eq!("b".parse(), Ok(Grade::B));
        assert!("E".parse::<Grade>().is_err());
    }
}
