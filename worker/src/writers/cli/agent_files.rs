//! Which files of a repository speak to AI command lines: their settings, hooks and instructions. The copy of a tree
//! that a command gets is made without them.

use std::path::{Component, Path};

/// Folders and files, at any depth.
const NAMES: [&str; 16] = [
    ".git",
    ".claude",
    ".mcp.json",
    ".gemini",
    ".codex",
    ".cursor",
    ".cursorrules",
    ".opencode",
    ".agents",
    ".qwen",
    "CLAUDE.md",
    "CLAUDE.local.md",
    "GEMINI.md",
    "QWEN.md",
    "AGENTS.md",
    "opencode.json",
];

/// Endings of `.env` files that are there to be read by people: no command loads them, and they document settings.
const EXAMPLE_ENDINGS: [&str; 5] = ["example", "sample", "template", "dist", "defaults"];

/// Whether this file or folder, named from the root of a repository, is left out of the copy of its tree.
pub(crate) fn is_agent_configuration(path: &Path) -> bool {
    let names: Vec<&str> = path
        .components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_str().unwrap_or_default()),
            _ => None,
        })
        .collect();
    names.iter().any(|name| NAMES.contains(name) || is_environment_file(name))
        || names.windows(2).any(|pair| pair == [".github", "hooks"])
}

fn is_environment_file(name: &str) -> bool {
    let Some(ending) = name.strip_prefix(".env") else { return false };
    let last = ending.rsplit(['.', '-', '_']).next().unwrap_or_default();
    !EXAMPLE_ENDINGS.contains(&last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_speaks_to_agents_is_left_out_at_any_depth() {
        for path in [
            ".git/config",
            ".claude/settings.json",
            "sub/CLAUDE.md",
            "a/b/GEMINI.md",
            ".env",
            "x/.env.local",
            ".envrc",
            ".cursor/mcp.json",
            ".github/hooks/a.json",
            "opencode.json",
            "AGENTS.md",
            ".mcp.json",
            ".agents/skills/x",
        ] {
            assert!(is_agent_configuration(Path::new(path)), "{path}");
        }
        for path in [
            "README.md",
            "docs/claude.md",
            ".github/workflows/ci.yml",
            "src/hooks/a.ts",
            ".env.example",
            ".gitignore",
            "environment.yml",
            "agents/AGENTS.rs",
            ".env-template",
        ] {
            assert!(!is_agent_configuration(Path::new(path)), "{path}");
        }
    }
}
