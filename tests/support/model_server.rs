//! A model server on loopback without a model: speaks as much of Anthropic's Messages and of Gemini's generateContent as
//! the real command lines need, and answers by the line `docmill task:` in the prompt.
//!
//! What it does is chosen by the name of the model, so that one server serves every case:
//! `*-fail-STATUS` answers with that HTTP status, `*-drop` cuts the connection, `*-empty` answers nothing, `*-refusal`,
//! `*-max-tokens`, `*-too-long` end as the providers do, `*-tools` asks for tools for ever, `*-long` writes a page of
//! 300 KB, `*-search` searches before it answers, `*-hostile` asks for a shell and for files outside before it answers; all others read the first file that the
//! prompt names, then answer.

use std::{
    fmt::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct SeenRequest {
    /// The model it names.
    pub model: String,
    /// The key it came with.
    pub key: String,
    /// Its body.
    pub body: Value,
}

/// The server; dropping it stops it.
pub struct ModelServer {
    /// Its address, for `ANTHROPIC_BASE_URL` and `GOOGLE_GEMINI_BASE_URL`.
    pub url: String,
    seen: Arc<Mutex<Vec<SeenRequest>>>,
    task: tokio::task::JoinHandle<()>,
}

impl ModelServer {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        let seen = Arc::default();
        let routes = Router::new()
            .route("/v1/messages", post(anthropic))
            .route("/v1beta/models/{call}", post(gemini))
            .layer(DefaultBodyLimit::max(64 << 20))
            .with_state(Arc::clone(&seen));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, seen, task }
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.seen.lock().unwrap().clone()
    }

    /// Everything that was ever sent to it, as one text to search in.
    pub fn all_bodies(&self) -> String {
        self.requests().iter().fold(String::new(), |mut text, request| {
            writeln!(text, "{}", request.body).unwrap();
            text
        })
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Seen = Arc<Mutex<Vec<SeenRequest>>>;

/// What is said in one turn, whatever the protocol.
enum Turn {
    Text(String),
    Tool { name: &'static str, argument: &'static str, value: String },
    Status(u16),
    Refusal,
    CutOff(String),
    Drop,
}

fn next_turn(model: &str, prompt: &str, tools_used: usize, read_tool: (&'static str, &'static str)) -> Turn {
    let (name, argument) = read_tool;
    let hostile = [("Bash", "command", "touch /tmp/docmill-canary"), ("run_shell_command", "command", "id")];
    let outside = ["/etc/hostname", "/proc/self/environ"];
    if let Some((_, status)) = model.split_once("-fail-") {
        return Turn::Status(status.parse().unwrap());
    }
    match model.rsplit('-').next().unwrap_or_default() {
        "drop" => Turn::Drop,
        "empty" => Turn::Text(String::new()),
        "refusal" => Turn::Refusal,
        "long" if model.ends_with("too-long") => Turn::Status(400),
        "tokens" => Turn::CutOff("# Page\n\nhalf a sen".into()),
        "tools" => Turn::Tool { name, argument, value: format!("missing-{tools_used}.txt") },
        "long" => Turn::Text(format!("{}{}\nthe end\n", answer(prompt), long_text())),
        "search" if tools_used < 2 => {
            let search = if name == "Read" { ["Grep", "Glob"] } else { ["grep_search", "glob"] };
            let value = ["does thing[s]", "**/*.md"][tools_used].to_owned();
            Turn::Tool { name: search[tools_used], argument: "pattern", value }
        }
        "hostile" if tools_used < hostile.len() => {
            let (name, argument, value) = hostile[tools_used];
            Turn::Tool { name, argument, value: value.into() }
        }
        "hostile" if tools_used < hostile.len() + outside.len() => {
            Turn::Tool { name, argument, value: outside[tools_used - hostile.len()].into() }
        }
        _ if tools_used == 0 => Turn::Tool { name, argument, value: first_file(prompt) },
        _ => Turn::Text(answer(prompt)),
    }
}

/// 300 KB in which nothing repeats itself: `gemini` ends a call that it takes for a loop.
fn long_text() -> String {
    (0..30_000_u32).fold(String::new(), |mut text, number| {
        let separator = if number % 20 == 0 { "\n\n" } else { " " };
        write!(text, "{:x}{separator}", number.wrapping_mul(2_654_435_761) ^ 0x5bd1_e995).unwrap();
        text
    })
}

/// The first file that a prompt tells to read.
fn first_file(prompt: &str) -> String {
    let (_, rest) = prompt.split_once("Read ").unwrap_or_default();
    rest.split(|c: char| c.is_whitespace() || c == ':').next().unwrap_or_default().trim_end_matches('.').to_owned()
}

fn answer(prompt: &str) -> String {
    let line = |prefix: &str| prompt.lines().find_map(|line| line.strip_prefix(prefix)).unwrap_or_default();
    match line("docmill task: ") {
        "plan" | "repair" => {
            let page = |number: u32| {
                json!({"slug": format!("page-{number}"), "title": format!("Page {number}"),
                "description": "A page of the model server.", "type": "guide"})
            };
            let pages: Vec<Value> = (1..=3).map(page).collect();
            let plan = json!({"project_name": "Served", "tagline": "Written by a fake.", "repo_type": "app",
                "navigation": [{"group": "Guide", "pages": pages}]});
            format!("```json\n{plan:#}\n```\n")
        }
        _ => {
            let title = line("slug: ").replace("page-", "Page ");
            format!(
                "I have read the files.\n\n# {title}\n\nWhat this page says is made up. [[README.md:1-1]]\n\n## More\n\nSee [Page 1](page-1.html).\n"
            )
        }
    }
}

/// Keeps a request and finds its prompt and the number of tool results in it.
fn note(seen: &Seen, model: &str, key: Option<&str>, body: &Bytes) -> (String, usize) {
    let body: Value = serde_json::from_slice(body).unwrap();
    let key = key.unwrap_or_default().to_owned();
    let mut texts = Vec::new();
    let mut tools_used = 0;
    collect(&body, &mut texts, &mut tools_used);
    let prompt = texts.into_iter().find(|text| text.contains("docmill task: ")).unwrap_or_default();
    seen.lock().unwrap().push(SeenRequest { model: model.to_owned(), key, body });
    let start = prompt.find("docmill task: ").unwrap_or_default();
    (prompt[start..].to_owned(), tools_used)
}

fn collect(value: &Value, texts: &mut Vec<String>, tools_used: &mut usize) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts, tools_used)),
        Value::Object(fields) => {
            if value["type"] == "tool_result" || value["functionResponse"].is_object() {
                *tools_used += 1;
            }
            fields.values().for_each(|field| collect(field, texts, tools_used));
        }
        Value::String(text) => texts.push(text.clone()),
        _ => {}
    }
}

