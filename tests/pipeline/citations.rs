//! Citations from the writer to the rows: they are resolved at the commit, sections with errors go back to their writer once,
//! and what stays wrong stays visible.

use serde_json::json;
use shared::{
    db::{self, variants::VariantRow},
    evidence::{CitationState, Evidence, Rule, SectionEvidence, Severity},
    provider::Provider,
    section,
    variant::Status,
};

use crate::support::{
    repository::Repository,
    world::{World, variant},
};

/// A page whose first section cites well, and whose second one cites `second`.
fn text_of(number: usize, second: &str) -> String {
    format!(
        "# Page {number}\n\nThis page tells how numbers are added by this project, and with how much care that is done. \
         [[src/lib.rs:1-1]]\n\n## Adding\n\nOn page {number} `add` takes two numbers and gives their sum. [[src/lib.rs:3-6]]\n\n\
         ## Growing\n\nA `Sum` grows for as long as somebody adds to it. {second}\n"
    )
}

const GOOD: &str = "[[src/lib.rs:8-12]]";

/// A world whose stand-ins write pages that cite well.
async fn truthful() -> (World, Repository) {
    let world = World::start_counting().await;
    for number in 1..=3 {
        world.stand_ins.set_text(&format!("page-page-{number}"), &text_of(number, GOOD));
    }
    (world, Repository::library("adder"))
}

async fn evidence(world: &World, row: &VariantRow) -> Evidence {
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    let mut connection = world.pool.acquire().await.unwrap();
    let found = db::sections::find_evidence(&mut connection, row.generation_id.unwrap()).await.unwrap();
    let found = found.expect("a run that renders knows what its words stand on");
    for page in &found.pages {
        // places and hashes are those of the very text that is published
        let text = world.page(row, page.slug.as_str()).await.unwrap();
        let sections = section::sections(&text);
        assert_eq!(sections.len(), page.sections.len());
        for (section, known) in sections.iter().zip(&page.sections) {
            let bytes = (known.bytes.0 as usize)..(known.bytes.1 as usize);
            assert_eq!(section.bytes, bytes);
            assert_eq!(section.heading.unwrap_or_default(), known.heading);
        }
    }
    found
}

fn section_of<'a>(evidence: &'a Evidence, slug: &str, position: usize) -> &'a SectionEvidence {
    &evidence.pages.iter().find(|page| page.slug.as_str() == slug).unwrap().sections[position]
}

fn calls(world: &World) -> Vec<String> {
    let mut calls = world.stand_ins.calls();
    calls.sort();
    calls
}

#[tokio::test]
async fn every_citation_of_a_truthful_site_leads_to_its_lines() {
    let (world, repository) = truthful().await;
    let row = world.generate(&repository, &variant("adder", Provider::Claude), false).await;
    assert_eq!(calls(&world), ["page-page-1", "page-page-2", "page-page-3", "plan"]);
    let found = evidence(&world, &row).await;
    assert_eq!(found.pages.len(), 3);
    let errors: Vec<_> = found.findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let adding = section_of(&found, "page-2", 1);
    assert_eq!((adding.heading.as_str(), adding.verified), ("Adding", true));
    assert_eq!(adding.identifiers, ["add"]);
    let citation = &adding.citations[0];
    assert_eq!((citation.written.as_str(), citation.path.as_str()), ("src/lib.rs:3-6", "src/lib.rs"));
    assert_eq!((citation.lines, citation.state), (Some((3, 6)), CitationState::Exact));
    assert_eq!(citation.content_hash.len(), 64);
    // what the page cost is shared among its sections
    let page = found.pages.iter().find(|page| page.slug.as_str() == "page-2").unwrap();
    let cost: f64 = page.sections.iter().filter_map(|section| section.cost_usd).sum();
    let paid: Option<f64> = sqlx::query_scalar("SELECT sum(cost_usd) FROM ai_calls WHERE slug = 'page-2'")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert!((cost - paid.unwrap()).abs() < 1e-9 && cost > 0.0, "{cost} {paid:?}");
    let mut connection = world.pool.acquire().await.unwrap();
    let grade = db::sections::find_grade(&mut connection, row.generation_id.unwrap()).await.unwrap();
    assert_eq!(grade, found.score.map(|card| card.grade));
}

