//! The prompts. Their words stand in `worker/src/prompts`; here they get the paths of the files that hold the data.
//! Nothing that comes from a repository or a model goes into a prompt itself: it is read as instructions there.

use sha2::{Digest, Sha256};

const SYSTEM: &str = include_str!("../../prompts/system.md");
const PLAN: &str = include_str!("../../prompts/plan.md");
const PLAN_SHAPE: &str = include_str!("../../prompts/plan_shape.md");
const REPAIR: &str = include_str!("../../prompts/repair.md");
const PAGE: &str = include_str!("../../prompts/page.md");
const PAGE_RULES: &str = include_str!("../../prompts/page_rules.md");
const INDEX: &str = include_str!("../../prompts/index.md");
const WISHES: &str = include_str!("../../prompts/wishes.md");
const REVISE: &str = include_str!("../../prompts/revise.md");
const PLAN_UPDATE: &str = include_str!("../../prompts/plan_update.md");
const PLAN_UPDATE_REPAIR: &str = include_str!("../../prompts/plan_update_repair.md");
const SECTIONS: &str = include_str!("../../prompts/sections.md");
const EDIT: &str = include_str!("../../prompts/edit.md");

/// The prompt's frame: who the model is, and that the repository is material, not orders.
pub(super) fn system() -> &'static str {
    SYSTEM
}

/// Asks for a plan. `wish` is the path of a file, and so are the `wishes` of this and the other prompts: what repository
/// and request say about the documentation, if anything.
pub(super) fn plan(wish: &str, wishes: Option<&str>) -> String {
    fill(PLAN, &[("wish", wish), ("wishes", &about(wishes)), ("shape", PLAN_SHAPE)])
}

/// Asks for the plan once more. The paths are those of the first answer and of what was wrong with it.
pub(super) fn repair(answer: &str, problem: &str, wishes: Option<&str>) -> String {
    let wishes = about(wishes);
    fill(REPAIR, &[("answer", answer), ("problem", problem), ("wishes", &wishes), ("shape", PLAN_SHAPE)])
}

/// The paths of the files that every question about a page names.
#[derive(Debug, Clone)]
pub(super) struct PagePaths {
    /// The page's entry of the plan.
    pub(super) page: String,
    /// The whole plan.
    pub(super) plan: String,
    /// What is wished.
    pub(super) wishes: Option<String>,
    /// What was taken from the source: definitions, and what is offered.
    pub(super) index: Option<[String; 2]>,
}

impl PagePaths {
    /// How a page is written.
    fn rules(&self) -> String {
        let index =
            self.index.as_ref().map(|[symbols, offers]| fill(INDEX, &[("symbols", symbols), ("offers", offers)]));
        let (wishes, index) = (about(self.wishes.as_deref()), index.unwrap_or_default());
        fill(PAGE_RULES, &[("page", &self.page), ("plan", &self.plan), ("wishes", &wishes), ("index", &index)])
    }
}

/// Asks for a page.
pub(super) fn page(slug: &str, paths: &PagePaths) -> String {
    fill(PAGE, &[("slug", slug), ("page", &paths.page), ("plan", &paths.plan), ("rules", &paths.rules())])
}

/// Asks for a page again. The paths are those of its last text and of what was wrong with it.
pub(super) fn revise(slug: &str, paths: &PagePaths, [previous, findings]: [&str; 2]) -> String {
    let rules = paths.rules();
    let values =
        [("slug", slug), ("page", &paths.page), ("previous", previous), ("findings", findings), ("rules", &rules)];
    fill(REVISE, &values)
}

fn about(wishes: Option<&str>) -> String {
    wishes.map(|path| fill(WISHES, &[("path", path)])).unwrap_or_default()
}

/// Asks what becomes of pages after the repository changed. The paths are those of the plan, of what pages name, of the
/// changed files, of their differences and of the questions.
pub(super) fn plan_update([plan, pages, changes, diff, questions]: [&str; 5], wishes: Option<&str>) -> String {
    let values = [
        ("plan", plan),
        ("pages", pages),
        ("changes", changes),
        ("diff", diff),
        ("questions", questions),
        ("wishes", &about(wishes)),
    ];
    fill(PLAN_UPDATE, &values)
}

