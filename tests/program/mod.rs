//! The program as people start it: settings, first start, restart, orderly and disorderly ends.

mod check;

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::support::repository::Repository;

/// A folder that the database server's user can reach.
fn reachable_folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut permissions = fs::metadata(folder.path()).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o711);
    fs::set_permissions(folder.path(), permissions).unwrap();
    folder
}

fn command(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    command_of(Path::new(env!("CARGO_BIN_EXE_docmill")), arguments, variables)
}

fn command_of(program: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .envs(variables.iter().copied())
        // no `.env` of anybody
        .current_dir("/")
        .stdin(Stdio::null());
    command
}

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    command(arguments, variables).output().unwrap()
}

/// A running `docmill serve` on a free port.
struct Serve {
    child: Child,
    data_dir: PathBuf,
    address: String,
    lines: Vec<String>,
}

impl Serve {
    fn start(data_dir: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let variables = [("DATA_DIR", data_dir.to_str().unwrap()), ("PORT", &port)];
        let log = fs::File::options().create(true).append(true).open(data_dir.with_extension("log")).unwrap();
        let mut child = command(&["serve"], &variables).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = Vec::new();
        loop {
            let log = || fs::read_to_string(data_dir.with_extension("log")).unwrap();
            let line = out.next().unwrap_or_else(|| panic!("it ended: {}", log())).unwrap();
            lines.push(line);
            if lines.iter().any(|line| line.starts_with("docmill listens on")) {
                break;
            }
        }
        std::thread::spawn(move || out.for_each(drop));
        Self { child, data_dir: data_dir.to_owned(), address: format!("127.0.0.1:{port}"), lines }
    }

