//! What the contract is held against: real processes on free ports, and the world they work on.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use reqwest::{Client, redirect::Policy};
use tempfile::TempDir;

use super::git_server::{Manner, Server};
use crate::support::{
    process::Program,
    repository::Repository,
    stand_ins::StandIns,
    turns::Turns,
    world::{SHORT_TIMING, World},
};

pub(super) const ADMIN_KEY: &str = "the-admin-key-of-the-contract";

/// An installation that answers at one address.
pub(super) struct Target {
    pub(super) address: String,
    pub(super) client: Client,
    pub(super) world: World,
    /// Serves the repositories below [`Self::repositories`] over HTTP.
    pub(super) git: Server,
    /// A small library, `acme/LIBRARY` on the Git server.
    pub(super) library: Repository,
    answers: AtomicUsize,
    logs: Vec<PathBuf>,
    processes: Vec<Program>,
    _turns: Option<Turns>,
    _folders: Vec<TempDir>,
}

pub(super) const LIBRARY: &str = "adder";

impl Target {
    /// `docmill serve` with its own database.
    pub(super) async fn serve() -> Self {
        let (data, folder, stand_ins) = (reachable_folder(), reachable_folder(), StandIns::install());
        let (data_dir, log) = (data.path().join("data"), folder.path().join("serve.log"));
        let sites_dir = folder.path().join("sites");
        let own = [
            ("DATA_DIR".to_owned(), text(&data_dir)),
            ("SITES_DIR".to_owned(), text(&sites_dir)),
            ("ADMIN_KEY".to_owned(), ADMIN_KEY.to_owned()),
        ];
        let program = start("serve", &own, &stand_ins, &log);
        let address = address_in(&log);
        let socket = fs::read_to_string(data_dir.join("pg.socket")).unwrap();
        let mut url = url::Url::parse("postgres://docmill@localhost:5432/docmill").unwrap();
        url.query_pairs_mut().append_pair("host", socket.trim()).append_pair("sslmode", "disable");
        let world = World::on(url.into(), folder, stand_ins).await;
        Self::new(address, world, vec![log], vec![program], None, vec![data]).await
    }

    /// Two `docmill api` that take turns at one address, and a `docmill worker`.
    pub(super) async fn two_apis() -> Self {
        let world = World::without_worker().await;
        let (folder, logs) = (world.folder(), ["api-1", "api-2", "worker"].map(|name| format!("{name}.log")));
        let logs = logs.map(|name| folder.join(name));
        let pepper = folder.join("pepper");
        api::auth::pepper::load_or_create(&pepper, true).unwrap();
        let own = |name: &str| {
            vec![
                ("DATABASE_URL".to_owned(), world.database_url.clone()),
                ("DATA_DIR".to_owned(), text(&folder.join(name))),
                ("SITES_DIR".to_owned(), text(&world.sites_dir())),
                ("ADMIN_KEY".to_owned(), ADMIN_KEY.to_owned()),
                ("KEY_PEPPER_FILE".to_owned(), text(&pepper)),
            ]
        };
        let processes = vec![
            start("api", &own("api-1"), &world.stand_ins, &logs[0]),
            start("api", &own("api-2"), &world.stand_ins, &logs[1]),
            start("worker", &own("worker"), &world.stand_ins, &logs[2]),
        ];
        let turns = Turns::start(vec![address_in(&logs[0]), address_in(&logs[1])]).await;
        Self::new(turns.address.clone(), world, logs.to_vec(), processes, Some(turns), Vec::new()).await
    }

    async fn new(
        address: String,
        world: World,
        logs: Vec<PathBuf>,
        processes: Vec<Program>,
        turns: Option<Turns>,
        folders: Vec<TempDir>,
    ) -> Self {
        let library = Repository::library(LIBRARY);
        library.git(&["branch", "feat/x"]);
        library.git(&["tag", "v1.0"]);
        let repositories = world.folder().join("repositories");
        fs::create_dir_all(repositories.join("acme")).unwrap();
        fs::create_dir_all(repositories.join("other")).unwrap();
        for owner in ["acme", "other"] {
            let bare = repositories.join(owner).join(LIBRARY);
            library.git(&["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
        }
        // no connection is used twice, so that the processes do take turns
        let client = Client::builder().redirect(Policy::none()).pool_max_idle_per_host(0).build().unwrap();
        // who asks an AI command line for a plan waits until it is aborted
        world.stand_ins.block("plan");
        let git = Server::start(&repositories, Manner::Serve).await;
        let (_turns, _folders) = (turns, folders);
        let answers = AtomicUsize::new(0);
        Self { address, client, world, git, library, answers, logs, processes, _turns, _folders }
    }

    /// The address of [`Self::library`] for users, who may not name folders.
    pub(super) fn library_url(&self) -> String {
        format!("http://127.0.0.1:{}/acme/{LIBRARY}", self.git.port)
    }

    /// How many answers were looked at.
    pub(super) fn answers(&self) -> usize {
        self.answers.load(Ordering::Relaxed)
    }

    /// Counts one more.
    pub(super) fn note_answer(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends the processes in order and gives what of their logs must never stand there.
    pub(super) fn end(self) -> Vec<String> {
        let mut found = Vec::new();
        for process in self.processes {
            let code = process.terminate();
            if code != Some(0) {
                found.push(format!("a process ended with {code:?}"));
            }
        }
        for log in &self.logs {
            let text = fs::read_to_string(log).unwrap();
            let bad = |line: &&str| ["answered 500", "panicked"].iter().any(|word| line.contains(word));
            found.extend(text.lines().filter(bad).map(|line| format!("the log says: {line}")));
        }
        found
    }
}

fn start(command: &str, own: &[(String, String)], stand_ins: &StandIns, log: &Path) -> Program {
    let programs = stand_ins.variables();
    let fixed = [
        ("PORT", "0"),
        ("REPO_HOST_ALLOWLIST", "127.0.0.1"),
        ("SANDBOX", "off"),
        ("ANTHROPIC_API_KEY", "test-key-of-claude"),
        ("LOG_LEVEL", "info"),
    ];
    let mut variables: Vec<(&str, &str)> = own.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    variables.extend(programs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    variables.extend(fixed);
    variables.extend(SHORT_TIMING);
    Program::start(&[command], &variables, log)
}

/// Where a process listens, as its log says it.
fn address_in(log: &Path) -> String {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let text = fs::read_to_string(log).unwrap();
        let mut lines = text.lines();
        if let Some(address) = lines.find_map(|line| line.strip_prefix("docmill listens on http://")) {
            return address.trim().to_owned();
        }
        assert!(Instant::now() < deadline, "it does not listen: {text}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A folder that the database server's user can reach.
fn reachable_folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
    folder
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