#[tokio::test]
async fn a_section_with_an_error_goes_back_once_and_everything_else_stays() {
    let (world, repository) = truthful().await;
    world.stand_ins.set_text("page-page-2", &text_of(2, "[[src/sum.rs:900-950]]"));
    let better = format!("## Growing\n\nA `Sum` grows. {GOOD}");
    let answer = json!({"sections": [{"position": 2, "text": better}]});
    world.stand_ins.set_text("sections-page-2", &answer.to_string());
    let key = variant("adder", Provider::Claude);
    let row = world.generate(&repository, &key, false).await;
    assert_eq!(calls(&world), ["page-page-1", "page-page-2", "page-page-3", "plan", "sections-page-2"]);
    let found = evidence(&world, &row).await;
    assert!(found.pages.iter().flat_map(|page| &page.sections).all(|section| section.verified));
    let text = world.page(&row, "page-2").await.unwrap();
    let expected =
        text_of(2, GOOD).replace(&format!("A `Sum` grows for as long as somebody adds to it. {GOOD}"), &better[12..]);
    assert_eq!(text, expected);
    // the section that was written again carries what that cost
    let costs: Vec<f64> = (0..3).filter_map(|at| section_of(&found, "page-2", at).cost_usd).collect();
    let paid: f64 = sqlx::query_scalar("SELECT sum(cost_usd) FROM ai_calls WHERE slug = 'page-2'")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert!((costs.iter().sum::<f64>() - paid).abs() < 1e-9);
    assert!(costs[2] > paid / 2.0, "{costs:?}");
    // nothing goes back a second time for the same words
    let forced = world.generate(&repository, &key, true).await;
    assert_eq!(forced.status, Status::Ready);
}

#[tokio::test]
async fn what_is_wrong_twice_stays_is_marked_and_is_told() {
    let (world, repository) = truthful().await;
    let bad = text_of(2, "[[src/sum.rs:900-950]]");
    world.stand_ins.set_text("page-page-2", &bad);
    let again = json!({"sections": [{"position": 2, "text": "## Growing\n\nIt grows. [[src/other.rs:1-2]]"}]});
    world.stand_ins.set_text("sections-page-2", &again.to_string());
    let row = world.generate(&repository, &variant("adder", Provider::Claude), false).await;
    let found = evidence(&world, &row).await;
    assert_eq!(calls(&world).iter().filter(|call| call.starts_with("sections")).count(), 1);
    let growing = section_of(&found, "page-2", 2);
    assert!(!growing.verified);
    assert_eq!(growing.citations[0].state, CitationState::Unresolved);
    assert_eq!(growing.citations[0].written, "src/other.rs:1-2");
    assert!(section_of(&found, "page-2", 1).verified);
    let told = found.findings.iter().find(|finding| finding.rule == Rule::Citation).unwrap();
    assert_eq!((told.page.as_ref().unwrap().as_str(), told.section), ("page-2", Some(2)));
    assert!(world.site_file(&row, "page-2.html").await.unwrap().contains("It grows."));
}

#[tokio::test]
async fn an_answer_of_no_use_leaves_the_page_as_it_is() {
    for (mode, text) in [
        ("ok", "{\"sections\":[]}"),
        ("garbage", ""),
        ("wrong", ""),
        ("ok", "{\"sections\":[{\"position\":2,\"text\":\"no heading\"}]}"),
    ] {
        let (world, repository) = truthful().await;
        let bad = text_of(2, "[[src/sum.rs:900-950]]");
        world.stand_ins.set_text("page-page-2", &bad);
        world.stand_ins.set("mode.sections-page-2", mode);
        world.stand_ins.set_text("sections-page-2", text);
        let row = world.generate(&repository, &variant("adder", Provider::Claude), false).await;
        let found = evidence(&world, &row).await;
        assert!(!section_of(&found, "page-2", 2).verified);
        assert_eq!(world.page(&row, "page-2").await.unwrap(), bad, "{mode}");
    }
}

#[tokio::test]
async fn what_nobody_should_cite_ends_no_run() {
    let (world, repository) = truthful().await;
    let citations = [
        "/etc/passwd",
        "../x",
        "https://example.org/a.rs",
        "src/lib.rs:0",
        "src/lib.rs:1-999999",
        "src/l\u{202e}ib.rs:1",
    ];
    let written: Vec<String> = citations.iter().map(|citation| format!("[[{citation}]]")).collect();
    world.stand_ins.set_text("page-page-3", &text_of(3, &format!("{} [[src/lib.rs:12-8]]", written.join(" "))));
    let row = world.generate(&repository, &variant("adder", Provider::Claude), false).await;
    let found = evidence(&world, &row).await;
    let growing = section_of(&found, "page-3", 2);
    let states: Vec<_> = growing.citations.iter().map(|citation| (citation.written.as_str(), citation.state)).collect();
    let mut expected = citations.map(|citation| (citation, CitationState::Unresolved));
    // the text names what is meant
    expected[4].1 = CitationState::Moved;
    assert_eq!(states[..6], expected);
    assert_eq!((growing.citations[6].lines, growing.citations[6].state), (Some((8, 12)), CitationState::Exact));
    let html = world.site_file(&row, "page-3.html").await.unwrap();
    assert!(!html.contains("href=\"/etc/passwd\"") && !html.contains("href=\"../x\""));
}

