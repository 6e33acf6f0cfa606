//! What a run would do: the stages up to the one that writes, on a copy of nothing. It decides with the functions that a run
//! decides with, and asks no model.

use std::sync::Arc;

use shared::{
    db::{
        self,
        inspections::ClaimedInspection,
        variants::{Scope, VariantRow},
    },
    inspection::{
        Bill, BilledPage, CheckedPage, CheckedSection, DryRunRequest, ListedSection, Outcome, PageAction, SectionState,
    },
    names::PageSlug,
    provider::Provider,
    variant::VariantKey,
};
use tokio_util::sync::CancellationToken;

use super::{
    bill::{Expected, price},
    blame::Blame,
    place::Place,
    warnings,
};
use crate::{
    Worker,
    git::{self, Checkout},
    pipeline::{
        Assessment, Base, Decision, Draft, OldSite, StageError, Update, compare_all, conclude, draft, extracted_plan,
        find_base, find_other, is_tree_of_last_good, read_steering, repair_links, served_reaches,
    },
    steering::Steering,
    writers::{self, CallContext, Writer},
};

/// Longest time for one page of the built-in writer.
const EXTRACTING_TIME: std::time::Duration = std::time::Duration::from_mins(5);

/// What a run would do, before it is priced.
#[derive(Debug, Default)]
struct Doing {
    why_all: Option<String>,
    outcome: Option<Outcome>,
    pages: Vec<BilledPage>,
    questions: Vec<String>,
    expected: Vec<Expected>,
}

impl Doing {
    fn of(outcome: Outcome) -> Self {
        Self { outcome: Some(outcome), ..Self::default() }
    }

    /// Everything is written anew. The number of pages is that of the site there is.
    fn all(reason: impl Into<String>, row: Option<&VariantRow>) -> Self {
        let pages = row.filter(|row| row.site_prefix.is_some() && row.page_count > 0);
        let pages = pages.map(|row| row.page_count.unsigned_abs());
        let expected = vec![Expected { purpose: "plan", calls: Some(1) }, Expected { purpose: "page", calls: pages }];
        Self { why_all: Some(reason.into()), expected, ..Self::of(Outcome::Full) }
    }

    /// The same when the pages are known, because they are wished for and are all there are: no model plans them.
    fn with_pages(self, slugs: Vec<PageSlug>) -> Self {
        let expected = vec![Expected { purpose: "page", calls: u32::try_from(slugs.len()).ok() }];
        let written = |slug| BilledPage { slug, action: PageAction::Write, sections: Vec::new() };
        Self { expected, pages: slugs.into_iter().map(written).collect(), ..self }
    }
}

/// Tells what the run would do, and what that would cost.
pub(super) async fn dry_run(
    worker: &Worker,
    claimed: &ClaimedInspection,
    cancel: &CancellationToken,
) -> Result<Bill, StageError> {
    let request: DryRunRequest = serde_json::from_value(claimed.request.clone())
        .map_err(|error| StageError::TooNew(format!("another version of docmill asked this: {error}")))?;
    let key = request.key();
    let place = Place::open(worker, claimed, &request.repo_url, &request.branch, cancel).await?;
    let row = find_row(worker, &key).await?;
    let head = place.head().await?;
    let looked = Look { worker, request: &request, key: &key, place: &place, row: row.as_ref() };
    let doing = looked.what(head.as_str()).await?;
    let (pages, site) = (doing.pages, row.as_ref().and_then(|row| row.last_commit_sha.clone()));
    let pages = match site.as_deref().and_then(|site| site.parse().ok()) {
        Some(site) if doing.outcome == Some(Outcome::Update) => blame(&place, &head, &site, pages).await,
        _ => pages,
    };
    let mut conn = worker.config.pool.acquire().await?;
    let priced = price(&mut conn, key.provider, &key.model, &doing.expected).await?;
    let warnings = warnings::list(&mut conn, &request, &priced.total).await?;
    Ok(Bill {
        head_commit: head.to_string(),
        site_commit: site,
        outcome: doing.outcome.unwrap_or(Outcome::Full),
        why_all: doing.why_all,
        pages,
        questions: doing.questions,
        calls: priced.calls,
        total: priced.total,
        with_rework: priced.with_rework,
        warnings,
        unknown: priced.unknown,
    })
}

async fn find_row(worker: &Worker, key: &VariantKey) -> Result<Option<VariantRow>, StageError> {
    let mut conn = worker.config.pool.acquire().await?;
    let scope = Scope::Owner(&key.owner);
    let rows = db::variants::list_matching(&mut conn, scope, &key.name, &key.branch, key.provider, &key.model).await?;
    Ok(rows.into_iter().find(|row| row.owner == key.owner))
}

/// What is looked at.
struct Look<'a> {
    worker: &'a Worker,
    request: &'a DryRunRequest,
    key: &'a VariantKey,
    place: &'a Place<'a>,
    row: Option<&'a VariantRow>,
}

