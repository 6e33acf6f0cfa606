//! How a case asks: requests of the admin, of users and of nobody, and checks that go on after a difference, so that a
//! run lists all of them.

use std::{
    fmt::Debug,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use reqwest::{Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};
use shared::variant::VariantKey;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::target::{ADMIN_KEY, Target};
use crate::routes::{occupy, publish_site, variant_of};

static NEXT: AtomicU32 = AtomicU32::new(1);

/// What a case works with.
#[derive(Clone)]
pub(super) struct Cx {
    pub(super) target: Arc<Target>,
    problems: Arc<Mutex<Vec<String>>>,
}

/// A user made for one case.
#[derive(Clone)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) key: String,
}

/// An answer, read to its end.
pub(super) struct Answer {
    pub(super) cell: String,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) bytes: Vec<u8>,
}

impl Answer {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The body, or null when it is no JSON.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    pub(super) fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }
}

impl Cx {
    pub(super) fn new(target: Arc<Target>) -> Self {
        Self { target, problems: Arc::default() }
    }

    pub(super) fn problems(&self) -> Vec<String> {
        self.problems.lock().unwrap().clone()
    }

    /// A name that no other case has.
    pub(super) fn fresh(&self, stem: &str) -> String {
        format!("{stem}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// A request of nobody.
    pub(super) fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.target.address);
        self.target.client.request(method, url).timeout(Duration::from_secs(40))
    }

    /// A request of the admin.
    pub(super) fn admin(&self, method: Method, path: &str) -> RequestBuilder {
        self.ask(method, path).bearer_auth(ADMIN_KEY)
    }

    pub(super) fn get(&self, path: &str) -> RequestBuilder {
        self.admin(Method::GET, path)
    }

    pub(super) fn post(&self, path: &str) -> RequestBuilder {
        self.admin(Method::POST, path)
    }

    pub(super) fn put(&self, path: &str) -> RequestBuilder {
        self.admin(Method::PUT, path)
    }

    pub(super) fn delete(&self, path: &str) -> RequestBuilder {
        self.admin(Method::DELETE, path)
    }

    /// A request of a user.
    pub(super) fn by(&self, user: &User, method: Method, path: &str) -> RequestBuilder {
        self.ask(method, path).bearer_auth(&user.key)
    }

    pub(super) async fn user(&self, role: &str) -> User {
        let name = self.fresh(role);
        let answer = self.send(self.post("/api/admin/users").json(&json!({"username": name, "role": role}))).await;
        let key = answer.json()["api_key"].as_str().unwrap_or_else(|| panic!("no user: {}", answer.text())).to_owned();
        User { name, key }
    }

