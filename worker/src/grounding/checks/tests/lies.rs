//! Lies of the same size as the truthful pages: each is found under the right rule, page and section, and nothing else is
//! accused.

use shared::evidence::{Rule, Severity};

use super::{Pages, by_model, check, repository, truth};

/// A lie: on which page, what stands there, what is said instead, under which rule and in which section it must be found.
struct Lie {
    page: &'static str,
    truth: &'static str,
    told: &'static str,
    rule: Rule,
    section: u32,
    /// What the finding's evidence or message must hold.
    shows: &'static str,
}

const fn lie(
    page: &'static str,
    truth: &'static str,
    lie: &'static str,
    rule: Rule,
    section: u32,
    shows: &'static str,
) -> Lie {
    Lie { page, truth, told: lie, rule, section, shows }
}

const LIES: [Lie; 49] = [
    // (a) places that do not exist
    lie("storage", "[[src/store.rs:11]]", "[[src/locks.rs:11]]", Rule::Citation, 1, "src/locks.rs"),
    lie("webhooks", "[[src/webhooks.rs:53-60]]", "[[src/webhooks.rs:853-860]]", Rule::Citation, 4, "853"),
    lie("security", "under [Run", "under [[../../etc/passwd]] [Run", Rule::Citation, 5, "passwd"),
    lie(
        "caching",
        "There is no background task.",
        "There is no background task. [[https://example.org/cache.rs:4]]",
        Rule::Citation,
        2,
        "example.org",
    ),
    lie("backups", "`make backup` does", "`make backup` [[Makefile:0]] does", Rule::Citation, 1, "Makefile:0"),
    // (b) citations that have nothing to do with the text
    lie(
        "reference",
        "[[src/store.rs:29-33]] [[src/server.rs:105-110]]",
        "[[src/cache.rs:8-9]] [[migrations/001_flags.sql:1-7]]",
        Rule::Support,
        2,
        "status_of",
    ),
    lie("reference", "```rust src/store.rs:15-25", "```rust src/cache.rs:15-25", Rule::Verbatim, 2, "pub struct Flag"),
    lie("caching", "[[src/cache.rs:44-47]]", "[[LICENSE]]", Rule::Citation, 2, "LICENSE"),
    // (c) names that do not exist
    lie("architecture", "`evaluate_flags` asks", "`decide_all_flags` asks", Rule::Name, 2, "decide_all_flags"),
    lie("architecture", "the `Notifier` and", "the `EventDispatcher` and", Rule::Name, 3, "EventDispatcher"),
    lie("storage", "`Store::open` sets", "`Store::open_or_upgrade` sets", Rule::Name, 1, "open_or_upgrade"),
    lie(
        "configuration",
        "`LANTERN_CACHE_TTL` that",
        "`LANTERN_CACHE_LIFETIME` that",
        Rule::Name,
        3,
        "LANTERN_CACHE_LIFETIME",
    ),
    lie("webhooks", "unless `max_attempts` says", "unless `retry_budget` says", Rule::Name, 4, "retry_budget"),
    lie("http-api", "| GET | `/v1/audit` |", "| GET | `/v1/metrics` |", Rule::Name, 1, "/v1/metrics"),
    lie("audit-log", "`GET /v1/audit` is", "`GET /v1/audit/export.csv` is", Rule::Name, 2, "/v1/audit/export.csv"),
    lie("contributing", "`router` in `src/server.rs`", "`router` in `src/routes.rs`", Rule::Name, 3, "src/routes.rs"),
    lie("command-line", "- `--read-only` refuses", "- `--maintenance` refuses", Rule::Name, 1, "--maintenance"),
    lie("python-client", "a `LanternError`. ", "a `TransportFailure`. ", Rule::Name, 4, "TransportFailure"),
    // (d) code that does not stand there
    lie(
        "storage",
        "let changed = connection\n",
        "let changed = connection.lock()\n",
        Rule::Verbatim,
        3,
        "connection.lock()",
    ),
    lie(
        "rules",
        "    Rollout { basis_points: u32, variant: String },",
        "    Rollout { percent: f32, variant: String },",
        Rule::Verbatim,
        2,
        "percent: f32",
    ),
    lie("configuration", "max_attempts = 5\n```", "max_attempts = 8\n```", Rule::Verbatim, 1, "max_attempts = 8"),
    lie(
        "javascript-client",
        "  refreshMs?: number;\n",
        "  refreshSeconds?: number;\n",
        Rule::Verbatim,
        2,
        "refreshSeconds",
    ),
    lie(
        "docker",
        "      retries: 4\n```",
        "      retries: 4\n      start_period: 5s\n```",
        Rule::Verbatim,
        3,
        "start_period",
    ),
    // (d) commands that nothing accepts
    lie(
        "command-line",
        "lantern prune --keep-days 30",
        "lantern prune --older-than 30",
        Rule::Command,
        3,
        "--older-than",
    ),
    lie("command-line", "lantern export --active-only >", "lantern dump --active-only >", Rule::Command, 2, "dump"),
    lie("quick-start", "$ lantern serve\n", "$ lantern start-server\n", Rule::Command, 2, "start-server"),
    lie("contributing", "make test\n```\n\n`make", "make integration\n```\n\n`make", Rule::Command, 1, "integration"),
    lie("javascript-client", "npm run lint\n", "npm run format\n", Rule::Command, 5, "format"),
    lie("backups", "$ script/backup.sh /data", "$ script/snapshot.sh /data", Rule::Command, 1, "script/snapshot.sh"),
    lie("docker", "make image\n", "make container\n", Rule::Command, 1, "container"),
    // (e) numbers that the lines do not have
    lie(
        "quick-start",
        "listens on `127.0.0.1:7420` and",
        "listens by default on port 8080 and",
        Rule::Number,
        2,
        "8080",
    ),
    lie("http-api", "at most 64 KiB", "at most 128 KiB", Rule::Number, 1, "128 KiB"),
    lie("storage", "at most 2,000 flags", "at most 5,500 flags", Rule::Number, 4, "5,500"),
    lie("storage", "up to 5 seconds", "up to 12 seconds", Rule::Number, 1, "12 seconds"),
    lie("webhooks", "first pause is 500 ms", "first pause is 750 ms", Rule::Number, 4, "750 ms"),
    lie("command-line", "for 10 seconds after", "for 45 seconds after", Rule::Number, 1, "45 seconds"),
    lie("configuration", "| `cache.ttl_seconds` | 30 |", "| `cache.ttl_seconds` | 75 |", Rule::Number, 2, "75"),
    lie("docker", "with a timeout of 3 seconds", "with a timeout of 9 seconds", Rule::Number, 3, "9 seconds"),
    // (f) links into nothing
    lie("quick-start", "(configuration.html)", "(settings.html)", Rule::Link, 4, "settings.html"),
    lie("rules", "(http-api.html#evaluate)", "(http-api.html#evaluation-rules)", Rule::Link, 4, "evaluation-rules"),
    lie("storage", "(backups.html)", "(operations/backups.md)", Rule::Link, 5, "operations/backups.md"),
    // (g) what is no page
    lie(
        "caching",
        "## What is cached\n",
        "## What is cached\n\nLet me first look at the cache module.\n",
        Rule::Structure,
        1,
        "Let me first look",
    ),
    lie("security", "## Roles\n", "## Roles\n\nTODO: describe the roles.\n", Rule::Structure, 2, "todo"),
    lie("webhooks", "## Signature\n", "# Signature\n", Rule::Structure, 2, "Signature"),
    lie("architecture", "## State\n", "## State\n\n#### The application\n", Rule::Structure, 3, "The application"),
    lie(
        "audit-log",
        "## Read it\n",
        "## Read it\n\n<think>The user wants the audit route.</think>\n",
        Rule::Structure,
        2,
        "<think>",
    ),
    lie("upgrading", "Downgrades are not tested.", "Downgrades: coming soon.", Rule::Structure, 3, "coming soon"),
    lie(
        "troubleshooting",
        "That is the cache of another process,",
        "The database is one file, but a file that is written to. Do not copy it with `cp` while the server runs: the write-ahead log may hold changes that the file does not have yet.\n\nThat is the cache of another process,",
        Rule::Repetition,
        3,
        "The database is one file",
    ),
    lie(
        "python-client",
        "It is not on PyPI.",
        "Das Paket liegt nicht auf PyPI, deshalb müssen Sie es aus einem ausgecheckten Verzeichnis einrichten, was aber nur einen einzigen Befehl braucht und auf jedem üblichen System ohne weitere Vorbereitung gelingt, sofern Python schon vorhanden ist. Danach steht der Befehl sofort zur Verfügung und muss nicht noch einmal eingerichtet werden.",
        Rule::Structure,
        1,
        "German",
    ),
];

