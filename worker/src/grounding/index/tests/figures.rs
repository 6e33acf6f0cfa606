//! How long an index takes and how much memory. Not part of the usual tests: `script/bench-index` runs it in a release build.

use std::{
    fmt::Write as _,
    io::Write as _,
    process::{Command, Stdio},
    time::Instant,
};

use super::*;

/// Deterministic numbers (a linear congruential generator).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    /// A name of one to three parts; small numbers are common, as words are in real code.
    fn name(&mut self) -> String {
        const PARTS: [&str; 24] = [
            "get", "set", "user", "index", "page", "store", "run", "file", "name", "path", "open", "close", "state",
            "count", "value", "node", "list", "map", "read", "write", "next", "first", "last", "key",
        ];
        let mut name = String::new();
        for _ in 0..=self.below(2) {
            if !name.is_empty() {
                name.push('_');
            }
            let part = usize::try_from(self.below(24)).unwrap();
            let range = [1, 1, 40, 4_000][usize::try_from(self.below(4)).unwrap()];
            let number = self.below(range);
            name.push_str(PARTS[part]);
            if number > 0 {
                write!(name, "{number}").unwrap();
            }
        }
        name
    }
}

const KINDS: [&str; 10] = ["rs", "py", "ts", "go", "java", "c", "js", "md", "json", "yaml"];

/// A file of a language with about so many bytes.
fn text(numbers: &mut Numbers, kind: &str, bytes: u64) -> String {
    let mut text = String::new();
    if kind == "java" {
        writeln!(text, "package demo;\npublic class {} {{", numbers.name()).unwrap();
    } else if kind == "go" {
        text.push_str("package demo\n");
    }
    while (text.len() as u64) < bytes {
        let (f, a, b, c) = (numbers.name(), numbers.name(), numbers.name(), numbers.name());
        let number = numbers.below(1000);
        match kind {
            "rs" => writeln!(text, "/// Says what {a} is for.\npub fn {f}({a}: u32, {b}: &str) -> Option<u32> {{\n    let {c} = {a}.checked_add({number})?;\n    if {b}.is_empty() {{\n        return None;\n    }}\n    Some({c} * 2)\n}}\n"),
            "py" => writeln!(text, "def {f}({a}, {b}=None):\n    \"\"\"Says what {a} is for.\"\"\"\n    {c} = {a} + {number}\n    if not {b}:\n        return None\n    return {c} * 2\n\n"),
            "ts" | "js" => writeln!(text, "/** Says what {a} is for. */\nexport function {f}({a}, {b}) {{\n  const {c} = {a}.add({number});\n  if (!{b}) {{\n    return null;\n  }}\n  return {c} * 2;\n}}\n"),
            "go" => writeln!(text, "// {f} says what it is for.\nfunc {f}({a} int, {b} string) (int, error) {{\n\t{c} := {a} + {number}\n\tif {b} == \"\" {{\n\t\treturn 0, nil\n\t}}\n\treturn {c} * 2, nil\n}}\n"),
            "java" => writeln!(text, "  /** Says what {a} is for. */\n  public int {f}(int {a}, String {b}) {{\n    int {c} = {a} + {number};\n    if ({b}.isEmpty()) {{\n      return 0;\n    }}\n    return {c} * 2;\n  }}\n"),
            "c" => writeln!(text, "/* Says what {a} is for. */\nint {f}(int {a}, const char *{b}) {{\n  int {c} = {a} + {number};\n  if (!*{b}) {{\n    return 0;\n  }}\n  return {c} * 2;\n}}\n"),
            "md" => writeln!(text, "## {f}\n\nThe value of `{a}` is {number} unless `{b}` says something else, see {c}.\n"),
            "json" => writeln!(text, "{{\"{f}\": {{\"{a}\": {number}, \"{b}\": \"{c}\"}}}}"),
            _ => writeln!(text, "{f}:\n  {a}: {number}\n  {b}: {c}"),
        }
        .unwrap();
    }
    if kind == "java" {
        text.push_str("}\n");
    }
    text
}

/// A bare repository of so many files, a hundred in each folder, most of them small.
fn generate(git_dir: &Path, files: u64, round: u64) -> String {
    let mut git = Command::new("git");
    git.args(["fast-import", "--quiet", "--force"]).current_dir(git_dir).stdin(Stdio::piped());
    let mut importing = git.spawn().unwrap();
    let mut out = std::io::BufWriter::new(importing.stdin.take().unwrap());
    writeln!(out, "commit refs/heads/main\ncommitter A <a@example.org> 1700000000 +0000\ndata 1\nx\ndeleteall")
        .unwrap();
    let mut bytes = 0;
    for file in 0..files {
        // the second round changes one file
        let seed = if round == 1 && file == files / 2 { files + 7 } else { file };
        let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let kind = KINDS[usize::try_from(file % 10).unwrap()];
        let size = match numbers.below(100) {
            0..40 => 500 + numbers.below(2_500),
            40..80 => 3_000 + numbers.below(7_000),
            80..97 => 10_000 + numbers.below(20_000),
            _ => 30_000 + numbers.below(70_000),
        };
        let text = text(&mut numbers, kind, size);
        bytes += text.len();
        writeln!(out, "M 100644 inline src/m{}/f{file}.{kind}\ndata {}\n{text}", file / 100, text.len()).unwrap();
    }
    writeln!(out, "done").unwrap();
    drop(out);
    assert!(importing.wait().unwrap().success());
    println!("{files} files, {} MB", bytes >> 20);
    head(git_dir)
}