impl Look<'_> {
    /// In the order of `pipeline::generate`.
    async fn what(&self, head: &str) -> Result<Doing, StageError> {
        let why_all = self.why_all().await?;
        let is_served = why_all.is_none();
        if is_served && self.row.and_then(|row| row.last_commit_sha.as_deref()) == Some(head) {
            return Ok(Doing::of(Outcome::UpToDate));
        }
        let checkout = self.place.clone_head().await?;
        if is_served && self.is_same_tree(&checkout).await? {
            return Ok(Doing::of(Outcome::UpToDate));
        }
        let Self { worker, key, request, place, .. } = self;
        if !request.force && find_other(worker, key, &request.options, &place.source, head).await?.is_some() {
            return Ok(Doing::of(Outcome::TakeOver));
        }
        let max_files = self.place.limits().max_files;
        let (steering, _) = read_steering(&checkout, &self.request.options, max_files).await?;
        let repo_url = self.place.source.web_links(&checkout.commit).map(|links| links.repository);
        let folder = self.place.make_folder("writer").await?;
        let writer = writers::open(self.worker, self.key, &checkout, repo_url, &steering, &folder).await;
        let writer = writer.map_err(|error| StageError::Fail(error.message))?;
        let base = match why_all {
            Some(reason) => Err(reason),
            None => self.find_base(&*writer, &steering).await?,
        };
        if self.key.provider == Provider::Builtin {
            return self.extract(base, &checkout, &*writer, &steering).await;
        }
        let doing = match base {
            Ok(base) => self.update(base, &checkout, &steering).await?,
            Err(reason) => Doing::all(reason, self.row),
        };
        Ok(match steering.fixed_pages() {
            Some(slugs) if doing.outcome == Some(Outcome::Full) => doing.with_pages(slugs),
            _ => doing,
        })
    }

    /// Why a run would not begin from a site that there is; nothing when it would.
    async fn why_all(&self) -> Result<Option<String>, StageError> {
        let why = |reason: &str| Ok(Some(reason.to_owned()));
        if self.request.force {
            return why("`force`");
        }
        let Some(row) = self.row.filter(|row| row.site_prefix.is_some()) else {
            return why("there is no site yet");
        };
        let (mut conn, asked) = (self.worker.config.pool.acquire().await?, &self.request.options);
        let served = db::inspections::find_served_options(&mut conn, row.id).await?;
        if !served.unwrap_or_default().wish_the_same(asked) {
            return why("the options are others than those of the site");
        }
        if !served_reaches(&mut conn, row.id, asked.min_grade).await? {
            return why("the site is below the grade that is asked for");
        }
        Ok(None)
    }

    async fn is_same_tree(&self, checkout: &Checkout) -> Result<bool, StageError> {
        let Some(row) = self.row else { return Ok(false) };
        let read = checkout.clone();
        let tree = tokio::task::spawn_blocking(move || git::tree_id(&read)).await.map_err(anyhow::Error::from)?;
        let tree = tree.map_err(|error| StageError::Fail(error.message))?;
        let mut conn = self.worker.config.pool.acquire().await?;
        is_tree_of_last_good(&mut conn, row.id, Some(&tree)).await
    }

    async fn find_base(&self, writer: &dyn Writer, steering: &Steering) -> Result<Result<Base, String>, StageError> {
        let Some(row) = self.row else { return Ok(Err("there is no site yet".to_owned())) };
        let mut conn = self.worker.config.pool.acquire().await?;
        find_base(&mut conn, (row.id, self.key, self.request.repo_type), writer, steering).await
    }

    /// Opens the commits of the base and compares.
    async fn compare(
        &self,
        base: &Base,
        checkout: &Checkout,
        steering: &Steering,
    ) -> Result<Result<crate::pipeline::Compared, String>, StageError> {
        let site = match self.place.restore("site", base.generation, &base.site).await {
            Ok(site) => site,
            Err(StageError::Fail(reason)) => return Ok(Err(reason)),
            Err(error) => return Err(error),
        };
        let last = if base.last_pinned.commit == base.site.commit {
            None
        } else {
            match self.place.restore("last", base.last, &base.last_pinned).await {
                Ok(last) => Some(last),
                Err(StageError::Fail(reason)) => return Ok(Err(reason)),
                Err(error) => return Err(error),
            }
        };
        let (new, old, filter) = (checkout.clone(), base.old.clone(), steering.filter.clone());
        let max_files = self.place.limits().max_files;
        let comparing =
            tokio::task::spawn_blocking(move || compare_all(&site, last.as_ref(), &new, &old, &filter, max_files));
        let compared = comparing.await.map_err(anyhow::Error::from)?;
        Ok(compared.map_err(|error| format!("the commits cannot be compared: {error}")))
    }

    /// What a model would be asked for.
    async fn update(&self, base: Base, checkout: &Checkout, steering: &Steering) -> Result<Doing, StageError> {
        let compared = match self.compare(&base, checkout, steering).await? {
            Ok(compared) => compared,
            Err(reason) => return Ok(Doing::all(reason, self.row)),
        };
        Ok(match draft(&base, &compared) {
            Draft::Full(reason) => Doing::all(reason, self.row),
            Draft::UpToDate => Doing::of(Outcome::UpToDate),
            Draft::Assessed(assessment) => {
                let decision = conclude(&base, &compared, &assessment, None, steering);
                self.tell(&base, decision, assessment)
            }
        })
    }

    fn tell(&self, base: &Base, decision: Decision, assessment: Assessment) -> Doing {
        let asked = u32::from(!assessment.questions.is_empty());
        let mut doing = match decision {
            Decision::Full { reason } => return Doing::all(reason, self.row),
            Decision::UpToDate if asked == 0 => return Doing::of(Outcome::UpToDate),
            Decision::UpToDate => Doing::of(Outcome::Update),
            Decision::Update(update) => Doing { pages: billed_pages(base, &update), ..Doing::of(Outcome::Update) },
        };
        let count = |action| {
            let pages = doing.pages.iter().filter(|page| page.action == action).count();
            Some(u32::try_from(pages).unwrap_or(u32::MAX))
        };
        doing.expected = vec![
            Expected { purpose: "plan_update", calls: Some(asked) },
            Expected { purpose: "sections", calls: count(PageAction::Sections) },
            Expected { purpose: "edit", calls: count(PageAction::Edit) },
            Expected { purpose: "page", calls: count(PageAction::Write) },
        ];
        doing.questions = assessment.questions;
        doing
    }

    /// What the built-in writer would do: it does it, and nothing of it is kept.
    async fn extract(
        &self,
        base: Result<Base, String>,
        checkout: &Checkout,
        writer: &dyn Writer,
        steering: &Steering,
    ) -> Result<Doing, StageError> {
        let old = match base {
            Ok(base) => match self.compare(&base, checkout, steering).await? {
                Ok(compared) => Ok(OldSite::new(base, compared)),
                Err(reason) => Err(reason),
            },
            Err(reason) => Err(reason),
        };
        let old = match old {
            Ok(old) => old,
            Err(reason) => return Ok(Doing { expected: Vec::new(), ..Doing::all(reason, self.row) }),
        };
        let context = CallContext { cancel: self.place.cancel.clone(), call_timeout: EXTRACTING_TIME, account: None };
        let asked = (self.key, self.request.repo_type);
        let plan = extracted_plan(&context, asked, &self.place.source, checkout, (writer, steering)).await?;
        let mut doing = Doing::of(Outcome::Update);
        for page in plan.pages() {
            let slug = page.slug.clone();
            if !old.has(&slug) {
                doing.pages.push(BilledPage { slug, action: PageAction::Write, sections: Vec::new() });
                continue;
            }
            let written = writer.write_page(&context, &plan, page).await;
            let written = written.map_err(|error| StageError::Fail(format!("page `{slug}`: {error}")))?;
            let sections = old.splice(&slug, &repair_links(&written, &plan)).listed;
            if !sections.is_empty() {
                doing.pages.push(BilledPage { slug, action: PageAction::Sections, sections });
            }
        }
        let mut gone: Vec<&PageSlug> = old.slugs().filter(|slug| plan.page(slug).is_none()).collect();
        gone.sort();
        doing.pages.extend(gone.into_iter().cloned().map(removed));
        Ok(doing)
    }
}