#[tokio::test]
async fn lines_that_moved_are_followed_without_a_call() {
    let (world, repository) = truthful().await;
    repository.write("src/one.rs", "pub const ONE: u8 = 1;\npub const MORE_THAN_ENOUGH_FOR_EVERYBODY: u64 = 1;\n");
    repository.write("src/three.rs", "pub const THREE: u8 = 3;\n");
    repository.commit("one");
    world.stand_ins.set_text("page-page-3", &text_of(3, "[[src/three.rs:1]]"));
    let text = text_of(1, "[[src/one.rs:2]]");
    world.stand_ins.set_text("page-page-1", &text);
    let key = variant("adder", Provider::Claude);
    let first = evidence(&world, &world.generate(&repository, &key, false).await).await;
    assert_eq!(section_of(&first, "page-1", 2).citations[0].state, CitationState::Exact);
    let paid = calls(&world).len();
    let lower = "// one\n\n// and only\npub const ONE: u8 = 1;\npub const MORE_THAN_ENOUGH_FOR_EVERYBODY: u64 = 1;\n";
    repository.write("src/one.rs", lower);
    // another page has to be asked for, so that there is a new site
    repository.write("src/three.rs", "pub const THREE: u16 = 33;\n");
    repository.commit("moved");
    let row = world.generate(&repository, &key, false).await;
    let second = evidence(&world, &row).await;
    let citation = &section_of(&second, "page-1", 2).citations[0];
    assert_eq!(
        (citation.state, citation.path.as_str(), citation.lines),
        (CitationState::Moved, "src/one.rs", Some((5, 5)))
    );
    assert_eq!(citation.content_hash, section_of(&first, "page-1", 2).citations[0].content_hash);
    assert_eq!(world.page(&row, "page-1").await.unwrap(), text, "the text stays as it is");
    let asked: Vec<String> = world.stand_ins.calls().split_off(paid);
    assert!(asked.iter().all(|call| call.ends_with("page-3")), "{asked:?}");
    let page_2 = section_of(&second, "page-2", 1);
    assert_eq!((page_2, page_2.cost_usd.is_some()), (section_of(&first, "page-2", 1), true));
}

#[tokio::test]
async fn links_are_repaired_before_anything_is_measured() {
    let (world, repository) = truthful().await;
    let linked = text_of(1, GOOD).replace("with how much care", "[how much](PAGE-2.md) [care](nowhere.html)");
    world.stand_ins.set_text("page-page-1", &linked);
    world.stand_ins.set_text("revise-page-1", &linked);
    let row = world.generate(&repository, &variant("adder", Provider::Claude), false).await;
    evidence(&world, &row).await;
    let text = world.page(&row, "page-1").await.unwrap();
    assert!(text.contains("[how much](page-2.html) care"), "{text}");
}

#[tokio::test]
async fn pages_of_another_model_come_with_what_is_known_of_them() {
    let (world, repository) = truthful().await;
    let first = world.generate(&repository, &variant("adder", Provider::Claude), false).await;
    let second = world.generate(&repository, &variant("adder", Provider::Gemini), false).await;
    assert_eq!(evidence(&world, &second).await, evidence(&world, &first).await);
    assert_eq!(calls(&world).len(), 4);
}

#[tokio::test]
async fn what_is_extracted_resolves_as_it_is_written() {
    let world = World::start().await;
    let repository = Repository::library("adder");
    let row = world.generate(&repository, &variant("adder", Provider::Builtin), false).await;
    let found = evidence(&world, &row).await;
    let citations: Vec<_> =
        found.pages.iter().flat_map(|page| &page.sections).flat_map(|section| &section.citations).collect();
    assert!(citations.len() > 5);
    assert!(citations.iter().all(|citation| citation.state == CitationState::Exact), "{citations:?}");
    let errors: Vec<_> = found.findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:?}");
}
