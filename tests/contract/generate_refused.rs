//! Requests for sites that cannot be, in docsfy's order and words (docsfy-behaviour 1.6).

use reqwest::Method;
use serde_json::{Value, json};

use super::{asking::Cx, target::LIBRARY};

const GENERATE: &str = "/api/generate";
const URL: &str = "https://github.com/acme/demo";

/// Every field of a 422 as docsfy sends it.
async fn misfit(cx: &Cx, body: Value, problems: Value) {
    let answer = cx.send(cx.post(GENERATE).json(&body)).await;
    cx.same(&body.to_string(), (answer.status, &answer.json()["detail"]), (422, &problems));
    cx.holds(&body.to_string(), answer.text().starts_with(r#"{"detail":[{"type":"#), &answer.text());
}

fn value_error(field: &str, sentence: &str, input: Value) -> Value {
    let loc = if field.is_empty() { json!(["body"]) } else { json!(["body", field]) };
    json!([{"type": "value_error", "loc": loc, "msg": format!("Value error, {sentence}"), "input": input,
            "ctx": {"error": {}}}])
}

pub(super) async fn sources_that_are_none(cx: Cx) {
    for url in [
        "ftp://github.com/acme/demo",
        "github.com/acme/demo",
        "file:///srv/demo",
        "https://github.com",
        "https://me:secret@github.com/acme/demo",
        "https://github.com/acme/../demo",
        "https://github.com/acme/demo\u{0}",
        "https://github.com/acme/de mo",
        "-u",
        "",
    ] {
        let body = json!({"repo_url": url});
        let answer = cx.answers(cx.post(GENERATE).json(&body), 422).await;
        let problem = &answer.json()["detail"][0];
        cx.same(url, (&problem["type"], &problem["loc"]), (&json!("value_error"), &json!(["body", "repo_url"])));
        let said = problem["msg"].as_str().unwrap_or_default().to_owned();
        cx.holds(url, !said.contains("secret"), &said);
        cx.holds(url, said.starts_with("Value error, Invalid git repository URL: "), &said);
    }
    let sentence = "repo_path must be an absolute path";
    misfit(&cx, json!({"repo_path": "demo"}), value_error("repo_path", sentence, json!("demo"))).await;
    let both = json!({"repo_url": URL, "repo_path": "/srv/demo"});
    let sentence = "Provide either 'repo_url' or 'repo_path', not both";
    misfit(&cx, both.clone(), value_error("", sentence, both)).await;
    for none in [json!({}), json!({"branch": "main"}), json!({"repo_url": null})] {
        let sentence = "Either 'repo_url' or 'repo_path' must be provided";
        misfit(&cx, none.clone(), value_error("", sentence, none)).await;
    }
}

pub(super) async fn branches_that_are_none(cx: Cx) {
    for branch in ["-x", "..", "a..b", "", "a//b", "/a", "a/", "a b", "a\u{0}", "ü", &"a".repeat(201)] {
        let body = json!({"repo_url": URL, "branch": branch});
        let answer = cx.answers(cx.post(GENERATE).json(&body), 422).await;
        let problem = &answer.json()["detail"][0];
        cx.same(branch, &problem["loc"], &json!(["body", "branch"]));
        let said = problem["msg"].as_str().unwrap_or_default().to_owned();
        cx.holds(branch, said.starts_with("Value error, Invalid branch name: '"), &said);
        cx.same(branch, &problem["input"], &json!(branch));
    }
    let sentence = "Invalid branch name: '-x'";
    misfit(&cx, json!({"repo_url": URL, "branch": "-x"}), value_error("branch", sentence, json!("-x"))).await;
}

pub(super) async fn fields_of_other_kinds(cx: Cx) {
    let literal = "Input should be 'builtin', 'claude', 'gemini' or 'cursor'";
    for (field, value, kind, sentence) in [
        ("repo_url", json!(5), "string_type", "Input should be a valid string"),
        ("repo_path", json!([]), "string_type", "Input should be a valid string"),
        ("branch", json!(null), "string_type", "Input should be a valid string"),
        ("branch", json!({}), "string_type", "Input should be a valid string"),
        ("ai_model", json!(5), "string_type", "Input should be a valid string"),
        ("ai_provider", json!("gpt"), "literal_error", literal),
        ("ai_provider", json!("Claude"), "literal_error", literal),
        ("ai_provider", json!([]), "literal_error", literal),
        ("ai_cli_timeout", json!(0), "greater_than", "Input should be greater than 0"),
        ("ai_cli_timeout", json!(-5), "greater_than", "Input should be greater than 0"),
        ("ai_cli_timeout", json!({}), "int_type", "Input should be a valid integer"),
        ("force", json!("maybe"), "bool_parsing", "Input should be a valid boolean, unable to interpret input"),
        ("force", json!([]), "bool_type", "Input should be a valid boolean"),
        ("repo_type", json!("game"), "literal_error", "Input should be 'app', 'tests', 'library' or 'framework'"),
    ] {
        let mut body = json!({ "repo_url": URL });
        body[field] = value.clone();
        let answer = cx.answers(cx.post(GENERATE).json(&body), 422).await;
        let detail = answer.json()["detail"].clone();
        let cell = format!("{field}: {value}");
        cx.same(&cell, detail.as_array().map(Vec::len), Some(1));
        let problem = &detail[0];
        let found = (&problem["type"], &problem["loc"], &problem["msg"], &problem["input"]);
        cx.same(&cell, found, (&json!(kind), &json!(["body", field]), &json!(sentence), &value));
    }
    for model in ["--yolo", "a b", "a/b", "a\u{0}", &"a".repeat(200)] {
        cx.answers(cx.post(GENERATE).json(&json!({"repo_url": URL, "ai_model": model})), 422).await;
    }
    for timeout in [json!(1e300), json!(1441), json!(u64::MAX), json!("1e9")] {
        cx.answers(cx.post(GENERATE).json(&json!({"repo_url": URL, "ai_cli_timeout": timeout})), 422).await;
    }
}

pub(super) async fn bodies_that_are_none(cx: Cx) {
    let ask = |kind: &str, body: &str| cx.post(GENERATE).header("content-type", kind.to_owned()).body(body.to_owned());
    let json_type = "application/json";
    let missing = r#"{"detail":[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]}"#;
    cx.says(ask(json_type, ""), 422, missing).await;
    cx.says(cx.post(GENERATE), 422, missing).await;
    cx.says(ask(json_type, "null"), 422, missing).await;
    let broken = r#"{"detail":[{"type":"json_invalid","loc":["body",1],"msg":"JSON decode error","input":{},"ctx":{"error":"Expecting property name enclosed in double quotes"}}]}"#;
    cx.says(ask(json_type, "{"), 422, broken).await;
    let no_object = |input: &str| {
        format!(
            r#"{{"detail":[{{"type":"model_attributes_type","loc":["body"],"msg":"Input should be a valid dictionary or object to extract fields from","input":{input}}}]}}"#
        )
    };
    cx.says(ask(json_type, "[]"), 422, &no_object("[]")).await;
    cx.says(ask(json_type, "5"), 422, &no_object("5")).await;
    cx.says(ask("text/plain", "{}"), 422, &no_object("\"{}\"")).await;
}

pub(super) async fn the_body_comes_before_the_role_and_the_role_before_the_rest(cx: Cx) {
    let (viewer, user) = (cx.user("viewer").await, cx.user("user").await);
    let by = |who, body: Value| cx.by(who, Method::POST, GENERATE).json(&body);
    cx.answers(by(&viewer, json!({})), 422).await;
    cx.refused(by(&viewer, json!({"repo_url": URL})), 403, "Write access required.").await;
    cx.refused(by(&viewer, json!({"repo_path": "/nowhere"})), 403, "Write access required.").await;
    let sentence = "Local repo path access requires admin privileges";
    cx.refused(by(&user, json!({"repo_path": "/nowhere"})), 403, sentence).await;
    cx.refused(by(&user, json!({"repo_path": cx.target.library.path()})), 403, sentence).await;
}

pub(super) async fn repositories_that_cannot_be_used(cx: Cx) {
    let plain = cx.target.world.folder().join(cx.fresh("plain"));
    std::fs::create_dir(&plain).unwrap();
    let ask = |body: Value| cx.post(GENERATE).json(&body);
    cx.refused(ask(json!({"repo_path": "/nowhere/x"})), 400, "Repository path does not exist: '/nowhere/x'").await;
    let sentence = format!("Not a git repository (no .git directory): '{}'", plain.display());
    cx.refused(ask(json!({"repo_path": plain})), 400, &sentence).await;
    let private = "Repository URL must not target localhost or private networks";
    for host in ["10.0.0.1", "192.168.1.1", "169.254.169.254", "localhost", "0.0.0.0", "[::1]", "[fe80::1]"] {
        cx.refused(ask(json!({"repo_url": format!("https://{host}/acme/demo")})), 400, private).await;
    }
    let resolved = "Repository URL resolves to a private network address";
    for host in ["10.1", "0x0a000001", "167772161"] {
        let answer = cx.answers(ask(json!({"repo_url": format!("https://{host}/acme/demo")})), 400).await;
        let detail = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
        cx.holds(host, detail == private || detail == resolved, &detail);
    }
    cx.refused(ask(json!({"repo_url": "git@10.0.0.1:acme/demo"})), 400, private).await;
    // a name that nobody knows fails in the run
    cx.answers(ask(json!({"repo_url": format!("https://no-such.invalid/acme/{}", cx.fresh("x"))})), 202).await;
}

pub(super) async fn models_that_are_missing_or_wrong(cx: Cx) {
    let ask = |body: Value| cx.post(GENERATE).json(&body);
    let url = cx.target.library_url();
    for provider in ["claude", "gemini", "cursor"] {
        let body = json!({"repo_url": url, "ai_provider": provider});
        cx.refused(ask(body), 400, "AI model must be specified.").await;
    }
    let body = json!({"repo_url": url, "ai_provider": "builtin", "ai_model": "opus"});
    cx.refused(ask(body), 400, "Provider 'builtin' has one model: 'extract'").await;
    let row = cx.send(cx.get(&format!("/api/projects/{LIBRARY}/main/claude/opus"))).await;
    cx.same("nothing was made", row.status, 404);
}