async fn anthropic(State(seen): State<Seen>, headers: HeaderMap, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap();
    let model = request["model"].as_str().unwrap_or_default().to_owned();
    let key = headers.get("x-api-key").and_then(|key| key.to_str().ok());
    let (prompt, tools_used) = note(&seen, &model, key, &body);
    let (block, stop_reason) = match next_turn(&model, &prompt, tools_used, ("Read", "file_path")) {
        Turn::Status(status) => return anthropic_error(&model, status),
        Turn::Drop => return dropped(),
        Turn::Text(text) => (json!({"type": "text", "text": text}), "end_turn"),
        Turn::CutOff(text) => (json!({"type": "text", "text": text}), "max_tokens"),
        Turn::Refusal => (json!({"type": "text", "text": ""}), "refusal"),
        Turn::Tool { name, argument, value } => {
            let id = format!("toolu_{tools_used:04}");
            (json!({"type": "tool_use", "id": id, "name": name, "input": {argument: value}}), "tool_use")
        }
    };
    let usage = json!({"input_tokens": 100, "output_tokens": 50, "cache_read_input_tokens": 10,
        "cache_creation_input_tokens": 5});
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": [block],
        "stop_reason": stop_reason, "stop_sequence": null, "usage": usage});
    if request["stream"] != true {
        return axum::Json(message).into_response();
    }
    let mut start = message.clone();
    start["content"] = json!([]);
    start["stop_reason"] = Value::Null;
    let mut empty = message["content"][0].clone();
    let delta = if empty["type"] == "text" {
        json!({"type": "text_delta", "text": empty["text"].take()})
    } else {
        json!({"type": "input_json_delta", "partial_json": empty["input"].take().to_string()})
    };
    let emptied = if empty["type"] == "text" { "text" } else { "input" };
    empty[emptied] = if emptied == "text" { json!("") } else { json!({}) };
    let events = [
        json!({"type": "message_start", "message": start}),
        json!({"type": "content_block_start", "index": 0, "content_block": empty}),
        json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": stop_reason, "stop_sequence": null},
            "usage": {"output_tokens": 50}}),
        json!({"type": "message_stop"}),
    ];
    let stream = events.iter().fold(String::new(), |mut stream, event| {
        write!(stream, "event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()).unwrap();
        stream
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], stream).into_response()
}

