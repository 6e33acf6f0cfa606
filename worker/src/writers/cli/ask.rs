//! One call, from the folder that is made for it to the answer that was read. Every call of every command line is made
//! here: the ledger knows of it before anything is started, and what came of it is settled there.

use std::{io, sync::Arc};

use shared::budget::Budget;

use super::{
    CliWriter, call,
    call::{CallFailed, CallOk, CallSpec, Launch},
    folder::CallFolder,
    launch, no_folder, parse, process, prompts,
    question::Question,
    redact, shown,
};
use crate::{
    ledger::CallFacts,
    writers::{CallContext, Failure, WriterError},
};

/// What a call is asked; the name is that of the account of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Which pages there are.
    Plan,
    /// The same once more, after an answer that was no plan.
    Repair,
    /// The text of a page.
    Page,
    /// A better text of a page.
    Revise,
    /// What becomes of the plan after the repository changed.
    PlanUpdate,
    /// The same once more, after an answer that was of no use.
    PlanUpdateRepair,
    /// Which passages of a page are to be replaced.
    Edit,
}

impl Purpose {
    /// The name.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Repair => "repair",
            Self::Page => "page",
            Self::Revise => "revise",
            Self::PlanUpdate => "plan_update",
            Self::PlanUpdateRepair => "plan_update_repair",
            Self::Edit => "edit",
        }
    }
}

/// A call that could start.
pub(super) struct Prepared {
    program: call::Program,
    folder: CallFolder,
    prompt: String,
    question: Question,
}

impl CliWriter {
    /// One call: makes its folder, lets `write_prompt` fill it, runs the command and reads what it said. Secrets are masked
    /// in the answer.
    pub(super) async fn ask(
        &self,
        context: &CallContext,
        purpose: Purpose,
        write_prompt: impl FnOnce(&CallFolder) -> io::Result<String> + Send + 'static,
    ) -> Result<String, WriterError> {
        if context.cancel.is_cancelled() {
            return Err(WriterError { failure: Failure::Cancelled, message: "the run was cancelled".into() });
        }
        let prepared = self.prepare(write_prompt).await.map_err(|error| self.made_showable(&error))?;
        let prompt_hash = prepared.question.digest(&[]);
        let facts = CallFacts {
            purpose: purpose.as_str(),
            provider: self.provider,
            model: &self.model,
            cli_version: "unknown",
            prompt_hash: &prompt_hash,
            is_limited: true,
        };
        let open = match &context.account {
            Some(account) => Some(account.open(&facts, &context.cancel).await?),
            None => None,
        };
        let budget = open.as_ref().and_then(|open| open.budget()).cloned();
        let asked = self.run(prepared, budget.as_ref(), context).await;
        if let Some(open) = open {
            let (outcome, usage) = match &asked {
                Ok(answer) => ("ok", answer.usage),
                Err(failed) => (failed.error.failure.as_str(), failed.usage),
            };
            open.settle(outcome, usage, &context.cancel).await;
        }
        let answer = asked.map_err(|failed| match (failed.error.failure, budget) {
            (Failure::BudgetLimit, Some(budget)) => {
                WriterError { failure: Failure::BudgetLimit, message: budget.reached() }
            }
            _ => self.made_showable(&failed.error),
        })?;
        if answer.denied_tools > 0 {
            tracing::info!(
                writer.denied_tools = answer.denied_tools,
                "the model asked for tools that it does not have"
            );
        }
        Ok(redact::mask(&answer.text, &self.settings.environment.secrets()))
    }

    pub(super) async fn prepare(
        &self,
        write_prompt: impl FnOnce(&CallFolder) -> io::Result<String> + Send + 'static,
    ) -> Result<Prepared, WriterError> {
        let (work_dir, tree) = (self.work_dir.clone(), self.tree.clone());
        let (provider, environment) = (self.provider, Arc::clone(&self.settings.environment));
        let prepared = tokio::task::spawn_blocking(move || {
            let program = environment.program(provider)?;
            let folder = CallFolder::create(&work_dir, &tree, prompts::system()).map_err(no_folder)?;
            let prompt = write_prompt(&folder).map_err(no_folder)?;
            let question = Question::read(&prompt, folder.dirs()).map_err(no_folder)?;
            Ok(Prepared { program, folder, prompt, question })
        });
        prepared.await.map_err(|error| no_folder(io::Error::other(error)))?
    }

    async fn run(
        &self,
        prepared: Prepared,
        budget: Option<&Budget>,
        context: &CallContext,
    ) -> Result<CallOk, CallFailed> {
        let (launch, folder) = self.launch(prepared, budget);
        let ports = self.settings.environment.ports(self.provider);
        let output = process::run(launch, folder, &self.settings.isolation, ports, context).await?;
        parse(self.provider, output.exit, &output.stdout, &output.stderr)
    }

    pub(super) fn launch(&self, prepared: Prepared, budget: Option<&Budget>) -> (Launch, CallFolder) {
        let Prepared { program, folder, prompt, .. } = prepared;
        let spec = CallSpec { model: self.model.clone(), prompt, left_usd: budget.map(|budget| budget.left_usd) };
        (launch(self.provider, &spec, folder.dirs(), program, &self.settings.environment), folder)
    }

    fn made_showable(&self, error: &WriterError) -> WriterError {
        let paths = [&self.work_dir, &self.tree].map(|path| shown(path));
        let [work_dir, tree] = &paths;
        let secrets = self.settings.environment.secrets();
        let message = redact::message(&error.message, &secrets, &[tree, work_dir]);
        WriterError { failure: error.failure, message }
    }
}
