//! docsfy's plan becomes ours: slugs that no file of a site may have are renamed, what comes twice or too much is left out.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;
use shared::{
    names::PageSlug,
    plan::{MAX_PAGES, NavGroup, PageType, Plan, PlannedPage, RepoType},
};

use super::folder::is_one_part;

const MAX_TITLE_CHARS: usize = 200;
const MAX_DESCRIPTION_CHARS: usize = 1000;
const MAX_VERSION_CHARS: usize = 60;

/// A plan with what became of docsfy's slugs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImportedPlan {
    pub(super) plan: Plan,
    /// docsfy's slug of each page, in the order of the plan.
    pub(super) docsfy_slugs: Vec<String>,
    /// What was repaired, in sentences.
    pub(super) repairs: Vec<String>,
    /// Pages that are left out, with the reason.
    pub(super) left_out: Vec<(String, String)>,
}

impl ImportedPlan {
    /// Every page with docsfy's slug for it.
    pub(super) fn pages(&self) -> impl Iterator<Item = (&PlannedPage, &str)> {
        self.plan.pages().zip(self.docsfy_slugs.iter().map(String::as_str))
    }
}

/// Reads a plan; the error is a sentence without a subject.
pub(super) fn read(text: &str, project: &str) -> Result<ImportedPlan, String> {
    let json: Value = serde_json::from_str(text).map_err(|_| "is not JSON".to_owned())?;
    let groups = json["navigation"].as_array().ok_or("has no list `navigation`")?;
    let mut reader = Reader::default();
    let mut navigation = Vec::new();
    for group in groups {
        let pages = group["pages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let pages: Vec<PlannedPage> = pages.iter().filter_map(|page| reader.page(page)).collect();
        if !pages.is_empty() {
            let title = line(&group["group"], MAX_TITLE_CHARS).unwrap_or_else(|| "Documentation".into());
            navigation.push(NavGroup { group: title, pages });
        }
    }
    let plan = Plan {
        project_name: line(&json["project_name"], MAX_TITLE_CHARS).unwrap_or_else(|| project.to_owned()),
        tagline: line(&json["tagline"], MAX_DESCRIPTION_CHARS).unwrap_or_default(),
        repo_type: json["repo_type"].as_str().and_then(repo_type).unwrap_or_default(),
        navigation,
        version: line(&json["version"], MAX_VERSION_CHARS),
        language: None,
        redirects: BTreeMap::new(),
    };
    reader.finish(plan)
}

/// A plan for pages that nobody planned: one group, in the order given.
pub(super) fn of_files(slugs: &[String], project: &str) -> Result<ImportedPlan, String> {
    let mut reader = Reader::default();
    let page = |slug: &String| serde_json::json!({ "slug": slug, "title": slug.replace(['-', '_'], " ") });
    let pages = slugs.iter().filter_map(|slug| reader.page(&page(slug))).collect();
    let plan = Plan {
        project_name: project.to_owned(),
        tagline: String::new(),
        repo_type: RepoType::default(),
        navigation: vec![NavGroup { group: "Documentation".into(), pages }],
        version: None,
        language: None,
        redirects: BTreeMap::new(),
    };
    reader.finish(plan)
}

/// The kind of repository by its name.
pub(super) fn repo_type(name: &str) -> Option<RepoType> {
    [RepoType::App, RepoType::Tests, RepoType::Library, RepoType::Framework]
        .into_iter()
        .find(|kind| kind.as_str().eq_ignore_ascii_case(name.trim()))
}

#[derive(Default)]
struct Reader {
    /// docsfy's slugs that were seen.
    seen: HashSet<String>,
    taken: HashSet<PageSlug>,
    docsfy_slugs: Vec<String>,
    repairs: Vec<String>,
    left_out: Vec<(String, String)>,
}

impl Reader {
    fn page(&mut self, page: &Value) -> Option<PlannedPage> {
        let title = line(&page["title"], MAX_TITLE_CHARS);
        let name = page["slug"].as_str().unwrap_or_default();
        if !is_one_part(name) || name.starts_with('.') || name.contains("..") {
            let shown = title.unwrap_or_else(|| name.to_owned());
            self.left_out.push((shown, "docsfy wrote no file for its slug".into()));
            return None;
        }
        if !self.seen.insert(name.to_owned()) {
            self.left_out.push((name.to_owned(), "the plan names it twice; the first place counts".into()));
            return None;
        }
        if self.docsfy_slugs.len() >= MAX_PAGES {
            self.left_out.push((name.to_owned(), format!("a site has at most {MAX_PAGES} pages")));
            return None;
        }
        let slug = self.slug(name);
        self.docsfy_slugs.push(name.to_owned());
        Some(PlannedPage {
            title: title.unwrap_or_else(|| slug.to_string()),
            slug,
            description: line(&page["description"], MAX_DESCRIPTION_CHARS).unwrap_or_default(),
            page_type: page_type(page["type"].as_str().unwrap_or_default()),
        })
    }

    /// The slug itself when a file may have that name, else the nearest one that is free.
    fn slug(&mut self, name: &str) -> PageSlug {
        let wanted = name.parse().unwrap_or_else(|_| PageSlug::slugify(name));
        let numbered = (2..).map(|number| wanted.numbered(number));
        let free = std::iter::once(wanted.clone()).chain(numbered).find(|slug| !self.taken.contains(slug));
        let slug = free.expect("there are more numbers than pages");
        if slug.as_str() != name {
            self.repairs.push(format!("page {} is now {slug}", super::report::shown(name)));
        }
        self.taken.insert(slug.clone());
        slug
    }

    fn finish(self, plan: Plan) -> Result<ImportedPlan, String> {
        plan.validate().map_err(|error| format!("is of no use: {error}"))?;
        let Self { docsfy_slugs, repairs, left_out, .. } = self;
        Ok(ImportedPlan { plan, docsfy_slugs, repairs, left_out })
    }
}

fn page_type(name: &str) -> PageType {
    match name.trim().to_ascii_lowercase().as_str() {
        "reference" => PageType::Reference,
        "recipe" => PageType::Recipe,
        "concept" => PageType::Concept,
        _ => PageType::Guide,
    }
}

/// One line of at most so many characters; `None` when nothing is left.
fn line(value: &Value, max_chars: usize) -> Option<String> {
    let text = value.as_str()?.replace(char::is_control, " ");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text: String = text.chars().take(max_chars).collect();
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan_of(slugs: &[&str]) -> Result<ImportedPlan, String> {
        let pages: Vec<Value> = slugs.iter().map(|slug| serde_json::json!({ "slug": slug, "title": slug })).collect();
        read(&serde_json::json!({ "navigation": [{ "group": "g", "pages": pages }] }).to_string(), "demo")
    }

    #[test]
    fn slugs_that_no_file_may_have_are_renamed_and_stay_apart() {
        let read = plan_of(&["a-b", "A_B", "a b", "index", "v1.2", "ü"]).unwrap();
        let slugs: Vec<_> = read.plan.pages().map(|page| page.slug.as_str()).collect();
        assert_eq!(slugs, ["a-b", "a-b-2", "a-b-3", "index-page", "v1-2", "page"]);
        assert_eq!(read.docsfy_slugs, ["a-b", "A_B", "a b", "index", "v1.2", "ü"]);
        assert_eq!(read.repairs.len(), 5);
    }

    #[test]
    fn slugs_that_lead_elsewhere_and_those_that_come_twice_are_left_out() {
        let read = plan_of(&["../x", "a/b", "a\\b", ".hidden", "", "a..b", "ok", "ok"]).unwrap();
        assert_eq!(read.docsfy_slugs, ["ok"]);
        assert_eq!(read.left_out.len(), 7);
    }

    #[test]
    fn a_plan_of_no_use_says_why() {
        for (text, reason) in [
            ("", "not JSON"),
            ("{}", "navigation"),
            (r#"{"navigation": "x"}"#, "navigation"),
            (r#"{"navigation": []}"#, "no pages"),
            (r#"{"navigation": [1, {"pages": 7}, {"pages": [3, null, {"slug": 4}]}]}"#, "no pages"),
        ] {
            let error = read(text, "demo").unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let many: Vec<String> = (0..600).map(|number| format!("p{number}")).collect();
        let many = plan_of(&many.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
        assert_eq!((many.docsfy_slugs.len(), many.left_out.len()), (500, 100));
    }
}