    fn get(&self, path: &str) -> String {
        use std::io::Write;
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// A request of the admin.
    fn ask(&self, method: &str, path: &str, body: &str) -> String {
        use std::io::Write;
        let key = fs::read_to_string(self.data_dir.join("admin-key")).unwrap();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            key.trim(),
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn log(&self) -> String {
        fs::read_to_string(self.data_dir.with_extension("log")).unwrap()
    }

    fn terminate(mut self) -> Option<i32> {
        shared::os::send_signal(self.child.id(), 15).unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end within 30 s");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Whether a Postgres of this data folder runs.
    fn has_server(data_dir: &Path) -> bool {
        let pid = fs::read_to_string(data_dir.join("pg/postmaster.pid"))
            .ok()
            .and_then(|text| text.lines().next().map(str::to_owned));
        pid.is_some_and(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data_dir.join("pg")))
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn serve_starts_from_nothing_keeps_its_key_and_ends_in_order() {
    let folder = reachable_folder();
    let data_dir = folder.path().join("data");
    let asked = Instant::now();
    let first = Serve::start(&data_dir);
    assert!(first.get("/health").contains(r#"{"status":"ok"}"#));
    println!("first answer after {:?}", asked.elapsed());
    assert!(first.get("/ready").starts_with("HTTP/1.1 200"));
    let key_file = data_dir.join("admin-key");
    let key = fs::read_to_string(&key_file).unwrap().trim().to_owned();
    assert!(first.lines.iter().any(|line| line.contains("new admin key") && line.ends_with(&key)), "{:?}", first.lines);
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&key_file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(first.terminate(), Some(0));
    assert!(!Serve::has_server(&data_dir));

    let asked = Instant::now();
    let again = Serve::start(&data_dir);
    assert!(again.get("/health").contains("ok"));
    println!("restart answered after {:?}", asked.elapsed());
    assert!(!again.lines.iter().any(|line| line.contains("admin key")), "the key is printed once");
    assert_eq!(fs::read_to_string(&key_file).unwrap().trim(), key, "the key changed");
    assert_eq!(again.terminate(), Some(0));
}

#[test]
fn a_second_serve_on_the_same_folder_says_so_and_ends_with_1() {
    let folder = reachable_folder();
    let first = Serve::start(&folder.path().join("data"));
    let second = run(&["serve"], &[("DATA_DIR", first.data_dir.to_str().unwrap()), ("PORT", "0")]);
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("another") && said.contains("docmill:"), "{said}");
    assert!(first.get("/health").contains("ok"));
}

#[test]
fn a_killed_serve_leaves_no_server_and_the_next_one_recovers() {
    let folder = reachable_folder();
    let first = Serve::start(&folder.path().join("data"));
    let data_dir = first.data_dir.clone();
    first.kill();
    let deadline = Instant::now() + Duration::from_secs(5);
    while Serve::has_server(&data_dir) {
        assert!(Instant::now() < deadline, "the server lives on");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(Serve::start(&data_dir).get("/health").contains("ok"));
}

/// Arguments, environment, and what has to be said.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);

#[test]
fn a_wrong_setting_stops_the_start_in_one_sentence_that_names_it() {
    let folder = reachable_folder();
    let data_dir = folder.path().to_str().unwrap();
    let recordings = [("AI_RECORD", data_dir), ("AI_REPLAY", data_dir)];
    let cases: [Case<'_>; 15] = [
        (&["serve"], &[("ADMIN_KEY", "short")], "ADMIN_KEY must have at least 16 characters"),
        (&["serve"], &[("AI_PROVIDER", "gpt")], "builtin, claude, gemini, cursor"),
        (&["serve"], &[("AI_CLI_TIMEOUT", "0")], "AI_CLI_TIMEOUT"),
        (&["serve"], &[("MAX_CONCURRENT_PAGES", "many")], "MAX_CONCURRENT_PAGES"),
        (&["serve"], &[("PORT", "70000")], "PORT"),
        (&["serve"], &[("SECURE_COOKIES", "perhaps")], "use true or false"),
        (&["serve"], &[("LOG_LEVEL", "a=b=c")], "LOG_LEVEL"),
        (&["serve"], &[("REPO_HOST_ALLOWLIST", "a b")], "neither a host name nor an address"),
        (&["serve"], &[("GIT_SSH_KEY_FILE", "/nowhere/key")], "GIT_SSH_KEY_FILE"),
        (&["serve"], &recordings, "AI_RECORD and AI_REPLAY are both set, set only one of them"),
        (&["worker"], &recordings, "AI_RECORD and AI_REPLAY are both set, set only one of them"),
        (&["worker"], &[("WORKER_CACHE_MB", "63")], "WORKER_CACHE_MB"),
        (&["api"], &[], "ADMIN_KEY"),
        (&["api"], &[("ADMIN_KEY", "sixteen-characters")], "KEY_PEPPER_FILE"),
        (&["worker"], &[], "DATABASE_URL"),
    ];
    for (arguments, variables, expected) in cases {
        let variables: Vec<(&str, &str)> = variables.iter().copied().chain([("DATA_DIR", data_dir)]).collect();
        let output = run(arguments, &variables);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{variables:?} was accepted");
        assert!(said.contains(expected), "{variables:?}: {said}");
        assert_eq!(said.trim().lines().count(), 1, "{said}");
        assert!(said.starts_with("docmill: ") && !said.contains("panicked"), "{said}");
    }
}

#[test]
fn a_docsfy_env_file_in_the_current_folder_is_read_and_the_environment_wins() {
    let folder = reachable_folder();
    fs::write(folder.path().join(".env"), "ADMIN_KEY=short\nAI_PROVIDER=claude\n").unwrap();
    let data_dir = folder.path().join("data");
    let in_folder = |variables: &[(&str, &str)]| {
        let mut command = command(&["serve"], variables);
        let output = command.current_dir(folder.path()).env("DATA_DIR", &data_dir).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let said = in_folder(&[]);
    assert!(said.contains("ADMIN_KEY must have"), "{said}");
    let said = in_folder(&[("AI_PROVIDER", "nobody")]);
    assert!(said.contains("AI_PROVIDER (--ai-provider) `nobody`"), "{said}");
}

#[test]
fn try_makes_a_site_and_says_where_it_lies() {
    let folder = reachable_folder();
    let repository = Repository::library("adder");
    let output =
        run(&["try", repository.path().to_str().unwrap(), "--exit"], &[("DATA_DIR", folder.path().to_str().unwrap())]);
    let (said, log) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{said}{log}");
    let place = said.lines().find_map(|line| line.strip_prefix("the site lies in ")).unwrap();
    let index = fs::read_to_string(Path::new(place).join("index.html")).unwrap();
    assert!(index.contains("adder"), "{index}");
    // a stage that is over before anybody looks is not shown
    let stages = ["cloning", "planning", "generating_pages", "validating", "cross_linking", "rendering"];
    let shown: Vec<_> = stages.iter().filter_map(|stage| log.find(&format!("{stage}\n"))).collect();
    assert!(shown.len() >= 2 && shown.is_sorted(), "{log}");
}

#[test]
fn without_a_launcher_of_its_version_it_starts_programs_itself() {
    let built = Path::new(env!("CARGO_BIN_EXE_docmill"));
    assert!(built.with_file_name("docmill-launch").exists(), "it is built with the program");
    let alone = TempDir::new_in(built.parent().unwrap()).unwrap();
    let linked = alone.path().join("docmill");
    fs::hard_link(built, &linked).unwrap();
    let launcher = alone.path().join("docmill-launch");
    let made_with = |program: &Path| {
        let (folder, repository) = (reachable_folder(), Repository::library("adder"));
        let variables = [("DATA_DIR", folder.path().to_str().unwrap()), ("LOG_LEVEL", "info,apalis=warn")];
        let place = repository.path();
        let arguments = ["try", place.to_str().unwrap(), "--exit"];
        let output = command_of(program, &arguments, &variables).output().unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{log}");
        log.contains("there is no `docmill-launch` of this version")
    };
    assert!(!made_with(built));
    assert!(made_with(&linked));
    // of another version: it could be told restrictions that it does not know
    fs::write(&launcher, "#!/bin/sh\n[ \"$1\" = --version ] && echo docmill-launch 0.0.1\n").unwrap();
    fs::set_permissions(&launcher, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    assert!(made_with(&linked));
}

#[test]
fn try_says_what_is_wrong_and_ends_with_1() {
    let folder = reachable_folder();
    let no_repository = TempDir::new().unwrap();
    let data_dir = [("DATA_DIR", folder.path().to_str().unwrap())];
    for (place, expected) in
        [(no_repository.path().to_str().unwrap(), "Not a git repository"), ("nonsense", "neither a folder nor")]
    {
        let output = run(&["try", place, "--exit"], &data_dir);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn what_keeps_ai_command_lines_in_is_named_in_ready_and_in_the_log() {
    let folder = reachable_folder();
    let serve = Serve::start(&folder.path().join("data"));
    let ready = serve.get("/ready");
    let (_, body) = ready.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let check = body["checks"].as_array().unwrap().iter().find(|check| check["name"] == "sandbox").unwrap();
    let detail = check["detail"].as_str().unwrap();
    assert!(check["ok"] == true && !detail.is_empty(), "{check}");
    let deadline = Instant::now() + Duration::from_mins(1);
    while !serve.log().contains("worker started") {
        assert!(Instant::now() < deadline, "{}", serve.log());
        std::thread::sleep(Duration::from_millis(10));
    }
    let log = serve.log();
    let started = log.lines().find(|line| line.contains("worker started")).unwrap();
    assert!(started.contains(detail), "{started}");
}

#[test]
fn serve_outlives_a_drain_of_its_worker() {
    let folder = reachable_folder();
    let serve = Serve::start(&folder.path().join("data"));
    let workers = || {
        let answer = serve.ask("GET", "/api/admin/workers", "");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"));
        body["workers"].as_array().unwrap().clone()
    };
    let wait_for = |count: usize| {
        let deadline = Instant::now() + Duration::from_mins(1);
        while workers().len() != count {
            assert!(Instant::now() < deadline, "{:?}: {}", workers(), serve.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    wait_for(1);
    let name = workers()[0]["name"].as_str().unwrap().to_owned();
    assert!(serve.ask("POST", &format!("/api/admin/workers/{name}/drain"), "").starts_with("HTTP/1.1 202"));
    // it has nothing to do, so it ends at once and is listed no more
    wait_for(0);
    let repository = Repository::library("adder");
    let body = serde_json::json!({ "repo_path": repository.path() }).to_string();
    let accepted = serve.ask("POST", "/api/generate", &body);
    assert!(accepted.starts_with("HTTP/1.1 202"), "{accepted}");
    assert!(serve.get("/health").contains("ok") && serve.get("/ready").starts_with("HTTP/1.1 200"));
    let log = serve.log();
    assert!(log.contains("the worker of this process is drained"), "{log}");
    assert_eq!(serve.terminate(), Some(0));
}