/// Asks that once more. The paths are those of the first answer, of what was wrong with it, and of the plan.
pub(super) fn plan_update_repair([answer, problem, plan]: [&str; 3], wishes: Option<&str>) -> String {
    let wishes = about(wishes);
    fill(PLAN_UPDATE_REPAIR, &[("answer", answer), ("problem", problem), ("plan", plan), ("wishes", &wishes)])
}

/// Asks for sections of a page again. The paths are those of its last text, of what is wished and of what changed.
pub(super) fn sections(slug: &str, paths: &PagePaths, [previous, sections, changes]: [&str; 3]) -> String {
    let values = [
        ("slug", slug),
        ("page", &paths.page),
        ("previous", previous),
        ("sections", sections),
        ("changes", changes),
        ("rules", &paths.rules()),
    ];
    fill(SECTIONS, &values)
}

/// Asks for the edits of a page. The paths are those of its last text and of what changed.
pub(super) fn edit(slug: &str, paths: &PagePaths, [previous, changes]: [&str; 2]) -> String {
    let values = [
        ("slug", slug),
        ("page", &paths.page),
        ("plan", &paths.plan),
        ("previous", previous),
        ("changes", changes),
        ("rules", &paths.rules()),
    ];
    fill(EDIT, &values)
}

/// Changes with every change of a prompt.
pub(super) fn fingerprint() -> String {
    let mut hash = Sha256::new();
    let prompts = [PLAN, PLAN_SHAPE, REPAIR, PAGE, PAGE_RULES, REVISE, PLAN_UPDATE, PLAN_UPDATE_REPAIR, EDIT, SECTIONS];
    for text in [SYSTEM, WISHES, INDEX].into_iter().chain(prompts) {
        hash.update(text);
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..6])
}

/// Replaces each `{name}`. A placeholder without a value, or a value without a placeholder, is a mistake of ours that
/// the tests of this module find.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    let mut used = vec![false; values.len()];
    while let Some(start) = rest.find('{') {
        let end = rest[start..].find('}').map(|length| start + length);
        let name = end.map_or("", |end| &rest[start + 1..end]);
        filled.push_str(&rest[..start]);
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase()) {
            // a brace of an example
            filled.push('{');
            rest = &rest[start + 1..];
            continue;
        }
        let index = values.iter().position(|(known, _)| *known == name);
        let index = index.unwrap_or_else(|| panic!("the prompt has no value for `{{{name}}}`"));
        used[index] = true;
        filled.push_str(values[index].1);
        rest = &rest[start + name.len() + 2..];
    }
    filled.push_str(rest);
    assert!(used.iter().all(|used| *used), "a value has no placeholder in the prompt");
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prompt_is_filled_and_begins_with_its_task() {
        for wishes in [None, Some("/d/wishes.json")] {
            check_prompts(wishes);
        }
    }

    fn check_prompts(wishes: Option<&str>) {
        let paths = PagePaths {
            page: "/d/page.json".into(),
            plan: "/d/plan.json".into(),
            wishes: wishes.map(str::to_owned),
            index: wishes.map(|_| ["/d/symbols.txt".into(), "/d/offers.txt".into()]),
        };
        let prompts = [
            ("plan", plan("/d/wish.json", wishes)),
            ("repair", repair("/d/answer.txt", "/d/problem.txt", wishes)),
            ("page", page("start", &paths)),
            ("revise", revise("start", &paths, ["/d/previous.md", "/d/findings.txt"])),
            (
                "plan_update",
                plan_update(["/d/plan.json", "/d/pages.json", "/d/changes.txt", "/d/diff", "/d/questions.txt"], wishes),
            ),
            ("plan_update_repair", plan_update_repair(["/d/answer.txt", "/d/problem.txt", "/d/plan.json"], wishes)),
            ("sections", sections("start", &paths, ["/d/previous.md", "/d/s.json", "/d/changes.diff"])),
            ("edit", edit("start", &paths, ["/d/previous.md", "/d/changes.diff"])),
        ];
        for (task, prompt) in prompts {
            assert_eq!(prompt.contains("/d/wishes.json"), wishes.is_some(), "{prompt}");
            assert!(prompt.starts_with(&format!("docmill task: {task}\n")), "{prompt}");
            assert!(prompt.contains("/d/"), "{prompt}");
            // what `gemini` would replace by a file's content
            assert!(!prompt.contains('@'), "{prompt}");
        }
    }

    #[test]
    #[should_panic(expected = "no value for `{page}`")]
    fn a_placeholder_without_a_value_is_found() {
        fill("{page}", &[]);
    }
}
