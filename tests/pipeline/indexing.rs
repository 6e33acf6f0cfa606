//! The index of a commit is kept beside the commit, and a later run reads only what changed.

use std::os::unix::fs::PermissionsExt;

use shared::{ids::GenerationId, provider::Provider, variant::Status};

use crate::support::{
    repository::Repository,
    world::{World, variant},
};

/// A program that is docmill, and writes down what its parsers are given.
fn listening_program(world: &World) -> std::path::PathBuf {
    let (program, heard) = (world.folder().join("docmill-heard"), world.folder().join("heard"));
    let docmill = env!("CARGO_BIN_EXE_docmill");
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = parse-source ]; then\n  /usr/bin/tee -a {} | {docmill} parse-source\nelse\n  exec {docmill} \"$@\"\nfi\n",
        heard.display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    program
}

/// Which of the files parsers were given since the last call.
fn take_heard(world: &World, names: &[&str]) -> Vec<String> {
    let heard = world.folder().join("heard");
    let text = String::from_utf8_lossy(&std::fs::read(&heard).unwrap_or_default()).into_owned();
    std::fs::write(&heard, "").unwrap();
    names.iter().filter(|name| text.contains(**name)).map(|name| (*name).to_owned()).collect()
}

fn kept(world: &World, generation: GenerationId, commit: &str) -> std::path::PathBuf {
    world.sites_dir().join("commits").join(generation.to_string()).join(format!("{commit}.index"))
}

#[tokio::test]
async fn after_a_commit_that_changes_one_file_only_that_one_is_parsed() {
    let mut world = World::without_worker().await;
    world.program = listening_program(&world);
    world.start_worker();
    let repository = Repository::library("adder");
    for name in ["one", "two", "three"] {
        repository.write(&format!("src/{name}.rs"), &format!("pub fn {name}() {{}}\n"));
    }
    let first_commit = repository.commit("modules");
    let names = ["src/lib.rs", "src/one.rs", "src/two.rs", "src/three.rs"];
    let key = variant("adder", Provider::Claude);
    let first = world.request(&repository, &key, false).await.unwrap();
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    assert_eq!(take_heard(&world, &names), names);
    assert!(kept(&world, first, &first_commit).exists());

    repository.write("src/two.rs", "pub fn two() { 2; }\n");
    let second_commit = repository.commit("two");
    let second = world.request(&repository, &key, true).await.unwrap();
    let row = world.wait_for_end(&key).await;
    assert_eq!((row.status, row.error_message.as_deref()), (Status::Ready, None));
    assert_eq!(take_heard(&world, &names), ["src/two.rs"]);
    let file = kept(&world, second, &second_commit);
    assert!(file.exists());

    // it goes with the commit
    world.store.remove_commits(second).await.unwrap();
    assert!(!file.exists());
}
