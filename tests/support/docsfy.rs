//! Data folders as docsfy 1.2 and 1.9 leave them, written by hand: their tables, and their project trees.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use rusqlite::{Connection, params};
use tempfile::TempDir;

/// The admin key of that docsfy.
pub(crate) const DOCSFY_ADMIN_KEY: &str = "admin-key-of-docsfy";

/// A commit that a row names.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

const TABLES_1_2: &str = "
    CREATE TABLE projects (name TEXT NOT NULL, branch TEXT NOT NULL DEFAULT 'main', ai_provider TEXT NOT NULL DEFAULT '',
        ai_model TEXT NOT NULL DEFAULT '', owner TEXT NOT NULL DEFAULT '', repo_url TEXT NOT NULL,
        status TEXT NOT NULL DEFAULT 'generating', current_stage TEXT, last_commit_sha TEXT, last_generated TEXT,
        page_count INTEGER DEFAULT 0, error_message TEXT, plan_json TEXT, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
        updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (name, branch, ai_provider, ai_model, owner));
    CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, username TEXT UNIQUE NOT NULL,
        api_key_hash TEXT NOT NULL UNIQUE, role TEXT NOT NULL DEFAULT 'user', created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
    CREATE TABLE project_access (project_name TEXT NOT NULL, project_owner TEXT NOT NULL DEFAULT '',
        username TEXT NOT NULL, PRIMARY KEY (project_name, project_owner, username));
    CREATE TABLE sessions (token TEXT PRIMARY KEY, username TEXT NOT NULL, is_admin INTEGER NOT NULL DEFAULT 0,
        created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, expires_at TIMESTAMP NOT NULL);";

const ADDED_BY_1_9: &str = "
    ALTER TABLE projects ADD COLUMN generation_id TEXT;
    ALTER TABLE projects ADD COLUMN repo_type TEXT;
    ALTER TABLE projects ADD COLUMN total_cost_usd REAL;
    ALTER TABLE projects ADD COLUMN vision_provider TEXT DEFAULT '';
    ALTER TABLE projects ADD COLUMN vision_model TEXT DEFAULT '';
    ALTER TABLE projects ADD COLUMN generation_duration INTEGER;
    ALTER TABLE projects ADD COLUMN generation_started_at TEXT;
    CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL DEFAULT '');";

/// docsfy's data folder.
pub(crate) struct Docsfy {
    folder: TempDir,
    database: Connection,
}

impl Docsfy {
    /// The folder of a docsfy 1.2.
    pub(crate) fn v1_2() -> Self {
        let folder = TempDir::new().unwrap();
        let database = Connection::open(folder.path().join("docsfy.db")).unwrap();
        database.execute_batch(TABLES_1_2).unwrap();
        fs::create_dir(folder.path().join("projects")).unwrap();
        Self { folder, database }
    }

    /// The folder of a docsfy 1.9.
    pub(crate) fn v1_9() -> Self {
        let docsfy = Self::v1_2();
        docsfy.database.execute_batch(ADDED_BY_1_9).unwrap();
        docsfy
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Any statement.
    pub(crate) fn sql(&self, statement: &str) {
        self.database.execute_batch(statement).unwrap();
    }

    /// A user with a key, kept as docsfy keeps it.
    pub(crate) fn user(&self, name: &str, role: &str, key: &str) {
        let hash = api::auth::docsfy_keys::hash(&shared::settings::Secret::new(DOCSFY_ADMIN_KEY), key);
        self.database
            .execute(
                "INSERT INTO users (username, api_key_hash, role) VALUES (?1, lower(hex(?2)), ?3)",
                params![name, hash, role],
            )
            .unwrap();
    }

    /// A row of a variant on `main` by `claude`, `ready` from [`COMMIT`].
    pub(crate) fn row(&self, owner: &str, name: &str, model: &str) {
        self.database
            .execute(
                "INSERT INTO projects (name, branch, ai_provider, ai_model, owner, repo_url, status, last_commit_sha,
                        last_generated, page_count, created_at, updated_at)
                 VALUES (?1, 'main', 'claude', ?2, ?3, 'https://github.com/acme/' || ?1, 'ready', ?4,
                        '2026-03-04 05:06:07', 2, '2026-03-01 01:02:03', '2026-03-04 05:06:08')",
                params![name, model, owner, COMMIT],
            )
            .unwrap();
    }

    /// A row as above with a plan of the pages `start` and `usage`, and their site.
    pub(crate) fn variant(&self, owner: &str, name: &str, model: &str) {
        self.row(owner, name, model);
        let place = format!("{}/{name}/main/claude/{model}", if owner.is_empty() { "_default" } else { owner });
        let plan = plan(&[("start", "Start"), ("usage", "Usage")]);
        self.sql(&format!(
            "UPDATE projects SET plan_json = '{plan}' WHERE owner = '{owner}' AND name = '{name}' AND ai_model = '{model}'"
        ));
        self.file(&format!("{place}/plan.json"), plan.as_bytes());
        for (slug, title) in [("start", "Start"), ("usage", "Usage")] {
            let text = format!("# {title}\n\nThe page {title} of {name}. See [usage](usage.html).\n");
            self.file(&format!("{place}/cache/pages/{slug}.md"), text.as_bytes());
            self.file(&format!("{place}/site/{slug}.md"), format!("{text}\nLinked.\n").as_bytes());
        }
    }

    /// A file below `projects`.
    pub(crate) fn file(&self, path: &str, content: &[u8]) {
        let file = self.projects().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }

    pub(crate) fn projects(&self) -> PathBuf {
        self.path().join("projects")
    }

    /// Everything in the folder: contents, times and rights.
    pub(crate) fn snapshot(&self) -> BTreeMap<PathBuf, String> {
        use std::os::unix::fs::MetadataExt;
        let mut found = BTreeMap::new();
        let mut places = vec![self.path().to_owned()];
        while let Some(path) = places.pop() {
            let metadata = path.symlink_metadata().unwrap();
            let content = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            let times = (metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec());
            if metadata.is_dir() {
                places.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
            found.insert(path, format!("{:o} {times:?} {content:?}", metadata.mode()));
        }
        found
    }
}

/// A plan as docsfy keeps it.
pub(crate) fn plan(pages: &[(&str, &str)]) -> String {
    let pages: Vec<_> = pages
        .iter()
        .map(|(slug, title)| serde_json::json!({ "slug": slug, "title": title, "description": "", "type": "guide" }))
        .collect();
    let groups = serde_json::json!([{ "group": "Guides", "pages": pages }]);
    serde_json::json!({ "project_name": "Demo", "tagline": "A demo", "navigation": groups, "version": "1.2.3" })
        .to_string()
}

/// Runs `docmill import-docsfy` with these settings.
pub(crate) fn import(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_docmill"))
        .arg("import-docsfy")
        .arg(folder)
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .envs(variables.iter().copied())
        .current_dir("/")
        .output()
        .unwrap()
}
