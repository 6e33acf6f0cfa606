//! Reading the file, and what becomes of paths and plans. `tests/pipeline/steering.rs` looks at whole runs.

use serde_json::json;
use shared::options::{RunOptions, read_options};

use super::{file::parse, filter::PathFilter, *};
use crate::writers::PlanWish;

fn options(value: &Value) -> RunOptions {
    let (options, problems) = read_options(value.as_object().unwrap());
    assert_eq!(problems, []);
    options
}

fn filter(value: &Value) -> PathFilter {
    let options = options(value);
    let (include, exclude) = (options.include.unwrap_or_default(), options.exclude.unwrap_or_default());
    PathFilter::new(options.subdirectory, include, exclude).unwrap()
}

#[test]
fn globs_are_read_as_in_gitignore() {
    for (wished, path, allowed) in [
        (json!({}), "any/thing", true),
        (json!({}), "docmill.toml", false),
        (json!({}), ".docmill/config.toml", false),
        (json!({}), "sub/docmill.toml", true),
        (json!({"exclude": ["*.md"]}), "a/b/c.md", false),
        (json!({"exclude": ["/*.md"]}), "a/b.md", true),
        (json!({"exclude": ["/*.md"]}), "b.md", false),
        (json!({"exclude": ["docs"]}), "a/docs/b/c.md", false),
        (json!({"exclude": ["docs/"]}), "a/docs", true),
        (json!({"exclude": ["docs/"]}), "a/docs/b", false),
        (json!({"exclude": ["docs/old"]}), "docs/old/a/b", false),
        (json!({"exclude": ["docs/old"]}), "x/docs/old/a", true),
        (json!({"exclude": ["a/*/c"]}), "a/b/b/c", true),
        (json!({"exclude": ["a/**/c"]}), "a/b/b/c", false),
        (json!({"exclude": ["docs/", "!docs/api/"]}), "docs/api/x", true),
        (json!({"exclude": ["docs/", "!docs/api/"]}), "docs/x", false),
        (json!({"exclude": ["!docs/api/", "docs/"]}), "docs/api/x", false),
        (json!({"include": ["src/"]}), "src/a", true),
        (json!({"include": ["src/"]}), "lib/a", false),
        (json!({"include": ["src/"], "exclude": ["*_test.rs"]}), "src/a_test.rs", false),
        (json!({"include": ["*.{c,h}"]}), "a/b.h", true),
        (json!({"subdirectory": "a"}), "a/b", true),
        (json!({"subdirectory": "a"}), "ab/c", false),
        (json!({"subdirectory": "a", "include": ["/a/src"]}), "a/src/x", true),
        (json!({"subdirectory": "a", "include": ["/src"]}), "a/src/x", false),
    ] {
        assert_eq!(filter(&wished).allows(path), allowed, "{wished} {path}");
    }
    assert_eq!(filter(&json!({"subdirectory": "a"})).seen("a/b/c"), "b/c");
}

#[test]
fn a_file_that_cannot_be_used_is_told_and_never_fails() {
    let deep = format!("a = {}", "[".repeat(30_000));
    let dotted = format!("{} = 1", vec!["a"; 30_000].join("."));
    for (bytes, why) in [
        (&b"title = "[..], "it is no TOML, line 1"),
        (b"\n\ntitle ! 5", "it is no TOML, line 3"),
        (b"title = \"\xff\"", "it is not UTF-8"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (deep.as_bytes(), "it is no TOML"),
        (dotted.as_bytes(), "it is no TOML"),
        (b"title = \"a\0\"", "it is no TOML"),
    ] {
        let (file, warnings) = parse("docmill.toml", bytes);
        assert_eq!((file.options, file.repo_type, file.refusal), (RunOptions::default(), None, None));
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with("`docmill.toml` is ignored: ") && warnings[0].contains(why), "{warnings:?}");
        assert!(!warnings[0].chars().any(char::is_control), "{warnings:?}");
    }
}

#[test]
fn a_no_counts_however_broken_the_file_is() {
    for text in [
        "generate = false",
        "generate = \"False\"",
        "generate=false # no thanks\ntitle = ",
        "title = \"\n generate = 'false'",
        "title = 5\ngenerate = false\nwhat = 1",
    ] {
        let (file, _) = parse(".docmill/config.toml", text.as_bytes());
        let sentence = file.refusal.unwrap();
        assert!(sentence.contains("opted out") && sentence.contains(".docmill/config.toml"), "{sentence}");
    }
    for text in ["generate = true", "", "# generate = false", "generate = 0", "[x]\ngenerate = false"] {
        assert_eq!(parse("docmill.toml", text.as_bytes()).0.refusal, None, "{text}");
    }
}

