//! Questions about a site that workers answer without making anything: how far it is behind its repository (`check`), and what
//! a run would do (`dry_run`). The types of rows, of the wire, and of the checkpoint that an update by sections works from.

use serde::{Deserialize, Serialize};

use crate::{
    ids::InspectionId,
    names::{BranchName, ModelId, PageSlug, ProjectName},
    options::RunOptions,
    plan::RepoType,
    provider::Provider,
    variant::VariantKey,
};

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, sqlx::Type)]
#[schema(as = InspectionKind)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Kind {
    /// How far the served site is behind its repository.
    Check,
    /// What a run would do, and what it would cost.
    DryRun,
}

impl Kind {
    /// The word in rows and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::DryRun => "dry_run",
        }
    }
}

/// Where an inspection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, sqlx::Type)]
#[schema(as = InspectionState)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum State {
    /// Waiting for a worker.
    Queued,
    /// A worker is at it.
    Running,
    /// There is a result.
    Done,
    /// There is none; `message` says why.
    Failed,
}

/// What a dry run is about: the request, its defaults filled in. Kept as `inspections.request`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DryRunRequest {
    /// Whose variant.
    pub owner: String,
    /// Project.
    pub name: ProjectName,
    /// Branch or tag.
    pub branch: BranchName,
    /// Who writes.
    pub provider: Provider,
    /// With which model.
    pub model: ModelId,
    /// Source, as [`crate::source::RepoSource`] prints it.
    pub repo_url: String,
    /// Everything is made anew.
    #[serde(default)]
    pub force: bool,
    /// Kind of repository, when the request names one.
    #[serde(default)]
    pub repo_type: Option<RepoType>,
    /// Budget of the run in US dollars, when the request names one.
    #[serde(default)]
    pub max_cost_usd: Option<f64>,
    /// What the request says about the documentation itself.
    #[serde(default)]
    pub options: RunOptions,
}

impl DryRunRequest {
    /// The variant that the run would make.
    pub fn key(&self) -> VariantKey {
        VariantKey {
            owner: self.owner.clone(),
            name: self.name.clone(),
            branch: self.branch.clone(),
            provider: self.provider,
            model: self.model.clone(),
        }
    }
}

/// What became of a section since its site was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SectionState {
    /// All that it cites stands where it stood.
    Unchanged,
    /// All that it cites is there, some of it at other lines.
    Moved,
    /// Something that it stands on has changed.
    Changed,
    /// Something that it stands on is gone.
    Lost,
}

/// Lines of a file, or the whole of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CitedPlace {
    /// The file, from the root of the repository.
    pub path: String,
    /// First line, from 1; missing for the whole file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_line: Option<u32>,
    /// Last line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_line: Option<u32>,
}

impl CitedPlace {
    /// A place of these lines.
    pub fn new(path: impl Into<String>, lines: Option<(u32, u32)>) -> Self {
        Self { path: path.into(), first_line: lines.map(|lines| lines.0), last_line: lines.map(|lines| lines.1) }
    }

    /// First and last line.
    pub fn lines(&self) -> Option<(u32, u32)> {
        self.first_line.zip(self.last_line)
    }
}

/// A citation whose text stands elsewhere now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MovedCitation {
    /// Where it stood.
    pub from: CitedPlace,
    /// Where it stands.
    pub to: CitedPlace,
}

/// Why a section has to be written again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// Lines that it cites have changed.
    CitedLinesChanged {
        /// Which, as they stood.
        place: CitedPlace,
        /// The first commit that changed them, when it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<String>,
    },
    /// A file that it cites is gone, and its text stands nowhere else.
    SourceGone {
        /// What it cited.
        place: CitedPlace,
        /// The commit that removed it, when it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<String>,
    },
    /// It names a file, and that has changed; of a section that cites nothing.
    NamedFileChanged {
        /// The file.
        path: String,
    },
    /// It names a file that is no more.
    NamedFileGone {
        /// The file.
        path: String,
    },
    /// It speaks of a name that stands nowhere in the repository any more.
    NameGone {
        /// The name.
        name: String,
    },
    /// What is extracted is another text (built-in writer).
    TextDiffers,
    /// It was not there before (built-in writer).
    NewSection,
    /// It is taken away (built-in writer); its position is the one on the page that stands.
    SectionGone,
}

impl Reason {
    /// Whether it takes away what the section stood on.
    pub fn is_loss(&self) -> bool {
        matches!(self, Self::SourceGone { .. } | Self::NamedFileGone { .. } | Self::NameGone { .. })
    }

