//! Real worker processes that are killed, frozen or told to end: the work goes on elsewhere.

mod barrier;
mod traces;
mod killed;
mod frozen;
mod poison;
mod restarts;
mod ended;
mod rolling;
mod pages;
mod database;
mod taking_over;
mod disks;
mod clocks;
mod races;
mod soak;
mod calls;

use std::{path::PathBuf, time::Duration};

use tokio::{sync::Semaphore, time::Instant};

use crate::support::{
    process::Program,
    repository::Repository,
    world::{SHORT_TIMING, World},
};

/// Worlds side by side within tests: each takes about fifteen connections, and the server of all tests has a hundred.
static PLACES: Semaphore = Semaphore::const_new(4);

/// Starts `docmill worker` on the world's database and sites; `name` tells the logs apart. All are on one host: the next to
/// start finds what a killed one left.
fn start_worker(world: &World, name: &str, settings: &[(&str, &str)]) -> Program {
    let data_dir = world.folder().join("host");
    let (data_dir, sites_dir) = (data_dir.to_str().unwrap().to_owned(), world.sites_dir());
    let owned = world.variables();
    let mut variables: Vec<(&str, &str)> = owned.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    variables.extend([
        ("DATABASE_URL", world.database_url.as_str()),
        ("DATA_DIR", &data_dir),
        ("SITES_DIR", sites_dir.to_str().unwrap()),
        // the stand-ins write down who called them
        ("SANDBOX", "off"),
    ]);
    variables.extend(settings);
    Program::start(&["worker"], &variables, &log_of(world, name))
}

/// The same with leases of two seconds.
fn start_short_worker(world: &World, name: &str) -> Program {
    start_worker(world, name, &SHORT_TIMING)
}

fn log_of(world: &World, name: &str) -> PathBuf {
    world.folder().join(format!("{name}.log"))
}

/// A running `docmill api`.
struct ApiProgram {
    program: Program,
    address: String,
    client: reqwest::Client,
}

const ADMIN_KEY: &str = "the-admin-key-of-crash-tests";

impl ApiProgram {
    /// Starts it on the world's database and sites, and waits until it answers.
    async fn start(world: &World, settings: &[(&str, &str)]) -> Self {
        let pepper_file = world.folder().join("pepper");
        api::auth::pepper::load_or_create(&pepper_file, true).unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (data_dir, sites_dir, port) = (world.folder().join("api"), world.sites_dir(), free.port().to_string());
        let mut variables = vec![
            ("DATABASE_URL", world.database_url.as_str()),
            ("DATA_DIR", data_dir.to_str().unwrap()),
            ("SITES_DIR", sites_dir.to_str().unwrap()),
            ("ADMIN_KEY", ADMIN_KEY),
            ("KEY_PEPPER_FILE", pepper_file.to_str().unwrap()),
            ("PORT", &port),
        ];
        variables.extend(settings);
        let program = Program::start(&["api"], &variables, &log_of(world, "api"));
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let api = Self { program, address: format!("http://{free}"), client };
        let deadline = Instant::now() + Duration::from_mins(1);
        while api.client.get(format!("{}/health", api.address)).send().await.is_err() {
            let log = || std::fs::read_to_string(log_of(world, "api")).unwrap_or_default();
            assert!(Instant::now() < deadline, "the API does not answer: {}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        api
    }

    /// A request of the admin.
    fn ask(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.address));
        request.bearer_auth(ADMIN_KEY).timeout(Duration::from_mins(1))
    }

    /// POST /api/generate for a repository and the stand-in of claude.
    fn generate(&self, repository: &Repository) -> reqwest::RequestBuilder {
        let body = serde_json::json!({
            "repo_path": repository.path(), "ai_provider": "claude", "ai_model": "test-model", "force": true,
        });
        self.ask(reqwest::Method::POST, "/api/generate").json(&body)
    }
}