#[test]
fn unknown_and_wrong_keys_are_told_in_short_and_the_rest_holds() {
    let mut text =
        "title = \"T\"\nlanguage = 5\nrepo_type = \"game\"\ngenerate = 1\ninclude = [\"a\", \"[\"]\n".to_owned();
    for number in 0..1000 {
        text.push_str(&format!("unknown{number} = 1\n\"a\\nb`{number}\" = 2\n"));
    }
    let (file, warnings) = parse("docmill.toml", text.as_bytes());
    assert_eq!(file.options, options(&json!({"title": "T", "include": ["a"]})));
    assert_eq!(warnings.len(), 5, "{warnings:?}");
    for (warning, start) in warnings.iter().zip([
        "`docmill.toml`: `generate` is ignored",
        "`docmill.toml`: `repo_type` is ignored",
        "`docmill.toml`: `language` is ignored",
        "`docmill.toml`: `include[1]` is ignored",
        "`docmill.toml`: unknown keys are ignored: `a?b?0`",
    ]) {
        assert!(warning.starts_with(start) && warning.len() < 1000, "{warning}");
        assert!(!warning.contains('\n'), "{warning}");
    }
    assert!(warnings[4].ends_with("and 1990 more"), "{}", warnings[4]);
}

fn steering(value: &Value) -> Steering {
    let options = options(value);
    Steering {
        title: options.title.clone(),
        language: options.language.clone(),
        instructions: options.instructions.clone(),
        filter: filter(value),
        pages: options.pages.unwrap_or_default(),
        pages_only: options.pages_only.unwrap_or_default(),
        ..Steering::default()
    }
}

fn plan() -> shared::plan::Plan {
    let plan = json!({"project_name": "x", "navigation": [
        {"group": "Guide", "pages": [{"slug": "a", "title": "A", "description": "about a"}]},
    ]});
    serde_json::from_value(plan).unwrap()
}

#[test]
fn wished_pages_join_their_group_and_known_ones_get_the_wished_words() {
    let steering = steering(&json!({"title": "T", "language": "de", "pages": [
        {"title": "Anders", "slug": "a", "type": "concept"}, {"title": "B", "group": "Guide"},
        {"title": "C", "group": "New"}, {"title": "D"}, {"title": "E", "group": "New"},
    ]}));
    let mut made = plan();
    assert_eq!(steering.apply(&mut made, true), Vec::<String>::new());
    made.validate().unwrap();
    assert_eq!((made.project_name.as_str(), made.language.as_ref().unwrap().as_str()), ("T", "de"));
    let groups: Vec<(&str, Vec<&str>)> = made
        .navigation
        .iter()
        .map(|group| (group.group.as_str(), group.pages.iter().map(|page| page.title.as_str()).collect()))
        .collect();
    assert_eq!(groups, [("Guide", vec!["Anders", "B"]), ("New", vec!["C", "E"]), ("Documentation", vec!["D"])]);
    let known = made.pages().next().unwrap();
    assert_eq!((known.description.as_str(), known.page_type), ("about a", shared::plan::PageType::Concept));
}

#[test]
fn fixed_pages_are_a_plan_and_the_built_in_writer_says_what_it_cannot() {
    let fixed = steering(&json!({"pages": [{"title": "Only"}], "pages_only": true, "language": "de"}));
    let wish = PlanWish { project_name: "demo".into(), ..PlanWish::default() };
    let made = fixed.fixed_plan(&wish).unwrap();
    made.validate().unwrap();
    assert_eq!((made.project_name.as_str(), made.pages().count()), ("demo", 1));
    assert!(steering(&json!({"pages": [{"title": "Only"}]})).fixed_plan(&wish).is_none());
    let mut extracted = plan();
    let told = fixed.apply(&mut extracted, false);
    assert_eq!(extracted, plan());
    assert_eq!(told, ["the built-in writer cannot follow `language`, `pages`, `pages_only`: choose a model for that"]);
}

#[test]
fn the_digest_changes_with_what_words_depend_on() {
    let wishes = [
        json!({"title": "T"}),
        json!({"language": "de"}),
        json!({"instructions": "x"}),
        json!({"include": ["a"]}),
        json!({"exclude": ["a"]}),
        json!({"subdirectory": "a"}),
        json!({"pages": [{"title": "T"}]}),
    ];
    let digests: std::collections::HashSet<String> =
        wishes.iter().map(|wished| steering(wished).digest().unwrap()).collect();
    assert_eq!(digests.len(), wishes.len());
    assert_eq!(Steering::default().digest(), None);
    assert_eq!(steering(&wishes[3]).digest(), steering(&wishes[3]).digest());
}
