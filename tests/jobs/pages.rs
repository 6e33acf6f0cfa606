//! Page jobs: who may start, in which order; one claim; what becomes of pages whose worker is gone.

use std::time::Duration;

use shared::{
    db::{
        self, WriteError,
        page_jobs::{self, Admitted, ClaimedPage, HeldPage, NewPageJob, PageTask, Taker},
    },
    ids::GenerationId,
    jobs::{PageJob, Started, Wanted, admit_pages, request_abort, start_generation, take_back_pages},
    names::PageSlug,
    provider::Provider,
    source::RepoSource,
    variant::VariantKey,
};
use sqlx::PgConnection;

use super::generations::{LEASE, key, pool};
use crate::support::world::new_generation;

fn slug(number: usize) -> PageSlug {
    format!("page-{number}").parse().unwrap()
}

/// A running generation that asks for so many pages.
async fn ask(conn: &mut PgConnection, name: &str, provider: Provider, pages: usize, window: i32) -> GenerationId {
    let key = VariantKey { name: name.parse().unwrap(), provider, model: "opus".parse().unwrap(), ..key() };
    let source = RepoSource::LocalPath("/tmp/demo".into());
    let request = new_generation(&key);
    let started = start_generation(conn, &Wanted { key, source, request }).await.unwrap();
    let Started::Queued(id) = started else { panic!("{started:?}") };
    let claimed = db::generations::claim(conn, id, "coordinator", LEASE).await.unwrap().unwrap();
    let slugs: Vec<PageSlug> = (1..=pages).map(slug).collect();
    let rows: Vec<_> =
        slugs.iter().map(|slug| db::pages::NewPage { slug: slug.clone(), input_hash: "x".into() }).collect();
    db::pages::create_all(conn, id, claimed.fence, &rows).await.unwrap();
    let jobs: Vec<_> = slugs.into_iter().map(|slug| NewPageJob { slug, task: PageTask::Write }).collect();
    page_jobs::ask(conn, id, claimed.fence, provider, window, &jobs).await.unwrap();
    id
}

async fn admit(conn: &mut PgConnection, limits: &[(Provider, i32)], slots: i64) -> Vec<Admitted> {
    let mut transaction = sqlx::Connection::begin(conn).await.unwrap();
    page_jobs::lock_admission(&mut transaction).await.unwrap();
    let admission = page_jobs::admit(&mut transaction, limits, slots, None).await.unwrap();
    transaction.commit().await.unwrap();
    admission.others
}

async fn claim(conn: &mut PgConnection, page: &Admitted, worker: &str, lease: Duration) -> Option<ClaimedPage> {
    page_jobs::claim(conn, page.generation, &page.slug, page.fence, worker, lease).await.unwrap()
}

fn held(page: &ClaimedPage) -> HeldPage {
    HeldPage { generation: page.generation, slug: page.slug.clone(), fence: page.fence }
}

fn count(admitted: &[Admitted], id: GenerationId) -> usize {
    admitted.iter().filter(|page| page.generation == id).count()
}

#[tokio::test]
async fn a_small_generation_gets_its_share_beside_a_large_one_at_once() {
    let pool = pool().await;
    let mut conn = pool.acquire().await.unwrap();
    let large = ask(&mut conn, "large", Provider::Claude, 500, 10).await;
    let first = admit(&mut conn, &[], 8).await;
    assert_eq!((first.len(), count(&first, large)), (8, 8), "alone it may use everything");
    let small = ask(&mut conn, "small", Provider::Claude, 10, 10).await;
    assert_eq!(admit(&mut conn, &[], 8).await.len(), 0, "nothing is free");
    // each slot that comes free goes to the one that has fewer in flight
    let mut shares = Vec::new();
    for page in &first[..6] {
        let claimed = claim(&mut conn, page, "worker", LEASE).await.unwrap();
        page_jobs::finish(&mut conn, &held(&claimed), "text", None).await.unwrap();
        shares.extend(admit(&mut conn, &[], 8).await);
    }
    assert_eq!((count(&shares, small), count(&shares, large)), (4, 2), "{shares:?}");
}

