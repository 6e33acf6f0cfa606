//! The embedded database, with a real Postgres. Where none is installed these tests say so and pass.

mod process;

use std::{
    fs::{self, Permissions},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use docmill::postgres::{EmbeddedPostgres, PostgresError};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;

use self::process::OwningProcess;

/// A folder that every account may enter: the tests may run as root, whose server runs as another.
fn data_folder() -> TempDir {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o711)).tempdir().unwrap()
}

/// `None`, with a note, when this machine has no Postgres.
async fn start(data_dir: &Path) -> Option<EmbeddedPostgres> {
    match EmbeddedPostgres::start(data_dir).await {
        Ok(server) => Some(server),
        Err(error @ PostgresError::NotFound) => {
            println!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

async fn query(url: &str, sql: &str) -> Result<i32, sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    let answer = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(answer)
}

/// Asks until there is an answer.
async fn query_until_answered(url: &str, sql: &str) -> i32 {
    let asked = Instant::now();
    loop {
        match query(url, sql).await {
            Ok(answer) => return answer,
            Err(error) if asked.elapsed() > Duration::from_secs(20) => panic!("no answer in 20 s: {error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn write_seven(url: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql("CREATE TABLE kept (answer int); INSERT INTO kept VALUES (7)")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

const READ_SEVEN: &str = "SELECT answer FROM kept";

fn server_pid(data_dir: &Path) -> u32 {
    let note = fs::read_to_string(data_dir.join("pg/postmaster.pid")).unwrap();
    note.lines().next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_fresh_folder_gets_a_database_and_a_second_start_keeps_its_data() {
    let folder = data_folder();
    // more than the path of a Unix socket may have, and not only letters
    let data_dir = folder.path().join("a folder (ä) ".repeat(10));
    let started = Instant::now();
    let Some(server) = start(&data_dir).await else { return };
    assert_eq!(query(server.url(), "SELECT 1").await.unwrap(), 1);
    println!("fresh start to first answer: {} ms", started.elapsed().as_millis());
    write_seven(server.url()).await;
    let stopped = Instant::now();
    server.stop().await;
    println!("stop: {} ms", stopped.elapsed().as_millis());
    assert!(!data_dir.join("pg/postmaster.pid").exists(), "stop returns when the server is gone");

    // what a crash of the machine leaves: a note whose process id belongs to somebody else by now
    fs::write(data_dir.join("pg/postmaster.pid"), format!("{}\n", std::process::id())).unwrap();
    let started = Instant::now();
    let server = start(&data_dir).await.unwrap();
    assert_eq!(query(server.url(), READ_SEVEN).await.unwrap(), 7);
    println!("restart to first answer: {} ms", started.elapsed().as_millis());
    let socket_folder = fs::read_to_string(data_dir.join("pg.socket")).unwrap();
    assert!(Path::new(&socket_folder).exists());
    server.stop().await;
    assert!(!Path::new(&socket_folder).exists(), "stop leaves nothing behind in `/tmp`");
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_refused_in_a_sentence() {
    let folder = data_folder();
    let Some(server) = start(folder.path()).await else { return };
    let refusal = EmbeddedPostgres::start(folder.path()).await.unwrap_err();
    assert!(matches!(refusal, PostgresError::Busy(_)));
    assert!(refusal.to_string().starts_with("another docmill process is using the data folder"), "{refusal}");
    assert_eq!(query(server.url(), "SELECT 1").await.unwrap(), 1, "the first is not disturbed");
    server.stop().await;
}

#[tokio::test]
async fn a_killed_server_comes_back_at_the_same_address_with_its_data() {
    let folder = data_folder();
    let Some(server) = start(folder.path()).await else { return };
    write_seven(server.url()).await;
    let victim = server_pid(folder.path());
    let killed = Instant::now();
    shared::os::send_signal(victim, libc::SIGKILL).unwrap();
    assert_eq!(query_until_answered(server.url(), READ_SEVEN).await, 7);
    println!("killed server answers again after {} ms", killed.elapsed().as_millis());
    assert_ne!(server_pid(folder.path()), victim);
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_cannot_be_restarted_is_reported() {
    let folder = data_folder();
    let Some(server) = start(folder.path()).await else { return };
    fs::remove_file(folder.path().join("pg/global/pg_control")).unwrap();
    shared::os::send_signal(server_pid(folder.path()), libc::SIGKILL).unwrap();
    let reason = tokio::time::timeout(Duration::from_secs(20), server.failed()).await.unwrap();
    assert!(reason.starts_with("Postgres did not start, its log"), "{reason}");
    assert!(reason.contains("could not find the database system"), "the log's end is told: {reason}");
    server.stop().await;
}

#[tokio::test]
async fn a_killed_docmill_leaves_no_server_and_the_next_start_has_the_data() {
    let folder = data_folder();
    let Some(mut owner) = OwningProcess::start(folder.path(), None, &[]) else { return };
    write_seven(&owner.url().unwrap()).await;
    let server = server_pid(folder.path());
    let killed = Instant::now();
    owner.kill();
    while Path::new(&format!("/proc/{server}/cwd")).read_link().is_ok() {
        assert!(killed.elapsed() < Duration::from_secs(2), "the server outlives its docmill");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    println!("server of a killed docmill gone after {} ms", killed.elapsed().as_millis());
    let started = Instant::now();
    let server = start(folder.path()).await.unwrap();
    assert_eq!(query(server.url(), READ_SEVEN).await.unwrap(), 7);
    println!("start after a kill: {} ms", started.elapsed().as_millis());
    server.stop().await;
}

#[tokio::test]
async fn a_docmill_killed_together_with_its_server_recovers_at_the_next_start() {
    let folder = data_folder();
    let Some(mut owner) = OwningProcess::start(folder.path(), None, &[]) else { return };
    write_seven(&owner.url().unwrap()).await;
    shared::os::send_signal(server_pid(folder.path()), libc::SIGKILL).unwrap();
    owner.kill();
    let started = Instant::now();
    let server = start(folder.path()).await.unwrap();
    assert_eq!(query(server.url(), READ_SEVEN).await.unwrap(), 7);
    println!("start after both were killed: {} ms", started.elapsed().as_millis());
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_outlived_its_docmill_is_stopped_and_replaced() {
    let folder = data_folder();
    let Some(server) = start(folder.path()).await else { return };
    write_seven(server.url()).await;
    let command_line = fs::read_to_string(format!("/proc/{}/cmdline", server_pid(folder.path()))).unwrap();
    server.stop().await;

    // the same server once more, but nothing makes it end with us
    let socket_folder = data_folder();
    let account = fs::metadata(folder.path().join("pg")).unwrap();
    chown(socket_folder.path(), Some(account.uid()), Some(account.gid())).unwrap();
    let mut arguments: Vec<&str> = command_line.trim_end_matches('\0').split('\0').collect();
    let after_k = arguments.iter().position(|argument| *argument == "-k").unwrap() + 1;
    arguments[after_k] = socket_folder.path().to_str().unwrap();
    let mut orphan = Command::new(arguments[0]);
    orphan.args(&arguments[1..]).uid(account.uid()).gid(account.gid()).current_dir("/").stderr(Stdio::null());
    let mut orphan = orphan.spawn().unwrap();
    let orphans_url =
        format!("postgres://docmill@localhost:5432/docmill?sslmode=disable&host={}", socket_folder.path().display());
    assert_eq!(query_until_answered(&orphans_url, READ_SEVEN).await, 7);

    let started = Instant::now();
    let server = start(folder.path()).await.unwrap();
    assert_eq!(query(server.url(), READ_SEVEN).await.unwrap(), 7);
    println!("start beside a living server: {} ms", started.elapsed().as_millis());
    assert!(orphan.try_wait().unwrap().is_some(), "two servers never run on one cluster");
    server.stop().await;
}

#[tokio::test]
async fn an_ordinary_user_has_a_database_too() {
    const NOBODY: u32 = 65534;
    let folder = data_folder();
    let user = shared::os::is_root().then_some(NOBODY);
    let started = Instant::now();
    let Some(mut owner) = OwningProcess::start(folder.path(), user, &[]) else { return };
    let url = owner.url().unwrap();
    println!("fresh start of an ordinary user, with its process: {} ms", started.elapsed().as_millis());
    // root may pass the socket folder's mode
    assert_eq!(query(&url, "SELECT 1").await.unwrap(), 1);
    assert!(owner.finish().success());
}

#[test]
fn a_user_without_a_name_is_told_what_to_do() {
    if !shared::os::is_root() {
        println!("skipped: only root can become a user without a name");
        return;
    }
    let folder = data_folder();
    let Some(owner) = OwningProcess::start(folder.path(), Some(12_345), &[]) else { return };
    let error = owner.url().unwrap_err();
    assert!(error.starts_with("Postgres needs a name for the user that runs docmill"), "{error}");
}

#[test]
fn a_wrong_binary_folder_is_named() {
    let folder = data_folder();
    let wrong = ("DOCMILL_PG_BIN", "/usr/share");
    let owner = OwningProcess::start(folder.path(), None, &[wrong]).unwrap();
    let error = owner.url().unwrap_err();
    assert!(error.starts_with("DOCMILL_PG_BIN `/usr/share` does not hold `postgres`"), "{error}");
}

#[tokio::test]
async fn a_cluster_of_another_major_version_is_not_touched() {
    let folder = data_folder();
    fs::create_dir(folder.path().join("pg")).unwrap();
    fs::write(folder.path().join("pg/PG_VERSION"), "9.6\n").unwrap();
    match EmbeddedPostgres::start(folder.path()).await.unwrap_err() {
        PostgresError::NotFound => println!("skipped: no Postgres here"),
        error => assert!(error.to_string().contains("was made by Postgres 9.6, but only version"), "{error}"),
    }
}

#[tokio::test]
async fn roots_private_folder_is_refused_by_name() {
    if !shared::os::is_root() {
        println!("skipped: only root hands the server to another account");
        return;
    }
    let private = tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap();
    match EmbeddedPostgres::start(&private.path().join("data")).await.unwrap_err() {
        PostgresError::NotFound => println!("skipped: no Postgres here"),
        error => {
            let named = format!("cannot enter `{}`", private.path().display());
            assert!(error.to_string().contains(&named), "{error}");
        }
    }
}
