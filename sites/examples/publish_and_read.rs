//! Measures the store: `cargo run --release -p sites --example publish_and_read [FOLDER]`.
//!
//! Prints how long a site of 50 pages of 30 KB takes to publish and to archive, and how many files per second are
//! opened.

use std::{
    env,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context;
use futures_util::TryStreamExt;
use shared::ids::GenerationId;
use sites::{
    archive::archive_site,
    key::SitePrefix,
    publish::publish,
    read::{SitePath, SiteReader},
    render::SiteFiles,
    store::SiteStore,
};

const PAGES: usize = 50;
const PAGE_BYTES: usize = 30_000;
const ROUNDS: u32 = 10;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = env::args_os().nth(1).map_or_else(|| env::temp_dir().join("docmill-publish-and-read"), PathBuf::from);
    for (name, store) in [("memory", SiteStore::memory()), ("folder", SiteStore::local(&folder)?)] {
        measure(name, &store).await?;
    }
    Ok(())
}

async fn measure(name: &str, store: &SiteStore) -> anyhow::Result<()> {
    let files: SiteFiles = (0..PAGES).map(|number| (format!("page-{number}.html"), page(number))).collect();
    let prefixes: Vec<SitePrefix> =
        (0..ROUNDS).map(|fence| SitePrefix::new(GenerationId::new(), fence.into())).collect();
    let mut times = Vec::new();
    for prefix in &prefixes {
        let started = Instant::now();
        let published = publish(store, prefix, &files).await?;
        times.push(started.elapsed());
        if times.len() == 1 {
            println!(
                "{name}: {} files, {} bytes, {} compressed",
                published.files, published.bytes, published.encoded_bytes
            );
        }
    }
    times.sort();
    println!("{name}: publish {:.1} ms (median of {ROUNDS})", milliseconds(times[times.len() / 2]));

    let started = Instant::now();
    let archive = archive_site(store, prefixes[0], "demo", 0).await?.context("the site was published")?;
    let bytes = archive.try_fold(0, |all, part| async move { Ok(all + part.len()) }).await?;
    println!("{name}: archive of {bytes} bytes {:.1} ms", milliseconds(started.elapsed()));

    let paths: Vec<SitePath> = files.keys().map(|path| SitePath::parse(path)).collect::<Result<_, _>>()?;
    for (what, rounds, forgets) in [("from the store", 20, true), ("from memory", 2000, false)] {
        let mut reader = SiteReader::new(store.clone(), 64 << 20);
        let started = Instant::now();
        for _ in 0..rounds {
            if forgets {
                reader = SiteReader::new(store.clone(), 64 << 20);
            }
            for path in &paths {
                reader.open(&prefixes[..1], path, Some("br, gzip")).await?.context("the page was published")?;
            }
        }
        let opened = f64::from(rounds) * 50.0;
        println!("{name}: {:.0} files/s opened {what}, one after the other", opened / started.elapsed().as_secs_f64());
    }
    for prefix in &prefixes {
        store.remove_site(prefix).await?;
    }
    Ok(())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Text that compresses about as well as a rendered page.
fn page(number: usize) -> Vec<u8> {
    const WORDS: [&str; 12] = [
        "store",
        "worker",
        "the",
        "a",
        "<code>publish</code>",
        "generation",
        "lease",
        "of",
        "</p><p>",
        "and",
        "fence",
        "is",
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_usize ^ number;
    let mut html = String::from("<!doctype html><html lang=\"en\"><body><p>");
    while html.len() < PAGE_BYTES {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        html.push_str(WORDS[(state >> 33) % WORDS.len()]);
        if (state >> 40).is_multiple_of(4) {
            html.push_str(&((state >> 45) % 10_000).to_string());
        }
        html.push(' ');
    }
    html.into_bytes()
}
