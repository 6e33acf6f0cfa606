//! Clocks that are wrong, by libfaketime: a process whose clock differs from the database's does not start, and one whose
//! clock jumps while it works goes on undisturbed, because only the database's counts.

use std::{fs, path::PathBuf, time::Duration};

use shared::{provider::Provider, variant::Status};

use super::{
    ApiProgram, log_of, start_short_worker, start_worker,
    traces::{Site, assert_calls, assert_nothing_left, assert_same_site},
};
use crate::support::{
    process::Program,
    repository::Repository,
    world::{SHORT_TIMING, World, variant},
};

/// The library that lies about the time; `None`, with a note, where it is not installed.
fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let found = folders.map(|folder| folder.join("faketime/libfaketime.so.1")).find(|library| library.exists());
    if found.is_none() {
        println!("skipped: libfaketime is not installed (Debian: `apt-get install faketime`)");
    }
    found
}

/// A clock that processes read from a file, so that it can jump.
struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    fn new(world: &World, name: &str) -> Option<Self> {
        let clock = Self { library: library()?, file: world.folder().join(name) };
        clock.set("+0");
        Some(clock)
    }

    fn set(&self, offset: &str) {
        let half = self.file.with_extension("half");
        fs::write(&half, offset).unwrap();
        fs::rename(half, &self.file).unwrap();
    }

    fn variables(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("LD_PRELOAD", self.library.to_str().unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            // no clock of any machine makes time itself jump
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ]
    }

    fn start_worker(&self, world: &World, name: &str) -> Program {
        start_worker(world, name, &[SHORT_TIMING.to_vec(), self.variables()].concat())
    }
}

#[tokio::test]
async fn a_worker_whose_clock_is_wrong_does_not_start_and_says_why() {
    let world = World::without_worker().await;
    for (name, offset) in [("late", "-1h"), ("early", "+1h")] {
        let Some(clock) = Clock::new(&world, name) else { return };
        clock.set(offset);
        let worker = clock.start_worker(&world, name);
        assert_eq!(worker.wait_for(Duration::from_mins(1)).code(), Some(1));
        let log = fs::read_to_string(log_of(&world, name)).unwrap();
        assert!(log.contains("this host's clock and the database's differ by"), "{log}");
    }
}

#[tokio::test]
async fn clocks_that_jump_by_an_hour_change_nothing() {
    let world = World::without_worker().await;
    let key = variant("adder", Provider::Claude);
    let (Some(of_worker), Some(of_api)) = (Clock::new(&world, "worker-clock"), Clock::new(&world, "api-clock")) else {
        return;
    };
    let api = ApiProgram::start(&world, &of_api.variables()).await;
    let worker = of_worker.start_worker(&world, "worker");
    let other = start_short_worker(&world, "other");
    let repository = Repository::library("adder");
    let mut calls = 0;
    for (api_offset, worker_offset) in [("-1h", "+1h"), ("+1h", "-1h")] {
        of_api.set(api_offset);
        of_worker.set("+0");
        world.stand_ins.block("page-page-3");
        let status = api.generate(&repository).send().await.unwrap().status();
        assert_eq!(status, 202);
        world.wait_until(&key, |row| row.page_count == 2 && row.status == Status::Generating).await;
        of_worker.set(worker_offset);
        // several leases long: who were to believe a wrong clock would take over, or give up
        let renewed = "SELECT count(*) FROM generations WHERE state = 'running' AND lease_until > $1";
        let seen: chrono::DateTime<chrono::Utc> =
            sqlx::query_scalar("SELECT now() + interval '6 seconds'").fetch_one(&world.pool).await.unwrap();
        while sqlx::query_scalar::<_, i64>(renewed).bind(seen).fetch_one(&world.pool).await.unwrap() == 0 {
            assert_eq!(world.row(&key).await.status, Status::Generating);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        world.stand_ins.release("page-page-3");
        let row = world.wait_for_end(&key).await;
        assert_same_site(&world, &row, Site::First).await;
        assert_calls(&world, calls, &["plan", "page-page-1", "page-page-2", "page-page-3"], &[]);
        calls = world.stand_ins.calls().len();
    }
    let changed_hands = "SELECT count(*) FROM generations WHERE fence <> 1 OR crash_count <> 0";
    assert_eq!(sqlx::query_scalar::<_, i64>(changed_hands).fetch_one(&world.pool).await.unwrap(), 0);
    assert_eq!((worker.terminate(), other.terminate()), (Some(0), Some(0)));
    drop(api);
    assert_nothing_left(&world).await;
}
