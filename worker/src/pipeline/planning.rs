//! Stage `planning`: the writer decides which pages the site has, unless they are fixed.

use shared::{
    db,
    plan::{Plan, RepoType},
    provider::Provider,
    source::RepoSource,
    stage::Stage,
    variant::VariantKey,
};

use super::{StageError, run::Run};
use crate::{
    git::Checkout,
    steering::Steering,
    writers::{CallContext, Failure, PlanWish, Writer, retrying},
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
    let wish = wish(&run.claimed.key, run.claimed.request.repo_type, &run.source, checkout, steering);
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

/// What is said about a plan.
fn wish(
    key: &VariantKey,
    repo_type: Option<RepoType>,
    source: &RepoSource,
    checkout: &Checkout,
    steering: &Steering,
) -> PlanWish {
    PlanWish {
        repo_type: repo_type.or(steering.repo_type),
        project_name: steering.title.as_ref().map_or_else(|| key.name.to_string(), ToString::to_string),
        repo_url: source.web_links(&checkout.commit).map(|links| links.repository),
    }
}

/// The plan that a run of the built-in writer would have.
pub(crate) async fn extracted_plan(
    context: &CallContext,
    (key, repo_type): (&VariantKey, Option<RepoType>),
    source: &RepoSource,
    checkout: &Checkout,
    (writer, steering): (&dyn Writer, &Steering),
) -> Result<Plan, StageError> {
    let wish = wish(key, repo_type, source, checkout, steering);
    let failed = |error: &dyn std::fmt::Display| StageError::Fail(format!("planning failed: {error}"));
    let mut plan = writer.plan(context, &wish).await.map_err(|error| failed(&error))?;
    steering.apply(&mut plan, false);
    if let Some(repo_type) = wish.repo_type {
        plan.repo_type = repo_type;
    }
    plan.validate().map_err(|error| failed(&error))?;
    Ok(plan)
}

async fn ask(run: &Run, writer: &dyn Writer, wish: &PlanWish) -> Result<Plan, StageError> {
    let plan = |context| async move { run.call(writer.plan(&context, wish)).await };
    retrying(&run.call_context(Stage::Planning), plan).await.map_err(|error| match error.failure {
        Failure::BudgetLimit => StageError::Fail(error.message),
        _ => StageError::Fail(format!("planning failed: {error}")),
    })
}
