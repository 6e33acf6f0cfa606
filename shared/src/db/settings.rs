//! The table `settings`: what admins set, and what programs were started with.

use sqlx::PgConnection;

use crate::{
    events::{AccessChange, announce_access},
    writer_defaults::{SettingKey, SettingValues, WriterDefaults},
};

/// Every stored value of a known setting.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<SettingValues> {
    let rows = sqlx::query!("SELECT key, value FROM settings").fetch_all(conn).await?;
    Ok(rows.into_iter().filter_map(|row| Some((SettingKey::find(&row.key)?, row.value))).collect())
}

/// What a request gets that names nothing, as of now.
pub async fn read_defaults(conn: &mut PgConnection) -> sqlx::Result<WriterDefaults> {
    Ok(WriterDefaults::from_values(&list(conn).await?))
}

/// Keeps others from changing settings until the end of the transaction, so that what belongs together can be checked.
pub async fn lock(conn: &mut PgConnection) -> sqlx::Result<()> {
    // an arbitrary number, only ours
    sqlx::query!("SELECT pg_advisory_xact_lock(733003)").fetch_one(conn).await?;
    Ok(())
}

/// Stores values and tells every process.
pub async fn save(conn: &mut PgConnection, values: &SettingValues) -> sqlx::Result<()> {
    let keys: Vec<String> = values.keys().map(|key| key.as_str().to_owned()).collect();
    let texts: Vec<String> = values.values().cloned().collect();
    sqlx::query!(
        r#"
        INSERT INTO settings (key, value)
        SELECT new.key, new.value FROM unnest($1::text[], $2::text[]) AS new (key, value)
        ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value, updated_at = now()
         WHERE settings.value <> EXCLUDED.value
        "#,
        &keys,
        &texts,
    )
    .execute(&mut *conn)
    .await?;
    announce_access(conn, &AccessChange::Settings).await
}

/// Stores what a program was started with: it wins over what was set before, until somebody sets it anew.
pub async fn save_given(conn: &mut PgConnection, given: &SettingValues) -> sqlx::Result<()> {
    if given.is_empty() {
        return Ok(());
    }
    let mut values = given.clone();
    lock(conn).await?;
    let stored = list(conn).await?;
    // a model that was set for another provider is none of this one
    let provider = given.get(&SettingKey::Provider);
    if provider.is_some_and(|provider| stored.get(&SettingKey::Provider) != Some(provider)) {
        values.entry(SettingKey::Model).or_default();
    }
    save(conn, &values).await
}
