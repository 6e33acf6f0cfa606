//! Trees that attack whoever reads them: each is cloned, listed, copied, compared and packed, or refused in one sentence.

use std::{
    collections::HashSet,
    fs,
    net::TcpListener,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use git2::{Oid, Repository};

use super::{
    super::{
        ChangeKind, Checkout, DiffLimits, ExportLimits, changes_between, existing_files, export_tree, list_files,
        pack_commit, restore_commit,
        tree::{Exported, FileList},
    },
    FILE, LINK, World, commit_tree, crafted_tree,
    server::{Manner, Server},
};

const EXPORT: ExportLimits = ExportLimits { max_files: 200_000, max_file_bytes: 2 << 20, max_total_bytes: 1 << 30 };
const DIFF: DiffLimits = DiffLimits { file_bytes: 10_000, total_bytes: 100_000 };

/// An address that a repository would like to have asked.
struct Bait(TcpListener);

impl Bait {
    fn lay() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    fn was_taken(&self) -> bool {
        self.0.accept().is_ok()
    }
}

/// What was read from a tree: its list, and what was copied.
struct Read {
    list: FileList,
    exported: Exported,
    copy: PathBuf,
}

impl World {
    /// Lists, copies, packs and restores a commit, and compares it with `older`; nothing may lie beside the copy after it.
    async fn read(&self, checkout: &Checkout, older: Option<&Checkout>) -> Read {
        let list = list_files(checkout, 200_000).unwrap();
        let base = tempfile::tempdir_in(self.folder.path()).unwrap().keep();
        let copy = base.join("copy");
        let exported = export_tree(checkout, &copy, &|_| true, EXPORT).unwrap();
        let beside: Vec<_> = fs::read_dir(&base).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(beside, ["copy"]);
        assert_eq!(count_regular(&copy), exported.files);

        let pack = base.join("commit.pack");
        pack_commit(checkout, &pack, &self.limits, &self.cancel).await.unwrap();
        let elsewhere = base.join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let (commit, branch) = (&checkout.commit, &checkout.branch);
        let restored = restore_commit(&pack, &elsewhere, commit, branch, &self.limits, &self.cancel).await.unwrap();
        assert_eq!(list_files(&restored, 200_000).unwrap().files, list.files);

        if let Some(older) = older {
            changes_between(older, checkout, &|_| true, 200_000, DIFF).unwrap();
            changes_between(checkout, older, &|_| true, 200_000, DIFF).unwrap();
        }
        Read { list, exported, copy }
    }

    /// Another branch with this tree, cloned.
    async fn clone_of_tree(&self, repository: &Repository, name: &str, tree: Oid) -> Checkout {
        let commit = commit_tree(repository, tree);
        repository.reference(&format!("refs/heads/{name}"), commit, true, "").unwrap();
        self.clone_into(name, name).await
    }

    /// Clones a branch of `demo` into a folder of its own.
    async fn clone_into(&self, branch: &str, folder: &str) -> Checkout {
        let checkout = self.clone_local("demo", branch).await.unwrap();
        let kept = self.path(&format!("kept-{folder}.git"));
        fs::rename(&checkout.git_dir, &kept).unwrap();
        Checkout { git_dir: kept, ..checkout }
    }
}

/// Regular files below a folder, in which there may be nothing but these and folders.
fn count_regular(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            let kind = entry.file_type().unwrap();
            assert!(kind.is_dir() || kind.is_file(), "{entry:?}");
            if kind.is_dir() { count_regular(&entry.path()) } else { 1 }
        })
        .sum()
}

fn paths(list: &FileList) -> Vec<&str> {
    list.files.iter().map(|file| file.path.as_str()).collect()
}

