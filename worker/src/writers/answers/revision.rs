//! Reads what a model says about a plan after the repository changed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use shared::{names::PageSlug, plan::Plan};

use super::{super::PlanRevision, json::find_object, page_text, read_plan};
use crate::writers::PlanWish;

/// Reads the revision of a plan. The error is a sentence for the model, so that it can repair its answer, and for people.
/// Every page of the old plan is accounted for: a model that forgets pages must not delete them.
pub(crate) fn read_revision(text: &str, base: &Plan) -> Result<PlanRevision, String> {
    let answer = find_object(&page_text::without_thoughts(text), "affected")
        .ok_or("the answer holds no JSON object with a list `affected`")?;
    let wish = PlanWish { repo_type: Some(base.repo_type), project_name: base.project_name.clone(), repo_url: None };
    let plan = match &answer["navigation"] {
        Value::Null => None,
        _ => Some(read_plan(&answer.to_string(), &wish)?),
    };
    let revision = PlanRevision {
        plan,
        renamed: read_renamed(&answer["renamed"], base)?,
        removed: read_slugs(&answer["removed"], "removed")?,
        affected: read_slugs(&answer["affected"], "affected")?,
    };
    check(base, &revision)?;
    Ok(revision)
}

fn read_slugs(value: &Value, name: &str) -> Result<BTreeSet<PageSlug>, String> {
    if value.is_null() {
        return Ok(BTreeSet::new());
    }
    let slugs = value.as_array().ok_or_else(|| format!("`{name}` is not a list of slugs"))?;
    // what is no slug is the slug of no page
    Ok(slugs.iter().filter_map(read_slug).collect())
}

fn read_slug(value: &Value) -> Option<PageSlug> {
    let text = value.as_str()?.trim();
    text.strip_suffix(".html").or(text.strip_suffix(".md")).unwrap_or(text).parse().ok()
}

/// Old slugs of pages of the base, and their new ones.
fn read_renamed(value: &Value, base: &Plan) -> Result<BTreeMap<PageSlug, PageSlug>, String> {
    if value.is_null() {
        return Ok(BTreeMap::new());
    }
    let renamed = value.as_object().ok_or("`renamed` is not an object of old and new slugs")?;
    let pairs = renamed.iter().filter_map(|(old, new)| Some((old.trim().parse().ok()?, read_slug(new)?)));
    Ok(pairs.filter(|(old, _)| base.page(old).is_some()).collect())
}

fn check(base: &Plan, revision: &PlanRevision) -> Result<(), String> {
    let Some(plan) = &revision.plan else { return Ok(()) };
    let mut missing = Vec::new();
    for slug in base.pages().map(|page| &page.slug).filter(|slug| plan.page(slug).is_none()) {
        match revision.renamed.get(slug) {
            Some(new) if plan.page(new).is_none() => {
                return Err(format!("`renamed` says that `{slug}` became `{new}`, which is no page of `navigation`"));
            }
            Some(_) => {}
            None if revision.removed.contains(slug) => {}
            None => missing.push(slug.as_str()),
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let slugs = missing.join(", ");
    Err(format!("these pages of the present plan are neither in `navigation` nor in `removed` or `renamed`: {slugs}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Plan {
        let plan = r#"{"project_name":"X","repo_type":"library","navigation":[{"group":"A","pages":[
            {"slug":"one","title":"One"},{"slug":"two","title":"Two"},{"slug":"three","title":"Three"}]}]}"#;
        serde_json::from_str(plan).unwrap()
    }

    #[test]
    fn a_plan_that_stays_is_not_given_again() {
        let revision = read_revision(r#"Sure: {"affected": ["two.html", "no slug!", 5]}"#, &base()).unwrap();
        assert_eq!(revision.plan, None);
        assert_eq!(revision.affected.iter().map(PageSlug::as_str).collect::<Vec<_>>(), ["two"]);
    }

    #[test]
    fn pages_come_go_and_are_renamed() {
        let answer = r#"{"affected":[],"removed":["three"],"renamed":{"two":"zwei","unknown":"x"},"navigation":[{"group":"A",
            "pages":[{"slug":"one","title":"One"},{"slug":"zwei","title":"Two"},{"slug":"four","title":"Four"}]}]}"#;
        let revision = read_revision(answer, &base()).unwrap();
        let plan = revision.plan.unwrap();
        assert_eq!(plan.pages().map(|page| page.slug.as_str()).collect::<Vec<_>>(), ["one", "zwei", "four"]);
        assert_eq!((plan.project_name.as_str(), plan.repo_type), ("X", base().repo_type));
        let renamed: Vec<_> = revision.renamed.iter().map(|(old, new)| (old.as_str(), new.as_str())).collect();
        assert_eq!(renamed, [("two", "zwei")]);
    }

    #[test]
    fn pages_that_are_forgotten_or_lead_nowhere_are_said() {
        let one = r#""navigation":[{"group":"A","pages":[{"slug":"one","title":"One"}]}]"#;
        for (answer, problem) in [
            ("no idea".to_owned(), "the answer holds no JSON object with a list `affected`"),
            (r#"{"affected":"one"}"#.to_owned(), "`affected` is not a list of slugs"),
            (r#"{"affected":[],"renamed":[]}"#.to_owned(), "`renamed` is not an object of old and new slugs"),
            (r#"{"affected":[],"navigation":[]}"#.to_owned(), "the plan has no pages"),
            (
                format!(r#"{{"affected":[],"removed":["two"],{one}}}"#),
                "these pages of the present plan are neither in `navigation` nor in `removed` or `renamed`: three",
            ),
            (
                format!(r#"{{"affected":[],"renamed":{{"two":"zwei"}},"removed":["three"],{one}}}"#),
                "`renamed` says that `two` became `zwei`, which is no page of `navigation`",
            ),
        ] {
            assert_eq!(read_revision(&answer, &base()), Err(problem.to_owned()), "{answer}");
        }
    }
}
