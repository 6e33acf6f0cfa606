//! How a site ages, measured on a real history: `script/bench-decay` runs this. Two questions: what has become of one site
//! after so many weeks, and what is written again when it is brought along every week.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use serde_json::{Value, json};
use shared::{
    db,
    provider::Provider,
    section::sections,
    variant::{Status, VariantKey},
};
use tempfile::TempDir;

use crate::{
    routes::{Api, answer},
    support::world::{World, new_generation},
};

const WEEK: i64 = 7 * 24 * 60 * 60;

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").current_dir(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A copy of the repository, its branch `main` where it is put.
struct History {
    folder: TempDir,
    /// The last commit of each week, the first one before all.
    weeks: Vec<String>,
}

impl History {
    fn read(repository: &str, weeks: i64) -> Self {
        let folder = TempDir::new().unwrap();
        git(folder.path(), &["clone", "--quiet", "--bare", repository, "bench"]);
        let copy = folder.path().join("bench");
        let log = git(&copy, &["log", "--first-parent", "--format=%ct %H", "HEAD"]);
        let commits: Vec<(i64, &str)> = log
            .lines()
            .map(|line| line.split_once(' ').unwrap())
            .map(|(time, commit)| (time.parse().unwrap(), commit))
            .collect();
        let end = commits[0].0;
        let last_before =
            |time: i64| commits.iter().find(|(at, _)| *at <= time).map(|(_, commit)| (*commit).to_owned());
        let weeks = (0..=weeks).rev().filter_map(|week| last_before(end - week * WEEK)).collect();
        Self { folder, weeks }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("bench")
    }

    fn stand_at(&self, commit: &str) {
        git(&self.path(), &["update-ref", "refs/heads/main", commit]);
    }

    fn count(&self, from: &str, to: &str) -> usize {
        git(&self.path(), &["rev-list", "--count", &format!("{from}..{to}")]).parse().unwrap()
    }

    fn changed_files(&self, from: &str, to: &str) -> BTreeSet<String> {
        git(&self.path(), &["diff", "--name-only", "--no-renames", from, to]).lines().map(str::to_owned).collect()
    }
}

struct Bench {
    world: World,
    api: Api,
    history: History,
    key: VariantKey,
}

impl Bench {
    async fn generate(&self) -> Vec<(String, String)> {
        let source = shared::source::RepoSource::LocalPath(self.history.path());
        let mut transaction = self.world.pool.begin().await.unwrap();
        let wanted = shared::jobs::Wanted { key: self.key.clone(), source, request: new_generation(&self.key) };
        shared::jobs::start_generation(&mut transaction, &wanted).await.unwrap();
        transaction.commit().await.unwrap();
        let row = loop {
            let row = self.world.row(&self.key).await;
            if row.status != Status::Generating {
                break row;
            }
            let mut heard = self.world.listening.subscribe();
            let _ = tokio::time::timeout(std::time::Duration::from_millis(500), heard.recv()).await;
        };
        assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
        let mut conn = self.world.pool.acquire().await.unwrap();
        let (made, _) = db::generations::find_served(&mut conn, row.id).await.unwrap().unwrap();
        let pages = db::pages::list(&mut conn, made).await.unwrap();
        pages.into_iter().map(|page| (page.slug.to_string(), page.markdown.unwrap())).collect()
    }

    async fn check(&self) -> Value {
        let path = format!("/api/projects/{}/main/builtin/extract/check", self.key.name);
        let (_, mut body) = answer(self.api.post(&path)).await;
        while ["queued", "running"].contains(&body["state"].as_str().unwrap()) {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            let path = format!("/api/inspections/{}", body["inspection_id"].as_str().unwrap());
            body = answer(self.api.get(&path)).await.1;
        }
        assert_eq!(body["state"], "done", "{body}");
        body["check"].clone()
    }

