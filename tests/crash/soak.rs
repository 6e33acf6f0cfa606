//! The soak: hundreds of generations on several workers, of which one is killed every two seconds. `script/soak` runs it;
//! the figures it prints are those of the last line of the fault matrix: nothing lost, published twice or stuck.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use rand::RngExt;
use shared::{ids::GenerationId, provider::Provider, variant::Status};

use super::{
    ApiProgram, start_worker,
    traces::{Files, assert_nothing_left, files_of},
};
use crate::support::{
    process::Program,
    repository::Repository,
    world::{World, variant},
};

const PAGES: usize = 10;

fn setting(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; script/soak runs it"]
async fn nothing_is_lost_published_twice_or_stuck_while_workers_are_killed() {
    let (generations, workers) = (setting("SOAK_GENERATIONS", 300), setting("SOAK_WORKERS", 4));
    let (length, every) = (setting("SOAK_SECONDS", 600), setting("SOAK_KILL_EVERY_MS", 2000));
    let (length, every) = (Duration::from_secs(length.into()), Duration::from_millis(every.into()));
    let world = World::without_worker().await;
    world.stand_ins.set("pages", &PAGES.to_string());
    // long enough that kills meet calls, and with them runs
    world.stand_ins.set("delay.all", "900");
    world.stand_ins.set("name-repositories", "");
    let api = ApiProgram::start(&world, &[("LOG_LEVEL", "warn")]).await;
    let mut fleet = Fleet::start(&world, workers);
    println!("{generations} generations of {PAGES} pages, {workers} workers, a kill every {every:?} for {length:?}");

    // each repository twice, so that every second run replaces a site that is served
    let repositories: Vec<Repository> =
        (0..generations.div_ceil(2)).map(|number| Repository::library(&name_of(number))).collect();
    let began = Instant::now();
    let load = async {
        let mut accepted = Vec::new();
        while accepted.len() < generations as usize {
            // evenly, so that the load lasts as long as the killing
            let due = length * u32::try_from(accepted.len()).unwrap() / generations;
            tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
            accepted.push(request(&api, &repositories, accepted.len()).await);
        }
        accepted
    };
    let faults = async {
        let mut figures = Duration::ZERO;
        let mut ticks = tokio::time::interval(every);
        while began.elapsed() < length {
            ticks.tick().await;
            fleet.kill_one();
            if began.elapsed() > figures {
                println!("{:>4} s: {}, {} kills", began.elapsed().as_secs(), describe(&world).await, fleet.kills);
                figures += Duration::from_secs(30);
            }
        }
    };
    let (accepted, ()) = tokio::join!(load, faults);
    println!("no more kills after {:?}: {}", began.elapsed(), describe(&world).await);
    let patience = Instant::now() + Duration::from_mins(5);
    while count(&world, "SELECT count(*) FROM generations WHERE state IN ('queued', 'running')").await > 0
        && Instant::now() < patience
    {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("all over after {:?}", began.elapsed());
    let verdict = judge(&world, &accepted, &repositories).await;
    println!("{} kills, {} workers ended by themselves", fleet.kills, fleet.broke_off);
    assert_eq!((verdict, fleet.broke_off), (Verdict::default(), 0));
    fleet.end();
    assert_nothing_left(&world).await;
    println!("nothing left behind: no process, no row, no folder");
}

fn name_of(number: u32) -> String {
    format!("soak-{number:04}")
}

/// Asks for the next repository that is not busy, beginning with the `number`th.
async fn request(api: &ApiProgram, repositories: &[Repository], number: usize) -> GenerationId {
    let deadline = Instant::now() + Duration::from_mins(3);
    for number in number.. {
        let answer = api.generate(&repositories[number % repositories.len()]).send().await.unwrap();
        let status = answer.status().as_u16();
        let body: serde_json::Value = answer.json().await.unwrap();
        if status == 202 {
            return body["generation_id"].as_str().unwrap().parse().unwrap();
        }
        assert!(status == 409 && Instant::now() < deadline, "{status} {body}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    unreachable!("there is always a next number")
}

/// The workers, each of which is replaced when it is killed or ends.
struct Fleet<'a> {
    world: &'a World,
    workers: Vec<Program>,
    kills: u32,
    broke_off: u32,
}

impl<'a> Fleet<'a> {
    fn start(world: &'a World, count: u32) -> Self {
        let workers = (0..count).map(|number| start(world, number as usize)).collect();
        Self { world, workers, kills: 0, broke_off: 0 }
    }

    fn kill_one(&mut self) {
        for number in 0..self.workers.len() {
            if self.workers[number].has_ended() {
                self.broke_off += 1;
                self.workers[number] = start(self.world, number);
            }
        }
        let number = rand::rng().random_range(0..self.workers.len());
        self.workers.remove(number).kill();
        self.workers.insert(number, start(self.world, number));
        self.kills += 1;
    }

    fn end(self) {
        for worker in self.workers {
            assert_eq!(worker.terminate(), Some(0));
        }
    }
}

fn start(world: &World, number: usize) -> Program {
    start_worker(world, &format!("worker-{number}"), &[("LOG_LEVEL", "info")])
}

async fn count(world: &World, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&world.pool).await.unwrap()
}

async fn describe(world: &World) -> String {
    let asked = count(world, "SELECT count(*) FROM generations").await;
    let ready = count(world, "SELECT count(*) FROM generations WHERE state = 'ready'").await;
    let failed = count(world, "SELECT count(*) FROM generations WHERE state IN ('error', 'aborted')").await;
    format!("{asked} accepted, {ready} ready, {failed} failed")
}

/// What must all be nothing.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    /// Accepted and not ready in the end.
    lost: usize,
    /// Still active although nobody was killed any more.
    stuck: i64,
    /// Told as ready more than once, or served from two folders.
    published_twice: i64,
    /// Sites that differ from the others.
    different: usize,
    /// Pages for which no call was made.
    unpaid: usize,
}

async fn judge(world: &World, accepted: &[GenerationId], repositories: &[Repository]) -> Verdict {
    let states: HashMap<GenerationId, (String, Option<String>)> =
        sqlx::query_as::<_, (GenerationId, String, Option<String>)>("SELECT id, state, error_message FROM generations")
            .fetch_all(&world.pool)
            .await
            .unwrap()
            .into_iter()
            .map(|(id, state, message)| (id, (state, message)))
            .collect();
    let lost: Vec<_> = accepted.iter().filter(|id| states.get(id).is_none_or(|(state, _)| state != "ready")).collect();
    for id in &lost {
        println!("not ready: {id} {:?}", states.get(id));
    }
    let verdict = Verdict {
        lost: lost.len(),
        stuck: count(world, "SELECT count(*) FROM generations WHERE state IN ('queued', 'running')").await,
        published_twice: count(world, PUBLISHED_TWICE).await,
        different: count_different(world, repositories).await,
        unpaid: print_calls(world).await,
    };
    let times: (f64, f64, f64) = sqlx::query_as(
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY s), percentile_cont(0.95) WITHIN GROUP (ORDER BY s), max(s)
           FROM (SELECT extract(epoch FROM finished_at - created_at)::float8 AS s FROM generations
                  WHERE finished_at IS NOT NULL) AS times",
    )
    .fetch_one(&world.pool)
    .await
    .unwrap();
    println!("request to end: median {:.1} s, p95 {:.1} s, longest {:.1} s", times.0, times.1, times.2);
    let retaken = count(world, "SELECT count(*) FROM generations WHERE fence > 1").await;
    let most = count(world, "SELECT COALESCE(max(fence), 0) FROM generations").await;
    println!("{retaken} runs changed hands, one of them {most} times");
    println!("{verdict:?}");
    verdict
}

