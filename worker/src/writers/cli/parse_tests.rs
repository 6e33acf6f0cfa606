//! What is made of answers that the real command lines gave (`recorded`, written by `record_answers`), and of those that
//! are known from their documentation and other people's code.

use std::{fs, path::Path};

use serde_json::Value;

use super::*;
use Failure::{
    Auth, BudgetLimit, Empty, Host, Killed, ModelUnknown, Network, NotInstalled, Overloaded, PromptTooLong, Protocol,
    Refused, TurnLimit,
};

const RATE_LIMITED: Failure = Failure::RateLimited { retry_after: None };

fn recorded(name: &str) -> Result<CallOk, CallFailed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/writers/cli/recorded");
    let file: Value = serde_json::from_slice(&fs::read(folder.join(format!("{name}.json"))).unwrap()).unwrap();
    let provider = name.split('-').next().unwrap().parse().unwrap();
    let exit = Exit::Code(i32::try_from(file["code"].as_i64().unwrap()).unwrap());
    let bytes = |key: &str| file[key].as_str().unwrap().as_bytes().to_owned();
    parse(provider, exit, &bytes("stdout"), &bytes("stderr"))
}

#[test]
fn every_recorded_failure_has_its_class_and_a_sentence() {
    let expected = [
        ("claude-fail-400", Refused, "400 the request is wrong"),
        ("claude-fail-401", Auth, "check ANTHROPIC_API_KEY of the worker"),
        ("claude-fail-403", Auth, "403 not allowed"),
        ("claude-fail-404", ModelUnknown, "issue with the selected model"),
        ("claude-fail-429", RATE_LIMITED, "(429)"),
        ("claude-fail-500", Overloaded, "500"),
        ("claude-fail-503", Overloaded, "503"),
        ("claude-fail-529", Overloaded, "Overloaded"),
        ("claude-too-long", PromptTooLong, "too long"),
        ("claude-drop", Network, "ECONNRESET"),
        ("claude-refused", Network, "ECONNREFUSED"),
        ("claude-empty", Empty, "the answer was empty"),
        ("claude-refusal", Refused, "flagged this message"),
        ("claude-max-tokens", Protocol, "output token maximum"),
        ("claude-tools", TurnLimit, "all its turns"),
        ("claude-no-key", Auth, "check ANTHROPIC_API_KEY of the worker"),
        ("claude-no-prompt", Protocol, "Input must be provided"),
        ("claude-bad-flag", NotInstalled, "does not know an option"),
        ("gemini-fail-400", Auth, "API key not valid. Please pass a valid API key. (check GEMINI_API_KEY"),
        ("gemini-fail-401", Auth, "invalid authentication credentials"),
        ("gemini-fail-403", Auth, "does not have permission"),
        ("gemini-fail-404", ModelUnknown, "not found"),
        ("gemini-fail-429", RATE_LIMITED, "exceeded your current quota"),
        ("gemini-fail-500", Overloaded, "internal error"),
        ("gemini-fail-503", Overloaded, "overloaded"),
        ("gemini-fail-529", Overloaded, "internal error"),
        ("gemini-too-long", PromptTooLong, "exceeds the maximum"),
        ("gemini-drop", Network, "terminated"),
        ("gemini-refused", Network, "fetch failed"),
        ("gemini-empty", Empty, "empty response"),
        ("gemini-refusal", Refused, "blocked due to safety settings"),
        ("gemini-tools", TurnLimit, "all its turns"),
        ("gemini-no-key", Auth, "check GEMINI_API_KEY of the worker"),
        ("gemini-no-prompt", Empty, "gemini"),
        ("gemini-bad-flag", NotInstalled, "does not know an option"),
        ("gemini-untrusted", Host, "gemini"),
    ];
    for (name, class, words) in expected {
        let error = recorded(name).unwrap_err().error;
        assert_eq!(error.failure, class, "{name}: {error}");
        assert!(error.message.contains(words), "{name}: {error}");
    }
}

#[test]
fn recorded_answers_are_read_with_what_they_cost() {
    for name in ["claude-fake", "gemini-fake"] {
        let answer = recorded(name).unwrap();
        assert!(answer.text.contains("# Page 2"), "{}", answer.text);
        assert_eq!((answer.usage.output_tokens, answer.usage.cached_tokens), (100, 20), "{name}");
    }
    let claude = recorded("claude-fake").unwrap().usage;
    assert_eq!(claude.input_tokens, 210);
    assert!(claude.cost_usd.unwrap() > 0.0);
    assert_eq!(recorded("gemini-fake").unwrap().usage.cost_usd, None);
}