#[tokio::test]
async fn submodules_are_neither_fetched_nor_copied() {
    let world = World::new();
    let bait = Bait::lay();
    let url = format!("http://127.0.0.1:{}/secret", bait.port());
    let modules: String = [("a", url.as_str()), ("b", "../../../etc"), ("c", "ext::sh -c x"), ("../d", &url)]
        .map(|(name, url)| format!("[submodule \"{name}\"]\n\tpath = {name}\n\turl = {url}\n\tupdate = !touch x\n"))
        .concat();
    let repository = world.repository("srv/demo", &[("README.md", FILE, b"# Demo\n")]);
    let (modules, readme) = (repository.blob(modules.as_bytes()).unwrap(), repository.blob(b"# Demo\n").unwrap());
    let mut kept = Vec::new();
    for (branch, digit) in [("main", "1"), ("later", "2")] {
        let id = Oid::from_str(&digit.repeat(40)).unwrap();
        let root = crafted_tree(
            &repository,
            &[
                ("100644", b".gitmodules", modules),
                ("100644", b"README.md", readme),
                ("160000", b"a", id),
                ("160000", b"b", id),
                ("160000", b"c", id),
            ],
        );
        let commit = commit_tree(&repository, root);
        repository.reference(&format!("refs/heads/{branch}"), commit, true, "").unwrap();
        let server = Server::start(&world.path("srv"), Manner::Serve).await;
        let url = format!("http://127.0.0.1:{}/demo", server.port);
        let checkout = world.clone_url(&url, branch).await.unwrap();
        let git_dir = world.path(&format!("{branch}.git"));
        fs::rename(&checkout.git_dir, &git_dir).unwrap();
        let checkout = Checkout { git_dir, ..checkout };
        let read = world.read(&checkout, kept.first()).await;
        assert_eq!((paths(&read.list), read.list.links), (vec![".gitmodules", "README.md"], 3));
        assert_eq!((read.exported.files, read.exported.skipped), (2, 0));
        assert_eq!(existing_files(&checkout, ["a", "a/x", "README.md"]).unwrap(), ["README.md"]);
        kept.push(checkout);
    }
    let changes = changes_between(&kept[0], &kept[1], &|_| true, 100, DIFF).unwrap();
    assert!(changes.is_empty(), "{changes:?}");
    assert!(!bait.was_taken());

    // git itself does ask there when it is let
    let plain = format!("[submodule \"a\"]\n\tpath = a\n\turl = {url}\n");
    let plain = repository.blob(plain.as_bytes()).unwrap();
    let id = Oid::from_str(&"1".repeat(40)).unwrap();
    let root = crafted_tree(&repository, &[("100644", b".gitmodules", plain), ("160000", b"a", id)]);
    repository.reference("refs/heads/plain", commit_tree(&repository, root), true, "").unwrap();
    let mut clone = Command::new("git")
        .args(["clone", "--quiet", "--recurse-submodules", "--branch=plain"])
        .args([world.path("srv/demo"), world.path("control")])
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while !bait.was_taken() {
        assert!(Instant::now() < deadline, "the bait is none");
        std::thread::sleep(Duration::from_millis(5));
    }
    clone.kill().unwrap();
    clone.wait().unwrap();
}

#[tokio::test]
async fn a_pointer_to_a_large_file_stays_the_text_it_is() {
    let world = World::new();
    let bait = Bait::lay();
    let id = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
    let pointer = |size: &str| format!("version https://git-lfs.github.com/spec/v1\noid sha256:{id}\nsize {size}\n");
    let lfs = format!("[lfs]\n\turl = http://127.0.0.1:{}/lfs\n\tfetchinclude = *\n", bait.port());
    let (small, endless) = (pointer("12"), pointer("99999999999999999999"));
    let repository = world.repository(
        "demo",
        &[
            (".gitattributes", FILE, b"*.bin filter=lfs diff=lfs merge=lfs -text\n*.txt ident export-subst eol=crlf\n"),
            (".lfsconfig", FILE, lfs.as_bytes()),
            ("a.bin", FILE, small.as_bytes()),
            ("b.bin", FILE, endless.as_bytes()),
            ("c.txt", FILE, b"$Id$ $Format:%H$\n"),
        ],
    );
    let canary = world.path("canary");
    let touch = format!("touch {}", canary.display());
    let mut config = repository.config().unwrap();
    for key in ["filter.lfs.smudge", "filter.lfs.process", "diff.lfs.textconv", "diff.lfs.command"] {
        config.set_str(key, &touch).unwrap();
    }
    let checkout = world.clone_into("main", "old").await;
    let read = world.read(&checkout, None).await;
    assert_eq!(fs::read_to_string(read.copy.join("a.bin")).unwrap(), small);
    assert_eq!(fs::read_to_string(read.copy.join("b.bin")).unwrap(), endless);
    assert_eq!(fs::read_to_string(read.copy.join("c.txt")).unwrap(), "$Id$ $Format:%H$\n");

    let changed = super::commit_files(&repository, &[("a.bin", FILE, pointer("13").as_bytes())]);
    repository.reference("refs/heads/later", changed, true, "").unwrap();
    let later = world.clone_into("later", "later").await;
    let found = changes_between(&checkout, &later, &|path| path == "a.bin", 100, DIFF).unwrap();
    assert!(found[0].diff.as_ref().is_some_and(|diff| diff.contains("-size 12\n+size 13\n")), "{found:?}");
    assert!(!bait.was_taken() && !canary.exists());
}

