//! What is found in each language, by a small file of each.

use super::*;

/// What is defined in one file: `owner.name first-last`, with `+` before what is public.
fn defined(path: &str, text: &str) -> Vec<String> {
    let fixture = Fixture::new(&[(path, text.as_bytes())]);
    let (index, done) = fixture.build();
    assert_eq!((done.parsed, done.findings.len()), (1, 0), "{path}: {:?}", done.findings);
    let mut all: Vec<_> =
        index.definitions.all(index.files()).iter().map(|definition| (definition.lines, definition)).collect();
    all.sort_by_key(|(lines, definition)| (*lines, definition.name));
    let describe = |definition: super::super::Definition<'_>| {
        let mark = if definition.is_public { "+" } else { "" };
        let owner = Some(definition.owner).filter(|owner| !owner.is_empty()).map(|owner| format!("{owner}."));
        let (first, last) = definition.lines;
        format!("{mark}{}{} {first}-{last}", owner.unwrap_or_default(), definition.name)
    };
    all.into_iter().map(|(_, definition)| describe(definition)).collect()
}

fn environment(path: &str, text: &str) -> Vec<String> {
    let (index, _) = Fixture::new(&[(path, text.as_bytes())]).build();
    let found = index.offers().iter().filter(|offer| offer.kind == OfferKind::Environment);
    found.map(|offer| format!("{} {}", offer.name, offer.line)).collect()
}

#[test]
fn rust_is_outlined() {
    let text = "pub struct Shape {\n    pub sides: u8,\n    area: f64,\n}\nimpl Shape {\n    pub fn new() -> Self {\n        \
                let local = 1;\n        fn inner() {}\n    }\n    fn own(&self) {}\n}\nimpl Clone for Shape {\n    fn clone(&self) -> Self {}\n}\n\
                pub trait Draw {\n    fn draw(&self);\n}\npub(crate) enum Kind { One, Two }\nconst LIMIT: u8 = 1;\nmod inside {\n    pub fn deep() {}\n}\n\
                #[macro_export]\nmacro_rules! put { () => {} }\n";
    let expected = [
        "+Shape 1-4",
        "+Shape.sides 2-2",
        "Shape.area 3-3",
        "+Shape.new 6-9",
        "Shape.inner 8-8",
        "Shape.own 10-10",
        "Shape.clone 13-13",
        "+Draw 15-17",
        "+Draw.draw 16-16",
        "Kind 18-18",
        "Kind.One 18-18",
        "Kind.Two 18-18",
        "LIMIT 19-19",
        "inside 20-22",
        "inside.deep 21-21",
        "+put 24-24",
    ];
    assert_eq!(defined("src/lib.rs", text), expected);
}

#[test]
fn python_is_outlined() {
    let text = "LIMIT = 3\nclass Shape(Base):\n    sides = 4\n    def area(self):\n        local = 1\n        def inner(): pass\n    \
                def _own(self): pass\n\ndef make():\n    return 1\n";
    let expected = [
        "+LIMIT 1-1",
        "+Shape 2-7",
        "+Shape.sides 3-3",
        "+Shape.area 4-6",
        "Shape.inner 6-6",
        "Shape._own 7-7",
        "+make 9-10",
    ];
    assert_eq!(defined("shape.py", text), expected);
}

#[test]
fn javascript_and_typescript_are_outlined() {
    let text = "export class Shape {\n  #own = 1;\n  sides = 4;\n  area() { const local = 1; }\n}\n\
                export const make = () => 1;\nfunction hidden() {}\nfunction late() {}\nexport { late };\n";
    let expected =
        ["+Shape 1-5", "Shape.#own 2-2", "+Shape.sides 3-3", "+Shape.area 4-4", "+make 6-6", "hidden 7-7", "+late 8-8"];
    assert_eq!(defined("shape.js", text), expected);
    let text = "export interface Shape {\n  sides: number;\n  area(): number;\n}\nexport enum Kind { One, Two = 2 }\n\
                export type Name = string;\nexport abstract class Base {\n  private own = 1;\n  run(): void {}\n}\nnamespace Inner { export function f() {} }\n";
    let expected = [
        "+Shape 1-4",
        "+Shape.sides 2-2",
        "+Shape.area 3-3",
        "+Kind 5-5",
        "+Kind.One 5-5",
        "+Kind.Two 5-5",
        "+Name 6-6",
        "+Base 7-10",
        "Base.own 8-8",
        "+Base.run 9-9",
        "Inner 11-11",
        "Inner.f 11-11",
    ];
    assert_eq!(defined("shape.ts", text), expected);
    assert_eq!(defined("shape.tsx", "export function App() { return <p/>; }\n"), ["+App 1-1"]);
}

