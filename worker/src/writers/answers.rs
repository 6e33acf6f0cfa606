//! Reads what a model answered: tolerantly about form (fences, prose around, thoughts left in), strictly about content.

mod json;
mod page_text;
mod edits;
mod sections;
mod revision;

use serde_json::Value;
use shared::{
    names::PageSlug,
    plan::{NavGroup, PageType, Plan, PlannedPage, RepoType},
};
use std::collections::{BTreeMap, HashSet};

use super::PlanWish;

pub(crate) use self::{
    edits::apply_edits, json::last_object, page_text::clean_page, revision::read_revision, sections::read_sections,
};

/// Most characters of titles and names, of descriptions and the tagline, and of a version.
const MAX_TITLE_CHARS: usize = 200;
const MAX_DESCRIPTION_CHARS: usize = 1000;
const MAX_VERSION_CHARS: usize = 60;

/// Reads a plan. The error is a sentence for the model, so that it can repair its answer, and for people.
pub(crate) fn read_plan(text: &str, wish: &PlanWish) -> Result<Plan, String> {
    let text = page_text::without_thoughts(text);
    let answer = json::find_object(&text, "navigation").ok_or("the answer holds no JSON object with a `navigation`")?;
    let groups = answer["navigation"].as_array().ok_or("`navigation` is not a list of groups")?;
    let mut taken = HashSet::new();
    let mut navigation = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        let place = format!("navigation[{index}]");
        let title = one_line(&group["group"], MAX_TITLE_CHARS).ok_or_else(|| format!("`{place}.group` is missing"))?;
        let pages = group["pages"].as_array().ok_or_else(|| format!("`{place}.pages` is not a list of pages"))?;
        let pages = pages.iter().enumerate();
        let pages: Vec<PlannedPage> = pages
            .map(|(index, page)| read_page(page, &format!("{place}.pages[{index}]"), &mut taken))
            .collect::<Result<_, _>>()?;
        if !pages.is_empty() {
            navigation.push(NavGroup { group: title, pages });
        }
    }
    let wished_name = || Some(wish.project_name.clone()).filter(|name| !name.is_empty());
    let plan = Plan {
        project_name: one_line(&answer["project_name"], MAX_TITLE_CHARS)
            .or_else(wished_name)
            .ok_or("`project_name` is missing")?,
        tagline: one_line(&answer["tagline"], MAX_DESCRIPTION_CHARS).unwrap_or_default(),
        repo_type: wish.repo_type.unwrap_or_else(|| read_repo_type(&answer["repo_type"])),
        navigation,
        version: one_line(&answer["version"], MAX_VERSION_CHARS),
        language: None,
        redirects: BTreeMap::new(),
    };
    plan.validate().map_err(|error| error.to_string())?;
    Ok(plan)
}

fn read_page(page: &Value, place: &str, taken: &mut HashSet<PageSlug>) -> Result<PlannedPage, String> {
    let title = one_line(&page["title"], MAX_TITLE_CHARS).ok_or_else(|| format!("`{place}.title` is missing"))?;
    let named = one_line(&page["slug"], MAX_TITLE_CHARS).unwrap_or_else(|| title.clone());
    let named = named.strip_suffix(".html").or(named.strip_suffix(".md")).unwrap_or(&named);
    let wanted = PageSlug::slugify(named);
    let numbered = (2..).map(|number| wanted.numbered(number));
    let slug = std::iter::once(wanted.clone()).chain(numbered).find(|slug| !taken.contains(slug));
    let slug = slug.expect("there are more numbers than pages");
    taken.insert(slug.clone());
    Ok(PlannedPage {
        slug,
        title,
        description: one_line(&page["description"], MAX_DESCRIPTION_CHARS).unwrap_or_default(),
        page_type: read_page_type(&page["type"]),
    })
}

fn read_page_type(value: &Value) -> PageType {
    match value.as_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "reference" => PageType::Reference,
        "recipe" => PageType::Recipe,
        "concept" => PageType::Concept,
        _ => PageType::Guide,
    }
}

fn read_repo_type(value: &Value) -> RepoType {
    match value.as_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "tests" => RepoType::Tests,
        "library" => RepoType::Library,
        "framework" => RepoType::Framework,
        _ => RepoType::App,
    }
}

/// A text or number as one line without control characters, cut to `max_chars`; `None` when nothing is left.
fn one_line(value: &Value, max_chars: usize) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let line: String = words.join(" ").chars().take(max_chars).collect();
    Some(line.trim_end().to_owned()).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = r#"{"project_name":"X","repo_type":"Library","version":1.5,"navigation":[
        {"group":"A","pages":[{"slug":"../etc/passwd","title":"One","type":"REFERENCE"},{"slug":"index.html","title":"Two"}]},
        {"group":"Empty","pages":[]},
        {"group":"B","pages":[{"title":"One\nline","slug":"one","type":"novel"},{"slug":"one","title":"Four"}]}]}"#;

    fn wish() -> PlanWish {
        PlanWish { project_name: "wished".into(), ..PlanWish::default() }
    }

    #[test]
    fn slugs_become_safe_and_unique_and_unknown_types_the_default() {
        let plan = read_plan(PLAN, &wish()).unwrap();
        let slugs: Vec<&str> = plan.pages().map(|page| page.slug.as_str()).collect();
        assert_eq!(slugs, ["etc-passwd", "index-page", "one", "one-2"]);
        let types: Vec<PageType> = plan.pages().map(|page| page.page_type).collect();
        assert_eq!(types, [PageType::Reference, PageType::Guide, PageType::Guide, PageType::Guide]);
        assert_eq!(plan.repo_type, RepoType::Library);
        assert_eq!(plan.version.as_deref(), Some("1.5"));
        assert_eq!(plan.navigation.len(), 2);
        assert_eq!(plan.navigation[1].pages[0].title, "One line");
    }

    #[test]
    fn a_plan_is_found_in_fences_prose_thoughts_and_behind_trailing_commas() {
        let expected = read_plan(PLAN, &wish()).unwrap();
        let with_commas = PLAN.replace("]}]}", "],},],}");
        for answer in [
            format!("```json\n{PLAN}\n```"),
            format!("Sure {{here}} it is:\n\n{PLAN}\n\nDo you like it? {{}}"),
            format!("<think>{{\"navigation\": []}}\n</think>\n{PLAN}"),
            format!("Here:\n{with_commas}"),
        ] {
            assert_eq!(read_plan(&answer, &wish()).as_ref(), Ok(&expected), "{answer}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_plan_is_said_with_its_place() {
        for (answer, problem) in [
            ("no idea", "the answer holds no JSON object with a `navigation`"),
            (r#"{"navigation":{}}"#, "`navigation` is not a list of groups"),
            (r#"{"navigation":[{"pages":[]}]}"#, "`navigation[0].group` is missing"),
            (r#"{"navigation":[{"group":"A","pages":[{"slug":"a"}]}]}"#, "`navigation[0].pages[0].title` is missing"),
            (r#"{"navigation":[{"group":"A","pages":[]}]}"#, "the plan has no pages"),
        ] {
            assert_eq!(read_plan(answer, &wish()), Err(problem.to_owned()));
        }
    }

    #[test]
    fn the_wished_kind_of_repository_wins() {
        let wish = PlanWish { repo_type: Some(RepoType::Tests), ..wish() };
        assert_eq!(read_plan(PLAN, &wish).unwrap().repo_type, RepoType::Tests);
    }
}