fn anthropic_error(model: &str, status: u16) -> Response {
    let (kind, message) = match status {
        400 if model.ends_with("too-long") => {
            ("invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum")
        }
        400 => ("invalid_request_error", "the request is wrong"),
        401 => ("authentication_error", "invalid x-api-key"),
        403 => ("permission_error", "not allowed"),
        404 => ("not_found_error", "model: not there"),
        429 => ("rate_limit_error", "too many requests"),
        529 => ("overloaded_error", "Overloaded"),
        _ => ("api_error", "Internal server error"),
    };
    let body = json!({"type": "error", "error": {"type": kind, "message": message}});
    (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
}

async fn gemini(State(seen): State<Seen>, Path(call): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let (model, method) = call.split_once(':').unwrap_or((&call, ""));
    let key = headers.get("x-goog-api-key").and_then(|key| key.to_str().ok());
    let (prompt, tools_used) = note(&seen, model, key, &body);
    let (part, reason) = match next_turn(model, &prompt, tools_used, ("read_file", "file_path")) {
        Turn::Status(status) => return gemini_error(model, status),
        Turn::Drop => return dropped(),
        Turn::Text(text) => (json!({"text": text}), "STOP"),
        Turn::CutOff(text) => (json!({"text": text}), "MAX_TOKENS"),
        Turn::Refusal => (json!({"text": ""}), "SAFETY"),
        Turn::Tool { name, argument, value } => {
            (json!({"functionCall": {"name": name, "args": {argument: value}}}), "STOP")
        }
    };
    let answer = json!({
        "candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": reason, "index": 0}],
        "usageMetadata": {"promptTokenCount": 110, "cachedContentTokenCount": 10, "candidatesTokenCount": 40,
            "thoughtsTokenCount": 10, "totalTokenCount": 160},
        "modelVersion": model,
    });
    if method == "streamGenerateContent" {
        ([(header::CONTENT_TYPE, "text/event-stream")], format!("data: {answer}\r\n\r\n")).into_response()
    } else {
        axum::Json(answer).into_response()
    }
}

fn gemini_error(model: &str, status: u16) -> Response {
    let (kind, message) = match status {
        400 if model.ends_with("too-long") => {
            ("INVALID_ARGUMENT", "The input token count (2000000) exceeds the maximum")
        }
        400 => ("INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
        401 => ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
        403 => ("PERMISSION_DENIED", "The caller does not have permission"),
        404 => ("NOT_FOUND", "models/x is not found for API version v1beta"),
        429 => {
            ("RESOURCE_EXHAUSTED", "You exceeded your current quota. Quota exceeded for metric: GenerateRequestsPerDay")
        }
        503 => ("UNAVAILABLE", "The model is overloaded. Please try again later."),
        _ => ("INTERNAL", "An internal error has occurred."),
    };
    let body = json!({"error": {"code": status, "message": message, "status": kind}});
    (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
}

/// An answer that breaks off in its body.
fn dropped() -> Response {
    let stream = futures_util::stream::once(async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        Err::<Bytes, _>(std::io::Error::other("cut"))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream)).into_response()
}