#[test]
fn a_failure_says_what_it_cost() {
    let failed = recorded("claude-tools").unwrap_err();
    assert_eq!(failed.error.failure, TurnLimit);
    assert!(failed.usage.cost_usd.unwrap() > 0.0 && failed.usage.input_tokens > 0, "{:?}", failed.usage);
}

/// `gemini` does not tell that an answer was cut off; whoever checks pages has to see it.
#[test]
fn gemini_hides_that_an_answer_was_cut_off() {
    assert_eq!(recorded("gemini-max-tokens").unwrap().text, "# Page\n\nhalf a sen");
}

#[test]
fn what_a_signal_leaves_behind_is_no_answer() {
    for provider in [Provider::Claude, Provider::Gemini, Provider::Cursor] {
        // their handlers of SIGTERM and SIGINT end some of them with code 0 and nothing printed
        for exit in [Exit::Code(0), Exit::Code(143), Exit::Signal(9)] {
            assert_eq!(parse(provider, exit, b"", b"").unwrap_err().error.failure, Killed, "{provider} {exit:?}");
        }
        let half = parse(provider, Exit::Code(0), br#"{"type":"result","resu"#, b"").unwrap_err().error;
        assert_eq!(half.failure, Protocol, "{provider}");
    }
}

#[test]
fn limits_are_told_as_limits() {
    let budget =
        br#"{"type":"result","subtype":"error_max_budget_usd","is_error":true,"terminal_reason":"budget_exhausted"}"#;
    assert_eq!(parse(Provider::Claude, Exit::Code(1), budget, b"").unwrap_err().error.failure, BudgetLimit);
    let credit = br#"{"type":"result","subtype":"success","is_error":true,"result":"Credit balance is too low","api_error_status":400}"#;
    assert_eq!(parse(Provider::Claude, Exit::Code(1), credit, b"").unwrap_err().error.failure, Auth);
    let looped = br#"{"response":"","stats":{},"warnings":["Loop detected, stopping execution"]}"#;
    let error = parse(Provider::Gemini, Exit::Code(0), looped, b"").unwrap_err().error;
    assert_eq!((error.failure, error.message.contains("Loop detected")), (Empty, true));
}

const CURSOR_ANSWER: &str = r##"{"type":"system","subtype":"init","session_id":"s","model":"m","cwd":"/"}
{"type":"assistant","message":{"role":"assistant","content":[{"type":"text","text":"I look."}]}}
{"type":"tool_call","subtype":"completed","call_id":"1","tool_call":{"readToolCall":{}}}
{"type":"assistant","message":{"role":"assistant","content":[{"type":"text","text":"# Title"},{"type":"text","text":"\n\nText."}]}}
{"type":"result","subtype":"success","is_error":false,"result":"I look.# Title\n\nText.","duration_ms":5,"usage":{"inputTokens":7,"outputTokens":5,"cacheReadTokens":3,"cacheWriteTokens":2}}
"##;

#[test]
fn the_answer_of_cursor_is_the_last_text_of_the_assistant() {
    for exit in [Exit::Code(0), Exit::Complete] {
        let answer = parse(Provider::Cursor, exit, CURSOR_ANSWER.as_bytes(), b"").unwrap();
        assert_eq!(answer.text, "# Title\n\nText.");
        assert_eq!((answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.cached_tokens), (9, 5, 3));
    }
}

#[test]
fn failures_of_cursor_are_told_by_their_words() {
    let plain = [
        ("Cannot use this model: x. Available models: auto, y", ModelUnknown),
        ("Authentication required. Please run 'agent login' first", Auth),
        ("Error: [unavailable] read ECONNRESET", Network),
        ("You have hit your usage limit", RATE_LIMITED),
        ("something else", Protocol),
    ];
    for (words, class) in plain {
        let error = parse(Provider::Cursor, Exit::Code(1), b"", words.as_bytes()).unwrap_err().error;
        assert_eq!(error.failure, class, "{words}");
        assert!(error.message.contains(words), "{error}");
    }
    let failed = CURSOR_ANSWER.replace("\"is_error\":false", "\"is_error\":true");
    assert!(parse(Provider::Cursor, Exit::Code(0), failed.as_bytes(), b"").is_err());
}