#[tokio::test]
async fn names_of_any_bytes_are_copied_as_they_are_or_left_out() {
    let world = World::new();
    let repository = world.repository("demo", &[("a", FILE, b"a")]);
    let longest = "x".repeat(255);
    let usable: [&str; 14] = [
        "a\nb",
        "a\rb",
        "\u{1b}[31mred\u{7}",
        "\u{7f}",
        " ",
        "-rf",
        "a\\b",
        "$(touch x)",
        "\u{202e}txt.exe",
        "Same",
        "same",
        "SAME",
        "e\u{301}",
        "\u{e9}",
    ];
    let blob = repository.blob(b"x\n").unwrap();
    let tree = |content: Oid| {
        let mut names: Vec<(&str, &[u8], Oid)> =
            usable.iter().map(|name| ("100644", name.as_bytes(), content)).collect();
        names.push(("100644", longest.as_bytes(), content));
        // one byte more than a file system takes, and much more
        let too_long = "y".repeat(256);
        let far_too_long = "z".repeat(60_000);
        names.extend([("100644", too_long.as_bytes(), content), ("100644", far_too_long.as_bytes(), content)]);
        names.extend([("100644", &b"\xff\xfe"[..], content), ("100644", &b"\xc3\x28.rs"[..], content)]);
        names.push(("100644", b".gIt", content));
        let folder = crafted_tree(&repository, &[("100644", b"in\nside", content), ("100644", b"\xf0\x28", content)]);
        names.push(("40000", b"fol\nder", folder));
        names.push(("40000", b"\xff", folder));
        // in the order in which git looks for them
        names.sort_by_key(|(mode, name, _)| [*name, if *mode == "40000" { &b"/"[..] } else { &b""[..] }].concat());
        crafted_tree(&repository, &names)
    };
    let (one, other) = (tree(blob), tree(repository.blob(b"y\n").unwrap()));
    let old = world.clone_of_tree(&repository, "old", one).await;
    let new = world.clone_of_tree(&repository, "new", other).await;
    let read = world.read(&new, Some(&old)).await;

    let listed: HashSet<&str> = paths(&read.list).into_iter().collect();
    assert!(usable.iter().all(|name| listed.contains(name)), "{listed:?}");
    assert!(listed.contains(longest.as_str()) && listed.contains("fol\nder/in\nside"));
    // 14, the longest, that in the folder, and the one that no file system takes; the others are not usable
    assert_eq!((listed.len(), read.list.skipped_names), (17, 6));
    assert_eq!((read.exported.files, read.exported.skipped), (16, 1));
    let mut written: Vec<_> = fs::read_dir(&read.copy).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    written.sort();
    assert!(written.iter().all(|name| std::str::from_utf8(name.as_bytes()).is_ok()), "{written:?}");
    assert_eq!(fs::read(read.copy.join("Same")).unwrap(), b"y\n");

    let changes = changes_between(&old, &new, &|_| true, 1000, DIFF).unwrap();
    assert_eq!(changes.len(), 17);
    assert!(changes.iter().all(|change| change.kind == ChangeKind::Modified));
    let named = ["a\nb", "same", "sAme", "a\0b", "\u{1b}[31mred\u{7}", "fol\nder/in\nside", "fol\nder", "..", "a\\b"];
    let found = existing_files(&new, named).unwrap();
    assert_eq!(found, ["a\nb", "same", "\u{1b}[31mred\u{7}", "fol\nder/in\nside", "a\\b"]);
}

