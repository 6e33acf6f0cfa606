//! Cursor's `agent`: how one call is started, and how its answer is read. Written after its documentation and other
//! people's code: it cannot be had from a registry and talks to no other server than its own.

use serde_json::{Value, json};
use shared::provider::Provider;

use super::{
    call::{CallDirs, CallFailed, CallOk, CallSpec, Exit, Launch, Program, count_at, text_at},
    environment::{Environment, base_variables},
    failure::{failure, unreadable},
};
use crate::writers::{Failure, Usage, WriterError};

/// What is started for one call: the mode that only reads, and a configuration that denies the rest once more.
pub(super) fn launch(spec: &CallSpec, dirs: &CallDirs, program: Program, environment: &Environment) -> Launch {
    let mut arguments = vec!["--print".into(), "--output-format".into(), "stream-json".into(), "--trust".into()];
    arguments.extend(["--workspace".into(), dirs.tree.clone().into()]);
    arguments.extend([format!("--model={}", spec.model).into(), "--mode".into(), "ask".into()]);

    let mut variables = base_variables(&dirs.home, &dirs.temporary, &program);
    variables.extend([
        ("CURSOR_CONFIG_DIR".into(), dirs.home.join(".cursor").into()),
        ("XDG_CONFIG_HOME".into(), dirs.home.join(".config").into()),
    ]);
    variables.extend(environment.passed_to(Provider::Cursor));

    let permissions = json!({
        "version": 1,
        "permissions": {"allow": ["Read(**)"], "deny": ["Write(**)", "Shell(*)", "WebFetch(*)", "Mcp(*:*)"]},
    });
    Launch {
        program,
        arguments,
        environment: variables,
        home_files: vec![(".cursor/cli-config.json", permissions.to_string())],
        stdin: spec.prompt.clone(),
        is_complete: Some(has_result),
    }
}

/// Whether the line that ends an answer is there. The command is known to stay alive behind it now and then.
fn has_result(stdout: &[u8]) -> bool {
    let Some(lines) = stdout.strip_suffix(b"\n") else { return false };
    let last = lines.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    serde_json::from_slice::<Value>(last).is_ok_and(|line| line["type"] == "result")
}

/// Reads one JSON object per line. The answer is the last text of the assistant: `result` may have its thoughts in front.
pub(super) fn parse(exit: Exit, stdout: &[u8], stderr: &[u8]) -> Result<CallOk, CallFailed> {
    let lines = || stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let result = lines().rfind(|line| line["type"] == "result");
    let Some(result) = result else {
        return Err(without_result(exit, stdout, stderr).into());
    };
    let usage = Usage {
        input_tokens: count_at(&result, "/usage/inputTokens") + count_at(&result, "/usage/cacheWriteTokens"),
        output_tokens: count_at(&result, "/usage/outputTokens"),
        cached_tokens: count_at(&result, "/usage/cacheReadTokens"),
        cost_usd: None,
    };
    let failed = |class, reason| Err(CallFailed { error: failure(class, "cursor", reason), usage });
    let is_error = result["is_error"].as_bool().unwrap_or(true);
    if is_error || !matches!(exit, Exit::Code(0) | Exit::Complete) {
        let reason = [text_at(&result, "/result"), text_at(&result, "/subtype"), "the call failed without a reason"];
        let reason = reason.into_iter().find(|reason| !reason.is_empty()).unwrap_or_default();
        return failed(class_of_words(reason), reason);
    }
    let text = last_words(lines()).unwrap_or_else(|| text_at(&result, "/result").to_owned());
    if text.trim().is_empty() {
        return failed(Failure::Empty, "the answer was empty");
    }
    Ok(CallOk { text, usage, denied_tools: 0 })
}

/// The last text of the assistant behind its last use of a tool; `None` when there is no line of it.
fn last_words(lines: impl Iterator<Item = Value>) -> Option<String> {
    lines.fold(None, |words, line| match text_at(&line, "/type") {
        "tool_call" => None,
        "assistant" => {
            Some(assistant_text(&line)).filter(|text| !text.trim().is_empty()).or(words).or(Some(String::new()))
        }
        _ => words,
    })
}

fn assistant_text(line: &Value) -> String {
    let parts = line.pointer("/message/content").and_then(Value::as_array);
    parts.into_iter().flatten().map(|part| text_at(part, "/text")).collect()
}

/// Before anything is billed, the command tells its errors in plain words.
fn without_result(exit: Exit, stdout: &[u8], stderr: &[u8]) -> WriterError {
    let error = unreadable("cursor", exit, stdout, stderr);
    if error.failure != Failure::Protocol {
        return error;
    }
    let said = String::from_utf8_lossy(stderr).into_owned() + &String::from_utf8_lossy(stdout);
    WriterError { failure: class_of_words(&said), message: error.message }
}

fn class_of_words(message: &str) -> Failure {
    let message = message.to_ascii_lowercase();
    let says = |part: &str| message.contains(part);
    if says("cannot use this model") {
        Failure::ModelUnknown
    } else if says("econn") || says("enotfound") || says("network") || says("timed out") {
        Failure::Network
    } else if says("authentication required") || says("invalid api key") || says("not logged in") {
        Failure::Auth
    } else if says("rate limit") || says("usage limit") || says("too many requests") {
        Failure::RateLimited { retry_after: None }
    } else if says("overloaded") || says("unavailable") {
        Failure::Overloaded
    } else {
        Failure::Protocol
    }
}
