//! What is taken from each language.

use std::collections::BTreeMap;

use super::{fixture, options, site};
use crate::writers::{Writer, builtin::open};

async fn pages<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    let fixture = fixture(files);
    let writer = open(&fixture.checkout, options());
    let (_, pages) = site(&writer).await;
    assert_eq!(writer.findings(), Vec::<String>::new());
    pages
}

fn assert_told(pages: &BTreeMap<String, String>, wanted: &[&str]) {
    let all = pages.values().cloned().collect::<String>();
    for words in wanted {
        assert!(all.contains(words), "{words:?} is missing in {all}");
    }
}

fn assert_not_told(pages: &BTreeMap<String, String>, unwanted: &[&str]) {
    let all = pages.values().cloned().collect::<String>();
    for words in unwanted {
        assert!(!all.contains(words), "{words:?} should be left out of {all}");
    }
}

#[tokio::test]
async fn rust_shows_what_other_crates_can_reach() {
    let lib = "//! A crate.\n\nmod hidden;\npub mod shown;\npub use hidden::Passed;\npub use other::Thing;\n\n/// A macro.\n#[macro_export]\nmacro_rules! twice { ($x:expr) => { $x }; }\n\n#[cfg(test)]\nmod tests { pub fn test_only() {} }\n";
    let hidden = "/// Passed on.\n#[derive(Debug)]\npub struct Passed<T> {\n    /// The field.\n    pub field: T,\n    secret: u8,\n}\n\nimpl<T> Passed<T> {\n    /// Makes.\n    pub fn new(t: T) -> Self { todo!() }\n    fn private(&self) {}\n}\n\nimpl<T> Clone for Passed<T> { fn clone(&self) -> Self { todo!() } }\n\npub struct Unreachable;\n";
    let shown = "//! Shown.\n\n/// A trait.\npub trait Speak {\n    /// Speaks.\n    fn speak(&self);\n}\n\n/// Kinds.\npub enum Kind {\n    /// The first.\n    One(u8),\n    Two { a: u8 },\n}\n\npub(crate) fn internal() { let _ = std::env::var(\"DEMO_HOME\"); }\n";
    let pages = pages([
        ("Cargo.toml", "[package]\nname = \"demo\"\nversion = \"1.0.0\"\n"),
        ("src/lib.rs", lib),
        ("src/hidden.rs", hidden),
        ("src/shown.rs", shown),
    ])
    .await;
    assert_told(
        &pages,
        &[
            "### `Passed`",
            "pub field: T,\n    /* private fields */",
            "- `field`: The field.",
            "#### `Passed::new`",
            "Implements `Clone`.",
            "### `twice`",
            "($x:expr) => { ... };",
            "### `Speak`",
            "#### `Speak::speak`",
            "- `One`: The first.",
            "`other::Thing`",
            "`DEMO_HOME`",
            "[[src/hidden.rs:11]]",
        ],
    );
    assert_not_told(&pages, &["test_only", "Unreachable", "fn private", "fn internal"]);
}

#[tokio::test]
async fn python_respects_all_and_reads_its_command_line() {
    let pages = pages([
        ("pyproject.toml", "[project]\nname = \"demo\"\nversion = \"2.0\"\ndependencies = [\"click>=8\"]\n[project.scripts]\ndemo = \"demo.cli:main\"\n"),
        ("src/demo/__init__.py", "\"\"\"A package.\"\"\"\nfrom ._core import Thing as Thing, _inner\n__all__ = [\"Thing\"]\n"),
        ("src/demo/_core.py", "class Thing(Base):\n    \"\"\"A thing.\n\n    :param a: the a\n    \"\"\"\n    def __init__(self, a: int) -> None:\n        pass\n    @property\n    def size(self) -> int:\n        \"\"\"How large.\"\"\"\n    def _hidden(self): pass\n"),
        ("src/demo/cli.py", "import click, os\n\n@click.command()\n@click.option('--count', '-c', default=1, help='How many | times.')\ndef main(count):\n    \"\"\"Runs it.\"\"\"\n    os.environ.get('DEMO_MODE', 'fast')\n"),
        ("tests/test_demo.py", "def test_nothing(): pass\n"),
    ])
    .await;
    assert_told(
        &pages,
        &[
            "### `Thing`",
            "class Thing(Base)",
            "- `a`: the a",
            "#### `Thing.size`",
            "@property\ndef size(self) -> int",
            "pip install demo",
            "| `--count, -c` | How many \\| times. | `1` | [[src/demo/cli.py:4]] |",
            "`DEMO_MODE` | `'fast'`",
            "| `click` | `>=8` | Runtime |",
        ],
    );
    assert_not_told(&pages, &["_hidden", "test_nothing"]);
}

