//! Rows of docsfy's table `projects`, as far as they fit our types.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use shared::{
    ids::GenerationId,
    names::{BranchName, CommitSha, ModelId, ProjectName, Username},
    plan::RepoType,
    provider::Provider,
    source::RepoSource,
    stage::Stage,
    user::ADMIN,
    variant::{Status, VariantKey},
};

use super::{report::shown, source::Row};

/// Under which name docsfy keeps the trees of variants without an owner.
const OWNERLESS: &str = "_default";

/// Longest message that is taken over, in characters.
const MAX_MESSAGE_CHARS: usize = 4_000;

/// What is shown for a variant that docsfy was still working on.
const CUT_OFF: &str = "docsfy was still generating this when it was moved to docmill; generate it again";

/// A row that fits.
#[derive(Debug, Clone)]
pub(super) struct DocsfyVariant {
    pub(super) key: VariantKey,
    /// Where its tree is, below `projects`.
    pub(super) folder: [String; 5],
    pub(super) source: RepoSource,
    /// `ready`, `error` or `aborted`.
    pub(super) status: Status,
    pub(super) stage: Option<Stage>,
    pub(super) message: Option<String>,
    pub(super) generation: Option<GenerationId>,
    pub(super) commit: Option<CommitSha>,
    pub(super) page_count: i32,
    pub(super) plan_json: Option<String>,
    pub(super) repo_type: Option<RepoType>,
    pub(super) cost_usd: Option<f64>,
    pub(super) last_generated: Option<DateTime<Utc>>,
    pub(super) created_at: Option<DateTime<Utc>>,
    pub(super) updated_at: Option<DateTime<Utc>>,
    pub(super) started_at: Option<DateTime<Utc>>,
    pub(super) duration_s: Option<f64>,
    /// What was repaired, in sentences.
    pub(super) repairs: Vec<String>,
}

impl DocsfyVariant {
    /// The parts of its folder.
    pub(super) fn folder_parts(&self) -> [&str; 5] {
        self.folder.each_ref().map(String::as_str)
    }
}

/// The variant as docsfy names it, whatever stands there.
pub(super) fn name_of(row: &Row) -> String {
    let parts = ["owner", "name", "branch", "ai_provider", "ai_model"].map(|column| row.text_or_empty(column));
    parts.join("/")
}

/// Where docsfy keeps the tree of a row, whatever stands there.
pub(super) fn folder_of(row: &Row) -> Vec<String> {
    let [owner, name, branch, provider, model] =
        ["owner", "name", "branch", "ai_provider", "ai_model"].map(|column| row.text_or_empty(column));
    let owner = if owner.is_empty() { OWNERLESS.into() } else { owner };
    // as docsfy 1.9 writes it; older versions had no such branches
    let branch = branch.replace('~', "~7E").replace('/', "~2F");
    vec![owner, name, branch, provider, model]
}

/// A variant as it is named in the report.
pub(super) fn name_of_key(key: &VariantKey) -> String {
    format!("{}/{key}", key.owner)
}

/// Checks a row; the error is the reason why it is left out.
pub(super) fn read(row: &Row) -> Result<DocsfyVariant, String> {
    let text = |column: &str| Ok::<_, String>(row.text(column)?.unwrap_or_default());
    let owner = owner(&text("owner")?)?;
    let name: ProjectName = text("name")?.parse().map_err(reason)?;
    let provider = provider(&text("ai_provider")?)?;
    let model: ModelId = text("ai_model")?.parse().map_err(reason)?;
    let branch_text = row.text("branch")?.unwrap_or_else(|| "main".into());
    let branch = BranchName::from_segment(&branch_text).map_err(reason)?;
    let source = RepoSource::from_stored(text("repo_url")?.trim()).map_err(|error| error.0)?;
    let folder_owner = if owner.is_empty() { OWNERLESS } else { &owner };
    let folder = [folder_owner, name.as_str(), &branch.to_segment(), provider.as_str(), model.as_str()];
    let folder = folder.map(str::to_owned);
    let mut repairs = Vec::new();
    let (status, message) = status(row, &mut repairs);
    let mut time = |column: &str| time(row, column, &mut repairs);
    let [last_generated, created_at, updated_at, started_at] =
        ["last_generated", "created_at", "updated_at", "generation_started_at"].map(&mut time);
    let duration_s = row.number("generation_duration").filter(|seconds| (0.0..1e7).contains(seconds));
    // docsfy forgets the start when a generation ends
    #[expect(clippy::cast_possible_truncation, reason = "it is between 0 and 10 million seconds")]
    let before_end = || Some(updated_at.or(last_generated)? - TimeDelta::milliseconds((duration_s? * 1e3) as i64));
    Ok(DocsfyVariant {
        last_generated,
        created_at,
        updated_at,
        started_at: started_at.or_else(before_end),
        duration_s,
        stage: row.text_or_empty("current_stage").parse().ok().filter(|stage| *stage == Stage::UpToDate),
        generation: row.text_or_empty("generation_id").parse().ok(),
        commit: row.text_or_empty("last_commit_sha").to_ascii_lowercase().parse().ok(),
        #[expect(clippy::cast_possible_truncation, reason = "it is between 0 and 500 then")]
        page_count: row.number("page_count").map_or(0, |count| count.clamp(0.0, 500.0) as i32),
        plan_json: row.text("plan_json").unwrap_or_default(),
        repo_type: super::plan::repo_type(&row.text_or_empty("repo_type")),
        cost_usd: row.number("total_cost_usd").filter(|cost| (0.0..1e9).contains(cost)),
        key: VariantKey { owner, name, branch, provider, model },
        folder,
        source,
        status,
        message,
        repairs,
    })
}

