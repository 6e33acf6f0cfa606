//! The built-in writer: no model, no network. It reads the repository, parses its sources and writes the whole site.
//!
//! In the order of the work: `tree` lists files, `sources` says which count, `manifests` and `parsing` read them
//! (`languages` runs in the child), `survey` holds what was read, `project`, `guides`, `pages` and `reference` turn it
//! into Markdown, `citing` says behind each part of a text where it stands, `site` puts the pages together.

/// Appends formatted text to a `String`.
macro_rules! put {
    ($text:expr, $($arguments:tt)*) => {{
        use std::fmt::Write as _;
        write!($text, $($arguments)*).expect("writing to a String cannot fail");
    }};
}

pub(crate) mod tree;
pub(crate) mod sources;
pub(crate) mod manifests;
pub(crate) mod symbols;
pub(crate) mod languages;
pub(crate) mod parsing;
mod survey;
mod markdown;
mod doc_text;
mod doc_tags;
mod docstrings;
mod sphinx;
mod documents;
mod citing;
mod project;
mod guides;
mod pages;
mod reference;
mod site;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use shared::{
    options::SiteTitle,
    plan::{Plan, PlannedPage},
    section::sections,
};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

pub use self::parsing::child::parse_source_child;
pub(crate) use self::parsing::parent::ParserLimits;
use self::{site::Site, survey::Survey};
use super::{CallContext, Failure, PlanWish, SectionWish, Writer, WriterError};
use crate::{git::Checkout, steering::PathFilter};

/// Raised when the same commit would give other words.
const VERSION: &str = "3";

/// What the built-in writer needs to know besides the checkout. The same on every host that works on a run, because
/// pages are written from it again after a restart.
#[derive(Debug, Clone)]
pub(crate) struct BuiltinOptions {
    /// The project's name, used where README and manifests do not give a better spelling of it.
    pub(crate) project_name: String,
    /// The project's name as a title, when somebody chose one.
    pub(crate) title: Option<SiteTitle>,
    /// Which files are read.
    pub(crate) filter: PathFilter,
    /// Changes with both; part of the writer's version.
    pub(crate) steering_digest: Option<String>,
    /// The repository's public address, if it has one.
    pub(crate) repo_url: Option<String>,
    /// The program that runs [`parse_source_child`] when its first argument is `parse-source`.
    pub(crate) parser_command: PathBuf,
    /// What a hostile repository can cost.
    pub(crate) parser_limits: ParserLimits,
}

/// Writes plan and pages of one checkout; reads the repository once, at the first call.
pub(crate) struct BuiltinWriter {
    checkout: Checkout,
    options: BuiltinOptions,
    site: OnceCell<Arc<Site>>,
}

/// A writer for one checkout. Nothing is read before the first call.
pub(crate) fn open(checkout: &Checkout, options: BuiltinOptions) -> BuiltinWriter {
    BuiltinWriter { checkout: checkout.clone(), options, site: OnceCell::new() }
}

impl BuiltinWriter {
    async fn site(&self, cancel: &CancellationToken) -> Result<&Arc<Site>, WriterError> {
        self.site.get_or_try_init(|| self.build(cancel.clone())).await
    }

    async fn build(&self, cancel: CancellationToken) -> Result<Arc<Site>, WriterError> {
        let (checkout, options) = (self.checkout.clone(), self.options.clone());
        let cancelled = cancel.clone();
        let built = tokio::task::spawn_blocking(move || {
            let survey = Survey::take(
                (&checkout, &options.filter),
                &options.project_name,
                (&options.parser_command, options.parser_limits),
                &cancelled,
            )?;
            let title = options.title.as_ref().map(SiteTitle::as_str);
            let mut site = site::build(&survey, &options.project_name, title, options.repo_url);
            site.cite_from_root(&survey, options.filter.subdirectory());
            anyhow::Ok(site)
        })
        .await;
        match built {
            _ if cancel.is_cancelled() => Err(failure(Failure::Cancelled, "the run was cancelled")),
            Ok(Ok(site)) => Ok(Arc::new(site)),
            Ok(Err(error)) => {
                tracing::error!(error = format!("{error:#}"), "the repository cannot be documented");
                Err(failure(Failure::Host, &error.to_string()))
            }
            Err(error) => {
                tracing::error!(%error, "the built-in writer panicked");
                Err(failure(Failure::Refused, "the built-in writer failed on this repository"))
            }
        }
    }

    async fn page(&self, context: &CallContext, page: &PlannedPage) -> Result<String, WriterError> {
        let site = self.site(&context.cancel).await?;
        let text = site.pages.get(&page.slug).ok_or_else(|| {
            let message =
                format!("the plan has a page `{}` that the built-in writer does not write; plan again", page.slug);
            failure(Failure::Refused, &message)
        })?;
        Ok(text.clone())
    }
}

fn failure(failure: Failure, message: &str) -> WriterError {
    WriterError { failure, message: message.chars().take(500).collect() }
}

#[async_trait]
impl Writer for BuiltinWriter {
    fn version(&self) -> String {
        let steered = self.options.steering_digest.as_ref().map(|digest| format!("-{digest}"));
        format!("{VERSION}{}", steered.unwrap_or_default())
    }

    async fn plan(&self, context: &CallContext, wish: &PlanWish) -> Result<Plan, WriterError> {
        let mut plan = self.site(&context.cancel).await?.plan.clone();
        if let Some(repo_type) = wish.repo_type {
            plan.repo_type = repo_type;
        }
        Ok(plan)
    }

    async fn write_page(&self, context: &CallContext, _: &Plan, page: &PlannedPage) -> Result<String, WriterError> {
        self.page(context, page).await
    }

    async fn revise_page(
        &self,
        context: &CallContext,
        plan: &Plan,
        page: &PlannedPage,
        _previous: &str,
        _findings: &[String],
    ) -> Result<String, WriterError> {
        let written = self.page(context, page).await?;
        // the one complaint that can be met without knowing more: links that lead nowhere become their words
        Ok(markdown::without_dead_links(&written, |slug| plan.pages().any(|page| page.slug.as_str() == slug)))
    }

    async fn rewrite_sections(
        &self,
        context: &CallContext,
        plan: &Plan,
        page: &PlannedPage,
        previous: &str,
        wishes: &[SectionWish<'_>],
    ) -> Result<Option<Vec<(usize, String)>>, WriterError> {
        let written = self.revise_page(context, plan, page, previous, &[]).await?;
        let (old, new) = (sections(previous), sections(&written));
        let text_of = |position: usize| {
            let heading = old.get(position)?.heading;
            // of several with the same words the one in the same place
            let place = old[..position].iter().filter(|section| section.heading == heading).count();
            let same = new.iter().filter(|section| section.heading == heading).nth(place);
            Some((position, same.map(|section| section.text.to_owned()).unwrap_or_default()))
        };
        Ok(wishes.iter().map(|wish| text_of(wish.position)).collect())
    }

    fn findings(&self) -> Vec<String> {
        self.site.get().map(|site| site.findings.clone()).unwrap_or_default()
    }
}
