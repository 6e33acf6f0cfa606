//! One call, from the folder that is made for it to the answer that was read. Every call of every command line is made
//! here: the ledger knows of it before anything is started, and what came of it is settled there.

use std::{io, path::Path, sync::Arc};

use shared::budget::Budget;

use super::{
    CliWriter,
    call::{CallFailed, CallOk, CallSpec, Launch, Program},
    exchanges::{self, Asked, Exchange, Exchanges},
    folder::CallFolder,
    launch, no_folder, parse, process, prompts,
    question::Question,
    redact, shown,
    versions::version_of,
};
use crate::{
    ledger::{Account, CallFacts, OK, OpenCall, REPLAYED},
    writers::{CallContext, Failure, Usage, WriterError},
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
    /// The texts of some sections of a page.
    Sections,
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
            Self::Sections => "sections",
        }
    }
}

/// A call that could start.
pub(super) struct Prepared {
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
        let asked = Arc::new(Asked {
            provider: self.provider,
            model: self.model.clone(),
            purpose,
            tree: self.tree_content.clone(),
            page: context.account.as_ref().and_then(Account::page).map(ToString::to_string),
            question: prepared.question.clone(),
        });
        match &self.settings.exchanges {
            Exchanges::Replay(folder) => self.replay(folder, asked, context).await,
            Exchanges::Record(folder) => {
                let (answer, cli_version) = self.call(prepared, &asked, context).await?;
                let (folder, kept) = (Arc::clone(folder), answer.clone());
                let secrets = self.settings.environment.secrets();
                let record = move || exchanges::record(&folder, &asked, &cli_version, &kept, &secrets);
                if let Err(error) = tokio::task::spawn_blocking(record).await {
                    tracing::error!(%error, "an AI call could not be recorded");
                }
                Ok(answer.text)
            }
            Exchanges::Off => self.call(prepared, &asked, context).await.map(|(answer, _)| answer.text),
        }
    }

    /// Makes the call. Gives the version of the command line, too.
    async fn call(
        &self,
        prepared: Prepared,
        asked: &Asked,
        context: &CallContext,
    ) -> Result<(CallOk, String), WriterError> {
        let program = self.find_program().await.map_err(|error| self.made_showable(&error))?;
        let version = version_of(&self.settings, &program, &self.work_dir, &self.tree, context).await;
        let open = self.open(asked, &version, true, context).await?;
        let budget = open.as_ref().and_then(OpenCall::budget).cloned();
        let called = self.run(prepared, program, budget.as_ref(), context).await;
        if let Some(open) = open {
            let (outcome, usage) = match &called {
                Ok(answer) => (OK, answer.usage),
                Err(failed) => (failed.error.failure.as_str(), failed.usage),
            };
            open.settle(outcome, usage, &context.cancel).await;
        }
        let mut answer = called.map_err(|failed| match (failed.error.failure, budget) {
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
        answer.text = redact::mask(&answer.text, &self.settings.environment.secrets());
        Ok((answer, version))
    }

    /// Answers from a recording: nothing is started, and nothing is paid.
    async fn replay(
        &self,
        folder: &Arc<Path>,
        asked: Arc<Asked>,
        context: &CallContext,
    ) -> Result<String, WriterError> {
        let (folder, question) = (Arc::clone(folder), Arc::clone(&asked));
        let found = tokio::task::spawn_blocking(move || exchanges::replay(&folder, &question)).await;
        let found = found.map_err(|error| no_folder(io::Error::other(error)))?;
        let version = found.as_ref().map_or("unknown", Exchange::cli_version);
        if let Some(open) = self.open(&asked, version, false, context).await? {
            let outcome = found.as_ref().map_or_else(|error| error.failure.as_str(), |_| REPLAYED);
            open.settle(outcome, Usage::default(), &context.cancel).await;
        }
        found.map(|exchange| exchange.answer)
    }

    /// Lets the ledger know; `None` in tests of a writer alone.
    async fn open(
        &self,
        asked: &Asked,
        cli_version: &str,
        is_limited: bool,
        context: &CallContext,
    ) -> Result<Option<OpenCall>, WriterError> {
        let Some(account) = &context.account else { return Ok(None) };
        let facts = CallFacts {
            purpose: asked.purpose.as_str(),
            provider: self.provider,
            model: &self.model,
            cli_version,
            prompt_hash: &asked.question.digest(&[]),
            is_limited,
        };
        account.open(&facts, &context.cancel).await.map(Some)
    }

    pub(super) async fn prepare(
        &self,
        write_prompt: impl FnOnce(&CallFolder) -> io::Result<String> + Send + 'static,
    ) -> Result<Prepared, WriterError> {
        let (work_dir, tree, handouts) = (self.work_dir.clone(), self.tree.clone(), self.handouts.clone());
        let prepared = tokio::task::spawn_blocking(move || {
            let folder = CallFolder::create(&work_dir, &tree, prompts::system(), handouts)?;
            let prompt = write_prompt(&folder)?;
            let question = Question::read(&prompt, folder.dirs())?;
            Ok(Prepared { folder, prompt, question })
        });
        prepared.await.map_err(io::Error::other).flatten().map_err(no_folder)
    }

    pub(super) async fn find_program(&self) -> Result<Program, WriterError> {
        let (provider, environment) = (self.provider, Arc::clone(&self.settings.environment));
        let found = tokio::task::spawn_blocking(move || environment.program(provider)).await;
        found.map_err(|error| no_folder(io::Error::other(error)))?
    }

    async fn run(
        &self,
        prepared: Prepared,
        program: Program,
        budget: Option<&Budget>,
        context: &CallContext,
    ) -> Result<CallOk, CallFailed> {
        let (launch, folder) = self.launch(prepared, program, budget);
        let ports = self.settings.environment.ports(self.provider);
        let output = process::run(launch, folder, &self.settings.isolation, ports, context).await?;
        parse(self.provider, output.exit, &output.stdout, &output.stderr)
    }

    pub(super) fn launch(&self, prepared: Prepared, program: Program, budget: Option<&Budget>) -> (Launch, CallFolder) {
        let Prepared { folder, prompt, .. } = prepared;
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
