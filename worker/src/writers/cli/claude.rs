//! Anthropic's `claude`: how one call is started, and how its answer is read (versions: `script/clis`).

use serde_json::Value;
use shared::provider::Provider;

use super::{
    call::{CallDirs, CallFailed, CallOk, CallSpec, Exit, Launch, Program, count_at, text_at},
    environment::{Environment, base_variables},
    failure::{failure, of_status, unreadable},
};
use crate::writers::{Failure, Usage, WriterError};

/// Turns after which a call is given up.
const MAX_TURNS: u32 = 40;
/// Least money that a call is given.
const SMALLEST_BUDGET_USD: f64 = 0.01;

/// What is started for one call: read-only tools, nothing loaded that the repository brings along.
pub(super) fn launch(spec: &CallSpec, dirs: &CallDirs, program: Program, environment: &Environment) -> Launch {
    let mut arguments = vec!["-p".into(), format!("--model={}", spec.model).into()];
    arguments.extend(["--output-format", "json", "--restricted", "--setting-sources="].map(Into::into));
    arguments.extend(["--strict-mcp-config", "--safe-mode", "--disable-slash-commands"].map(Into::into));
    arguments.extend(["--permission-prompts", "none", "--permission-mode", "dontAsk"].map(Into::into));
    arguments.extend(["--no-session-persistence", "--tools", "Read,Grep,Glob"].map(Into::into));
    arguments.extend(["--max-turns".into(), MAX_TURNS.to_string().into()]);
    if let Some(left_usd) = spec.left_usd {
        // the command takes no smaller one, and a call that is under way may go a little over
        arguments.extend(["--max-budget-usd".into(), format!("{:.4}", left_usd.max(SMALLEST_BUDGET_USD)).into()]);
    }
    arguments.extend(["--system-prompt-file".into(), dirs.system_prompt.clone().into()]);
    arguments.extend(["--add-dir".into(), dirs.data.clone().into()]);

    let mut variables = base_variables(&dirs.home, &dirs.temporary, &program);
    variables.extend([
        ("CLAUDE_CONFIG_DIR".into(), dirs.home.join(".claude").into()),
        ("CLAUDE_CODE_TMPDIR".into(), dirs.temporary.clone().into()),
    ]);
    let quiet = [
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ("DISABLE_AUTOUPDATER", "1"),
        ("DISABLE_TELEMETRY", "1"),
        ("DISABLE_ERROR_REPORTING", "1"),
        ("CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS", "1"),
        // its own ten tries take more than 90 s; the job tries again by itself
        ("CLAUDE_CODE_MAX_RETRIES", "2"),
    ];
    variables.extend(quiet.map(|(name, value)| (name.to_owned(), value.into())));
    variables.extend(environment.passed_to(Provider::Claude));

    Launch {
        program,
        arguments,
        environment: variables,
        home_files: Vec::new(),
        stdin: spec.prompt.clone(),
        is_complete: None,
    }
}

/// Reads the one JSON object that `claude` prints. Code 0 alone is no success, and `subtype` says `success` on errors.
pub(super) fn parse(exit: Exit, stdout: &[u8], stderr: &[u8]) -> Result<CallOk, CallFailed> {
    let answer: Value = match serde_json::from_slice(stdout.trim_ascii()) {
        Ok(answer) if text_at(&answer, "/type") == "result" => answer,
        _ => return Err(unreadable("claude", exit, stdout, stderr).into()),
    };
    let usage = usage(&answer);
    match read_text(exit, &answer) {
        Ok(text) => {
            let denied_tools = answer["permission_denials"].as_array().map_or(0, Vec::len);
            Ok(CallOk { text: text.to_owned(), usage, denied_tools })
        }
        Err(error) => Err(CallFailed { error, usage }),
    }
}

fn read_text(exit: Exit, answer: &Value) -> Result<&str, WriterError> {
    match text_at(answer, "/subtype") {
        "error_max_turns" => return Err(failure(Failure::TurnLimit, "claude", "the call used all its turns")),
        "error_max_budget_usd" => return Err(failure(Failure::BudgetLimit, "claude", "the call used all its money")),
        _ => {}
    }
    let text = text_at(answer, "/result");
    let is_error = answer["is_error"].as_bool().unwrap_or(true);
    if is_error || exit != Exit::Code(0) {
        return Err(failure(class(answer), "claude", first_words(text, answer)));
    }
    if text.trim().is_empty() {
        return Err(failure(Failure::Empty, "claude", "the answer was empty"));
    }
    Ok(text)
}

/// What the call cost; failed ones say it too.
fn usage(answer: &Value) -> Usage {
    Usage {
        input_tokens: count_at(answer, "/usage/input_tokens") + count_at(answer, "/usage/cache_creation_input_tokens"),
        output_tokens: count_at(answer, "/usage/output_tokens"),
        cached_tokens: count_at(answer, "/usage/cache_read_input_tokens"),
        cost_usd: answer["total_cost_usd"].as_f64(),
    }
}

/// What went wrong, by the status of the API where there is one, else by the words of the message.
fn class(answer: &Value) -> Failure {
    if text_at(answer, "/terminal_reason") == "prompt_too_long" {
        return Failure::PromptTooLong;
    }
    let text = text_at(answer, "/result");
    if let Some(status) = answer["api_error_status"].as_u64() {
        return of_status(status, text);
    }
    let says = |part: &str| text.contains(part);
    if says("Not logged in") || says("Invalid API key") {
        Failure::Auth
    } else if text_at(answer, "/stop_reason") == "refusal" || says("safeguards") || says("Usage Policy") {
        Failure::Refused
    } else if says("output token maximum") {
        Failure::Protocol
    } else if says("ECONN") || says("ENOTFOUND") || says("EAI_AGAIN") || says("timed out") || says("onnection") {
        Failure::Network
    } else {
        Failure::Protocol
    }
}

fn first_words<'a>(text: &'a str, answer: &'a Value) -> &'a str {
    if !text.trim().is_empty() {
        return text;
    }
    let listed = text_at(answer, "/errors/0");
    if listed.is_empty() { "the call failed without a reason" } else { listed }
}
