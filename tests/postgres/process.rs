//! A process of its own that owns an embedded database: this test program once more, running one ignored test.

use std::{
    env,
    io::{BufRead, BufReader, Lines, Read},
    os::unix::{fs::chown, process::CommandExt},
    path::Path,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

use docmill::postgres::{EmbeddedPostgres, PostgresError};

const DATA_DIR: &str = "DOCMILL_TEST_OWNED_DATA_DIR";

/// Runs until its standard input ends.
#[tokio::test]
#[ignore = "a part of other tests, which start it as a process of its own"]
async fn own_a_server() {
    let data_dir = env::var_os(DATA_DIR).expect("started by `OwningProcess`");
    match EmbeddedPostgres::start(Path::new(&data_dir)).await {
        Ok(server) => {
            println!("\nurl {}", server.url());
            let rest = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await;
            server.stop().await;
            assert_eq!(rest.unwrap().unwrap(), 0);
        }
        Err(PostgresError::NotFound) => println!("\nnone"),
        Err(error) => println!("\nerror {error}"),
    }
}

/// Killed when dropped.
pub(super) struct OwningProcess {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
    first: String,
}

impl OwningProcess {
    /// `None`, with a note, when this machine has no Postgres. A `user` owns the folder from then on.
    pub(super) fn start(data_dir: &Path, user: Option<u32>, environment: &[(&str, &str)]) -> Option<Self> {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "postgres::process::own_a_server", "--ignored", "--nocapture"]);
        command.env(DATA_DIR, data_dir).envs(environment.iter().copied());
        if let Some(user) = user {
            chown(data_dir, Some(user), Some(user)).unwrap();
            command.uid(user).gid(user).current_dir("/");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = output.by_ref().map(Result::unwrap);
        let first = said.find(|line| ["url ", "none", "error "].iter().any(|word| line.starts_with(word))).unwrap();
        let process = Self { child, output, first };
        if process.first == "none" {
            println!("skipped: {}", PostgresError::NotFound);
            return None;
        }
        Some(process)
    }

    /// Where its database is, or why it has none.
    pub(super) fn url(&self) -> Result<String, String> {
        self.first.strip_prefix("url ").map(str::to_owned).ok_or(self.first.replacen("error ", "", 1))
    }

    /// As `kill -9`.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Tells it to stop, and waits for that.
    pub(super) fn finish(&mut self) -> ExitStatus {
        drop(self.child.stdin.take());
        self.output.by_ref().for_each(drop);
        self.child.wait().unwrap()
    }
}

impl Drop for OwningProcess {
    fn drop(&mut self) {
        // it may have ended already
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