fn head(git_dir: &Path) -> String {
    let out = Command::new("git").arg("--git-dir").arg(git_dir).args(["rev-parse", "HEAD"]).output().unwrap();
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

/// The most memory that this process has used, in MB.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
}

/// Memory of this process and all its children, sampled, in MB: at its peak all of it, and what is their own. The rest are
/// files that are mapped, most of all the pack, which the system takes back when somebody needs the memory.
fn watch_memory(stop: &CancellationToken) -> (u64, u64) {
    let mut peak = (0, 0);
    while !stop.is_cancelled() {
        let mut processes = vec![std::process::id().to_string()];
        for thread in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
            let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            processes.extend(children.split_whitespace().map(str::to_owned));
        }
        let pages = processes.iter().filter_map(|process| {
            let sizes = std::fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
            let sizes: Vec<u64> = sizes.split_whitespace().flat_map(str::parse).collect();
            Some((*sizes.get(1)?, sizes.get(1)?.checked_sub(*sizes.get(2)?)?))
        });
        let (all, own) = pages.fold((0, 0), |sum, pages| (sum.0 + pages.0, sum.1 + pages.1));
        peak = (peak.0.max(all / 256), peak.1.max(own / 256));
        std::thread::sleep(Duration::from_millis(50));
    }
    peak
}

/// Processor time of this process and of its children that ended.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = (11..15).filter_map(|at| fields.get(at)?.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn measure(what: &str, build: &Build<'_>) -> Index {
    let stop = CancellationToken::new();
    let watched = stop.clone();
    let watching = std::thread::spawn(move || watch_memory(&watched));
    let (started, before) = (Instant::now(), processor_time());
    let (index, done) = Index::of_checkout(build).unwrap();
    let took = started.elapsed();
    let worked = processor_time().checked_sub(before).unwrap();
    stop.cancel();
    let (all_mb, own_mb) = watching.join().unwrap();
    println!(
        "{what}: {took:.2?} ({worked:.2?} of processor time), {} files, {} definitions, {} blobs read ({} parsed, {} known), {} left out; all processes {} MB, \
         {} MB of them their own; this one at its peak {} MB",
        index.files().len(),
        index.definitions.all(index.files()).len(),
        done.read,
        done.parsed,
        done.known,
        done.findings.len(),
        all_mb,
        own_mb,
        peak_mb()
    );
    index
}

#[test]
#[ignore = "prints figures: script/bench-index"]
fn figures() {
    // as in a worker
    crate::git::trust_clones();
    let folder = tempfile::tempdir().unwrap();
    let given = std::env::var_os("BENCH_REPOSITORY").map(PathBuf::from);
    let count = std::env::var("BENCH_FILES").map_or(2_500, |count| count.parse().unwrap());
    let git_dir = given.clone().unwrap_or_else(|| folder.path().join("repository.git"));
    let first = if given.is_some() {
        head(&git_dir)
    } else {
        std::fs::create_dir(&git_dir).unwrap();
        let made =
            Command::new("git").args(["init", "--quiet", "--bare", "-b", "main"]).arg(&git_dir).status().unwrap();
        assert!(made.success());
        generate(&git_dir, count, 0)
    };
    let (program, cancel, filter) = (parser(), CancellationToken::new(), PathFilter::default());
    let checkout = |commit: &str| Checkout {
        git_dir: git_dir.clone(),
        commit: commit.parse().unwrap(),
        commit_time: chrono::DateTime::UNIX_EPOCH,
        branch: "main".parse().unwrap(),
    };
    let (one, two) = (folder.path().join("one.index"), folder.path().join("two.index"));
    let at = checkout(&first);
    let build = Build {
        checkout: &at,
        filter: &filter,
        name: "demo",
        parser: (&program, ParserLimits::default()),
        known: None,
        keep: Some(&one),
        cancel: &cancel,
    };
    let index = measure("built", &build);
    println!("kept in {} KB", std::fs::metadata(&one).unwrap().len() >> 10);
    let started = Instant::now();
    let found = index.files().iter().filter(|file| index.find_path(file.name()) != PathMatch::Missing).count();
    println!("{found} paths found by name in {:.2?}", started.elapsed());
    drop(index);
    drop(measure("loaded", &Build { known: Some(&one), keep: None, ..build }));
    if given.is_none() {
        let second = generate(&git_dir, count, 1);
        let at = checkout(&second);
        measure("after one change", &Build { checkout: &at, known: Some(&one), keep: Some(&two), ..build });
    }
}