#[tokio::test]
async fn links_that_go_round_in_circles_are_left_out() {
    let world = World::new();
    let links: [(&str, u32, &[u8]); 6] = [
        ("one", LINK, b"other"),
        ("other", LINK, b"one"),
        ("self", LINK, b"self"),
        ("here", LINK, b"."),
        ("deep/up", LINK, b"../deep"),
        ("empty", LINK, b""),
    ];
    let mut files = vec![("src/a", FILE, &b"a"[..])];
    files.extend(links);
    world.repository("demo", &files);
    let checkout = world.clone_into("main", "links").await;
    let read = world.read(&checkout, Some(&checkout)).await;
    assert_eq!((paths(&read.list), read.list.links), (vec!["src/a"], 6));
    assert_eq!((read.exported.files, read.exported.skipped), (1, 0));
    let named = ["one", "self/self", "here/src/a", "deep/up/up/up", "src/a"];
    assert_eq!(existing_files(&checkout, named).unwrap(), ["src/a"]);
}

/// Folders in folders, with a file in the innermost, below a root that has a file as well.
fn nested(repository: &Repository, levels: usize, content: &[u8]) -> Oid {
    let blob = repository.blob(content).unwrap();
    let mut tree = crafted_tree(repository, &[("100644", b"bottom", blob)]);
    for _ in 1..levels {
        tree = crafted_tree(repository, &[("40000", b"d", tree)]);
    }
    crafted_tree(repository, &[("40000", b"d", tree), ("100644", b"top", blob)])
}

#[tokio::test]
async fn ten_thousand_folders_in_each_other_are_refused_or_cut_off() {
    let world = World::new();
    let repository = world.repository("demo", &[("a", FILE, b"a")]);
    // as deep as paths may be, and as git still goes
    for (levels, files) in [(500, 2), (1_500, 1)] {
        let old = nested(&repository, levels, b"old\n");
        let old = world.clone_of_tree(&repository, &format!("old-{levels}"), old).await;
        let new = nested(&repository, levels, b"new\n");
        let new = world.clone_of_tree(&repository, &format!("new-{levels}"), new).await;
        let read = world.read(&new, Some(&old)).await;
        assert_eq!((read.list.files.len(), read.list.skipped_names), (files, 2 - files), "{levels}");
        assert_eq!(read.exported.files, files, "{levels}");
    }

    let commit = commit_tree(&repository, nested(&repository, 10_000, b"x\n"));
    repository.reference("refs/heads/deep", commit, true, "").unwrap();
    let error = world.clone_local("demo", "deep").await.unwrap_err();
    assert!(!error.is_retryable(), "{error:?}");
    assert!(error.message.contains("folders that lie too deep in each other"), "{error}");

    // had git let it through, our own reading stops as well
    let branch = "deep".parse().unwrap();
    let checkout = Checkout {
        git_dir: repository.path().to_owned(),
        commit: commit.to_string().parse().unwrap(),
        commit_time: chrono::DateTime::UNIX_EPOCH,
        branch,
    };
    let list = list_files(&checkout, 200_000).unwrap();
    assert_eq!((paths(&list), list.skipped_names), (vec!["top"], 1));
    let copied = export_tree(&checkout, &world.path("copy"), &|_| true, EXPORT).unwrap();
    assert_eq!(copied.files, 1);
    assert_eq!(changes_between(&checkout, &checkout, &|_| true, 200_000, DIFF).unwrap(), []);
    let bottom = format!("{}bottom", "d/".repeat(10_000));
    assert!(existing_files(&checkout, [bottom.as_str(), "top"]).unwrap().contains(&"top"));
    let pack = world.path("deep.pack");
    let packed = pack_commit(&checkout, &pack, &world.limits, &world.cancel).await;
    assert_eq!(packed.is_ok(), pack.exists(), "{packed:?}");
}

