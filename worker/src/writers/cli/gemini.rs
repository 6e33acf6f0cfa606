//! Google's `gemini`: how one call is started, and how its answer is read (versions: `script/clis`).

use serde_json::{Value, json};
use shared::provider::Provider;

use super::{
    call::{CallDirs, CallFailed, CallOk, CallSpec, Exit, Launch, Program, count_at, text_at},
    environment::{Environment, base_variables},
    failure::{failure, of_status, unreadable},
};
use crate::writers::{Failure, Usage, WriterError, answers};

/// Turns after which a call is given up.
const MAX_TURNS: u32 = 40;

/// What is started for one call. Restricted mode makes the folder untrusted, and the settings we write switch off the
/// refusal to work in one: then nothing that the repository brings along is loaded, and only tools that read are there.
pub(super) fn launch(spec: &CallSpec, dirs: &CallDirs, program: Program, environment: &Environment) -> Launch {
    let mut arguments = vec![format!("--model={}", spec.model).into()];
    arguments.extend(["--output-format", "json", "--include-directories"].map(Into::into));
    arguments.push(dirs.data.clone().into());

    let mut variables = base_variables(&dirs.home, &dirs.temporary, &program);
    variables.extend([
        ("GEMINI_CLI_HOME".into(), dirs.home.clone().into()),
        ("GEMINI_SYSTEM_MD".into(), dirs.system_prompt.clone().into()),
    ]);
    let quiet = [
        ("GEMINI_RESTRICTED_MODE", "true"),
        ("GEMINI_CLI_TRUST_WORKSPACE", "false"),
        // without it the command is two processes, of which a signal ends one
        ("GEMINI_CLI_NO_RELAUNCH", "true"),
        ("GEMINI_TELEMETRY_ENABLED", "false"),
    ];
    variables.extend(quiet.map(|(name, value)| (name.to_owned(), value.into())));
    variables.extend(environment.passed_to(Provider::Gemini));

    Launch {
        program,
        arguments,
        environment: variables,
        home_files: vec![(".gemini/settings.json", settings().to_string())],
        stdin: spec.prompt.clone(),
        is_complete: None,
    }
}

fn settings() -> Value {
    json!({
        "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": false}},
        "general": {"enableAutoUpdate": false, "enableAutoUpdateNotification": false, "maxAttempts": 3},
        "privacy": {"usageStatisticsEnabled": false},
        "telemetry": {"enabled": false},
        "advanced": {"ignoreLocalEnv": true},
        "tools": {"core": ["read_file", "list_directory", "grep_search", "glob"]},
        "model": {"maxSessionTurns": MAX_TURNS},
    })
}

/// Reads the object on stdout, or, when the call failed, the last object on stderr, behind warnings and stack traces.
pub(super) fn parse(exit: Exit, stdout: &[u8], stderr: &[u8]) -> Result<CallOk, CallFailed> {
    let Exit::Code(code) = exit else {
        return Err(unreadable("gemini", exit, stdout, stderr).into());
    };
    if code != 0 {
        return Err(failed(code, stdout, stderr).into());
    }
    let Ok(answer) = serde_json::from_slice::<Value>(stdout.trim_ascii()) else {
        return Err(unreadable("gemini", exit, stdout, stderr).into());
    };
    let usage = usage(&answer);
    let failed = |class, reason| Err(CallFailed { error: failure(class, "gemini", reason), usage });
    let text = text_at(&answer, "/response");
    if text.trim().is_empty() {
        let reason = [text_at(&answer, "/error/message"), text_at(&answer, "/warnings/0"), "the answer was empty"];
        let reason = reason.into_iter().find(|reason| !reason.is_empty()).unwrap_or_default();
        let class = if reason.contains("blocked") { Failure::Refused } else { Failure::Empty };
        return failed(class, reason);
    }
    if answer["error"].is_object() {
        return failed(Failure::Protocol, text_at(&answer, "/error/message"));
    }
    Ok(CallOk { text: text.to_owned(), usage, denied_tools: 0 })
}

fn failed(code: i32, stdout: &[u8], stderr: &[u8]) -> WriterError {
    let told = answers::last_object(&String::from_utf8_lossy(stderr)).filter(|told| told["error"].is_object());
    let message = told.as_ref().map(|told| inner_message(text_at(told, "/error/message"))).unwrap_or_default();
    let message = message.as_str();
    // the exit code is the HTTP status cut to eight bits, the object has the whole of it
    let status = told.as_ref().map_or(0, |told| count_at(told, "/error/code"));
    let class = match (code, status) {
        (_, 400..) => of_status(status, message),
        (41, _) => Failure::Auth,
        (42, _) => Failure::Empty,
        (53, _) => Failure::TurnLimit,
        (55, _) => Failure::Host,
        _ => class_of_words(message),
    };
    if message.is_empty() && class == Failure::Protocol {
        return unreadable("gemini", Exit::Code(code), stdout, stderr);
    }
    let reason = match class {
        Failure::TurnLimit => "the call used all its turns",
        _ if message.is_empty() => "the call failed without a reason",
        _ => message,
    };
    failure(class, "gemini", reason)
}

/// The provider's message, which may stand as JSON inside of the command's.
fn inner_message(message: &str) -> String {
    let inner = serde_json::from_str::<Value>(message).unwrap_or_default();
    let inner = text_at(&inner, "/error/message");
    if inner.is_empty() { message.to_owned() } else { inner.to_owned() }
}

fn class_of_words(message: &str) -> Failure {
    let message = message.to_ascii_lowercase();
    let says = |part: &str| message.contains(part);
    if says("not found") || says("notfound") {
        Failure::ModelUnknown
    } else if says("fetch failed")
        || says("terminated")
        || says("econn")
        || says("enotfound")
        || says("eai_again")
        || says("timed out")
    {
        Failure::Network
    } else if says("quota") || says("resource_exhausted") {
        Failure::RateLimited { retry_after: None }
    } else if says("api key") {
        Failure::Auth
    } else {
        Failure::Protocol
    }
}

/// Adds up what every model of the call was used for; the prompt's tokens are those read anew and those cached.
fn usage(answer: &Value) -> Usage {
    let mut usage = Usage::default();
    for model in
        answer.pointer("/stats/models").and_then(Value::as_object).into_iter().flat_map(|models| models.values())
    {
        usage.add(Usage {
            input_tokens: count_at(model, "/tokens/input"),
            output_tokens: count_at(model, "/tokens/candidates") + count_at(model, "/tokens/thoughts"),
            cached_tokens: count_at(model, "/tokens/cached"),
            cost_usd: None,
        });
    }
    usage
}
