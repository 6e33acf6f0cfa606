//! Old runs are deleted with all that belongs to them, except the newest of each variant and the one that is served.

use std::time::{Duration, Instant};

use shared::{ids::GenerationId, provider::Provider, variant::Status};

use crate::{
    routes::{Api, answer},
    support::{
        repository::Repository,
        world::{World, variant},
    },
};

async fn ids(world: &World) -> Vec<GenerationId> {
    sqlx::query_scalar("SELECT id FROM generations ORDER BY created_at").fetch_all(&world.pool).await.unwrap()
}

#[tokio::test]
async fn old_runs_go_and_leave_nothing_behind() {
    let world = World::start().await;
    let api = Api::start(&world).await;
    let repository = Repository::library("adder");
    let key = variant("adder", Provider::Builtin);
    for _ in 0..2 {
        assert_eq!(world.generate(&repository, &key, true).await.status, Status::Ready);
    }
    let served = world.row(&key).await;
    // a newer one that fails: what is served is not the newest any more
    repository.git(&["checkout", "--quiet", "-b", "elsewhere"]);
    repository.git(&["branch", "--quiet", "-D", "main"]);
    assert_eq!(world.generate(&repository, &key, true).await.status, Status::Error);
    let all = ids(&world).await;
    // as if a worker had died while it published
    let half = world.sites_dir().join(format!("{}-7", all[0]));
    std::fs::create_dir_all(half.join("site")).unwrap();
    sqlx::query("UPDATE generations SET fence = 9, finished_at = now() - interval '31 days'")
        .execute(&world.pool)
        .await
        .unwrap();
    let deadline = Instant::now() + Duration::from_mins(2);
    let folders = || {
        let entries = std::fs::read_dir(world.sites_dir()).unwrap().map(|entry| entry.unwrap().file_name());
        entries.filter(|name| name.to_str().unwrap().starts_with(&all[0].to_string())).count()
    };
    while ids(&world).await.len() > 2 || folders() > 0 {
        assert!(Instant::now() < deadline, "the old run stays");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(ids(&world).await, all[1..]);
    assert_eq!(served.generation_id, Some(all[1]));
    for table in ["pages", "checkpoints"] {
        let left: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "SELECT count(*) FROM {table} WHERE generation_id NOT IN (SELECT id FROM generations)"
        )))
        .fetch_one(&world.pool)
        .await
        .unwrap();
        assert_eq!(left, 0, "{table}");
    }
    for path in ["/api/generations/", "/api/projects/by-id/"] {
        assert_eq!(answer(api.get(&format!("{path}{}", all[0]))).await.0, 404);
        assert_eq!(answer(api.get(&format!("{path}{}", all[1]))).await.0, 200);
    }
    assert!(world.site_file(&world.row(&key).await, "index.html").await.is_some(), "the served site is gone");
}