    /// The file that it is about.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::CitedLinesChanged { place, .. } | Self::SourceGone { place, .. } => Some(&place.path),
            Self::NamedFileChanged { path } | Self::NamedFileGone { path } => Some(path),
            Self::NameGone { .. } | Self::TextDiffers | Self::NewSection | Self::SectionGone => None,
        }
    }
}

/// A section, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CheckedSection {
    /// Its place in the page, from 0.
    pub position: u32,
    /// Its heading; empty for what stands before the first one.
    pub heading: String,
    /// What became of it.
    pub state: SectionState,
    /// Why, when it is changed or lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// Citations that stand elsewhere now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved: Vec<MovedCitation>,
}

/// A page, and what became of its sections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CheckedPage {
    /// The page.
    #[schema(value_type = String)]
    pub slug: PageSlug,
    /// Its sections, in order.
    pub sections: Vec<CheckedSection>,
}

/// How many there are of what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CheckTotals {
    /// Sections of all pages.
    pub sections: u32,
    /// Sections that nothing concerns.
    pub unchanged: u32,
    /// Sections of which citations only moved.
    pub moved: u32,
    /// Sections of which something changed.
    pub changed: u32,
    /// Sections of which something is gone.
    pub lost: u32,
    /// Citations.
    pub citations: u32,
    /// Citations that stand elsewhere and were found again.
    pub moved_citations: u32,
    /// Citations whose text is there no more.
    pub changed_citations: u32,
}

/// How far a site is behind its repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CheckResult {
    /// The commit that the site was made from.
    pub site_commit: String,
    /// The commit that the branch stands at.
    pub head_commit: String,
    /// Whether these are two.
    pub is_behind: bool,
    /// How many commits came since the variant's commit; missing when that cannot be known cheaply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind_commits: Option<u32>,
    /// Sections that are changed or lost.
    pub stale_sections: u32,
    /// The sums.
    pub totals: CheckTotals,
    /// Every page.
    pub pages: Vec<CheckedPage>,
}

/// An inspection, as it is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Inspection {
    /// Its id.
    #[schema(value_type = uuid::Uuid)]
    pub inspection_id: InspectionId,
    /// What was asked.
    pub kind: Kind,
    /// Where it stands.
    pub state: State,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What a check found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckResult>,
    /// What a run would do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bill: Option<Bill>,
}

/// What a run would do, and what that would cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Bill {
    /// The commit that the branch stands at.
    pub head_commit: String,
    /// The commit of the site that there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site_commit: Option<String>,
    /// What the run would be.
    pub outcome: Outcome,
    /// Why everything would be written anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_all: Option<String>,
    /// What would be done about pages; those that are not here stay as they are.
    pub pages: Vec<BilledPage>,
    /// What is put to the model before, a sentence each; its answer may concern more pages.
    pub questions: Vec<String>,
    /// The calls, by what they are for.
    pub calls: Vec<BilledCalls>,
    /// All of them together: what the run costs at least.
    pub total: Cost,
    /// The same when checks send every page that is written back to its writer once. Answers that are of no use and calls that fail
    /// come on top. Without figures when nobody knows: when a model decides first which pages there are, or answers `questions`.
    #[serde(default)]
    pub with_rework: Cost,
    /// What would keep the run waiting or end it as things stand: pauses, and budgets that do not last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Why there are no figures, when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// What a run would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing: the site stays.
    UpToDate,
    /// Some sections are written, all others keep their bytes.
    Update,
    /// Everything is written.
    Full,
    /// The pages of another model's variant at the same commit are taken over.
    TakeOver,
}

/// What would be done about a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BilledPage {
    /// The page.
    #[schema(value_type = String)]
    pub slug: PageSlug,
    /// What.
    pub action: PageAction,
    /// The sections that would be written, when it is not the whole page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sections: Vec<ListedSection>,
}

/// What would be done about a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PageAction {
    /// It is new.
    Write,
    /// Some of its sections are written.
    Sections,
    /// All of it is brought up to date.
    Edit,
    /// It goes.
    Remove,
}

/// A section that is to be written, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ListedSection {
    /// Its place in the page, from 0.
    pub position: u32,
    /// Its heading; empty for what stands before the first one.
    pub heading: String,
    /// Why.
    pub reasons: Vec<Reason>,
}

/// Calls of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BilledCalls {
    /// What they are for, as in the account of calls.
    pub purpose: String,
    /// How many; missing when nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// The past calls of this provider and model that the figures are from.
    pub known_calls: u32,
    /// What they come to.
    pub cost: Cost,
}

/// What calls come to; missing figures are not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Cost {
    /// Calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// Tokens read, cached ones not included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Tokens read from the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    /// US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}
