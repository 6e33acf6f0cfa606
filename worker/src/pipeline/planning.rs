//! Stage `planning`: the writer decides which pages the site has.

use shared::{db, plan::Plan, stage::Stage};

use super::{StageError, run::Run};
use crate::{
    git::Checkout,
    writers::{Failure, PlanWish, Writer, retrying},
};

/// Asks the writer for a plan, checks it and shows it on the variant.
pub(crate) async fn plan_pages(run: &Run, checkout: &Checkout, writer: &dyn Writer) -> Result<Plan, StageError> {
    let wish = PlanWish {
        repo_type: run.claimed.request.repo_type,
        project_name: run.claimed.key.name.to_string(),
        repo_url: run.source.web_links(&checkout.commit).map(|links| links.repository),
    };
    let asked = &wish;
    let plan = |context| async move { run.call(writer.plan(&context, asked)).await };
    let mut plan = retrying(&run.call_context(Stage::Planning), plan).await.map_err(|error| match error.failure {
        Failure::BudgetLimit => StageError::Fail(error.message),
        _ => StageError::Fail(format!("planning failed: {error}")),
    })?;
    if let Some(repo_type) = wish.repo_type {
        plan.repo_type = repo_type;
    }
    plan.validate().map_err(|error| StageError::Fail(format!("planning failed: {error}")))?;
    for finding in writer.findings() {
        run.warn(&finding).await?;
    }
    let json = serde_json::to_string(&plan).map_err(anyhow::Error::from)?;
    let mut connection = run.worker.config.pool.acquire().await?;
    db::generations::show_plan(&mut connection, run.claimed.id, run.claimed.fence, &json, plan.repo_type).await?;
    Ok(plan)
}