    /// The value of a cookie header that lets a user in.
    pub(super) async fn log_in(&self, user: &User) -> String {
        let login = json!({"username": user.name, "api_key": user.key});
        let answer = self.send(self.ask(Method::POST, "/api/auth/login").json(&login)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.header("set-cookie").split(';').next().unwrap().to_owned()
    }

    /// A variant `main/builtin/extract` with a site of these files.
    pub(super) async fn ready(&self, owner: &str, name: &str, files: &[(&str, &str)]) -> VariantKey {
        let key = variant_of(owner, name);
        publish_site(&self.target.world, &key, files).await;
        key
    }

    /// A variant `main/builtin/extract` that is being generated until somebody aborts it; nobody works on it.
    pub(super) async fn generating(&self, owner: &str, name: &str) -> VariantKey {
        let key = variant_of(owner, name);
        occupy(&self.target.world, &key).await;
        key
    }

    pub(super) async fn grant(&self, owner: &str, project: &str, user: &User) {
        let mut conn = self.target.world.pool.acquire().await.unwrap();
        shared::db::grants::create(&mut conn, owner, &project.parse().unwrap(), &user.name).await.unwrap();
    }

    /// Sends a request and checks what every answer has in common.
    pub(super) async fn send(&self, request: RequestBuilder) -> Answer {
        let (client, request) = request.build_split();
        let request = request.unwrap();
        let query = request.url().query().map(|query| format!("?{query}")).unwrap_or_default();
        let cell = format!("{} {}{query}", request.method(), request.url().path());
        let answer = client.execute(request).await.unwrap_or_else(|error| panic!("{cell}: {error:?}"));
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = answer.bytes().await.unwrap_or_else(|error| panic!("{cell}: {error:?}")).to_vec();
        let answer = Answer { cell, status, headers, bytes };
        self.check_common(&answer);
        answer
    }

    fn check_common(&self, answer: &Answer) {
        self.target.note_answer();
        self.holds(&answer.cell, answer.status != 500, "it is answered 500");
        let is_json = answer.header("content-type").starts_with("application/json");
        if is_json {
            self.same(&format!("{}: type", answer.cell), answer.header("content-type").as_str(), "application/json");
            self.holds(&answer.cell, is_compact(&answer.text()), &format!("not compact: {}", answer.text()));
        }
        if answer.status >= 400 && !answer.header("content-type").starts_with("text/html") {
            self.holds(&answer.cell, is_json || answer.bytes.is_empty(), &format!("no JSON: {}", answer.text()));
        }
    }

    /// The answer is this refusal, to the letter.
    pub(super) async fn refused(&self, request: RequestBuilder, status: u16, detail: &str) {
        self.says(request, status, &format!(r#"{{"detail":{}}}"#, Value::from(detail))).await;
    }

    /// The answer has this status and this body, to the letter.
    pub(super) async fn says(&self, request: RequestBuilder, status: u16, body: &str) {
        let answer = self.send(request).await;
        let found = (answer.status, answer.text());
        self.same(&answer.cell, (found.0, found.1.as_str()), (status, body));
    }

    /// The answer has this status.
    pub(super) async fn answers(&self, request: RequestBuilder, status: u16) -> Answer {
        let answer = self.send(request).await;
        self.same(&format!("{}: {}", answer.cell, answer.text()), answer.status, status);
        answer
    }

    /// Sends bytes as they are and gives everything that comes back.
    pub(super) async fn raw(&self, bytes: &[u8]) -> String {
        self.target.note_answer();
        let mut stream = TcpStream::connect(&self.target.address).await.unwrap();
        // the server may answer and close before it has read everything
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Asks as the admin for a path exactly as it is spelled; clients would tidy it up.
    pub(super) async fn get_raw(&self, path: &str) -> (u16, String) {
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN_KEY}\r\nconnection: close\r\n\r\n");
        let answer = self.raw(request.as_bytes()).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{path}: {answer:?}"));
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Notes a difference.
    pub(super) fn same<A: PartialEq<B> + Debug, B: Debug>(&self, cell: &str, found: A, expected: B) {
        if found != expected {
            let (found, expected) = (shown(format!("{found:?}")), shown(format!("{expected:?}")));
            self.note(format!("{}\n      found {found}\n   expected {expected}", shown(cell.to_owned())));
        }
    }

    /// Notes what does not hold.
    pub(super) fn holds(&self, cell: &str, fulfilled: bool, otherwise: &str) {
        if !fulfilled {
            self.note(format!("{}\n      {}", shown(cell.to_owned()), shown(otherwise.to_owned())));
        }
    }

    fn note(&self, problem: String) {
        let mut problems = self.problems.lock().unwrap();
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
}

/// As much of a text as people read.
fn shown(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(400) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Whether there is no white space outside of texts.
fn is_compact(json: &str) -> bool {
    let (mut in_text, mut escaped) = (false, false);
    for c in json.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            c if c.is_whitespace() && !in_text => return false,
            _ => {}
        }
    }
    true
}

/// The keys of the outermost object, in the order in which they stand there.
pub(super) fn keys(json: &str) -> Vec<String> {
    struct Keys;
    impl<'de> serde::de::Visitor<'de> for Keys {
        type Value = Vec<String>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Vec<String>, A::Error> {
            let mut keys = Vec::new();
            while let Some((key, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                keys.push(key);
            }
            Ok(keys)
        }
    }
    serde::Deserializer::deserialize_map(&mut serde_json::Deserializer::from_str(json), Keys).unwrap_or_default()
}