/// An owner's name, or nothing for a variant that nobody owns.
pub(super) fn owner(text: &str) -> Result<String, String> {
    match text {
        "" | OWNERLESS => Ok(String::new()),
        ADMIN => Ok(ADMIN.into()),
        _ => text
            .parse::<Username>()
            .map(|name| name.to_string())
            .map_err(|_| format!("no user can be called `{}`", shown(text))),
    }
}

/// One of docsfy's three providers.
fn provider(text: &str) -> Result<Provider, String> {
    text.parse()
        .ok()
        .filter(|provider| *provider != Provider::Builtin)
        .ok_or_else(|| format!("`{}` is none of docsfy's providers, which are claude, gemini and cursor", shown(text)))
}

fn status(row: &Row, repairs: &mut Vec<String>) -> (Status, Option<String>) {
    let message = Some(row.text_or_empty("error_message").trim().chars().take(MAX_MESSAGE_CHARS).collect::<String>());
    let message = message.filter(|text| !text.is_empty());
    match row.text_or_empty("status").as_str() {
        "ready" => (Status::Ready, None),
        "error" => (Status::Error, message.or_else(|| Some("docsfy did not say why it failed".into()))),
        "aborted" => (Status::Aborted, message),
        "generating" => {
            repairs.push("docsfy was still generating it; it is an error now".into());
            (Status::Error, Some(CUT_OFF.into()))
        }
        other => {
            repairs.push(format!("its status `{}` is unknown; it is an error now", shown(other)));
            (Status::Error, Some("docsfy kept an unknown status of this; generate it again".into()))
        }
    }
}

/// A time as docsfy writes it: `YYYY-MM-DD HH:MM:SS` in UTC, or with a zone. A time that is none becomes unknown.
pub(super) fn time(row: &Row, column: &str, repairs: &mut Vec<String>) -> Option<DateTime<Utc>> {
    let text = row.text_or_empty(column);
    if text.is_empty() {
        return None;
    }
    let parsed = parse_time(&text);
    if parsed.is_none() {
        repairs.push(format!("its {column} `{}` is no time", shown(&text)));
    }
    parsed
}

fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let naive = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .map(|time| time.and_utc());
    let time = naive.or_else(|| Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc()))?;
    // Git itself is from 2005; what lies in the future is cut by the database, whose clock counts
    let known = DateTime::from_timestamp(946_684_800, 0)?..DateTime::from_timestamp(253_402_300_799, 0)?;
    known.contains(&time).then_some(time)
}

fn reason(error: shared::names::InvalidName) -> String {
    error.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_every_version_are_read() {
        for text in
            ["2026-04-17 10:20:30", "2026-04-17T10:20:30+00:00", "2026-04-17T12:20:30+02:00", "2026-04-17T10:20:30Z"]
        {
            assert_eq!(parse_time(text).unwrap().timestamp(), 1_776_421_230, "{text}");
        }
        for text in ["", "yesterday", "2026-13-01 00:00:00", "0001-01-01 00:00:00", "9999999-01-01T00:00:00Z"] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}
