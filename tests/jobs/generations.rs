//! One active generation per variant; a claim raises the fence; only the holder writes.

use std::time::Duration;

use serde_json::json;
use shared::{
    db::{
        self, WriteError,
        generations::{Claimed, Finished, NewGeneration},
    },
    generation::State,
    ids::GenerationId,
    jobs::{Started, Wanted, start_generation},
    provider::Provider,
    source::RepoSource,
    stage::Stage,
    variant::{Status, VariantKey},
};
use sqlx::{PgConnection, PgPool};

use crate::support::{database::fresh_database, world::new_generation};

pub(crate) const LEASE: Duration = Duration::from_secs(30);

pub(crate) async fn pool() -> PgPool {
    db::connect(&fresh_database().await, 20).await.unwrap()
}

pub(crate) fn key() -> VariantKey {
    VariantKey {
        owner: "admin".into(),
        name: "demo".parse().unwrap(),
        branch: "main".parse().unwrap(),
        provider: Provider::Builtin,
        model: "extract".parse().unwrap(),
    }
}

pub(crate) async fn start(connection: &mut PgConnection) -> Option<GenerationId> {
    let request = NewGeneration { call_timeout_minutes: 60, ..new_generation(&key()) };
    let source = RepoSource::LocalPath("/tmp/demo".into());
    match start_generation(connection, &Wanted { key: key(), source, request }).await.unwrap() {
        Started::Queued(id) => Some(id),
        Started::Busy => None,
        other @ Started::OtherRepository(_) => panic!("{other:?}"),
    }
}

pub(crate) async fn claim(connection: &mut PgConnection, id: GenerationId) -> Option<Claimed> {
    db::generations::claim(connection, id, "worker", LEASE).await.unwrap()
}

#[tokio::test]
async fn forty_requests_at_once_start_one_generation() {
    let pool = pool().await;
    let requests = (0..40).map(|_| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let mut transaction = pool.begin().await.unwrap();
            let started = start(&mut transaction).await;
            transaction.commit().await.unwrap();
            started
        })
    });
    let mut started = 0;
    for request in requests.collect::<Vec<_>>() {
        started += usize::from(request.await.unwrap().is_some());
    }
    assert_eq!(started, 1);
}

#[tokio::test]
async fn a_generation_is_claimed_once() {
    let pool = pool().await;
    let mut connection = pool.acquire().await.unwrap();
    let id = start(&mut connection).await.unwrap();
    let claimed = claim(&mut connection, id).await.unwrap();
    assert_eq!((claimed.fence, claimed.key), (1, key()));
    assert!(claim(&mut connection, id).await.is_none());
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_writes_nothing() {
    let pool = pool().await;
    let mut connection = pool.acquire().await.unwrap();
    let id = start(&mut connection).await.unwrap();
    let old = claim(&mut connection, id).await.unwrap().fence;
    db::generations::hand_back(&mut connection, id, old).await.unwrap();
    let new = claim(&mut connection, id).await.unwrap().fence;
    assert!(new > old);

    let lost = |result: Result<(), WriteError>| assert!(matches!(result, Err(WriteError::Lost)));
    lost(db::generations::set_stage(&mut connection, id, old, Stage::Planning).await);
    lost(db::generations::save_checkpoint(&mut connection, id, old, Stage::Planning, &json!({})).await);
    lost(db::generations::end_unfinished(&mut connection, id, old, State::Error, "x").await);
    lost(db::generations::hand_back(&mut connection, id, old).await.map(|_| ()));
    lost(db::pages::create_all(&mut connection, id, old, &[]).await);
    lost(db::generations::finish(&mut connection, id, old, &finished()).await);
    lost(db::generations::renew(&mut connection, id, old, LEASE).await.map(|_| ()));

    db::generations::finish(&mut connection, id, new, &finished()).await.unwrap();
    let row = db::variants::list(&mut connection, db::variants::Scope::All).await.unwrap().pop().unwrap();
    assert_eq!((row.status, row.site_prefix.as_deref()), (Status::Ready, Some("prefix")));
}

pub(crate) fn finished() -> Finished {
    Finished {
        site_prefix: Some("prefix".into()),
        commit: "0123456789012345678901234567890123456789".parse().unwrap(),
        page_count: 3,
        final_stage: None,
    }
}

#[tokio::test]
async fn only_allowed_transitions_happen() {
    use State::{Aborted, Error, Queued, Ready, Running};
    assert!(Queued.may_become(Running) && Running.may_become(Queued));
    for end in [Ready, Error, Aborted] {
        assert!(end.is_terminal());
        assert!([Queued, Running, Ready, Error, Aborted].iter().all(|next| !end.may_become(*next)));
    }
    // a finished generation cannot be claimed, finished or aborted again
    let pool = pool().await;
    let mut connection = pool.acquire().await.unwrap();
    let id = start(&mut connection).await.unwrap();
    let fence = claim(&mut connection, id).await.unwrap().fence;
    db::generations::finish(&mut connection, id, fence, &finished()).await.unwrap();
    assert!(claim(&mut connection, id).await.is_none());
    assert!(db::generations::finish(&mut connection, id, fence, &finished()).await.is_err());
    assert_eq!(db::aborts::request(&mut connection, id).await.unwrap(), None);
}
