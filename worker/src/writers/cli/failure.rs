//! What a failed call is told as: its class, and one sentence. The sentence is made fit to be shown in `redact`.

use super::call::Exit;
use crate::writers::{Failure, WriterError};

/// An error of a command line, its name in front.
pub(super) fn failure(class: Failure, command: &str, reason: &str) -> WriterError {
    let key = match command {
        "claude" => "ANTHROPIC_API_KEY",
        "gemini" => "GEMINI_API_KEY",
        _ => "CURSOR_API_KEY",
    };
    // what the commands advise to do about keys is meant for those who sit in front of them
    let advice = if class == Failure::Auth { format!(" (check {key} of the worker)") } else { String::new() };
    WriterError { failure: class, message: format!("{command}: {}{advice}", reason.trim()) }
}

/// The class of an HTTP status that a provider answered with.
pub(super) fn of_status(status: u64, message: &str) -> Failure {
    let says = |part: &str| message.to_ascii_lowercase().contains(part);
    match status {
        401 | 403 => Failure::Auth,
        400 if says("api key") || says("api_key") || says("credit balance") => Failure::Auth,
        400 | 413 if says("too long") || says("too large") || says("token count") => Failure::PromptTooLong,
        404 => Failure::ModelUnknown,
        408 => Failure::Network,
        413 => Failure::PromptTooLong,
        429 => Failure::RateLimited { retry_after: None },
        500..=599 => Failure::Overloaded,
        // the same request would be refused again
        _ => Failure::Refused,
    }
}

/// An answer that is not of the command's form: killed, cut off, or an error it told in plain words.
pub(super) fn unreadable(command: &str, exit: Exit, stdout: &[u8], stderr: &[u8]) -> WriterError {
    let complaint = String::from_utf8_lossy(stderr).to_ascii_lowercase();
    if complaint.contains("unknown option") || complaint.contains("unknown argument") {
        let reason =
            "the installed version does not know an option that docmill needs: install the one that script/clis names";
        return failure(Failure::NotInstalled, command, reason);
    }
    let said = last_line(stderr).or_else(|| last_line(stdout));
    match (exit, said) {
        (Exit::Signal(number), _) => failure(Failure::Killed, command, &format!("ended by signal {number}")),
        // what its own handlers of SIGTERM and SIGINT leave behind
        (Exit::Code(143 | 137 | 130), _) => failure(Failure::Killed, command, "ended by a signal"),
        (Exit::Code(0), None) => failure(Failure::Killed, command, "ended without an answer"),
        (Exit::Code(0) | Exit::Complete, _) => failure(Failure::Protocol, command, "the answer could not be read"),
        (Exit::Code(code), None) => failure(Failure::Protocol, command, &format!("ended with code {code}")),
        (Exit::Code(code), Some(said)) => {
            failure(Failure::Protocol, command, &format!("ended with code {code}: {said}"))
        }
    }
}

/// The last line with any words, of at most the last 4,000 bytes.
fn last_line(output: &[u8]) -> Option<String> {
    let tail = &output[output.len().saturating_sub(4000)..];
    let text = String::from_utf8_lossy(tail);
    let line = text.lines().rev().map(str::trim).find(|line| line.chars().any(char::is_alphanumeric))?;
    Some(line.to_owned())
}
