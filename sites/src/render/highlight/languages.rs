//! Which language a name or a file means, what it is called and who paints it.

use syntect::parsing::SyntaxReference;

use super::{configuration, lexer, lexer::Grammar, long_tail, markup, painter::Painter, shell, stylesheet, tables};

/// A language that code can be painted in.
#[derive(Clone, Copy)]
pub(crate) struct Language {
    label: &'static str,
    engine: Engine,
}

#[derive(Clone, Copy)]
enum Engine {
    Table(&'static Grammar),
    Own(fn(&mut Painter, &str)),
    LongTail(&'static SyntaxReference),
    Plain,
}

impl Language {
    /// What readers call it.
    pub(crate) fn label(self) -> &'static str {
        self.label
    }

    #[cfg(test)]
    pub(super) fn is_long_tail(self) -> bool {
        matches!(self.engine, Engine::LongTail(_))
    }

    pub(super) fn paint(self, painter: &mut Painter, code: &str) {
        match self.engine {
            Engine::Table(grammar) => lexer::paint(painter, grammar, code),
            Engine::Own(paint) => paint(painter, code),
            Engine::LongTail(syntax) => long_tail::paint(painter, syntax, code),
            Engine::Plain => painter.plain(code),
        }
    }
}

use Engine::{Own, Plain, Table};

/// Names, aliases and file endings of a language; its label; who paints it.
const LANGUAGES: &[(&[&str], &str, Engine)] = &[
    (&["rust", "rs"], "Rust", Table(&tables::RUST)),
    (&["python", "py", "python3", "pyi", "starlark", "bzl"], "Python", Table(&tables::PYTHON)),
    (&["javascript", "js", "mjs", "cjs", "node"], "JavaScript", Table(&tables::JAVASCRIPT)),
    (&["typescript", "ts", "mts", "cts"], "TypeScript", Table(&tables::JAVASCRIPT)),
    (&["jsx"], "JSX", Table(&tables::JAVASCRIPT)),
    (&["tsx"], "TSX", Table(&tables::JAVASCRIPT)),
    (&["go", "golang"], "Go", Table(&tables::GO)),
    (&["java"], "Java", Table(&tables::JAVA)),
    (&["c", "h"], "C", Table(&tables::C)),
    (&["cpp", "c++", "cc", "cxx", "hpp", "hh", "hxx"], "C++", Table(&tables::CPP)),
    (&["csharp", "cs", "c#"], "C#", Table(&tables::CSHARP)),
    (&["ruby", "rb", "rake", "gemspec"], "Ruby", Table(&tables::RUBY)),
    (&["php"], "PHP", Table(&tables::PHP)),
    (&["kotlin", "kt", "kts"], "Kotlin", Table(&tables::KOTLIN)),
    (&["swift"], "Swift", Table(&tables::SWIFT)),
    (&["sql", "postgresql", "postgres", "mysql", "sqlite", "psql"], "SQL", Table(&tables::SQL)),
    (&["bash", "sh", "shell", "zsh", "ksh"], "Shell", Own(shell::paint_script)),
    (&["console", "shell-session", "shellsession", "terminal", "sh-session"], "Terminal", Own(shell::paint_session)),
    (&["dockerfile", "docker", "containerfile"], "Dockerfile", Own(shell::paint_dockerfile)),
    (&["makefile", "make", "mk"], "Makefile", Own(shell::paint_makefile)),
    (&["json", "jsonc", "json5", "jsonl"], "JSON", Own(configuration::paint_json)),
    (&["yaml", "yml"], "YAML", Own(configuration::paint_yaml)),
    (&["toml"], "TOML", Own(configuration::paint_toml)),
    (&["ini", "cfg", "conf", "properties", "env", "dotenv", "editorconfig"], "INI", Own(configuration::paint_toml)),
    (&["html", "htm", "xhtml", "vue", "svelte", "jinja", "jinja2"], "HTML", Own(markup::paint_html)),
    (&["xml", "svg", "xsd", "xsl", "plist"], "XML", Own(markup::paint_html)),
    (&["css"], "CSS", Own(stylesheet::paint_css)),
    (&["scss", "sass", "less"], "SCSS", Own(stylesheet::paint_css)),
    (&["diff", "patch"], "Diff", Own(markup::paint_diff)),
    (&["markdown", "md", "mdx"], "Markdown", Own(markup::paint_markdown)),
    (&["mermaid", "mmd"], "Mermaid", Plain),
    (&["text", "txt", "plain", "plaintext", "none", "output", "log", "ascii", "tree"], "Text", Plain),
];

/// Files whose whole name says what they are.
const FILES: &[(&str, &str)] = &[
    ("dockerfile", "dockerfile"),
    ("containerfile", "dockerfile"),
    ("makefile", "makefile"),
    ("gnumakefile", "makefile"),
    ("gemfile", "ruby"),
    ("rakefile", "ruby"),
    ("podfile", "ruby"),
    ("vagrantfile", "ruby"),
    ("justfile", "makefile"),
    ("jenkinsfile", "groovy"),
    ("cmakelists.txt", "cmake"),
    ("cargo.lock", "toml"),
    ("poetry.lock", "toml"),
    ("uv.lock", "toml"),
    ("pipfile", "toml"),
    ("go.mod", "go"),
    (".env", "env"),
    (".bashrc", "bash"),
    (".gitignore", "text"),
    (".dockerignore", "text"),
    (".editorconfig", "ini"),
];

/// The language of a fence's name, if it is known.
pub(crate) fn language_of_name(name: &str) -> Option<Language> {
    if name.is_empty() || name.len() > 40 {
        return None;
    }
    let name = name.to_ascii_lowercase();
    if let Some((_, label, engine)) = LANGUAGES.iter().find(|(names, ..)| names.contains(&name.as_str())) {
        return Some(Language { label, engine: *engine });
    }
    let syntax = long_tail::find(&name)?;
    Some(Language { label: &syntax.name, engine: Engine::LongTail(syntax) })
}

/// The language of a file by its name, if it is known.
pub(crate) fn language_of_file(path: &str) -> Option<Language> {
    let file = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    if let Some((_, name)) = FILES.iter().find(|(known, _)| *known == file) {
        return language_of_name(name);
    }
    let (_, ending) = file.rsplit_once('.')?;
    language_of_name(ending)
}