#[tokio::test]
async fn javascript_and_typescript_show_their_exports() {
    let pages = pages([
        ("package.json", r#"{"name":"demo","version":"3.0.0","scripts":{"build":"tsc"},"engines":{"node":">=20"}}"#),
        ("lib/app.js", "'use strict';\nvar app = exports = module.exports = {};\n\n/**\n * Uses it.\n *\n * @param {Function} fn - what\n * @public\n */\n\napp.use = function use(fn) {\n  return process.env.PORT || 3000\n}\n\n/**\n * @private\n */\napp.secret = function () {}\n"),
        ("src/index.ts", "import { x } from './x'\n/** Adds. */\nexport function add(a: number, b = 2): number { return a }\nfunction local() {}\nexport { x } from './x'\nexport interface Options {\n  /** The size. */\n  size?: number\n}\nexport class Box<T> extends Base {\n  /** Opens. */\n  open(key: string): void {}\n  private lock() {}\n}\nrouter.get('/items/:id', show)\n"),
    ])
    .await;
    assert_told(
        &pages,
        &[
            "### `app.use`",
            "function app.use(fn)",
            "- `fn` (`Function`): what",
            "`PORT` | `3000`",
            "### `add`",
            "function add(a: number, b = 2): number",
            "- `size`: The size.",
            "#### `Box.open`",
            "class Box<T> extends Base",
            "| GET | `/items/:id` | `show` | [[src/index.ts:15]] |",
            "npm install demo",
            "`npm run build`",
        ],
    );
    assert_not_told(&pages, &["app.secret", "local()", "lock()"]);
}

#[tokio::test]
async fn go_shows_exported_names_with_methods_on_their_types() {
    let pages = pages([
        ("go.mod", "module example.org/demo\n\ngo 1.22\n\nrequire (\n\tgithub.com/a/b v1.2.3\n)\n"),
        ("demo.go", "// Copyright somebody\n\n// Package demo does things.\npackage demo\n\nimport \"os\"\n\n// Server serves.\ntype Server struct {\n\t// Addr is where.\n\tAddr string\n\tinner int\n}\n\n// Run runs [Server].\nfunc (s *Server) Run() error {\n\tos.Getenv(\"DEMO_ADDR\")\n\tmux.HandleFunc(\"GET /health\", health)\n\treturn nil\n}\n\nfunc hidden() {}\n\n// Modes.\nconst (\n\tFast = iota\n\t// Slow is slow.\n\tSlow\n)\n"),
        ("demo_test.go", "package demo\n\nfunc TestX() {}\n"),
        ("gen.pb.go", "package demo\n\nfunc Generated() {}\n"),
    ])
    .await;
    assert_told(
        &pages,
        &[
            "Package demo does things.",
            "### `Server`",
            "Addr string\n    // unexported fields",
            "- `Addr`: Addr is where.",
            "#### `Server.Run`",
            "Run runs `Server`.",
            "`DEMO_ADDR`",
            "| GET | `/health` | `health` |",
            "go get example.org/demo",
            "- `Slow`: Slow is slow.",
        ],
    );
    assert_not_told(&pages, &["hidden()", "TestX", "Generated", "Copyright"]);
}

#[tokio::test]
async fn java_shows_public_members_with_their_javadoc() {
    let pages = pages([
        ("pom.xml", "<project><groupId>org.x</groupId><artifactId>demo</artifactId><version>1.1</version><dependencies><dependency><groupId>g</groupId><artifactId>a</artifactId><version>2</version></dependency></dependencies></project>"),
        ("src/main/java/org/x/Demo.java", "package org.x;\n\n/**\n * Does <b>it</b>.\n */\n@RequestMapping(\"/api\")\npublic class Demo<T> {\n  /** Makes.\n   * @param a the a\n   */\n  public Demo(int a) {}\n  private void hidden() {}\n  @GetMapping(\"/x\")\n  public String get() { return System.getenv(\"DEMO_KEY\"); }\n  public enum Mode { FAST, SLOW }\n}\n"),
    ])
    .await;
    assert_told(
        &pages,
        &[
            "### `Demo`",
            "public class Demo<T>",
            "Does **it**.",
            "#### `Demo.Demo`",
            "- `a`: the a",
            "| GET | `/api/x` | `get` |",
            "`DEMO_KEY`",
            "<artifactId>demo</artifactId>",
            "| `g:a` | `2` | Runtime |",
        ],
    );
    assert_not_told(&pages, &["hidden()"]);
}

#[tokio::test]
async fn c_and_cpp_show_what_headers_declare() {
    let pages = pages([
        ("CMakeLists.txt", "cmake_minimum_required(VERSION 3.10)\nproject(demo VERSION 4.2 DESCRIPTION \"A demo\")\nfind_package(OpenSSL 3 REQUIRED)\n"),
        ("include/demo.h", "#ifndef DEMO_H\n#define DEMO_H\n/* Largest size. */\n#define DEMO_MAX 10\n/**\n * @brief Opens it.\n * @param name the name\n */\nint demo_open(const char *name);\ntypedef struct demo {\n  int a; /* the a */\n  void (*on_close)(void *);\n} demo;\nenum mode { FAST, SLOW };\nstatic int hidden(void) { return 1; }\n#endif\n"),
        ("include/box.hpp", "namespace x {\n/// A box.\nclass Box {\n public:\n  /// Opens.\n  void open(int key) const;\n private:\n  int secret;\n};\nnamespace detail { void inner(); }\n}\n"),
        ("src/demo.c", "#include <stdlib.h>\nint demo_open(const char *n) { return getenv(\"DEMO_DEBUG\") != 0; }\n"),
    ])
    .await;
    assert_told(
        &pages,
        &[
            "### `demo_open`",
            "Opens it. [[include/demo.h:6]]\n\n- `name`: the name [[include/demo.h:7]]",
            "#define DEMO_MAX 10",
            "Largest size.",
            "- `a`: the a",
            "### `mode`",
            "### `x::Box`",
            "void open(int key) const;",
            "`DEMO_DEBUG`",
            "| `OpenSSL` | `3` | Build |",
        ],
    );
    assert_not_told(&pages, &["hidden(void)", "secret", "inner()", "DEMO_H\n"]);
}

#[tokio::test]
async fn other_languages_have_readme_documents_and_layout() {
    let pages = pages([
        ("README.md", "# Demo\n\n<p align=\"center\"><img src=\"https://x.y/logo.png\" alt=\"logo\"></p>\n\nA Ruby thing. <!-- hidden -->\n\nRead the [guide](docs/guide.md#part), [code](lib/a.rb) or [nothing](no.md).\n"),
        ("docs/guide.md", &format!("# The guide\n\n## Part\n\n{}\n", "Words about it. ".repeat(20))),
        ("lib/a.rb", "puts 1\n"),
        ("CHANGELOG.md", &format!("# Changelog\n\n{}", (1..40).map(|n| format!("## 1.{n}\n\n- Something changed.\n\n")).collect::<String>())),
    ])
    .await;
    assert!(
        pages["overview"].contains("Read the [guide](guide.html#part), code [[lib/a.rb]] or nothing."),
        "{}",
        pages["overview"]
    );
    assert!(!pages["overview"].contains("hidden") && !pages["overview"].contains("logo"));
    assert!(pages["project-layout"].contains("| `lib/` | 1 | Ruby |"));
    assert!(
        pages["changelog"].contains("## 1.1\n")
            && pages["changelog"].contains("older versions are in [[CHANGELOG.md]]")
    );
}
