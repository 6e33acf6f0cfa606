//! The API from outside: a real server on a free port, a real database, and callers with and without a key.

mod auth;
mod login;
mod wire;
mod system;
mod generate;
mod projects;
mod aborts;
mod retries;
mod admin_runs;
mod deletions;
mod settings;
mod models;
mod docs;
mod check;
mod dry_run;
mod downloads;
mod users;
mod grants;
mod throttling;
mod sessions;
mod hostile;
mod views;
mod usage;
mod quality;
mod watching;
mod websocket;
mod websocket_access;
mod sse;

use std::time::Duration;

use api::{ApiParts, ApiState, auth::pepper};
use reqwest::{Client, Method, RequestBuilder, redirect::Policy};
use serde_json::Value;
use shared::{
    db::{self, generations::Finished},
    ids::GenerationId,
    jobs::{self, Started},
    provider::Provider,
    settings::{Sandbox, Secret, WriterSettings},
    source::RepoSource,
    variant::VariantKey,
};
use sites::{key::SitePrefix, publish::publish, render::SiteFiles};
use sqlx::PgConnection;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::support::world::{World, new_generation, variant};

pub(crate) const ADMIN_KEY: &str = "the-admin-key-of-tests";

/// An API process of a world.
pub(crate) struct Api {
    pub(crate) address: String,
    client: Client,
    stop: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
}

impl Api {
    pub(crate) async fn start(world: &World) -> Self {
        Self::start_with(world, |_| ()).await
    }

    /// Changes the parts before the start.
    pub(crate) async fn start_with(world: &World, change: impl FnOnce(&mut ApiParts)) -> Self {
        let mut parts = ApiParts {
            pool: world.pool.clone(),
            sites: world.store.clone(),
            listening: world.listening.clone(),
            admin_key: Secret::new(ADMIN_KEY),
            secure_cookies: true,
            trusted_proxies: "127.0.0.1".parse().unwrap(),
            writer: WriterSettings {
                ai_provider: None,
                ai_model: None,
                ai_cli_timeout: None,
                max_concurrent_pages: None,
                max_cost_per_month_usd: None,
                max_cost_per_user_per_month_usd: None,
                sandbox: Sandbox::Auto,
            },
            repo_host_allowlist: "127.0.0.1".parse().unwrap(),
            docs_are_open: false,
            public_badges: false,
            sandbox: None,
            watch_times: api::WatchTimes::default(),
        };
        change(&mut parts);
        // as every start of the program does
        let mut transaction = world.pool.begin().await.unwrap();
        db::settings::save_given(&mut transaction, &parts.writer.given()).await.unwrap();
        transaction.commit().await.unwrap();
        let pepper = pepper::load_or_create(&world.folder().join("pepper"), true).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let stop = CancellationToken::new();
        let state = ApiState::new(parts, pepper).unwrap();
        let running = tokio::spawn(api::serve(listener, state, stop.clone()));
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { address, client, stop, running }
    }

    /// Stops in an orderly way.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
    }

    /// A request of nobody.
    pub(crate) fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address)).timeout(Duration::from_secs(30))
    }

    /// A request of the admin.
    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.ask(Method::GET, path).bearer_auth(ADMIN_KEY)
    }

    /// A request of the admin.
    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.ask(Method::POST, path).bearer_auth(ADMIN_KEY)
    }

    /// A login that nobody has sent yet.
    pub(crate) fn login(&self, username: &str, key: &str) -> RequestBuilder {
        self.ask(Method::POST, "/api/auth/login")
            .body(serde_json::json!({ "username": username, "api_key": key }).to_string())
    }

    /// Makes a user of this role and gives the key.
    pub(crate) async fn create_user(&self, username: &str, role: &str) -> String {
        let body = format!(r#"{{"username":"{username}","role":"{role}"}}"#);
        let (status, body) = answer(self.post("/api/admin/users").body(body)).await;
        assert_eq!(status, 200, "{body}");
        body["api_key"].as_str().unwrap().to_owned()
    }

    /// Sends a path exactly as it is spelled; clients would tidy it up.
    pub(crate) async fn get_raw(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN_KEY}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// The value of a cookie header that lets the admin in.
    pub(crate) async fn log_in(&self) -> String {
        self.log_in_as("admin", ADMIN_KEY).await
    }

    /// The value of a cookie header that lets a user in.
    pub(crate) async fn log_in_as(&self, username: &str, key: &str) -> String {
        let answer = self.login(username, key).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        cookie_of(&answer)
    }
}

