//! Stage `planning`: the writer decides which pages the site has, unless they are fixed.

use shared::{db, plan::Plan, provider::Provider, stage::Stage};

use super::{StageError, run::Run};
use crate::{
    git::Checkout,
    steering::Steering,
    writers::{Failure, PlanWish, Writer, retrying},
};

/// Asks the writer for a plan, puts in what was wished for, checks it and shows it on the variant. `warnings` are about the
/// wishes.
pub(crate) async fn plan_pages(
    run: &Run,
    checkout: &Checkout,
    writer: &dyn Writer,
    steering: &Steering,
    warnings: &[String],
) -> Result<Plan, StageError> {
    for warning in warnings {
        run.warn(warning).await?;
    }
    let name = run.claimed.key.name.to_string();
    let wish = PlanWish {
        repo_type: run.claimed.request.repo_type.or(steering.repo_type),
        project_name: steering.title.as_ref().map_or(name, ToString::to_string),
        repo_url: run.source.web_links(&checkout.commit).map(|links| links.repository),
    };
    let by_model = run.claimed.key.provider != Provider::Builtin;
    let mut plan = match steering.fixed_plan(&wish).filter(|_| by_model) {
        Some(plan) => plan,
        None => ask(run, writer, &wish).await?,
    };
    let left_out = steering.apply(&mut plan, by_model);
    if let Some(repo_type) = wish.repo_type {
        plan.repo_type = repo_type;
    }
    plan.validate().map_err(|error| StageError::Fail(format!("planning failed: {error}")))?;
    for finding in writer.findings().iter().chain(&left_out) {
        run.warn(finding).await?;
    }
    let json = serde_json::to_string(&plan).map_err(anyhow::Error::from)?;
    let mut connection = run.worker.config.pool.acquire().await?;
    db::generations::show_plan(&mut connection, run.claimed.id, run.claimed.fence, &json, plan.repo_type).await?;
    Ok(plan)
}

async fn ask(run: &Run, writer: &dyn Writer, wish: &PlanWish) -> Result<Plan, StageError> {
    let plan = |context| async move { run.call(writer.plan(&context, wish)).await };
    retrying(&run.call_context(Stage::Planning), plan).await.map_err(|error| match error.failure {
        Failure::BudgetLimit => StageError::Fail(error.message),
        _ => StageError::Fail(format!("planning failed: {error}")),
    })
}
