//! What becomes of a plan: title and language are set, pages that were wished for are added.

use shared::{
    names::PageSlug,
    plan::{MAX_PAGES, NavGroup, Plan, PlannedPage},
};

use super::Steering;
use crate::writers::PlanWish;

/// Group of pages that name none.
const GROUP: &str = "Documentation";

impl Steering {
    /// The plan that needs no writer: the wished pages are all.
    pub(crate) fn fixed_plan(&self, wish: &PlanWish) -> Option<Plan> {
        if !self.pages_only {
            return None;
        }
        let mut plan = Plan {
            project_name: wish.project_name.clone(),
            tagline: String::new(),
            repo_type: wish.repo_type.unwrap_or_default(),
            navigation: Vec::new(),
            version: None,
            language: None,
            redirects: std::collections::BTreeMap::new(),
        };
        self.add_pages(&mut plan);
        Some(plan)
    }

    /// The pages of that plan.
    pub(crate) fn fixed_pages(&self) -> Option<Vec<PageSlug>> {
        let plan = self.fixed_plan(&PlanWish::default())?;
        Some(plan.pages().map(|page| page.slug.clone()).collect())
    }

    /// Puts what was wished for into a plan. `by_model`: whether the writer can follow a language, instructions and pages.
    /// Gives a sentence for each thing that cannot be had.
    pub(crate) fn apply(&self, plan: &mut Plan, by_model: bool) -> Vec<String> {
        if let Some(title) = &self.title {
            plan.project_name = title.to_string();
        }
        if !by_model {
            return self.left_out_by_builtin();
        }
        plan.language.clone_from(&self.language);
        let left_out = self.add_pages(plan);
        if left_out == 0 {
            return Vec::new();
        }
        vec![format!("{left_out} of the wished `pages` are left out: a site has at most {MAX_PAGES} pages")]
    }

    fn left_out_by_builtin(&self) -> Vec<String> {
        let mut left_out = Vec::new();
        let wished = [
            ("language", self.language.is_some()),
            ("instructions", self.instructions.is_some()),
            ("pages", !self.pages.is_empty()),
            ("pages_only", self.pages_only),
        ];
        left_out.extend(wished.iter().filter(|(_, is_wished)| *is_wished).map(|(name, _)| format!("`{name}`")));
        if left_out.is_empty() {
            return Vec::new();
        }
        vec![format!("the built-in writer cannot follow {}: choose a model for that", left_out.join(", "))]
    }

    /// Adds the pages that are missing and gives those that are there their wished words; gives how many do not fit.
    fn add_pages(&self, plan: &mut Plan) -> usize {
        let mut left_out = 0;
        for wished in &self.pages {
            let known =
                plan.navigation.iter_mut().flat_map(|group| &mut group.pages).find(|page| page.slug == wished.slug);
            if let Some(page) = known {
                page.title = wished.title.to_string();
                if let Some(description) = &wished.description {
                    page.description = description.to_string();
                }
                page.page_type = wished.page_type.unwrap_or(page.page_type);
                continue;
            }
            if plan.pages().count() >= MAX_PAGES {
                left_out += 1;
                continue;
            }
            let page = PlannedPage {
                slug: wished.slug.clone(),
                title: wished.title.to_string(),
                description: wished.description.as_ref().map(ToString::to_string).unwrap_or_default(),
                page_type: wished.page_type.unwrap_or_default(),
            };
            let group = wished.group.as_ref().map_or(GROUP, |group| group.as_str());
            match plan.navigation.iter_mut().find(|known| known.group == group) {
                Some(known) => known.pages.push(page),
                None => plan.navigation.push(NavGroup { group: group.to_owned(), pages: vec![page] }),
            }
        }
        left_out
    }
}