/// What a browser would send back.
pub(crate) fn cookie_of(answer: &reqwest::Response) -> String {
    let set = answer.headers()["set-cookie"].to_str().unwrap();
    set.split(';').next().unwrap().to_owned()
}

/// Status and JSON of an answer.
pub(crate) async fn answer(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status} with no JSON: {text}")))
}

/// Status and `detail` of an answer.
pub(crate) async fn refusal(request: RequestBuilder) -> (u16, String) {
    let (status, body) = answer(request).await;
    (status, body["detail"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned())
}

/// A variant of somebody on `main`.
pub(crate) fn variant_of(owner: &str, name: &str) -> VariantKey {
    VariantKey { owner: owner.into(), ..variant(name, Provider::Builtin) }
}

/// Asks for a generation without asking the API.
pub(crate) async fn queue(world: &World, key: &VariantKey) -> GenerationId {
    let mut transaction = world.pool.begin().await.unwrap();
    let id = start(&mut transaction, key).await;
    transaction.commit().await.unwrap();
    id
}

async fn start(conn: &mut PgConnection, key: &VariantKey) -> GenerationId {
    let source = RepoSource::LocalPath("/srv/demo".into());
    let wanted = jobs::Wanted { key: key.clone(), source, request: new_generation(key) };
    let started = jobs::start_generation(conn, &wanted).await.unwrap();
    let Started::Queued(id) = started else { panic!("{started:?}") };
    id
}

/// Takes a queued generation as a worker would; gives the fence.
pub(crate) async fn claim(world: &World, id: GenerationId) -> i64 {
    let mut conn = world.pool.acquire().await.unwrap();
    claim_in(&mut conn, id).await
}

async fn claim_in(conn: &mut PgConnection, id: GenerationId) -> i64 {
    db::generations::claim(conn, id, "test", Duration::from_mins(1)).await.unwrap().unwrap().fence
}

/// Asks for a generation and takes it at once, before any worker can; gives the fence.
pub(crate) async fn occupy(world: &World, key: &VariantKey) -> (GenerationId, i64) {
    let mut transaction = world.pool.begin().await.unwrap();
    let id = start(&mut transaction, key).await;
    let fence = claim_in(&mut transaction, id).await;
    transaction.commit().await.unwrap();
    (id, fence)
}

/// Publishes files as the site of a variant.
pub(crate) async fn publish_site(world: &World, key: &VariantKey, files: &[(&str, &str)]) -> SitePrefix {
    let (id, fence) = occupy(world, key).await;
    let prefix = SitePrefix::new(id, fence);
    let files: SiteFiles = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    publish(&world.store, &prefix, &files).await.unwrap();
    let finished = Finished {
        site_prefix: Some(prefix.to_string()),
        commit: "0123456789012345678901234567890123456789".parse().unwrap(),
        page_count: 1,
        final_stage: None,
    };
    let mut transaction = world.pool.begin().await.unwrap();
    let variant = db::generations::find_variant_id(&mut transaction, id).await.unwrap().unwrap();
    db::generations::finish(&mut transaction, id, fence, &finished).await.unwrap();
    let state = shared::generation::State::Ready;
    shared::events::emit_state(&mut transaction, variant, id, state, None).await.unwrap();
    transaction.commit().await.unwrap();
    prefix
}