const PUBLISHED_TWICE: &str = "
    SELECT (SELECT count(*) FROM (SELECT generation_id FROM events
                                   WHERE kind = 'status_change' AND body->>'status' = 'ready'
                                   GROUP BY generation_id HAVING count(*) > 1) AS told)
         + (SELECT count(*) FROM variants v JOIN generations g ON g.id = v.generation_id
             WHERE g.state = 'ready' AND v.site_prefix IS DISTINCT FROM g.site_prefix)
         + (SELECT count(*) - count(DISTINCT site_prefix) FROM generations WHERE state = 'ready')";

/// Compares the sites with each other: but for the name, the commit and the day they are the same.
async fn count_different(world: &World, repositories: &[Repository]) -> usize {
    let mut expected: Option<Files> = None;
    let mut different = 0;
    for (number, repository) in repositories.iter().enumerate() {
        let name = name_of(u32::try_from(number).unwrap());
        let row = world.row(&variant(&name, Provider::Claude)).await;
        if row.status != Status::Ready {
            continue;
        }
        let commit = repository.git(&["rev-parse", "HEAD"]);
        // a soak may last into the next day
        let day = row.generation_started_at.unwrap().format("%Y-%m-%d").to_string();
        let plain = |bytes: Vec<u8>| {
            let text = String::from_utf8_lossy(&bytes).replace(&name, "NAME").replace(&commit, "COMMIT");
            text.replace(&commit[..7], "SHORT").replace(&day, "DAY").into_bytes()
        };
        let files = files_of(world, &row).into_iter().filter(|(path, _)| path.starts_with("site"));
        let files: Files = files.map(|(path, bytes)| (path, plain(bytes))).collect();
        match &expected {
            None => expected = Some(files),
            Some(expected) if *expected == files => {}
            Some(expected) => {
                let path = files.iter().find(|(path, bytes)| expected.get(*path) != Some(bytes)).map(|(path, _)| path);
                println!("the site of {name} differs, for example in {path:?}");
                different += 1;
            }
        }
    }
    different
}

/// Prints how often pages were paid for; gives how many were not.
async fn print_calls(world: &World) -> usize {
    let mut calls: HashMap<String, usize> = HashMap::new();
    for call in world.stand_ins.calls() {
        *calls.entry(call).or_default() += 1;
    }
    let runs: Vec<(String, i64)> = sqlx::query_as(
        "SELECT v.name, count(*) FROM generations g JOIN variants v ON v.id = g.variant_id WHERE g.state = 'ready' GROUP BY 1",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    let mut again: BTreeMap<usize, usize> = BTreeMap::new();
    let (mut unpaid, mut needed) = (0, 0);
    for (name, runs) in runs {
        let runs = usize::try_from(runs).unwrap();
        needed += runs * (PAGES + 1);
        for page in 1..=PAGES {
            let made = calls.get(&format!("page-page-{page} # {name}")).copied().unwrap_or_default();
            unpaid += runs.saturating_sub(made);
            *again.entry(made.saturating_sub(runs)).or_default() += 1;
        }
    }
    let total: usize = calls.values().sum();
    println!("{total} calls, {needed} without any fault; pages by the number of their calls made again: {again:?}");
    unpaid
}
