//! A disk that is full: the run ends with a sentence that says so, what is served stays served, nothing half written stays,
//! and the next run works. Needs root, for a disk of a few hundred kilobytes.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use shared::{provider::Provider, variant::Status};
use tempfile::TempDir;

use super::{
    start_short_worker,
    traces::{Site, assert_nothing_left, assert_same_site, change},
};
use crate::support::{
    database::fresh_database,
    repository::Repository,
    stand_ins::StandIns,
    world::{World, variant},
};

/// A small disk, gone with this value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None`, with a note, where it cannot be had.
    fn mount(at: &Path) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m,mode=0700", "none"]).arg(at).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(at.to_owned())),
            Ok(output) => {
                println!("skipped: needs root and tmpfs: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                println!("skipped: no `mount` here: {error}");
                None
            }
        }
    }

    /// Fills it up but for so many bytes.
    fn fill_but(&self, left: usize) {
        let mut file = File::create(self.0.join("filler")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        let full = file.metadata().unwrap().len();
        file.set_len(full - left as u64).unwrap();
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

async fn world_on_disk(folder: &str) -> Option<(World, SmallDisk)> {
    let root = TempDir::new().unwrap();
    let disk = SmallDisk::mount(&root.path().join(folder))?;
    Some((World::on(fresh_database().await, root, StandIns::install()).await, disk))
}

/// Makes a site, and another while so many bytes are left on the disk of `folder`.
async fn fill_and_make_room(folder: &str, left: usize) {
    let Some((world, disk)) = world_on_disk(folder).await else { return };
    let key = variant("adder", Provider::Claude);
    let repository = Repository::library("adder");
    let worker = start_short_worker(&world, "worker");
    let old = world.generate(&repository, &key, false).await;
    assert_same_site(&world, &old, Site::First).await;
    change(&world, &repository);
    let calls = world.stand_ins.calls().len();
    disk.fill_but(left);
    let row = world.generate(&repository, &key, true).await;
    println!("{left} bytes left: {:?}", row.error_message);
    assert_eq!(row.status, Status::Error);
    let message = row.error_message.as_ref().unwrap();
    assert!(message.contains("disk") && message.contains("full"), "{message}");
    assert!(!message.contains(world.folder().to_str().unwrap()), "a path of the host is shown: {message}");
    assert_eq!(row.site_prefix, old.site_prefix);
    assert_same_site(&world, &old, Site::First).await;

    disk.make_room();
    let row = world.generate(&repository, &key, true).await;
    assert_same_site(&world, &row, Site::Second).await;
    let made = world.stand_ins.calls().split_off(calls);
    for call in ["page-page-1", "page-page-2", "page-page-3", "revise-page-2"] {
        assert_eq!(made.iter().filter(|made| *made == call).count(), 1, "a kept page was paid for again: {made:?}");
    }
    assert_eq!(worker.terminate(), Some(0));
    assert_nothing_left(&world).await;
}

#[tokio::test]
async fn a_site_that_finds_no_room_is_an_error_and_the_next_run_works() {
    fill_and_make_room("sites", 40 << 10).await;
}

#[tokio::test]
async fn a_commit_that_finds_no_room_in_the_store_is_an_error_and_the_next_run_works() {
    fill_and_make_room("sites", 0).await;
}

#[tokio::test]
async fn a_clone_that_finds_no_room_is_an_error_and_the_next_run_works() {
    fill_and_make_room("host", 0).await;
}