fn removed(slug: PageSlug) -> BilledPage {
    BilledPage { slug, action: PageAction::Remove, sections: Vec::new() }
}

/// The pages that an update writes or takes away.
fn billed_pages(base: &Base, update: &Arc<Update>) -> Vec<BilledPage> {
    let written = update.pages.iter().filter_map(|step| {
        let action = match (&step.from, &step.changes, &step.sections) {
            (None, ..) => PageAction::Write,
            (Some(_), _, Some(_)) => PageAction::Sections,
            (Some(_), Some(_), None) => PageAction::Edit,
            (Some(_), None, None) => return None,
        };
        Some(BilledPage { slug: step.slug.clone(), action, sections: step.sections.clone().unwrap_or_default() })
    });
    let is_gone = |slug: &&PageSlug| {
        update.plan.page(slug).is_none() && !update.pages.iter().any(|step| step.from.as_ref() == Some(*slug))
    };
    let gone = base.plan.pages().map(|page| &page.slug).filter(is_gone);
    written.chain(gone.cloned().map(removed)).collect()
}

/// Puts into every reason the commit that is to blame, as a check does.
async fn blame(
    place: &Place<'_>,
    head: &shared::names::CommitSha,
    site: &shared::names::CommitSha,
    pages: Vec<BilledPage>,
) -> Vec<BilledPage> {
    let section = |section: &ListedSection| CheckedSection {
        position: section.position,
        heading: section.heading.clone(),
        state: SectionState::Changed,
        reasons: section.reasons.clone(),
        moved: Vec::new(),
    };
    let asked = pages
        .iter()
        .map(|page| CheckedPage { slug: page.slug.clone(), sections: page.sections.iter().map(section).collect() })
        .collect();
    let (_, told) = Blame::fetch(place, head, site).await.explain(place, asked).await;
    let mut pages = pages;
    for (page, told) in pages.iter_mut().zip(told) {
        for (section, told) in page.sections.iter_mut().zip(told.sections) {
            section.reasons = told.reasons;
        }
    }
    pages
}