#[tokio::test]
async fn windows_and_limits_of_providers_hold_over_the_whole_cluster() {
    let pool = pool().await;
    let mut conn = pool.acquire().await.unwrap();
    let narrow = ask(&mut conn, "narrow", Provider::Claude, 10, 2).await;
    let wide = ask(&mut conn, "wide", Provider::Claude, 10, 10).await;
    let other = ask(&mut conn, "other", Provider::Gemini, 10, 10).await;
    let admitted = admit(&mut conn, &[(Provider::Claude, 5)], 100).await;
    assert_eq!((count(&admitted, narrow), count(&admitted, wide), count(&admitted, other)), (2, 3, 10));
    assert_eq!(admit(&mut conn, &[(Provider::Claude, 5)], 100).await, []);
}

#[tokio::test]
async fn pages_kept_back_by_a_limit_take_no_slot_from_others() {
    let pool = pool().await;
    let mut conn = pool.acquire().await.unwrap();
    let first = ask(&mut conn, "first", Provider::Claude, 10, 10).await;
    let second = ask(&mut conn, "second", Provider::Gemini, 3, 10).await;
    let admitted = admit(&mut conn, &[(Provider::Claude, 1)], 4).await;
    assert_eq!((count(&admitted, first), count(&admitted, second)), (1, 3));
}

#[tokio::test]
async fn admissions_at_the_same_time_do_not_exceed_the_limits() {
    let pool = pool().await;
    let mut conn = pool.acquire().await.unwrap();
    ask(&mut conn, "demo", Provider::Claude, 50, 50).await;
    let admissions = (0..10).map(|_| {
        let pool = pool.clone();
        tokio::spawn(async move { admit(&mut pool.acquire().await.unwrap(), &[(Provider::Claude, 7)], 100).await })
    });
    let admitted = futures_util::future::join_all(admissions).await;
    assert_eq!(admitted.into_iter().map(|admitted| admitted.unwrap().len()).sum::<usize>(), 7);
}

#[tokio::test]
async fn a_paused_provider_starts_nothing_and_others_go_on() {
    let pool = pool().await;
    let mut conn = pool.acquire().await.unwrap();
    ask(&mut conn, "paused", Provider::Claude, 3, 10).await;
    let other = ask(&mut conn, "other", Provider::Gemini, 3, 10).await;
    page_jobs::pause_provider(&mut conn, Provider::Claude, Duration::from_mins(5), "too many requests").await.unwrap();
    let admitted = admit(&mut conn, &[], 100).await;
    assert_eq!((admitted.len(), count(&admitted, other)), (3, 3));
    sqlx::query("UPDATE pauses SET until = now() - interval '1 second'").execute(&mut *conn).await.unwrap();
    assert_eq!(admit(&mut conn, &[], 100).await.len(), 3);
}

