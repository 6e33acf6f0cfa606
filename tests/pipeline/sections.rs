//! What a dry run lists is what a run writes again: sections that are not listed keep their bytes, whatever happened to the
//! repository. Random edits, through the front door; the same on pure functions with many more repetitions stands in
//! `worker/src/grounding/staleness/tests.rs`.

use std::fmt::Write;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::{
    db::{self, variants::VariantRow},
    provider::Provider,
    section::{sections, with_sections},
    variant::{Status, VariantKey},
};

use crate::{
    routes::{Api, answer},
    support::{
        random::{Random, edit},
        repository::Repository,
        world::{World, variant},
    },
};

const FILES: [&str; 4] = ["src/one.rs", "src/two.rs", "src/three.rs", "docs/four.txt"];
/// Commits that one site goes through.
const ROUNDS: usize = 4;

/// What the overview of the built-in writer is made from.
const README: &str = "# Adder\n\nIt adds.\n\n## Features\n\nIt adds two numbers, and more than two.\n";

fn first_text(file: &str) -> String {
    let lines = (1..=24).map(|line| format!("line {line} of {file} says {}", line * 37 % 100));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// A page of four sections that cite three ranges of two files, and of one that cites nothing.
fn page_text(number: usize, random: &mut Random) -> String {
    let mut text = format!("# Page {number}\n\nThis page is about parts of the project, and about how they are read. ");
    for section in 0..4 {
        if section > 0 {
            write!(text, "## Part {section}\n\nThis part of the page says what stands in some lines. ").unwrap();
        }
        let file = FILES[(number + section) % FILES.len()];
        let first = 1 + random.below(18);
        write!(text, "[[{file}:{first}-{}]]\n\n", first + random.below(6)).unwrap();
    }
    text + "## By itself\n\nNothing of this is about any file, and nothing of it is ever written again.\n"
}

struct Site {
    world: World,
    api: Api,
    repository: Repository,
    key: VariantKey,
    random: Random,
}

impl Site {
    async fn start(provider: Provider, seed: u64) -> Self {
        let world = World::start_counting().await;
        let api = Api::start(&world).await;
        let repository = Repository::library("adder");
        let mut random = Random::new(seed);
        for file in FILES {
            repository.write(file, &first_text(file));
        }
        for number in 1..=3 {
            world.stand_ins.set_text(&format!("page-page-{number}"), &page_text(number, &mut random));
        }
        repository.commit("files");
        Self { world, api, repository, key: variant("adder", provider), random }
    }

    async fn generate(&self) -> VariantRow {
        let row = self.world.generate(&self.repository, &self.key, false).await;
        assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
        row
    }

    async fn dry_run(&self) -> Value {
        let body = json!({
            "repo_path": self.repository.path(), "ai_provider": self.key.provider.as_str(),
            "ai_model": self.key.model.as_str(), "dry_run": true,
        });
        let (status, body) = answer(self.api.post("/api/generate").body(body.to_string())).await;
        assert_eq!((status, &body["state"]), (200, &json!("done")), "{body}");
        body["bill"].clone()
    }

    /// The pages of the site that is served.
    async fn pages(&self) -> BTreeMap<String, String> {
        let mut conn = self.world.pool.acquire().await.unwrap();
        let row = self.world.row(&self.key).await;
        let (made, _) = db::generations::find_served(&mut conn, row.id).await.unwrap().unwrap();
        let pages = db::pages::list(&mut conn, made).await.unwrap();
        pages.into_iter().map(|page| (page.slug.to_string(), page.markdown.unwrap())).collect()
    }

    /// Some edits of some files, now and then a renamed file.
    fn edit(&mut self) {
        let files: Vec<String> = self.repository.git(&["ls-files", "src", "docs"]).lines().map(str::to_owned).collect();
        for _ in 0..=self.random.below(3) {
            let file = &files[self.random.below(files.len())];
            let path = self.repository.path().join(file);
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            if self.random.below(6) == 0 {
                let name = format!("src/renamed_{}.rs", self.random.below(1_000));
                self.repository.git(&["mv", file, &name]);
            } else {
                self.repository.write(file, &edit(&mut self.random, &text));
            }
        }
        self.repository.commit("edits");
    }
}

/// The listed sections of a page, as they are written again: the heading stays.
fn rewritten(page: &str, listed: &Value, round: usize) -> Vec<(usize, String)> {
    let old = sections(page);
    let positions = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|section| usize::try_from(section["position"].as_u64().unwrap()).unwrap());
    let text = |position: usize| {
        let heading = old[position].text.lines().next().unwrap();
        let text = format!("{heading}\n\nWritten again in round {round}, because what it stood on has changed.");
        format!("{text}{}", &old[position].text[old[position].text.trim_end().len()..])
    };
    positions.map(|position| (position, text(position))).collect()
}