#[test]
fn go_and_java_are_outlined() {
    let text = "package shape\n\nconst Limit = 3\n\ntype Shape struct {\n\tSides int\n\tarea int\n}\n\nfunc (s *Shape) Area() int { x := 1; return x }\n\
                func (s Box[T]) own() {}\nfunc make() {}\ntype Drawer interface { Draw() }\n";
    let expected = [
        "+Limit 3-3",
        "+Shape 5-8",
        "+Shape.Sides 6-6",
        "Shape.area 7-7",
        "+Shape.Area 10-10",
        "Box.own 11-11",
        "make 12-12",
        "+Drawer.Draw 13-13",
        "+Drawer 13-13",
    ];
    let mut found = defined("shape.go", text);
    found.sort_by_key(|line| line.rsplit(' ').next().unwrap().split('-').next().unwrap().parse::<u32>().unwrap());
    assert_eq!(found, expected);
    let text = "package a;\npublic class Shape {\n  public static final int SIDES = 4;\n  private int own;\n  public Shape() {}\n  \
                public int area() { int local = 1; return local; }\n  interface Draw { void draw(); }\n}\n";
    let expected = [
        "+Shape 2-8",
        "+Shape.SIDES 3-3",
        "Shape.own 4-4",
        "+Shape.Shape 5-5",
        "+Shape.area 6-6",
        "Shape.Draw 7-7",
        "Draw.draw 7-7",
    ];
    let mut found = defined("Shape.java", text);
    found.sort_by_key(|line| line.rsplit(' ').next().unwrap().split('-').next().unwrap().parse::<u32>().unwrap());
    assert_eq!(found, expected);
}

#[test]
fn c_and_cpp_are_outlined() {
    let text = "#define LIMIT 3\n#define ADD(a, b) a\nstruct shape {\n  int sides;\n};\nenum kind { ONE, TWO };\ntypedef struct shape shape_t;\n\
                int area(struct shape *s);\nstatic int own(void) { int local; return 1; }\nvoid (*handler)(int);\n";
    let found = defined("shape.h", text);
    for expected in [
        "+LIMIT 1-1",
        "+ADD 2-2",
        "+shape 3-5",
        "+shape.sides 4-4",
        "+kind 6-6",
        "+kind.ONE 6-6",
        "+shape_t 7-7",
        "+area 8-8",
        "own 9-9",
    ] {
        assert!(found.iter().any(|line| line == expected), "{expected} is not in {found:?}");
    }
    assert!(!found.iter().any(|line| line.contains("local")), "{found:?}");
    let text = "namespace geo {\nclass Shape {\n  int own;\npublic:\n  Shape();\n  int area() const;\nprivate:\n  void hide();\n};\nusing Name = int;\n\
                template <class T> T make(T t) { return t; }\n}\n";
    let found = defined("shape.hpp", text);
    for expected in [
        "+geo 1-12",
        "+geo.Shape 2-9",
        "Shape.own 3-3",
        "+Shape.area 6-6",
        "Shape.hide 8-8",
        "+geo.Name 10-10",
        "+geo.make 11-11",
    ] {
        assert!(found.iter().any(|line| line == expected), "{expected} is not in {found:?}");
    }
    let found = defined("shape.cpp", "int Shape::area() const { return 1; }\n");
    assert_eq!(found, ["Shape.area 1-1"]);
}

