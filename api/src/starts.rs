//! Starts the generations that are asked for at the same time in one transaction. Transactions that notify commit one after
//! the other, the disk's time included: a hundred requests of their own would wait for each other, and for a hundred others.

use std::collections::HashSet;

use shared::{
    db,
    ids::GenerationId,
    jobs::{Started, Wanted, start_generation, start_generations},
    source::RepoSource,
    user::ADMIN,
    variant::VariantKey,
    writer_defaults::WriterDefaults,
};
use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};

use crate::error::ApiError;

/// Requests of one transaction at most, and those that wait for the next one; more wait before they are read.
const MOST: usize = 100;

/// What is wanted, once the defaults are known.
type Want = Box<dyn Fn(&WriterDefaults) -> Result<Wanted, ApiError> + Send + Sync>;
/// The queued generation with what it was asked for.
type Answer = Result<(GenerationId, Wanted), ApiError>;

struct Asked {
    want: Want,
    answer: oneshot::Sender<Answer>,
}

/// Takes requests and starts them; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Starts(mpsc::Sender<Asked>);

impl Starts {
    /// Must be called on a runtime.
    pub(crate) fn new(pool: PgPool) -> Self {
        let (asked, waiting) = mpsc::channel(MOST);
        tokio::spawn(run(pool, waiting));
        Self(asked)
    }

    /// Starts a generation. When the caller goes away before its turn, nothing is started.
    pub(crate) async fn start(
        &self,
        want: impl Fn(&WriterDefaults) -> Result<Wanted, ApiError> + Send + Sync + 'static,
    ) -> Answer {
        let (answer, answered) = oneshot::channel();
        let gone = || ApiError::Internal(anyhow::anyhow!("the task that starts generations is gone"));
        self.0.send(Asked { want: Box::new(want), answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

async fn run(pool: PgPool, mut waiting: mpsc::Receiver<Asked>) {
    let mut asked = Vec::new();
    while waiting.recv_many(&mut asked, MOST).await > 0 {
        asked.retain(|asked| !asked.answer.is_closed());
        let started = start_together(&pool, &asked).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "requests are started one by one");
            Vec::new()
        });
        let mut started = started.into_iter();
        for Asked { want, answer } in asked.drain(..) {
            if let Some(queued) = started.next().flatten() {
                // who asked may be gone by now: the generation runs all the same
                _ = answer.send(Ok(queued));
            } else {
                let pool = pool.clone();
                tokio::spawn(async move { answer.send(start_alone(&pool, &want).await) });
            }
        }
    }
}

/// Starts those that nothing stands in the way of.
async fn start_together(pool: &PgPool, asked: &[Asked]) -> sqlx::Result<Vec<Option<(GenerationId, Wanted)>>> {
    let mut transaction = db::begin_in_haste(pool).await?;
    let defaults = db::settings::read_defaults(&mut transaction).await?;
    let mut wanted: Vec<Option<Wanted>> = asked.iter().map(|asked| (asked.want)(&defaults).ok()).collect();
    let owners = wanted.iter().flatten().map(|wanted| wanted.key.owner.as_str()).collect::<HashSet<_>>();
    let owners = db::deletions::hold_owners(&mut transaction, owners).await?;
    let mut keys = HashSet::new();
    for place in &mut wanted {
        place.take_if(|wanted| {
            let owner = &wanted.key.owner;
            (*owner != ADMIN && !owners.contains(owner)) || !keys.insert(wanted.key.clone())
        });
    }
    let present: Vec<&Wanted> = wanted.iter().flatten().collect();
    let mut started = start_generations(&mut transaction, &present).await?.into_iter();
    transaction.commit().await?;
    Ok(wanted.into_iter().map(|wanted| wanted.and_then(|wanted| Some((started.next()??, wanted)))).collect())
}

async fn start_alone(pool: &PgPool, want: &Want) -> Answer {
    let mut transaction = db::begin(pool).await?;
    let wanted = want(&db::settings::read_defaults(&mut transaction).await?)?;
    // a user who is deleted just now leaves nothing behind
    if wanted.key.owner != ADMIN && !db::deletions::hold_owner(&mut transaction, &wanted.key.owner).await? {
        return Err(ApiError::unauthorized());
    }
    let generation = match start_generation(&mut transaction, &wanted).await? {
        Started::Queued(generation) => generation,
        Started::Busy => {
            return Err(ApiError::conflict(format!("Variant '{}' is already being generated", wanted.key)));
        }
        Started::OtherRepository(first) => return Err(other_repository(&wanted.key, &first, &wanted.source)),
    };
    transaction.commit().await?;
    Ok((generation, wanted))
}

/// Projects are told apart by the last part of their address only, so two repositories can meet in one variant.
pub(crate) fn other_repository(key: &VariantKey, first: &str, second: &RepoSource) -> ApiError {
    ApiError::conflict(format!(
        "Variant '{key}' was made from another repository: '{first}'. Send 'force': true to make it from '{second}' \
         instead, or delete it first."
    ))
}
