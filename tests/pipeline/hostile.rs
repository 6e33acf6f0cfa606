//! A repository that attacks its readers, the whole way: it becomes a site, or the run says what is wrong with it.

use std::{ffi::OsStr, fs, net::TcpListener, os::unix::ffi::OsStrExt, path::Path};

use serde_json::json;
use shared::{provider::Provider, variant::Status};

use crate::{
    routes::{Api, answer},
    support::{
        repository::Repository,
        world::{World, variant},
    },
};

/// Odd names, huge lines, circles of links, submodules and pointers to large files that name an address of this host.
fn attacking(name: &str, bait: u16) -> Repository {
    let repository = Repository::library(name);
    let root = repository.path();
    let longest = [b"x".repeat(252), b".md".to_vec()].concat();
    let names: [&[u8]; 12] = [
        b"src/a\nb.rs",
        b"src/\x1b[31mred.py",
        b"src/\xff\xfe.rs",
        b"docs/\xc3\x28.md",
        b"docs/Same.md",
        b"docs/same.md",
        b"docs/a\nb.md",
        b"docs/<script>alert(1)<!--.md",
        b"docs/`[[x]](javascript:alert(1))`.md",
        b"-rf",
        b"$(touch x)",
        &longest,
    ];
    for name in names {
        let path = root.join(OsStr::from_bytes(name));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "# Odd\n\nA file with an odd name.\n\npub fn odd() {}\n").unwrap();
    }
    let long = 1_900 << 10;
    for path in ["src/long.rs", "src/long.py", "web/long.js", "docs/long.md", "docs/long.rst", "CHANGELOG.md"] {
        repository.write(path, &"a ".repeat(long / 2));
    }
    repository.write("src/over.rs", &"// a line\n".repeat(300_000));
    repository.write("docs/over.md", &"A line.\n".repeat(400_000));
    for (link, target) in [("one", "two"), ("two", "one"), ("docs/up", "../docs"), ("src/self.rs", "self.rs")] {
        std::os::unix::fs::symlink(target, root.join(link)).unwrap();
    }
    std::os::unix::fs::symlink("/etc/passwd", root.join("docs/passwd.md")).unwrap();
    repository.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    repository.write(".lfsconfig", &format!("[lfs]\n\turl = http://127.0.0.1:{bait}/lfs\n"));
    repository
        .write("large.bin", &format!("version https://git-lfs.github.com/spec/v1\noid sha256:{:064}\nsize 9\n", 7));
    repository.write(
        ".gitmodules",
        &format!("[submodule \"m\"]\n\tpath = m\n\turl = http://127.0.0.1:{bait}/secret\n\tupdate = !touch x\n"),
    );
    repository.commit("attack");
    repository
}

/// Adds what no work tree can hold, and commits it: `levels` folders in each other, and a submodule.
fn nest(repository: &Repository, levels: usize) {
    let blob = repository.git(&["hash-object", "-w", "README.md"]);
    let deep = format!("100644,{blob},{}bottom.md", "d/".repeat(levels));
    let module = format!("160000,{},m", "1".repeat(40));
    repository.git(&["update-index", "--add", "--cacheinfo", &deep, "--cacheinfo", &module]);
    repository.git(&["commit", "--quiet", "-m", "deep"]);
}

#[tokio::test]
async fn a_repository_that_attacks_its_readers_becomes_a_site() {
    let world = World::start().await;
    let api = Api::start(&world).await;
    let bait = TcpListener::bind("127.0.0.1:0").unwrap();
    bait.set_nonblocking(true).unwrap();
    let repository = attacking("attack", bait.local_addr().unwrap().port());
    nest(&repository, 1_900);
    let named = "# Page 2\n\nOne sentence about what is odd. [[src/a\u{b}b.rs:1]] [[src/long.rs:1-1]] `m/x` `one`\n\n\
                 `docs/<script>alert(1)<!--.md` `../../../etc/passwd` `src/\u{1b}[31mred.py` [[src/over.rs:1]]\n\n## More\n\n\
                 See [Page 1](page-1.html), and [this](docs/passwd.md).\n";
    world.stand_ins.set_text("page-page-2", named);
    // three sites at once, then each once more for a change of every odd file
    let keys = [Provider::Builtin, Provider::Claude, Provider::Gemini].map(|provider| variant("attack", provider));
    for round in 0..2 {
        for key in &keys {
            let body = json!({
                "repo_path": repository.path(), "ai_provider": key.provider.as_str(), "ai_model": key.model.as_str(),
                "branch": "main",
            });
            let (status, said) = answer(api.post("/api/generate").json(&body)).await;
            assert_eq!(status, 202, "{said}");
        }
        for key in &keys {
            let row = world.wait_for_end(key).await;
            let what = (row.status, row.error_message.as_deref());
            assert_eq!(what, (Status::Ready, None), "{} in round {round}", key.provider);
            assert_eq!(row.last_commit_sha.as_deref(), Some(repository.git(&["rev-parse", "HEAD"]).as_str()));
            let everything = world.site_file(&row, "llms-full.txt").await.unwrap();
            assert!(!everything.contains("root:x:0"), "{} followed a link", key.provider);
            let index = world.site_file(&row, "index.html").await.unwrap();
            assert!(!index.contains("<script>alert"), "{}", key.provider);
        }
        change_odd_files(&repository);
        nest(&repository, 1_901);
    }
    assert!(bait.accept().is_err(), "somebody asked where the repository wanted it");
}

/// Another content for every file of `docs` and `src`.
fn change_odd_files(repository: &Repository) {
    for folder in ["docs", "src"] {
        for entry in fs::read_dir(repository.path().join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                let mut text = fs::read(entry.path()).unwrap();
                text.insert(0, b'/');
                fs::write(entry.path(), text).unwrap();
            }
        }
    }
    repository.commit("changed");
}

#[tokio::test]
async fn folders_too_deep_for_git_end_the_run_in_a_clear_error() {
    let world = World::start().await;
    let repository = Repository::library("deep");
    nest(&repository, 10_000);
    for provider in [Provider::Builtin, Provider::Claude] {
        let row = world.generate(&repository, &variant("deep", provider), false).await;
        let said = row.error_message.unwrap_or_default();
        assert_eq!(row.status, Status::Error, "{provider}");
        assert!(said.contains("folders that lie too deep in each other"), "{said}");
        assert!(!said.contains("/work/"), "{said}");
    }
    let left: Vec<_> = fs::read_dir(Path::new(&world.folder()).join("work")).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}
