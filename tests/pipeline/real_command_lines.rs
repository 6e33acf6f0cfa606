//! The real `claude` and `gemini`, started by the real program, on a repository that sets traps for them. They run where
//! `script/clis` has installed them; elsewhere the test says that it was skipped.

use std::{
    collections::HashMap,
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};

use shared::{provider::Provider, variant::Status};

use crate::support::{
    agent_traps::set_traps,
    model_server::ModelServer,
    process::Program,
    repository::Repository,
    world::{World, variant},
};

const KEY: &str = "fake-key-of-the-tests";
const REAL: [(Provider, &str); 2] = [(Provider::Claude, "claude-fake"), (Provider::Gemini, "gemini-fake")];

/// Where the command lines are, as variables; `None`, and a word about it, where they are not installed.
fn installed() -> Option<HashMap<String, String>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("script/clis");
    let listed = Command::new(script).arg("--installed").output().unwrap();
    if !listed.status.success() {
        println!("skipped: claude and gemini are not installed, run script/clis");
        return None;
    }
    let listed = String::from_utf8(listed.stdout).unwrap();
    let lines = listed.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
    Some(lines.map(|(name, path)| (name.to_owned(), path.trim_matches('\'').to_owned())).collect())
}

/// What a repository achieved.
struct Achieved {
    /// Files that its commands made.
    executed: Vec<String>,
    /// Requests to the model server that it names.
    redirected: usize,
    /// Connections to any host but this one: they go through a proxy, which is nobody.
    foreign: bool,
    /// Whether its instructions were sent to a model.
    instructed: bool,
}

/// A model server, the repository's own one, a proxy for all that is not on this host, and a folder for what is executed.
struct Traps {
    server: ModelServer,
    elsewhere: ModelServer,
    proxy: TcpListener,
    canaries: tempfile::TempDir,
    repository: Repository,
}

impl Traps {
    async fn set() -> Self {
        let (server, elsewhere) = (ModelServer::start().await, ModelServer::start().await);
        let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
        proxy.set_nonblocking(true).unwrap();
        let (canaries, repository) = (tempfile::tempdir().unwrap(), Repository::library("adder"));
        set_traps(&repository.path(), canaries.path(), &elsewhere.url);
        repository.commit("traps");
        Self { server, elsewhere, proxy, canaries, repository }
    }

    fn variables(&self) -> Vec<(String, String)> {
        let proxy = format!("http://{}", self.proxy.local_addr().unwrap());
        let variables = [
            ("ANTHROPIC_API_KEY", KEY),
            ("ANTHROPIC_BASE_URL", &self.server.url),
            ("GEMINI_API_KEY", KEY),
            ("GOOGLE_GEMINI_BASE_URL", &self.server.url),
            ("HTTPS_PROXY", &proxy),
            ("HTTP_PROXY", &proxy),
            ("NO_PROXY", "127.0.0.1"),
        ];
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    fn achieved(&self) -> Achieved {
        let executed = fs::read_dir(self.canaries.path()).unwrap();
        let sent = self.server.all_bodies() + &self.elsewhere.all_bodies();
        Achieved {
            executed: executed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect(),
            redirected: self.elsewhere.requests().len(),
            foreign: self.proxy.accept().is_ok(),
            instructed: sent.contains("CANARY-"),
        }
    }
}

#[tokio::test]
async fn a_worker_that_runs_them_gives_a_hostile_repository_nothing() {
    let Some(programs) = installed() else { return };
    let (world, traps) = (World::without_worker().await, Traps::set().await);
    let (data_dir, sites_dir) = (world.folder().join("host"), world.sites_dir());
    let owned: Vec<(String, String)> = traps.variables().into_iter().chain(programs).collect();
    let mut variables: Vec<(&str, &str)> = owned.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    variables.extend([
        ("DATABASE_URL", world.database_url.as_str()),
        ("DATA_DIR", data_dir.to_str().unwrap()),
        ("SITES_DIR", sites_dir.to_str().unwrap()),
    ]);
    let log = world.folder().join("worker.log");
    let worker = Program::start(&["worker"], &variables, &log);
    let keys = REAL.map(|(provider, model)| {
        let mut key = variant("adder", provider);
        key.model = model.parse().unwrap();
        key
    });
    for key in &keys {
        world.request(&traps.repository, key, false).await.unwrap();
    }
    for key in &keys {
        let row = world.wait_for_end(key).await;
        let log = || fs::read_to_string(&log).unwrap();
        assert_eq!((row.status, row.error_message.as_deref(), row.page_count), (Status::Ready, None, 3), "{}", log());
        assert!(world.page(&row, "page-2").await.unwrap().contains("What this page says is made up"));
    }
    let achieved = traps.achieved();
    assert_eq!(achieved.executed, Vec::<String>::new());
    assert_eq!((achieved.redirected, achieved.foreign, achieved.instructed), (0, false, false));
    let requests = traps.server.requests();
    assert!(requests.iter().all(|request| request.key == KEY));
    for (_, model) in REAL {
        let sent: String =
            requests.iter().filter(|request| request.model == model).map(|request| request.body.to_string()).collect();
        assert!(sent.contains("docmill task: page") && sent.contains("page-2"), "{model} was not asked");
    }
    assert_eq!(worker.terminate(), Some(0));
    assert_eq!(fs::read_dir(data_dir.join("work")).unwrap().count(), 0, "something is left in the work folder");
}

/// The same repository and command lines without docmill between them: were this to pass, the test above would prove
/// nothing.
#[tokio::test]
async fn without_the_worker_it_gets_what_it_wants() {
    let Some(programs) = installed() else { return };
    let traps = Traps::set().await;
    let home = tempfile::tempdir().unwrap();
    let logged_in = serde_json::json!({
        "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": false}},
    });
    fs::create_dir(home.path().join(".gemini")).unwrap();
    fs::write(home.path().join(".gemini/settings.json"), logged_in.to_string()).unwrap();
    let run = |variable: &str, arguments: &'static [&'static str]| {
        let mut command = Command::new(&programs[variable]);
        command.args(arguments).current_dir(traps.repository.path()).env_clear().envs(traps.variables());
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", home.path()).stdin(Stdio::null());
        // nobody minds how the call itself ends
        tokio::task::spawn_blocking(move || drop(command.output()))
    };
    let claude = run("DOCMILL_CLAUDE_BIN", &["--model=claude-fake", "-p", "Read README.md."]);
    let gemini = run("DOCMILL_GEMINI_BIN", &["--model=gemini-fake", "--skip-trust", "-p", "Read README.md."]);
    let (claude, gemini) = tokio::join!(claude, gemini);
    claude.and(gemini).unwrap();
    let achieved = traps.achieved();
    for canary in ["claude-hook", "gemini-discovery"] {
        assert!(achieved.executed.iter().any(|name| name == canary), "{canary}: {:?}", achieved.executed);
    }
    assert!(achieved.redirected > 0 && achieved.foreign && achieved.instructed);
}