    /// The files that each page of the site cites.
    async fn cited_files(&self) -> BTreeMap<String, BTreeSet<String>> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT c.slug, c.path FROM citations c JOIN generations g ON g.id = c.generation_id
               JOIN variants v ON v.site_prefix = g.site_prefix",
        )
        .fetch_all(&self.world.pool)
        .await
        .unwrap();
        let mut cited: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (slug, path) in rows {
            cited.entry(slug).or_default().insert(path);
        }
        cited
    }
}

fn percent(part: u64, whole: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let share = if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 };
    format!("{share:5.1} % ({part} of {whole})")
}

#[tokio::test]
#[ignore = "script/bench-decay runs it"]
async fn a_site_is_brought_along_week_by_week() {
    let repository = std::env::var("DECAY_REPO").expect("script/bench-decay names a repository");
    let weeks: i64 = std::env::var("DECAY_WEEKS").unwrap().parse().unwrap();
    let history = History::read(&repository, weeks);
    let world = World::start().await;
    let api = Api::start(&world).await;
    let key =
        VariantKey { name: "bench".parse().unwrap(), ..crate::support::world::variant("bench", Provider::Builtin) };
    let bench = Bench { world, api, history, key };
    let begin = bench.history.weeks[0].clone();
    bench.history.stand_at(&begin);
    let mut pages = bench.generate().await;
    let end = bench.history.weeks.last().unwrap();
    println!("{} commits in {weeks} weeks from {}", bench.history.count(&begin, end), &begin[..10]);

    println!("\none site, checked after so many weeks");
    let cited = bench.cited_files().await;
    for (week, commit) in bench.history.weeks.iter().enumerate().skip(1) {
        bench.history.stand_at(commit);
        let check = bench.check().await;
        let number = |name: &str| check["totals"][name].as_u64().unwrap();
        let by_file = pages_by_file(&cited, &bench.history.changed_files(&begin, commit));
        println!(
            "week {week:2}: {:4} commits; sections stale {}; pages by file {}; citations moved {}, changed {}",
            bench.history.count(&begin, commit),
            percent(number("changed") + number("lost"), number("sections")),
            percent(by_file, pages.len() as u64),
            percent(number("moved_citations"), number("citations")),
            percent(number("changed_citations"), number("citations")),
        );
    }

    println!("\none site, brought along every week");
    let mut last = begin;
    let mut sums = [0_u64; 4];
    for (week, commit) in bench.history.weeks.iter().enumerate().skip(1) {
        bench.history.stand_at(commit);
        let moved = bench.check().await["totals"]["moved_citations"].as_u64().unwrap();
        let cited = bench.cited_files().await;
        let by_file = pages_by_file(&cited, &bench.history.changed_files(&last, commit));
        let before: BTreeMap<String, String> = pages.into_iter().collect();
        pages = bench.generate().await;
        let (mut rewritten, mut all) = (0, 0);
        for (slug, text) in &pages {
            let old = before.get(slug).map(|text| sections(text)).unwrap_or_default();
            let old: BTreeSet<&str> = old.iter().map(|section| section.text).collect();
            let new = sections(text);
            all += new.len() as u64;
            rewritten += new.iter().filter(|section| !old.contains(section.text)).count() as u64;
        }
        println!(
            "week {week:2}: {:4} commits; sections written again {}; pages by file {}; citations moved {moved}",
            bench.history.count(&last, commit),
            percent(rewritten, all),
            percent(by_file, before.len() as u64),
        );
        let week_sums = [rewritten, all, by_file, before.len() as u64];
        sums.iter_mut().zip(week_sums).for_each(|(sum, week)| *sum += week);
        last.clone_from(commit);
    }
    println!(
        "all weeks: sections written again {}; pages by file {}",
        percent(sums[0], sums[1]),
        percent(sums[2], sums[3])
    );
    println!("{}", json!({"sections": sums[0], "of_sections": sums[1], "pages_by_file": sums[2], "of_pages": sums[3]}));
}

fn pages_by_file(cited: &BTreeMap<String, BTreeSet<String>>, changed: &BTreeSet<String>) -> u64 {
    cited.values().filter(|files| !files.is_disjoint(changed)).count() as u64
}
