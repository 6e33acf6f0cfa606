//! docsfy's answers to bodies that do not fit, to the letter where they were measured.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};

use super::*;

fn problems(body: &Value) -> Value {
    let problems = read_request(body.as_object().unwrap()).unwrap_err();
    serde_json::to_value(problems).unwrap()
}

fn with(field: &str, value: Value) -> Value {
    let mut body = json!({ "repo_url": "https://github.com/acme/demo" });
    body[field] = value;
    body
}

fn valid(body: &Value) -> ValidRequest {
    read_request(body.as_object().unwrap()).unwrap()
}

#[test]
fn the_smallest_request_has_docsfys_defaults() {
    let request = valid(&json!({ "repo_url": "https://github.com/acme/demo.git", "project_name": "ignored" }));
    assert_eq!(request.source.project_name().unwrap().as_str(), "demo");
    assert_eq!(request.branch.as_str(), "main");
    assert!(!request.force && !request.replace);
    assert_eq!((request.provider, request.model, request.repo_type), (None, None, None));
    assert_eq!(request.call_timeout_minutes, None);
}

#[test]
fn values_are_read_leniently() {
    for spelling in
        [json!(true), json!("true"), json!("YES"), json!("on"), json!(1), json!("1"), json!(1.0), json!("y")]
    {
        assert!(valid(&with("force", spelling.clone())).force, "{spelling}");
        assert!(valid(&with("replace", spelling.clone())).replace, "{spelling}");
    }
    for spelling in [json!(false), json!("No"), json!("f"), json!(0), json!("off")] {
        assert!(!valid(&with("force", spelling.clone())).force, "{spelling}");
        assert!(!valid(&with("replace", spelling.clone())).replace, "{spelling}");
    }
    for spelling in [json!(5), json!("5"), json!(5.0), json!(" 5 "), json!("+5")] {
        assert_eq!(valid(&with("ai_cli_timeout", spelling.clone())).call_timeout_minutes, Some(5), "{spelling}");
    }
    assert_eq!(valid(&with("ai_model", json!(""))).model, None);
    assert_eq!(valid(&with("ai_provider", Value::Null)).provider, None);
    assert_eq!(valid(&with("branch", json!("feat/x"))).branch.as_str(), "feat/x");
}

#[test]
fn a_field_that_does_not_fit_is_named_with_its_input_and_docsfys_sentence() {
    assert_eq!(
        problems(&with("branch", json!("-x"))),
        json!([{"type": "value_error", "loc": ["body", "branch"], "msg": "Value error, Invalid branch name: '-x'",
                "input": "-x", "ctx": {"error": {}}}])
    );
    assert_eq!(
        problems(&json!({ "repo_url": "ftp://host/a/b" })),
        json!([{"type": "value_error", "loc": ["body", "repo_url"],
                "msg": "Value error, Invalid git repository URL: 'ftp://host/a/b'", "input": "ftp://host/a/b",
                "ctx": {"error": {}}}])
    );
    assert_eq!(
        problems(&json!({ "repo_path": "demo" })),
        json!([{"type": "value_error", "loc": ["body", "repo_path"],
                "msg": "Value error, repo_path must be an absolute path", "input": "demo", "ctx": {"error": {}}}])
    );
    assert_eq!(
        problems(&with("ai_cli_timeout", json!(0))),
        json!([{"type": "greater_than", "loc": ["body", "ai_cli_timeout"], "msg": "Input should be greater than 0",
                "input": 0, "ctx": {"gt": 0}}])
    );
    assert_eq!(
        problems(&with("repo_type", json!("game"))),
        json!([{"type": "literal_error", "loc": ["body", "repo_type"],
                "msg": "Input should be 'app', 'tests', 'library' or 'framework'", "input": "game",
                "ctx": {"expected": "'app', 'tests', 'library' or 'framework'"}}])
    );
}

