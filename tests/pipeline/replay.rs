//! Recorded calls: a generation that is answered from them gives the same site byte for byte, without a command line.

use std::{collections::BTreeMap, fs, path::Path};

use shared::{provider::Provider, variant::Status};

use crate::support::{
    repository::Repository,
    world::{World, variant},
};

/// A world without any command line, that answers from recordings.
async fn replaying(recordings: &Path) -> World {
    let mut world = World::without_worker().await;
    for name in ["claude", "gemini", "agent"] {
        fs::remove_file(world.stand_ins.program(name)).unwrap();
    }
    world.recording.ai_replay = Some(recordings.to_owned());
    world.recording.source_date_epoch = Some(1_000_000_000);
    world.start_worker();
    world
}

async fn recording(recordings: &Path) -> World {
    let mut world = World::without_worker().await;
    world.recording.ai_record = Some(recordings.to_owned());
    // the same day for both, so that the site of another day would be the same
    world.recording.source_date_epoch = Some(1_000_000_000);
    world.start_worker();
    world
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

#[tokio::test]
async fn a_recorded_generation_is_replayed_byte_for_byte_without_a_command_line() {
    let recordings = tempfile::tempdir().unwrap();
    let (repository, key) = (Repository::library("adder"), variant("adder", Provider::Claude));
    let world = recording(recordings.path()).await;
    // a plan that is asked for twice, and a page that goes back once: every kind of call
    world.stand_ins.set("mode.plan", "wrong");
    world.stand_ins.set_text("page-page-2", "# Page 2\n\nLet me look at the code first, before I write anything.\n");
    let recorded = world.generate(&repository, &key, false).await;
    assert_eq!((recorded.status, recorded.error_message.as_deref()), (Status::Ready, None));
    let original = files(&world.sites_dir().join(recorded.site_prefix.as_ref().unwrap()));
    // plan, repair, three pages, one of them revised
    assert_eq!(fs::read_dir(recordings.path()).unwrap().count(), 6);

    let world = replaying(recordings.path()).await;
    let replayed = world.generate(&repository, &key, false).await;
    assert_eq!((replayed.status, replayed.error_message.as_deref()), (Status::Ready, None));
    let copy = files(&world.sites_dir().join(replayed.site_prefix.as_ref().unwrap()));
    assert_eq!(copy.keys().collect::<Vec<_>>(), original.keys().collect::<Vec<_>>());
    for (name, bytes) in &original {
        assert!(copy[name] == *bytes, "`{name}` differs");
    }
    let page = String::from_utf8(original["site/page-1.html"].clone()).unwrap();
    assert!(page.contains("2001-09-09"), "SOURCE_DATE_EPOCH is not the site's date");

    // it cost nothing, and says so
    let outcomes: Vec<(String, Option<f64>, String)> =
        sqlx::query_as("SELECT outcome, cost_usd, cli_version FROM ai_calls").fetch_all(&world.pool).await.unwrap();
    assert_eq!(outcomes, vec![("replayed".to_owned(), Some(0.0), "1.2.3".to_owned()); 6]);
    assert_eq!(replayed.total_cost_usd, Some(0.0));
}

#[tokio::test]
async fn a_missing_recording_is_named_at_once() {
    let recordings = tempfile::tempdir().unwrap();
    let (repository, key) = (Repository::library("adder"), variant("adder", Provider::Gemini));
    recording(recordings.path()).await.generate(&repository, &key, false).await;
    let is_of_page_2 = |path: &Path| fs::read_to_string(path).unwrap().contains("\"page\": \"page-2\"");
    let mut recorded = fs::read_dir(recordings.path()).unwrap().map(|entry| entry.unwrap().path());
    let missing = recorded.find(|path| is_of_page_2(path)).unwrap();
    fs::remove_file(&missing).unwrap();
    let name = missing.file_name().unwrap().to_str().unwrap();

    let world = replaying(recordings.path()).await;
    let row = world.generate(&repository, &key, false).await;
    assert_eq!(row.status, Status::Error);
    let message = row.error_message.unwrap();
    assert!(message.contains("no recording of page `page-2`") && message.contains(name), "{message}");
    assert_eq!(row.page_count, 2, "the other pages are kept");

    // another content of the repository is another question
    repository.write("src/lib.rs", "//! Other words.\n");
    repository.commit("second");
    let row = world.generate(&repository, &key, false).await;
    let message = row.error_message.unwrap();
    assert!(message.contains("no recording of the call `plan` by gemini/test-model"), "{message}");
}

#[tokio::test]
async fn recordings_hold_no_secrets_and_no_paths_of_this_host() {
    let recordings = tempfile::tempdir().unwrap();
    let world = recording(recordings.path()).await;
    world.stand_ins.set_text(
        "page-page-1",
        "# Page 1\n\nThe key test-key-of-claude opens everything there is, and that is all one needs to know.\n",
    );
    let (repository, key) = (Repository::library("adder"), variant("adder", Provider::Claude));
    assert_eq!(world.generate(&repository, &key, false).await.status, Status::Ready);
    let work = world.folder();
    for (name, bytes) in files(recordings.path()) {
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains("test-key-of-claude"), "{name}: {text}");
        assert!(!text.contains(work.to_str().unwrap()), "{name}: {text}");
        assert!(text.contains("/docmill/call/data/"), "{name}: {text}");
    }
}
