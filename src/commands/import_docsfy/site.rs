//! One variant as it will be here: its plan, its pages, its site, and what its state is after all that.

use serde_json::Value;
use shared::{
    db::imports::ImportedVariant, ids::GenerationId, names::PageSlug, page::Page, plan::Plan, variant::Status,
};
use sites::render::SiteInfo;

use super::{
    folder::{Found, Projects},
    pages::{self, ImportedPages},
    plan::{self, ImportedPlan},
    variants::DocsfyVariant,
};

/// A variant that is ready to be written.
pub(super) struct Prepared {
    pub(super) row: ImportedVariant,
    pub(super) site: Option<Site>,
    /// The plan of the site as a checkpoint.
    pub(super) plan: Option<Value>,
    /// The texts of the table `pages`.
    pub(super) pages: Vec<(PageSlug, String)>,
    pub(super) repairs: Vec<String>,
    pub(super) left_out_pages: Vec<(String, String)>,
    /// Why there is no site, when there should be one.
    pub(super) left_out_site: Option<String>,
}

/// What a site is rendered from.
pub(super) struct Site {
    pub(super) plan: Plan,
    pub(super) pages: Vec<Page>,
    pub(super) info: SiteInfo,
}

/// Puts a variant together from its row and its folder. Blocks.
pub(super) fn prepare(projects: &Projects, mut variant: DocsfyVariant) -> Prepared {
    let mut repairs = std::mem::take(&mut variant.repairs);
    let place = variant.folder_parts();
    let has_site = projects.has_folder(&[&place[..], &["site"]].concat());
    let shown_plan = variant.plan_json.as_deref().and_then(|text| plan::read(text, variant.key.name.as_str()).ok());
    let found_plan = find_plan(projects, &variant, shown_plan.as_ref(), has_site, &mut repairs);
    let found = found_plan.as_ref().map(|plan| pages::read(projects, &place, plan)).unwrap_or_default();
    let ImportedPages { site: site_pages, cached, repairs: of_pages, left_out } = found;
    if !site_pages.is_empty() {
        repairs.extend(found_plan.iter().flat_map(|plan| plan.repairs.clone()).chain(of_pages));
    }
    let is_complete = left_out.is_empty();
    let wanted = has_site || variant.status == Status::Ready;
    let (site, left_out_site) = match found_plan.as_ref().ok_or("docsfy kept no plan and no page of it") {
        _ if !wanted => (None, None),
        Ok(_) if site_pages.is_empty() => (None, Some("none of its pages can be taken over")),
        Ok(plan) => match site_info(&variant) {
            Some(info) => (Some(Site { plan: plan.plan.clone(), pages: site_pages, info }), None),
            None => (None, Some("docsfy kept no commit of it")),
        },
        Err(reason) => (None, Some(reason)),
    };
    let planned = found_plan.as_ref().map_or(0, |plan| plan.plan.pages().count());
    let (status, message) = outcome(&variant, left_out_site, left_out.len(), planned);
    // docsfy's cache of a run that was cut off holds pages too, and lacks others
    let left_out_pages = if wanted { left_out } else { Vec::new() };
    let left_out_of_plan = found_plan.iter().flat_map(|plan| plan.left_out.clone());
    let row = row(&variant, status, message, site.as_ref(), is_complete, shown_plan.as_ref().or(found_plan.as_ref()));
    Prepared {
        row,
        plan: found_plan.as_ref().and_then(|plan| serde_json::to_value(&plan.plan).ok()),
        pages: cached,
        repairs,
        left_out_pages: left_out_of_plan.chain(left_out_pages).collect(),
        left_out_site: left_out_site.map(str::to_owned),
        site,
    }
}

/// The plan beside the site, which is the site's own; else that of the row; else one made of the files there are.
fn find_plan(
    projects: &Projects,
    variant: &DocsfyVariant,
    shown: Option<&ImportedPlan>,
    has_site: bool,
    repairs: &mut Vec<String>,
) -> Option<ImportedPlan> {
    let place = variant.folder_parts();
    let project = variant.key.name.as_str();
    match projects.read(&[&place[..], &["plan.json"]].concat()) {
        Found::Text { text, .. } => match plan::read(&text, project) {
            Ok(plan) => return Some(plan),
            Err(reason) => repairs.push(format!("its plan.json {reason}")),
        },
        Found::Refused(reason) => repairs.push(format!("its plan.json is not read: {reason}")),
        Found::Missing => {}
    }
    if let Some(shown) = shown {
        return Some(shown.clone());
    }
    if !has_site && variant.status != Status::Ready {
        return None;
    }
    let mut slugs: Vec<String> = Vec::new();
    for parts in [&["site"][..], &["cache", "pages"]] {
        let names = projects.list(&[&place[..], parts].concat());
        slugs.extend(names.iter().filter_map(|name| name.strip_suffix(".md")).map(str::to_owned));
    }
    slugs.sort();
    slugs.dedup();
    let plan = plan::of_files(&slugs, project).ok()?;
    repairs.push("it has no plan that can be read; its pages are in the order of their names".into());
    Some(plan)
}

fn site_info(variant: &DocsfyVariant) -> Option<SiteInfo> {
    let commit = variant.commit.clone()?;
    let day = variant.last_generated.or(variant.updated_at).or(variant.created_at);
    Some(SiteInfo {
        branch: variant.key.branch.clone(),
        source: variant.source.web_links(&commit),
        commit,
        // docsfy did not keep it
        commit_date: String::new(),
        generated_date: day.map_or_else(|| "on an unknown day".into(), |day| day.format("%Y-%m-%d").to_string()),
        provider: variant.key.provider,
        model: variant.key.model.clone(),
    })
}

/// A failure is never `ready`: docsfy called sites so that lack pages.
fn outcome(
    variant: &DocsfyVariant,
    left_out_site: Option<&str>,
    missing: usize,
    planned: usize,
) -> (Status, Option<String>) {
    match (variant.status, left_out_site) {
        (Status::Ready, Some(reason)) => {
            let message = format!("The site that docsfy made could not be taken over ({reason}); generate it again");
            (Status::Error, Some(message))
        }
        (Status::Ready, None) if missing > 0 => {
            let message = format!("{missing} of {planned} pages of docsfy's site are missing; generate it again");
            (Status::Error, Some(message))
        }
        (status, _) => (status, variant.message.clone()),
    }
}

fn row(
    variant: &DocsfyVariant,
    status: Status,
    error_message: Option<String>,
    site: Option<&Site>,
    is_complete: bool,
    shown_plan: Option<&ImportedPlan>,
) -> ImportedVariant {
    let pages_of_site = site.and_then(|site| i32::try_from(site.pages.len()).ok());
    ImportedVariant {
        key: variant.key.clone(),
        repo_url: variant.source.to_string(),
        status,
        stage: variant.stage.filter(|_| status == Status::Ready),
        error_message,
        page_count: pages_of_site.unwrap_or(variant.page_count),
        plan_json: shown_plan.and_then(|shown| serde_json::to_string(&shown.plan).ok()),
        repo_type: variant.repo_type.or_else(|| shown_plan.map(|shown| shown.plan.repo_type)),
        cost_usd: variant.cost_usd,
        // chosen when it is written
        generation: variant.generation.unwrap_or(GenerationId(uuid::Uuid::nil())),
        site_prefix: None,
        commit: variant.commit.clone(),
        is_complete: is_complete && site.is_some(),
        last_generated: variant.last_generated.or_else(|| site.and(variant.updated_at)),
        created_at: variant.created_at,
        updated_at: variant.updated_at,
        started_at: variant.started_at,
        duration_s: variant.duration_s,
    }
}