#[test]
fn every_kind_of_misfit_has_docsfys_name() {
    for (field, value, kind, message) in [
        ("repo_url", json!(5), "string_type", "Input should be a valid string"),
        ("branch", Value::Null, "string_type", "Input should be a valid string"),
        ("ai_model", json!([]), "string_type", "Input should be a valid string"),
        ("ai_provider", json!("gpt"), "literal_error", "Input should be 'builtin', 'claude', 'gemini' or 'cursor'"),
        ("ai_provider", json!(5), "literal_error", "Input should be 'builtin', 'claude', 'gemini' or 'cursor'"),
        ("force", json!("maybe"), "bool_parsing", "Input should be a valid boolean, unable to interpret input"),
        ("force", json!(2), "bool_parsing", "Input should be a valid boolean, unable to interpret input"),
        ("force", Value::Null, "bool_type", "Input should be a valid boolean"),
        ("replace", json!("maybe"), "bool_parsing", "Input should be a valid boolean, unable to interpret input"),
        ("force", json!({}), "bool_type", "Input should be a valid boolean"),
        (
            "ai_cli_timeout",
            json!("x"),
            "int_parsing",
            "Input should be a valid integer, unable to parse string as an integer",
        ),
        (
            "ai_cli_timeout",
            json!(1.5),
            "int_from_float",
            "Input should be a valid integer, got a number with a fractional part",
        ),
        ("ai_cli_timeout", json!([]), "int_type", "Input should be a valid integer"),
        ("ai_cli_timeout", json!(-1), "greater_than", "Input should be greater than 0"),
        ("ai_cli_timeout", json!(1e30), "less_than_equal", "Input should be less than or equal to 1440"),
    ] {
        let found = problems(&with(field, value.clone()));
        let first = &found[0];
        assert_eq!((first["type"].as_str(), first["msg"].as_str()), (Some(kind), Some(message)), "{field} {value}");
        assert_eq!(first["loc"], json!(["body", field]));
        assert_eq!(first["input"], value);
        assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    }
}

#[test]
fn what_is_said_about_the_documentation_is_checked_with_its_place() {
    let wished = json!({
        "title": "T", "language": "de", "instructions": "", "include": ["src/"], "exclude": [], "subdirectory": "a/",
        "pages": [{"title": "P"}], "pages_only": false,
    });
    let mut body = wished.as_object().unwrap().clone();
    body.insert("repo_url".into(), json!("https://github.com/acme/demo"));
    let kept = serde_json::to_value(valid(&Value::Object(body)).options).unwrap();
    assert_eq!((&kept["subdirectory"], &kept["pages"]), (&json!("a"), &json!([{"slug": "p", "title": "P"}])));
    assert_eq!(valid(&with("title", Value::Null)).options, RunOptions::default());
    for (field, value, place, kind, words) in [
        ("title", json!("a\nb"), json!(["title"]), "value_error", "in one line"),
        ("title", json!("x".repeat(201)), json!(["title"]), "value_error", "1 to 200 characters, not 201"),
        ("language", json!("german please"), json!(["language"]), "value_error", "such as `en`"),
        ("instructions", json!("x".repeat(8193)), json!(["instructions"]), "value_error", "at most 8192 bytes"),
        ("include", json!("src"), json!(["include"]), "list_type", "valid list"),
        ("exclude", json!(vec!["x"; 101]), json!(["exclude"]), "too_long", "at most 100 items, not 101"),
        ("exclude", json!(["a", "["]), json!(["exclude", 1]), "value_error", "cannot be read"),
        ("subdirectory", json!("../x"), json!(["subdirectory"]), "value_error", "packages/a"),
        (
            "pages",
            json!([{"title": "A", "slug": "a/b"}]),
            json!(["pages", 0, "slug"]),
            "value_error",
            "Invalid page slug",
        ),
        ("pages", json!([{}]), json!(["pages", 0, "title"]), "missing", "Field required"),
        ("pages_only", json!("yes"), json!(["pages_only"]), "bool_type", "valid boolean"),
    ] {
        let found = problems(&with(field, value.clone()));
        let first = &found[0];
        let expected = std::iter::once(json!("body")).chain(place.as_array().unwrap().clone()).collect::<Value>();
        assert_eq!((&first["loc"], &first["type"]), (&expected, &json!(kind)), "{field}");
        assert!(first["msg"].as_str().unwrap().contains(words), "{first}");
        assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    }
}