#[tokio::test]
async fn a_run_of_a_model_writes_exactly_the_sections_that_the_dry_run_lists() {
    for seed in 1..=2 {
        let mut site = Site::start(Provider::Claude, seed).await;
        site.generate().await;
        for round in 1..=ROUNDS {
            site.edit();
            let before = site.pages().await;
            let bill = site.dry_run().await;
            let context = format!("seed {seed}, round {round}: {bill}");
            let mut expected = before.clone();
            let mut asked = Vec::new();
            for page in bill["pages"].as_array().unwrap() {
                assert_eq!(page["action"], "sections", "{context}");
                let slug = page["slug"].as_str().unwrap();
                let texts = rewritten(&before[slug], &page["sections"], round);
                let answer: Vec<Value> =
                    texts.iter().map(|(position, text)| json!({"position": position, "text": text})).collect();
                let answer = json!({ "sections": answer }).to_string();
                site.world.stand_ins.set_text(&format!("sections-{slug}"), &answer);
                expected.insert(slug.to_owned(), with_sections(&before[slug], &texts));
                asked.push(format!("sections-{slug}"));
            }
            asked.sort();
            let calls = site.world.stand_ins.calls().len();
            site.generate().await;
            let mut made = site.world.stand_ins.calls().split_off(calls);
            made.retain(|call| call != "plan_update");
            made.sort();
            assert_eq!(made, asked, "{context}");
            assert_eq!(site.pages().await, expected, "{context}");
        }
    }
}

/// The sections of a page of a bill.
fn told(page: &Value) -> Vec<Value> {
    page["sections"].as_array().cloned().unwrap_or_default()
}

/// Whether a section of a bill is one that is taken away.
fn is_gone(section: &Value) -> bool {
    section["reasons"].as_array().unwrap().iter().any(|reason| reason["kind"] == "section_gone")
}

#[tokio::test]
async fn a_run_of_the_built_in_writer_writes_exactly_the_sections_that_the_dry_run_lists() {
    let mut site = Site::start(Provider::Builtin, 7).await;
    let module = |names: &[&str]| -> String {
        names.iter().flat_map(|name| ["/// Says ", name, ".\npub fn ", name, "() -> u8 {\n    1\n}\n\n"]).collect()
    };
    site.repository.write("src/lib.rs", &format!("//! A library.\n\n{}pub mod one;\n", module(&["alpha", "beta"])));
    site.repository.write("src/one.rs", &format!("//! One.\n\n{}", module(&["gamma", "delta"])));
    site.repository.write("README.md", &format!("{README}\n## History\n\nIt was begun by people who had to add.\n"));
    site.repository.commit("modules");
    site.generate().await;
    let mut are_gone = 0;
    for round in 1..=ROUNDS {
        site.edit();
        if round == 3 {
            site.repository.write("README.md", README);
            site.repository.commit("a section of the overview is taken away");
        }
        if round == 2 {
            // only lines move: nothing is written again
            let text = std::fs::read_to_string(site.repository.path().join("src/lib.rs")).unwrap();
            site.repository.write("src/lib.rs", &format!("\n\n{text}"));
            site.repository.commit("lines move");
        }
        let before = site.pages().await;
        let bill = site.dry_run().await;
        let context = format!("round {round}: {bill}");
        assert_eq!((&bill["total"]["cost_usd"], &bill["total"]["calls"]), (&json!(0.0), &json!(0)), "{context}");
        site.generate().await;
        let after = site.pages().await;
        let listed = |slug: &str, position: usize| {
            let mut pages = bill["pages"].as_array().unwrap().iter().filter(|page| page["slug"] == *slug);
            pages.any(|page| {
                page["action"] == "write"
                    || told(page).iter().any(|section| !is_gone(section) && section["position"] == json!(position))
            })
        };
        for page in bill["pages"].as_array().unwrap() {
            // what is taken away is told, and only that
            let slug = page["slug"].as_str().unwrap();
            let (Some(old), Some(new)) = (before.get(slug), after.get(slug)) else { continue };
            let headings = |text: &str| {
                sections(text).iter().map(|s| s.heading.unwrap_or_default().to_owned()).collect::<Vec<_>>()
            };
            let (mut taken, new) = (headings(old), headings(new));
            taken.retain(|heading| !new.contains(heading));
            let gone: Vec<String> = told(page)
                .iter()
                .filter(|section| is_gone(section))
                .map(|section| section["heading"].as_str().unwrap().to_owned())
                .collect();
            assert_eq!(gone, taken, "`{slug}`: {context}");
            are_gone += gone.len();
        }
        for (slug, text) in &after {
            let old: Vec<&str> =
                before.get(slug).map(|text| sections(text)).unwrap_or_default().iter().map(|s| s.text).collect();
            for section in sections(text) {
                let is_old = old.contains(&section.text);
                assert_eq!(is_old, !listed(slug, section.position), "`{slug}` {}: {context}", section.position);
            }
        }
    }
    assert!(are_gone > 0, "nothing was taken away");
}
