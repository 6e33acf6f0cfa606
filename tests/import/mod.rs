//! `docmill import-docsfy`: the program reads a data folder of docsfy, and the result is looked at through the API.

mod moving;
mod leaving_out;
mod refusing;

use std::process::Output;

use sqlx::Row;

use crate::{
    routes::Api,
    support::{docsfy::Docsfy, docsfy::import, world::World},
};

/// An installation into which is imported.
struct Home {
    world: World,
    api: Api,
}

impl Home {
    async fn start() -> Self {
        let world = World::without_worker().await;
        let api = Api::start(&world).await;
        Self { world, api }
    }

    /// Runs the import into this installation.
    fn run(&self, docsfy: &Docsfy, arguments: &[&str]) -> Output {
        let folder = self.world.folder();
        let variables = [
            ("DATABASE_URL", self.world.database_url.clone()),
            ("SITES_DIR", self.world.sites_dir().to_str().unwrap().to_owned()),
            ("KEY_PEPPER_FILE", folder.join("pepper").to_str().unwrap().to_owned()),
        ];
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        import(docsfy.path(), arguments, &variables)
    }

    /// Runs it and gives the report of a success.
    fn import(&self, docsfy: &Docsfy, arguments: &[&str]) -> String {
        let output = self.run(docsfy, arguments);
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{log}");
        assert!(!log.contains("panicked"), "{log}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Every row of the tables that an import writes.
    async fn rows(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for table in [
            "users",
            "project_access",
            "settings",
            "variants",
            "generations",
            "checkpoints",
            "pages",
            "docsfy_key_secrets",
        ] {
            let statement = sqlx::AssertSqlSafe(format!("SELECT to_jsonb(t)::text FROM {table} t ORDER BY 1"));
            let found = sqlx::query(statement).fetch_all(&self.world.pool).await.unwrap();
            rows.extend(found.iter().map(|row| format!("{table} {}", row.get::<String, _>(0))));
        }
        rows
    }
}

/// Demands that the report has this line.
fn assert_line(report: &str, line: &str) {
    assert!(report.lines().any(|found| found == line), "`{line}` is missing in:\n{report}");
}