#[test]
fn all_problems_are_told_at_once_and_the_choice_of_a_source_only_after_them() {
    let both = json!({ "repo_url": "https://github.com/acme/demo", "repo_path": "/srv/demo" });
    for (body, sentence) in [
        (both, "Value error, Provide either 'repo_url' or 'repo_path', not both"),
        (json!({}), "Value error, Either 'repo_url' or 'repo_path' must be provided"),
    ] {
        assert_eq!(
            problems(&body),
            json!([{"type": "value_error", "loc": ["body"], "msg": sentence, "input": body, "ctx": {"error": {}}}])
        );
    }
    let found = problems(&json!({ "force": "maybe", "branch": "..", "ai_cli_timeout": 0 }));
    let fields: Vec<&Value> = found.as_array().unwrap().iter().map(|problem| &problem["loc"][1]).collect();
    assert_eq!(fields, ["ai_cli_timeout", "force", "branch"]);
}

fn body(content_type: Option<&'static str>, bytes: &'static [u8]) -> Body {
    let types = content_type.map(|text| (header::CONTENT_TYPE, HeaderValue::from_static(text)));
    Body { headers: HeaderMap::from_iter(types), bytes: Bytes::from_static(bytes) }
}

fn refused(content_type: Option<&'static str>, bytes: &'static [u8]) -> Value {
    match read_object(&body(content_type, bytes)) {
        Err(ApiError::Validation(problems)) => serde_json::to_value(problems).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_body_that_is_no_object_is_told_as_docsfy_does() {
    let json_type = Some("application/json");
    assert_eq!(
        refused(json_type, b""),
        json!([{"type": "missing", "loc": ["body"], "msg": "Field required", "input": null}])
    );
    assert_eq!(
        refused(json_type, b"{"),
        json!([{"type": "json_invalid", "loc": ["body", 1], "msg": "JSON decode error", "input": {},
                "ctx": {"error": "Expecting property name enclosed in double quotes"}}])
    );
    let message = "Input should be a valid dictionary or object to extract fields from";
    assert_eq!(
        refused(json_type, b"[]"),
        json!([{"type": "model_attributes_type", "loc": ["body"], "msg": message, "input": []}])
    );
    assert_eq!(
        refused(Some("text/plain"), b"{}"),
        json!([{"type": "model_attributes_type", "loc": ["body"], "msg": message, "input": "{}"}])
    );
    assert!(read_object(&body(None, b"{}")).is_ok());
    assert!(read_object(&body(Some("application/problem+json; charset=utf-8"), b"{}")).is_ok());
    assert!(matches!(read_object(&body(json_type, b"\xff")), Err(ApiError::Refused(status, _)) if status == 400));
}

#[test]
fn broken_json_is_told_with_its_place_in_characters() {
    for (text, place, sentence) in [
        (&b"{\"a\": }"[..], 6, "Expecting value"),
        (b"{\"a\" 1}", 5, "Expecting ':' delimiter"),
        (b"{\"a\": 1 \"b\": 2}", 8, "Expecting ',' delimiter"),
        (b"{\"a\": 1} x", 9, "Extra data"),
        ("{\"\u{fc}\": x}".as_bytes(), 6, "Expecting value"),
        (b"{\n\"a\": x}", 7, "Expecting value"),
    ] {
        let found = refused(None, text);
        assert_eq!(found[0]["loc"], json!(["body", place]), "{found}");
        assert_eq!(found[0]["ctx"]["error"], sentence);
    }
}
