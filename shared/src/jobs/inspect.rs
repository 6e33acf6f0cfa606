//! Has a question about a site answered.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::Job;
use crate::{
    db::{self, inspections::NewInspection},
    ids::InspectionId,
};

/// "Somebody look." Duplicates are harmless: only one claim succeeds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InspectJob {
    /// The inspection.
    pub inspection: InspectionId,
    /// Its fence when the bell was rung.
    #[serde(default)]
    pub fence: i64,
}

impl Job for InspectJob {
    const QUEUE: &'static str = "inspect";

    fn idempotency_key(&self) -> String {
        format!("{}:{}", self.inspection, self.fence)
    }
}

/// Asks as part of the caller's transaction. Who asks what somebody asks already gets the same inspection; `None` when the
/// caller has too many that are not answered yet.
pub async fn ask(conn: &mut PgConnection, new: &NewInspection<'_>) -> sqlx::Result<Option<InspectionId>> {
    if let Some(open) = db::inspections::find_open(conn, new).await? {
        return Ok(Some(open));
    }
    let Some(inspection) = db::inspections::create(conn, new).await? else { return Ok(None) };
    super::enqueue(conn, &InspectJob { inspection, fence: 0 }).await?;
    Ok(Some(inspection))
}
