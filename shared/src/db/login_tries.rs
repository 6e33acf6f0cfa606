//! The table `login_tries`: how often somebody may still try, shared by all API processes.
//!
//! A subject has `tries` tries, and one comes back every `per_try`. Only the moment is stored at which all of them are
//! there again: a try moves it on by `per_try`, and no more may be taken when it would lie further away than all tries
//! together take to come back.

use std::time::Duration;

use sqlx::PgConnection;

/// One try of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Try {
    /// Hash of what is counted.
    pub subject: [u8; 32],
    /// Tries of a subject that did not try for long.
    pub tries: u32,
    /// Time after which one comes back.
    pub per_try: Duration,
}

/// Takes a try of each subject and says for how long one must wait for the last of them: zero when all were there. Else the
/// caller must roll the transaction back, so that none is taken.
pub async fn take(conn: &mut PgConnection, tries: &[Try]) -> sqlx::Result<Duration> {
    let subjects: Vec<Vec<u8>> = tries.iter().map(|one| one.subject.to_vec()).collect();
    let per_try: Vec<f64> = tries.iter().map(|one| one.per_try.as_secs_f64()).collect();
    let all: Vec<f64> = tries.iter().map(|one| one.per_try.as_secs_f64() * f64::from(one.tries)).collect();
    let wait_s = sqlx::query_scalar!(
        r#"
        WITH asked AS (
            SELECT * FROM unnest($1::bytea[], $2::float8[], $3::float8[]) AS asked (subject, per_try_s, all_s)
        ),
        taken AS (
            INSERT INTO login_tries (subject, full_at)
            -- always in the same order, so that two who take the same tries do not wait for each other
            SELECT subject, now() + make_interval(secs => per_try_s) FROM asked ORDER BY subject
            ON CONFLICT (subject) DO UPDATE
               SET full_at = greatest(login_tries.full_at, now()) + (EXCLUDED.full_at - now())
            RETURNING subject, full_at
        )
        SELECT max(extract(epoch FROM taken.full_at - now())::float8 - asked.all_s) AS "wait_s!"
          FROM taken
          JOIN asked USING (subject)
        "#,
        &subjects,
        &per_try,
        &all,
    )
    .fetch_one(conn)
    .await?;
    Ok(Duration::try_from_secs_f64(wait_s).unwrap_or_default())
}

/// Gives tries of one subject back.
pub async fn give_back(conn: &mut PgConnection, subject: &[u8; 32], worth: Duration) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE login_tries SET full_at = full_at - make_interval(secs => $2) WHERE subject = $1",
        subject,
        worth.as_secs_f64(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets those who have all their tries.
pub async fn prune(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        DELETE FROM login_tries
         WHERE subject IN (SELECT subject FROM login_tries WHERE full_at < now() FOR UPDATE SKIP LOCKED)
        "#
    )
    .execute(conn)
    .await?;
    Ok(())
}