#[tokio::test]
async fn a_page_is_claimed_once_and_only_its_holder_writes_it() {
    let pool = pool().await;
    let mut conn = pool.acquire().await.unwrap();
    ask(&mut conn, "demo", Provider::Claude, 1, 10).await;
    let page = admit(&mut conn, &[], 100).await.pop().unwrap();
    let first = claim(&mut conn, &page, "first", Duration::ZERO).await.unwrap();
    assert!(claim(&mut conn, &page, "second", LEASE).await.is_none());
    // the first one's lease ran out
    page_jobs::reap(&mut conn).await.unwrap();
    let again = admit(&mut conn, &[], 100).await.pop().unwrap();
    let second = claim(&mut conn, &again, "second", LEASE).await.unwrap();
    assert!(second.fence > first.fence);
    assert_eq!(page_jobs::renew(&mut conn, &[held(&first), held(&second)], LEASE).await.unwrap(), [held(&second)]);
    assert!(matches!(page_jobs::finish(&mut conn, &held(&first), "old", None).await, Err(WriteError::Lost)));
    assert!(matches!(page_jobs::fail(&mut conn, &held(&first), "no", false).await, Err(WriteError::Lost)));
    page_jobs::finish(&mut conn, &held(&second), "new", None).await.unwrap();
    let text = db::pages::find_markdown(&mut conn, page.generation, &page.slug).await.unwrap();
    assert_eq!(text.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_page_is_kept_while_its_run_waits_for_a_new_coordinator_and_lost_when_the_run_is_over() {
    let pool = pool().await;
    let mut conn = pool.acquire().await.unwrap();
    let id = ask(&mut conn, "demo", Provider::Claude, 2, 10).await;
    let admitted = admit(&mut conn, &[], 100).await;
    let one = claim(&mut conn, &admitted[0], "worker", LEASE).await.unwrap();
    let two = claim(&mut conn, &admitted[1], "worker", LEASE).await.unwrap();
    sqlx::query("UPDATE generations SET lease_until = now() - interval '1 second'").execute(&mut *conn).await.unwrap();
    assert_eq!(db::recovery::reap_expired(&mut conn).await.unwrap().len(), 1);
    page_jobs::finish(&mut conn, &held(&one), "paid for", None).await.unwrap();
    let variant = db::generations::find_variant_id(&mut conn, id).await.unwrap().unwrap();
    request_abort(&mut conn, variant, id).await.unwrap();
    assert!(matches!(page_jobs::finish(&mut conn, &held(&two), "too late", None).await, Err(WriteError::Lost)));
    assert_eq!(page_jobs::renew(&mut conn, &[held(&two)], LEASE).await.unwrap(), []);
}

#[tokio::test]
async fn a_new_coordinator_does_not_begin_again_what_is_done_or_failed() {
    let pool = pool().await;
    let mut conn = pool.acquire().await.unwrap();
    let id = ask(&mut conn, "demo", Provider::Claude, 3, 10).await;
    let admitted = admit(&mut conn, &[], 100).await;
    let mut claimed = Vec::new();
    for page in &admitted {
        claimed.push(claim(&mut conn, page, "worker", LEASE).await.unwrap());
    }
    page_jobs::finish(&mut conn, &held(&claimed[0]), "text", None).await.unwrap();
    page_jobs::fail(&mut conn, &held(&claimed[1]), "no", false).await.unwrap();
    let states =
        "SELECT string_agg(state || CASE WHEN task IS NULL THEN '' ELSE '!' END, ' ' ORDER BY position) FROM page_jobs";
    let revise = PageTask::Revise { findings: vec!["too short".into()] };
    for (task, expected) in [(PageTask::Write, "done failed running"), (revise, "waiting! failed running")] {
        let jobs: Vec<_> =
            claimed.iter().map(|page| NewPageJob { slug: page.slug.clone(), task: task.clone() }).collect();
        page_jobs::ask(&mut conn, id, 1, Provider::Claude, 10, &jobs).await.unwrap();
        assert_eq!(sqlx::query_scalar::<_, String>(states).fetch_one(&mut *conn).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn deaths_are_counted_against_the_page_and_not_against_its_run() {
    let pool = pool().await;
    let mut conn = pool.acquire().await.unwrap();
    let id = ask(&mut conn, "demo", Provider::Claude, 1, 10).await;
    for death in 1..=page_jobs::MAX_DEATHS {
        let page = admit(&mut conn, &[], 100).await.pop().unwrap();
        let claimed = claim(&mut conn, &page, "coordinator", Duration::ZERO).await.unwrap();
        assert_eq!(claimed.suspect, death > page_jobs::SUSPECT_AFTER, "{death}");
        sqlx::query("UPDATE generations SET lease_until = now() - interval '1 second'")
            .execute(&mut *conn)
            .await
            .unwrap();
        let reaped = db::recovery::reap_expired(&mut conn).await.unwrap();
        assert_eq!(reaped[0].state, shared::generation::State::Queued, "{reaped:?}");
        page_jobs::reap(&mut conn).await.unwrap();
        db::generations::claim(&mut conn, id, "coordinator", LEASE).await.unwrap().unwrap();
    }
    let failed = page_jobs::list_failed(&mut conn, id).await.unwrap();
    assert_eq!(failed[0].failure, "the worker died 5 times at it");
    let crashes: i32 = sqlx::query_scalar("SELECT crash_count FROM generations").fetch_one(&mut *conn).await.unwrap();
    assert_eq!(crashes, 0);
}

#[tokio::test]
async fn a_page_outlives_workers_that_die_of_other_causes() {
    let pool = pool().await;
    let mut conn = pool.acquire().await.unwrap();
    let id = ask(&mut conn, "demo", Provider::Claude, 1, 10).await;
    let others = "INSERT INTO workers (name, last_seen) SELECT 'w' || n, now() - interval '1 minute'
                    FROM generate_series(1, 30) n";
    sqlx::query(others).execute(&mut *conn).await.unwrap();
    for death in 1..=page_jobs::MAX_DEATHS_AMONG_OTHERS {
        assert_eq!(page_jobs::list_failed(&mut conn, id).await.unwrap(), [], "after {} deaths", death - 1);
        let page = admit(&mut conn, &[], 100).await.pop().unwrap();
        claim(&mut conn, &page, "worker", Duration::ZERO).await.unwrap();
        page_jobs::reap(&mut conn).await.unwrap();
    }
    let failed = page_jobs::list_failed(&mut conn, id).await.unwrap();
    assert_eq!(failed[0].failure, "the worker died 10 times at it");
}

#[tokio::test]
async fn an_admitted_page_has_one_task_and_loses_it_when_its_run_ends() {
    let pool = pool().await;
    let mut conn = pool.acquire().await.unwrap();
    let id = ask(&mut conn, "demo", Provider::Claude, 3, 10).await;
    sqlx::query("INSERT INTO workers (name, ai_slots) VALUES ('w', 2)").execute(&mut *conn).await.unwrap();
    assert!(admit_pages(&mut conn, &[], None).await.unwrap().is_none());
    let queue = <PageJob as shared::jobs::Job>::QUEUE;
    assert_eq!(db::queue::count_waiting(&mut conn, queue).await.unwrap(), 2);
    assert_eq!(page_jobs::reap(&mut conn).await.unwrap(), 0, "their tasks are there");
    // who has a slot of its own is not rung for
    sqlx::query("UPDATE workers SET ai_slots = 3").execute(&mut *conn).await.unwrap();
    let taker = Taker { worker: "w", lease: LEASE };
    let own = admit_pages(&mut conn, &[], Some(taker)).await.unwrap().unwrap();
    assert_eq!((own.slug, own.fence), (slug(3), 1));
    assert_eq!(db::queue::count_waiting(&mut conn, queue).await.unwrap(), 2);
    sqlx::query("UPDATE page_jobs SET state = 'waiting' WHERE state = 'running'").execute(&mut *conn).await.unwrap();
    take_back_pages(&mut conn, id).await.unwrap();
    assert_eq!(db::queue::count_waiting(&mut conn, queue).await.unwrap(), 0);
    assert_eq!(page_jobs::progress(&mut conn, id).await.unwrap().open, 0);
}

#[tokio::test]
async fn a_page_that_was_written_when_its_run_was_aborted_is_forgotten() {
    let pool = pool().await;
    let mut conn = pool.acquire().await.unwrap();
    let id = ask(&mut conn, "demo", Provider::Claude, 2, 10).await;
    let admitted = admit(&mut conn, &[], 100).await;
    let done = claim(&mut conn, &admitted[0], "worker", LEASE).await.unwrap();
    page_jobs::finish(&mut conn, &held(&done), "text", None).await.unwrap();
    claim(&mut conn, &admitted[1], "worker", Duration::ZERO).await.unwrap();
    let variant = db::generations::find_variant_id(&mut conn, id).await.unwrap().unwrap();
    request_abort(&mut conn, variant, id).await.unwrap();
    page_jobs::reap(&mut conn).await.unwrap();
    let states = "SELECT string_agg(state, ' ') FROM page_jobs";
    let left: Option<String> = sqlx::query_scalar(states).fetch_one(&mut *conn).await.unwrap();
    assert_eq!(left.as_deref(), Some("done waiting"), "the run is not over yet");
    sqlx::query("UPDATE generations SET state = 'aborted', finished_at = now()").execute(&mut *conn).await.unwrap();
    page_jobs::reap(&mut conn).await.unwrap();
    let left: Option<String> = sqlx::query_scalar(states).fetch_one(&mut *conn).await.unwrap();
    assert_eq!(left.as_deref(), Some("done"));
}

/// Keeps a page and takes the next one in one transaction, as workers do; false when there is nothing left to do.
async fn keep_and_take(pool: &sqlx::PgPool, page: &mut Option<ClaimedPage>) -> Result<(), WriteError> {
    let mut transaction = pool.begin().await?;
    let taken = page.take();
    if let Some(page) = &taken {
        let shown = page_jobs::finish(&mut transaction, &held(page), "text", None).await?;
        let progress = shared::events::PageProgress { page_count: shown.page_count, pages_total: 20, page: None };
        let stage = shared::stage::Stage::GeneratingPages;
        shared::events::emit_page(&mut transaction, shown.variant_id, page.generation, stage, progress).await?;
    }
    *page = admit_pages(&mut transaction, &[], Some(Taker { worker: "w", lease: LEASE })).await?;
    transaction.commit().await?;
    Ok(())
}

#[tokio::test]
async fn ends_of_pages_and_of_runs_and_the_reaper_do_not_wait_in_a_circle() {
    let pool = pool().await;
    let mut conn = pool.acquire().await.unwrap();
    sqlx::query("INSERT INTO workers (name, ai_slots) VALUES ('w', 12)").execute(&mut *conn).await.unwrap();
    let mut runs = Vec::new();
    for number in 0..6 {
        runs.push(ask(&mut conn, &format!("demo-{number}"), Provider::Claude, 20, 20).await);
    }
    let slots = (0..4).map(|_| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let mut page = None;
            for _ in 0..60 {
                match keep_and_take(&pool, &mut page).await {
                    // a run that was aborted, or a page that the reaper has found
                    Ok(()) | Err(WriteError::Lost) => {}
                    Err(WriteError::Database(error)) => panic!("{error}"),
                }
            }
        })
    });
    let reaper = {
        let pool = pool.clone();
        tokio::spawn(async move {
            for round in 0..40 {
                if round % 5 == 0 {
                    let expired = "UPDATE page_jobs SET lease_until = now() - interval '1 second'
                        WHERE (generation_id, slug) IN (SELECT generation_id, slug FROM page_jobs
                            WHERE state = 'running' FOR UPDATE SKIP LOCKED)";
                    sqlx::query(expired).execute(&pool).await.unwrap();
                }
                let mut transaction = pool.begin().await.unwrap();
                for run in db::recovery::reap_expired(&mut transaction).await.unwrap() {
                    take_back_pages(&mut transaction, run.id).await.unwrap();
                }
                page_jobs::reap(&mut transaction).await.unwrap();
                db::ai_calls::settle_lost(&mut transaction).await.unwrap();
                transaction.commit().await.unwrap();
            }
        })
    };
    let aborts = {
        let (pool, runs) = (pool.clone(), runs.clone());
        tokio::spawn(async move {
            for id in runs.into_iter().skip(2) {
                let mut transaction = pool.begin().await.unwrap();
                let variant = db::generations::find_variant_id(&mut transaction, id).await.unwrap().unwrap();
                let ended = shared::generation::State::Aborted;
                db::generations::end_unfinished(&mut transaction, id, 1, ended, "aborted").await.unwrap();
                take_back_pages(&mut transaction, id).await.unwrap();
                shared::events::emit_state(&mut transaction, variant, id, ended, None).await.unwrap();
                transaction.commit().await.unwrap();
            }
        })
    };
    // the server ends a circle with an error for one of them
    for task in slots.chain([reaper, aborts]) {
        task.await.unwrap();
    }
}