#[test]
fn csharp_ruby_and_php_are_outlined() {
    let text = "namespace Geo;\npublic class Shape {\n  public int Sides { get; set; }\n  private int own;\n  public int Area() { int local = 1; return local; }\n}\n\
                public interface IDraw { void Draw(); }\npublic enum Kind { One }\npublic record Point(int X);\n";
    let expected = [
        "+Shape 2-6",
        "+Shape.Sides 3-3",
        "Shape.own 4-4",
        "+Shape.Area 5-5",
        "+IDraw.Draw 7-7",
        "+IDraw 7-7",
        "+Kind 8-8",
        "+Kind.One 8-8",
        "+Point 9-9",
    ];
    let mut found = defined("Shape.cs", text);
    found.sort();
    let mut expected: Vec<String> = expected.iter().map(|line| (*line).to_owned()).collect();
    expected.sort();
    assert_eq!(found, expected);
    let text = "module Geo\n  class Shape\n    SIDES = 4\n    def area\n      local = 1\n    end\n    def self.make; end\n    private\n    def own; end\n  end\nend\n";
    let expected =
        ["+Geo 1-11", "+Geo.Shape 2-10", "+Shape.SIDES 3-3", "+Shape.area 4-6", "+Shape.make 7-7", "Shape.own 9-9"];
    assert_eq!(defined("shape.rb", text), expected);
    let text = "<?php\nnamespace Geo;\nclass Shape {\n  const SIDES = 4;\n  private $own;\n  public function area() { $x = 1; }\n  private function hide() {}\n}\n\
                interface Draw { function draw(); }\nfunction make() {}\n";
    let expected = [
        "+Shape 3-8",
        "+Shape.SIDES 4-4",
        "Shape.own 5-5",
        "+Shape.area 6-6",
        "Shape.hide 7-7",
        "+Draw 9-9",
        "+Draw.draw 9-9",
        "+make 10-10",
    ];
    assert_eq!(defined("shape.php", text), expected);
}

#[test]
fn kotlin_swift_and_shell_are_outlined() {
    let text = "package geo\nconst val LIMIT = 3\nclass Shape(val sides: Int, other: Int) {\n  private val own = 1\n  fun area(): Int { val local = 1; return local }\n  \
                companion object { fun make() {} }\n}\nobject One\nenum class Kind { A, B }\ninternal fun hide() {}\ntypealias Name = String\n";
    let found = defined("shape.kt", text);
    for expected in [
        "+LIMIT 2-2",
        "+Shape 3-7",
        "+Shape.sides 3-3",
        "Shape.own 4-4",
        "+Shape.area 5-5",
        "+Shape.make 6-6",
        "+One 8-8",
        "+Kind 9-9",
        "+Kind.A 9-9",
        "hide 10-10",
        "+Name 11-11",
    ] {
        assert!(found.iter().any(|line| line == expected), "{expected} is not in {found:?}");
    }
    assert!(!found.iter().any(|line| line.contains("local") || line.contains("other")), "{found:?}");
    let text = "public struct Shape {\n  public let sides: Int\n  var own = 1\n  public func area() -> Int { let local = 1; return local }\n}\n\
                public protocol Draw { func draw() }\nenum Kind { case one, two }\nextension Shape { func more() {} }\n";
    let found = defined("Shape.swift", text);
    for expected in [
        "+Shape 1-5",
        "+Shape.sides 2-2",
        "Shape.own 3-3",
        "+Shape.area 4-4",
        "+Draw 6-6",
        "+Draw.draw 6-6",
        "Kind 7-7",
        "Kind.one 7-7",
        "Shape.more 8-8",
    ] {
        assert!(found.iter().any(|line| line == expected), "{expected} is not in {found:?}");
    }
    assert!(!found.iter().any(|line| line.contains("local")), "{found:?}");
    let text = "#!/bin/bash\nPORT=80\nrun() {\n  local x=1\n}\nfunction stop { :; }\n";
    assert_eq!(defined("run.sh", text), ["PORT 2-2", "run 3-5", "stop 6-6"]);
}