#[tokio::test]
async fn lines_of_megabytes_and_files_above_the_limit_change_without_a_text() {
    let world = World::new();
    let line = |byte: u8, count: usize| vec![byte; count];
    let limit = usize::try_from(world.limits.max_blob_bytes).unwrap();
    let almost = 1_900 << 10;
    let contents = |byte: u8| {
        [
            ("just", line(byte, 500 << 10)),
            ("long", line(byte, almost)),
            ("over", line(byte, limit + 1)),
            ("short", vec![byte, b'\n']),
        ]
    };
    let (before, after) = (contents(b'a'), contents(b'b'));
    let files = |contents: &[(&'static str, Vec<u8>)]| -> Vec<(&'static str, u32, Vec<u8>)> {
        contents.iter().map(|(name, content)| (*name, FILE, content.clone())).collect()
    };
    let borrowed = |files: &[(&'static str, u32, Vec<u8>)]| -> Vec<(&'static str, u32, &'static [u8])> {
        files.iter().map(|(name, mode, content)| (*name, *mode, &*content.clone().leak())).collect()
    };
    let repository = world.repository("demo", &borrowed(&files(&before)));
    let old = world.clone_into("main", "old").await;
    let commit = super::commit_files(&repository, &borrowed(&files(&after)));
    repository.reference("refs/heads/main", commit, true, "").unwrap();
    let new = world.clone_into("main", "new").await;
    let read = world.read(&new, Some(&old)).await;
    // a clone from this host's disk leaves out large files too, or else the copy does
    assert_eq!((read.exported.files, read.exported.skipped), (3, 1));
    assert_eq!(fs::metadata(read.copy.join("long")).unwrap().len(), almost as u64);

    let changes = changes_between(&old, &new, &|_| true, 100, DIFF).unwrap();
    let diffs: Vec<_> = changes.iter().map(|change| change.diff.as_deref().map(str::len)).collect();
    assert!(changes.iter().all(|change| change.kind == ChangeKind::Modified), "{changes:?}");
    assert!(diffs[0].is_some_and(|bytes| bytes < 200) && diffs[3].is_some(), "{diffs:?}");
    assert_eq!((diffs[1], diffs[2]), (None, None));
}

/// What takes longest to compare: as many short lines as fit, of few kinds, in another order.
#[tokio::test]
async fn half_a_megabyte_of_short_lines_in_another_order_is_compared_in_bounded_time() {
    let world = World::new();
    let shuffled = |seed: u64| -> Vec<u8> {
        let mut state = seed;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        std::iter::repeat_with(|| [b'a' + u8::try_from(next() % 26).unwrap(), b'\n'])
            .take(256 << 10)
            .flatten()
            .collect()
    };
    let repository = world.repository("demo", &[("a", FILE, &shuffled(1)), ("moved", FILE, &shuffled(3))]);
    let old = world.clone_into("main", "old").await;
    let commit = super::commit_files(&repository, &[("a", FILE, &shuffled(2)), ("here", FILE, &shuffled(4))]);
    repository.reference("refs/heads/main", commit, true, "").unwrap();
    let new = world.clone_into("main", "new").await;
    let started = Instant::now();
    let changes = changes_between(&old, &new, &|_| true, 100, DIFF).unwrap();
    println!("compared in {:?}", started.elapsed());
    assert_eq!(changes.len(), 2);
    assert!(changes[0].diff.as_ref().is_some_and(|diff| diff.len() <= DIFF.file_bytes));
}

#[tokio::test]
async fn thousands_of_paths_in_one_huge_folder_are_looked_up_at_once() {
    let world = World::new();
    let repository = Repository::init(world.path("demo")).unwrap();
    let blob = repository.blob(b"x").unwrap();
    let names: Vec<String> = (0..150_000).map(|number| format!("file-{number:06}")).collect();
    let entries: Vec<_> = names.iter().map(|name| ("100644", name.as_bytes(), blob)).collect();
    let inner = crafted_tree(&repository, &entries);
    let root = crafted_tree(&repository, &[("40000", b"big", inner)]);
    let commit = commit_tree(&repository, root);
    let checkout = Checkout {
        git_dir: repository.path().to_owned(),
        commit: commit.to_string().parse().unwrap(),
        commit_time: chrono::DateTime::UNIX_EPOCH,
        branch: "main".parse().unwrap(),
    };
    let paths: Vec<String> = names.iter().take(5_000).map(|name| format!("big/{name}")).collect();
    let started = Instant::now();
    let found = existing_files(&checkout, paths.iter().map(String::as_str)).unwrap();
    // reading the folder anew for each takes minutes
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    assert_eq!(found.len(), 5_000);
}
