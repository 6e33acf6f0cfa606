//! What is there after a fault: the site, byte for byte that of an undisturbed run; each AI call that was made; and nothing
//! else, no process, no row and no folder.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use shared::{db::variants::VariantRow, provider::Provider, variant::Status};
use tokio::{sync::OnceCell, time::Instant};

use super::{log_of, start_worker};
use crate::support::{
    repository::Repository,
    world::{SHORT_TIMING, World, variant},
};

/// A folder's files by path.
pub(super) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Which site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Site {
    /// Of `Repository::library("adder")`.
    First,
    /// After [`change`].
    Second,
}

/// Makes the next run one that has something to do in each stage: a new commit, and a page that its check sends back.
pub(super) fn change(world: &World, repository: &Repository) {
    repository.write(
        "src/more.rs",
        "//! Subtracting numbers.\n\n/// Takes a number away.\npub fn take(a: i64, b: i64) -> i64 {\n    a - b\n}\n",
    );
    repository.commit("second");
    world.stand_ins.set("mode.page-page-2", "stub");
}

/// The site's files are those of a run that nothing disturbed.
pub(super) async fn assert_same_site(world: &World, row: &VariantRow, site: Site) {
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    let expected = undisturbed(site).await;
    let found = files_of(world, row);
    let names = |files: &Files| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(expected));
    for (path, bytes) in &found {
        assert!(bytes == &expected[path], "`{}` differs from that of an undisturbed run", path.display());
    }
}

async fn undisturbed(site: Site) -> &'static Files {
    static SITES: [OnceCell<Files>; 2] = [const { OnceCell::const_new() }; 2];
    let make = || async {
        let mut world = World::start().await;
        let repository = Repository::library("adder");
        if site == Site::Second {
            change(&world, &repository);
        }
        let row = world.generate(&repository, &variant("adder", Provider::Claude), false).await;
        assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
        world.stop_worker().await;
        files_of(&world, &row)
    };
    SITES[usize::from(site == Site::Second)].get_or_init(make).await
}

/// The files of the site that a variant serves, with their compressed forms and the manifest.
pub(super) fn files_of(world: &World, row: &VariantRow) -> Files {
    let folder = world.sites_dir().join(row.site_prefix.as_ref().expect("no site is served"));
    let mut files = Files::new();
    collect(&folder, &folder, &mut files);
    assert!(files.keys().any(|path| path.ends_with("index.html")), "{:?}", files.keys());
    files
}

fn collect(root: &Path, folder: &Path, files: &mut Files) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            files.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap());
        }
    }
}

/// The calls that were made, from the `from`th on, are one of each of `once` and one more of each of `again`.
pub(super) fn assert_calls(world: &World, from: usize, once: &[&str], again: &[&str]) {
    let mut calls = world.stand_ins.calls().split_off(from);
    calls.sort();
    let mut expected: Vec<&str> = once.iter().chain(again).copied().collect();
    expected.sort_unstable();
    assert_eq!(calls, expected, "each call is paid for once, and once more only when it was in flight at the fault");
}

/// Once all that is meant to pass has passed, nothing is left of the faults: no process of a call, no open row, no task, no
/// folder but those of sites that a variant had. A worker that starts later on the same host tidies up.
pub(super) async fn assert_nothing_left(world: &World) {
    let aging = "UPDATE generations SET finished_at = finished_at - interval '3 hours';
        UPDATE workers SET last_seen = last_seen - interval '3 hours';";
    sqlx::raw_sql(aging).execute(&world.pool).await.unwrap();
    let mut settings = SHORT_TIMING.to_vec();
    settings.push(("DOCMILL_REAPER_MS", "20"));
    let janitor = start_worker(world, "janitor", &settings);
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        let left = list_left(world).await;
        if left.is_empty() {
            break;
        }
        let log = || fs::read_to_string(log_of(world, "janitor")).unwrap_or_default();
        assert!(Instant::now() < deadline, "left behind: {left:#?}\n{}", log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // before that it does not know what SIGTERM means
    while !fs::read_to_string(log_of(world, "janitor")).is_ok_and(|log| log.contains("worker started")) {
        assert!(Instant::now() < deadline, "the janitor does not start");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(janitor.terminate(), Some(0));
}

async fn list_left(world: &World) -> Vec<String> {
    let rows = "
        SELECT 'generation ' || id || ' is ' || state FROM generations WHERE state IN ('queued', 'running')
        UNION ALL
        SELECT 'page ' || slug || ' is ' || p.state FROM page_jobs p JOIN generations g ON g.id = p.generation_id
         WHERE p.state NOT IN ('done', 'failed')
        UNION ALL
        SELECT 'task ' || job_type || ' ' || idempotency_key || ' is ' || status FROM apalis.jobs
         WHERE status IN ('Pending', 'Queued', 'Running')
        UNION ALL
        SELECT 'call ' || id || ' is ' || outcome FROM ai_calls WHERE outcome = 'running'
        UNION ALL
        SELECT 'variant ' || name || ' is ' || status FROM variants WHERE status = 'generating'
        UNION ALL
        SELECT 'worker ' || name || ' is on the list' FROM workers WHERE last_seen < now() - interval '10 minutes'
        UNION ALL
        SELECT 'files of ' || prefix || ' are to be deleted' FROM deleted_sites AS d (prefix)";
    let mut left: Vec<String> = sqlx::query_scalar(rows).fetch_all(&world.pool).await.unwrap();
    let mut folders: Vec<String> =
        sqlx::query_scalar("SELECT site_prefix FROM generations WHERE site_prefix IS NOT NULL")
            .fetch_all(&world.pool)
            .await
            .unwrap();
    folders.push("commits".to_owned());
    let names = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(world.folder().join(folder)).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    left.extend(names("sites").into_iter().filter(|name| !folders.contains(name)).map(|name| format!("sites/{name}")));
    // the next incremental run compares with the served one, a retry goes on from the newest
    let bases: Vec<String> = sqlx::query_scalar(
        "SELECT g.id::text FROM generations g JOIN variants v ON v.id = g.variant_id
          WHERE v.site_prefix = g.site_prefix OR v.generation_id = g.id",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    let commits = names("sites/commits").into_iter().filter(|name| !bases.contains(name));
    left.extend(commits.map(|name| format!("sites/commits/{name}")));
    left.extend(names("host/work").iter().map(|name| format!("host/work/{name}")));
    left.extend(processes_of(world).iter().map(|(pid, command)| format!("process {pid}: {command}")));
    left
}

/// Everything that workers of this world have started and that runs, by process id.
pub(super) fn processes_of(world: &World) -> Vec<(u32, String)> {
    let own = [world.folder(), world.stand_ins.program("claude").parent().unwrap().to_owned()];
    let own = own.map(|folder| folder.to_str().unwrap().to_owned());
    let program = Path::new(env!("CARGO_BIN_EXE_docmill"));
    let ids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let processes = ids.filter_map(|pid: u32| {
        let read = |name: &str| {
            fs::read(format!("/proc/{pid}/{name}")).map(|text| String::from_utf8_lossy(&text).replace('\0', " "))
        };
        let (command, environment) = (read("cmdline").ok()?, read("environ").unwrap_or_default());
        let is_ours = own.iter().any(|folder| command.contains(folder) || environment.contains(folder));
        // not what tests themselves have started
        let is_program = fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program);
        let is_started_here = is_program && parent_of(pid) == Some(std::process::id());
        (is_ours && !is_started_here && pid != std::process::id()).then_some((pid, command))
    });
    processes.collect()
}

/// The parent of a process.
pub(super) fn parent_of(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    status.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}