#[test]
fn a_name_is_used_where_code_uses_it_and_not_where_it_is_defined_or_spoken_of() {
    for (ending, defines, uses, speaks) in [
        (
            "rs",
            "pub fn launch() {}\n",
            "fn f() { println!(\"{}\", a::launch()); }\n",
            "// launch\nfn f() { \"launch\"; }\n",
        ),
        ("py", "def launch():\n    pass\n", "import a\na.launch()\n", "# launch\nx = 'launch'\n"),
        ("js", "export function launch() {}\n", "import { launch } from './a';\n", "// launch\nf('launch');\n"),
        ("ts", "export function launch(): void {}\n", "const x: number = a.launch();\n", "/* launch */ f(`launch`);\n"),
        ("tsx", "export function Launch() {}\n", "const x = <Launch a={1} />;\n", "// Launch\nf('Launch');\n"),
        (
            "go",
            "package a\nfunc launch() {}\n",
            "package a\nfunc f() { launch() }\n",
            "package a\n// launch\nvar x = \"launch\"\n",
        ),
        (
            "java",
            "class A { void launch() {} }\n",
            "class B { B(A a) { a.launch(); } }\n",
            "// launch\nclass C { String x = \"launch\"; }\n",
        ),
        (
            "c",
            "int launch(void) { return 1; }\n",
            "int f(void) { return launch(); }\n",
            "/* launch */\nchar *x = \"launch\";\n",
        ),
        (
            "cpp",
            "int A::launch() { return 1; }\n",
            "int f(A *a) { return a->launch(); }\n",
            "// launch\nauto x = \"launch\";\n",
        ),
        (
            "cs",
            "class A { void launch() {} }\n",
            "class B { B(A a) { a.launch(); } }\n",
            "// launch\nclass C { string x = \"launch\"; }\n",
        ),
        ("rb", "def launch?\nend\n", "a.launch?\n", "# launch?\nx = 'launch?'\n"),
        ("php", "<?php\nfunction launch() {}\n", "<?php\n$a->launch();\n", "<?php\n// launch\n$x = 'launch';\n"),
        ("kt", "fun launch() {}\n", "val x = a.launch()\n", "// launch\nval x = \"launch\"\n"),
        ("swift", "func launch() {}\n", "let x = a.launch()\n", "// launch\nlet x = \"launch\"\n"),
        ("sh", "launch() {\n  :\n}\n", "if true; then launch; fi\n", "# launch\necho 'launch it'\n"),
    ] {
        let path = |name: &str| format!("{name}.{ending}");
        let fixture = Fixture::new(&[
            (&path("defines"), defines.as_bytes()),
            (&path("speaks"), speaks.as_bytes()),
            (&path("uses"), uses.as_bytes()),
        ]);
        let (index, _) = fixture.build();
        let name =
            ["launch", "Launch", "launch?"].into_iter().find(|name| !index.definitions(name).is_empty()).unwrap();
        let found: Vec<&str> = index.references(name).map(|file| file.path.as_str()).collect();
        assert_eq!(found, [path("uses")], "{ending}");
        assert_eq!((index.count_references(name), index.count_references("true")), (1, 0), "{ending}");
    }
}

#[test]
fn environment_variables_are_found_in_every_language() {
    for (path, text) in [
        ("a.rs", "fn f() {\n    std::env::var(\"DEMO_PORT\");\n}\n"),
        ("a.py", "import os\nx = os.environ[\"DEMO_PORT\"]\n"),
        ("a.js", "\nconst x = process.env.DEMO_PORT;\n"),
        ("a.ts", "\nconst x = process.env.DEMO_PORT;\n"),
        ("a.go", "package a\nvar x = os.Getenv(\"DEMO_PORT\")\n"),
        ("A.java", "class A {\n  String x = System.getenv(\"DEMO_PORT\"); }\n"),
        ("a.c", "\nchar *x() { return getenv(\"DEMO_PORT\"); }\n"),
        ("a.cs", "\nvar x = Environment.GetEnvironmentVariable(\"DEMO_PORT\");\n"),
        ("a.rb", "\nx = ENV.fetch('DEMO_PORT')\n"),
        ("a.php", "<?php\n$x = getenv('DEMO_PORT');\n"),
        ("a.kt", "\nval x = System.getenv(\"DEMO_PORT\")\n"),
        ("a.swift", "\nlet x = ProcessInfo.processInfo.environment[\"DEMO_PORT\"]\n"),
        ("a.sh", "OWN=1\necho \"${DEMO_PORT:-80} $OWN $HOME\"\n"),
    ] {
        assert_eq!(environment(path, text), ["DEMO_PORT 2"], "{path}");
    }
}

#[test]
fn flags_commands_and_routes_are_offers_and_those_of_tests_are_none() {
    let cli = "use clap::Parser;\n#[derive(Parser)]\nstruct Args {\n    /// Says more.\n    #[arg(long, short)]\n    verbose: bool,\n}\n";
    let routes = "fn r() { Router::new().route(\"/health\", get(health)); }\n";
    let shell = "case $1 in\n  -v|--version) ;;\nesac\n";
    let fixture = Fixture::new(&[
        ("src/cli.rs", cli.as_bytes()),
        ("src/routes.rs", routes.as_bytes()),
        ("tests/routes.rs", b"fn r() { Router::new().route(\"/fake\", get(health)); }\n"),
        ("run.sh", shell.as_bytes()),
    ]);
    let (index, _) = fixture.build();
    assert_eq!(offers(&index, OfferKind::Route), ["GET /health"]);
    let flags = offers(&index, OfferKind::Flag);
    for flag in ["--verbose", "-v", "--version"] {
        assert!(flags.contains(&flag), "{flags:?}");
    }
    assert!(index.has_word("fake"));
}