fn told(lie: &Lie) -> Pages {
    let mut pages = truth();
    let page =
        pages.iter_mut().find(|(slug, _)| slug.as_str() == lie.page).unwrap_or_else(|| panic!("no page {}", lie.page));
    assert!(page.1.contains(lie.truth), "`{}` does not stand on {}", lie.truth, lie.page);
    page.1 = page.1.replacen(lie.truth, lie.told, 1);
    pages
}

#[test]
fn every_lie_is_found_where_it_stands_and_nothing_else_is_accused() {
    let index = repository();
    let mut wrong = Vec::new();
    for lie in &LIES {
        let pages: Pages = told(lie);
        let mut options = by_model();
        if lie.shows == "German" {
            options.language = Some("en".parse().unwrap());
        }
        let checked = check(index, &pages, &options);
        let accused = checked.findings.iter().filter(|finding| finding.severity != Severity::Note);
        let (right, others): (Vec<_>, Vec<_>) = accused
            .filter(|finding| {
                options.language.is_none() || finding.page.as_ref().is_some_and(|page| page.as_str() != "betrieb")
            })
            .partition(|finding| {
                finding.rule == lie.rule
                    && finding.page.as_ref().is_some_and(|page| page.as_str() == lie.page)
                    && finding.section == Some(lie.section)
                    && (finding.evidence.to_lowercase().contains(&lie.shows.to_lowercase())
                        || finding.message.contains(lie.shows))
            });
        if right.is_empty() {
            wrong.push(format!("not found: {} `{}`; found: {others:#?}", lie.page, lie.told));
        } else if others.iter().any(|finding| {
            finding.page.as_ref().is_none_or(|page| page.as_str() != lie.page) || finding.section != Some(lie.section)
        }) {
            wrong.push(format!("accused beside {} `{}`: {others:#?}", lie.page, lie.told));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), LIES.len(), wrong.join("\n"));
}
