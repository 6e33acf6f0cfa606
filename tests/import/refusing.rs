//! When nothing is imported at all, and that a database of docmill's own is left in order.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use docmill::postgres::EmbeddedPostgres;
use tempfile::TempDir;

use super::{Home, assert_line};
use crate::support::docsfy::{DOCSFY_ADMIN_KEY, Docsfy, import};

/// Runs it with a data folder and gives what it said on standard error, in one line.
fn refusal(docsfy: &Path, arguments: &[&str], data_dir: &Path) -> String {
    let output = import(docsfy, arguments, &[("DATA_DIR", data_dir.to_str().unwrap())]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    assert!(said.starts_with("docmill: ") && output.stdout.is_empty(), "{said}");
    said
}

#[test]
fn a_command_that_cannot_work_says_why_and_makes_nothing() {
    let folder = TempDir::new().unwrap();
    let data_dir = folder.path().join("data");
    let docsfy = Docsfy::v1_9();
    let empty = TempDir::new().unwrap();
    let garbage = TempDir::new().unwrap();
    fs::write(garbage.path().join("docsfy.db"), vec![b'x'; 5000]).unwrap();
    let other = TempDir::new().unwrap();
    let database = rusqlite::Connection::open(other.path().join("docsfy.db")).unwrap();
    database.execute_batch("CREATE TABLE songs (name TEXT)").unwrap();
    for (place, expected) in [
        (Path::new("/nowhere"), "`/nowhere` cannot be read"),
        (empty.path(), "holds no docsfy.db"),
        (garbage.path(), "cannot be read"),
        (other.path(), "no database of docsfy"),
    ] {
        let said = refusal(place, &[], &data_dir);
        assert!(said.contains(expected), "{said}");
    }
    let said = refusal(docsfy.path(), &["--admin-key", "short"], &data_dir);
    assert!(said.contains("at least 16 characters") && !said.contains("short"), "{said}");
    assert!(!data_dir.exists(), "something was made");
}

#[test]
fn docmill_never_writes_into_docsfys_folder() {
    let docsfy = Docsfy::v1_9();
    let before = docsfy.snapshot();
    for inside in ["", "docmill", "projects/../docmill/data"] {
        let said = refusal(docsfy.path(), &[], &docsfy.path().join(inside));
        assert!(said.contains("set DATA_DIR to another folder"), "{said}");
    }
    let dry = import(docsfy.path(), &["--dry-run"], &[("DATA_DIR", "/nowhere/docmill")]);
    assert_eq!(dry.status.code(), Some(0), "{}", String::from_utf8_lossy(&dry.stderr));
    assert!(!Path::new("/nowhere").exists());
    assert_eq!(docsfy.snapshot(), before);
}

#[tokio::test]
async fn a_database_of_its_own_is_started_and_stopped_and_refused_while_another_process_has_it() {
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let data_dir = folder.path().join("data");
    let docsfy = Docsfy::v1_9();
    docsfy.variant("alice", "demo", "opus");
    let variables = [("DATA_DIR", data_dir.to_str().unwrap())];
    let output = import(docsfy.path(), &["--admin-key", DOCSFY_ADMIN_KEY], &variables);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!data_dir.join("pg/postmaster.pid").exists(), "the server still runs");
    let mode = fs::metadata(data_dir.join("key-pepper")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let server = EmbeddedPostgres::start(&data_dir).await.unwrap();
    let said = refusal(docsfy.path(), &[], &data_dir);
    assert!(said.contains("another docmill process is using the data folder"), "{said}");
    server.stop().await;
    let again = import(docsfy.path(), &[], &variables);
    assert_line(&String::from_utf8(again.stdout).unwrap(), "variants              0              1         0");
}

#[tokio::test]
async fn two_imports_do_not_run_at_the_same_time() {
    let home = Home::start().await;
    let docsfy = Docsfy::v1_9();
    let mut other = home.world.pool.acquire().await.unwrap();
    assert!(shared::db::imports::lock(&mut other).await.unwrap());
    let output = home.run(&docsfy, &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("another import is running"), "{said}");
}
