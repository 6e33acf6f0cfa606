//! The writers that are AI command lines. `claude`, `gemini` and `cursor` say what is started and how its output is read,
//! `process` runs it, here one becomes a [`Writer`].

mod agent_files;
mod ask;
mod call;
mod claude;
mod cursor;
mod environment;
mod exchanges;
mod failure;
mod folder;
mod gemini;
mod index_files;
mod marks;
mod process;
mod prompts;
mod question;
mod redact;
mod sandbox;
mod updating;
mod versions;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use serde_json::json;
use shared::{
    names::ModelId,
    plan::{Plan, PlannedPage},
    provider::Provider,
    settings::{RecordingSettings, Sandbox},
};

pub(crate) use self::{agent_files::is_agent_configuration, environment::Environment, marks::sweep_leftovers};
use self::{
    ask::Purpose,
    call::{CallDirs, CallFailed, CallOk, CallSpec, Exit, Launch},
    exchanges::Exchanges,
    folder::{CallFolder, Handouts},
    index_files::IndexFiles,
    prompts::PagePaths,
    sandbox::Isolation,
    versions::Versions,
};
use super::{CallContext, Failure, PlanQuestion, PlanRevision, PlanWish, SectionWish, Writer, WriterError, answers};
use crate::{git::Change, grounding::index::Index, steering::Steering};

/// What every AI command line of this worker needs; made once at start.
#[derive(Debug, Clone)]
pub(crate) struct CliSettings {
    isolation: Isolation,
    environment: Arc<Environment>,
    exchanges: Exchanges,
    versions: Arc<Versions>,
}

impl CliSettings {
    /// Finds the isolation in force. The error is one sentence, for a start that must not go on. Blocks.
    pub(crate) fn new(
        sandbox: Sandbox,
        environment: Environment,
        recording: &RecordingSettings,
    ) -> Result<Self, String> {
        Ok(Self {
            isolation: sandbox::probe(sandbox)?,
            environment: Arc::new(environment),
            exchanges: Exchanges::open(recording)?,
            versions: Arc::default(),
        })
    }

    /// The isolation in force.
    pub(crate) fn isolation(&self) -> &Isolation {
        &self.isolation
    }

    /// Whether the provider's program is on this host, or not needed; the error says what to install. Blocks for a few file
    /// look-ups.
    pub(crate) fn check_installed(&self, provider: Provider) -> Result<(), WriterError> {
        if self.exchanges.is_replay() {
            return Ok(());
        }
        self.environment.program(provider).map(drop)
    }

    /// Whether the worker has a key to give the provider.
    pub(crate) fn has_key(&self, provider: Provider) -> bool {
        self.environment.has_key(provider)
    }
}

/// A writer that asks an AI command line, one process per call.
#[derive(Debug)]
pub(crate) struct CliWriter {
    provider: Provider,
    model: ModelId,
    settings: CliSettings,
    tree: PathBuf,
    tree_content: String,
    work_dir: PathBuf,
    /// What is wished of the documentation, as the text of a file, and what it changes in [`Writer::version`].
    wishes: Option<String>,
    steering_digest: Option<String>,
    /// What was taken from the source, once somebody has told.
    index_files: OnceLock<Arc<IndexFiles>>,
    handouts: Option<Handouts>,
}

/// A copy of the repository, without the files of [`is_agent_configuration`].
#[derive(Debug)]
pub(crate) struct RepositoryCopy {
    /// Where it is.
    pub(crate) folder: PathBuf,
    /// Names what is in it: the same name, the same content.
    pub(crate) content: String,
}

/// Makes a writer. In `work_dir` the folders of calls are made and deleted. [`Provider::Builtin`] is none of these writers.
/// Blocks for two file look-ups.
pub(crate) fn open(
    provider: Provider,
    model: &ModelId,
    settings: &CliSettings,
    tree: RepositoryCopy,
    work_dir: PathBuf,
) -> CliWriter {
    assert!(provider != Provider::Builtin, "the built-in writer is no command line");
    // commands name real paths in what they say, and those are taken out of messages; what is missing is told by a call
    let [folder, work_dir] = [tree.folder, work_dir].map(|path| path.canonicalize().unwrap_or(path));
    let (model, settings) = (model.clone(), settings.clone());
    let (tree, tree_content) = (folder, tree.content);
    // without a sandbox a call may change what it is given
    let handouts = (!settings.isolation.is_weak()).then(|| Handouts::new(&work_dir));
    CliWriter {
        provider,
        model,
        settings,
        tree,
        tree_content,
        work_dir,
        wishes: None,
        steering_digest: None,
        index_files: OnceLock::new(),
        handouts,
    }
}

#[async_trait]
impl Writer for CliWriter {
    fn version(&self) -> String {
        let steered = self.steering_digest.as_ref().map(|digest| format!("-{digest}")).unwrap_or_default();
        format!("{}-{}{steered}", self.provider, prompts::fingerprint())
    }

    fn learn(&self, index: &Index) {
        self.index_files.get_or_init(|| Arc::new(IndexFiles::of(index)));
    }

    async fn plan(&self, context: &CallContext, wish: &PlanWish) -> Result<Plan, WriterError> {
        let facts = json!({
            "project_name": wish.project_name,
            "repository": wish.repo_url,
            "repo_type": wish.repo_type,
        });
        let steering = self.wishes.clone();
        let answer = self
            .ask(context, Purpose::Plan, move |folder| {
                let facts = folder.add_data("wish.json", &pretty(&facts))?;
                let steering = add_wishes(folder, steering.as_deref())?;
                Ok(prompts::plan(&shown(&facts), steering.as_deref()))
            })
            .await?;
        let problem = match answers::read_plan(&answer, wish) {
            Ok(plan) => return Ok(plan),
            Err(problem) => problem,
        };
        tracing::info!(writer.provider = %self.provider, %problem, "the plan is asked for again");
        let steering = self.wishes.clone();
        let answer = self
            .ask(context, Purpose::Repair, move |folder| {
                let answer = folder.add_data("answer.txt", &answer)?;
                let problem = folder.add_data("problem.txt", &problem)?;
                let steering = add_wishes(folder, steering.as_deref())?;
                Ok(prompts::repair(&shown(&answer), &shown(&problem), steering.as_deref()))
            })
            .await?;
        answers::read_plan(&answer, wish).map_err(|problem| WriterError {
            failure: Failure::Protocol,
            message: format!("{} gave no usable plan, also when asked again: {problem}", self.provider),
        })
    }

    async fn write_page(&self, context: &CallContext, plan: &Plan, page: &PlannedPage) -> Result<String, WriterError> {
        let data = PageData::new(self, plan, page);
        self.ask_for_page(context, Purpose::Page, move |folder| Ok(prompts::page(&data.slug, &data.write(folder)?)))
            .await
    }

    async fn revise_page(
        &self,
        context: &CallContext,
        plan: &Plan,
        page: &PlannedPage,
        previous: &str,
        findings: &[String],
    ) -> Result<String, WriterError> {
        let data = PageData::new(self, plan, page);
        let (previous, findings) = (previous.to_owned(), findings.join("\n"));
        self.ask_for_page(context, Purpose::Revise, move |folder| {
            let paths = data.write(folder)?;
            let previous = folder.add_data("previous.md", &previous)?;
            let findings = folder.add_data("findings.txt", &findings)?;
            let texts = [shown(&previous), shown(&findings)];
            Ok(prompts::revise(&data.slug, &paths, [&texts[0], &texts[1]]))
        })
        .await
    }

    async fn revise_plan(
        &self,
        context: &CallContext,
        question: &PlanQuestion<'_>,
    ) -> Result<Result<PlanRevision, String>, WriterError> {
        updating::revise_plan(self, context, question).await
    }

    async fn edit_page(
        &self,
        context: &CallContext,
        plan: &Plan,
        page: &PlannedPage,
        previous: &str,
        changes: &[&Change],
    ) -> Result<Option<String>, WriterError> {
        updating::edit_page(self, context, PageData::new(self, plan, page), previous, changes).await
    }

    async fn rewrite_sections(
        &self,
        context: &CallContext,
        plan: &Plan,
        page: &PlannedPage,
        previous: &str,
        wishes: &[SectionWish<'_>],
    ) -> Result<Option<Vec<(usize, String)>>, WriterError> {
        updating::rewrite_sections(self, context, PageData::new(self, plan, page), previous, wishes).await
    }
}

impl CliWriter {
    /// The same writer, told what is wished of the documentation.
    pub(crate) fn steered_by(mut self, steering: &Steering) -> Self {
        self.wishes = steering.wishes().map(|wishes| pretty(&wishes));
        self.steering_digest = steering.digest();
        self
    }

    async fn ask_for_page(
        &self,
        context: &CallContext,
        purpose: Purpose,
        write_prompt: impl FnOnce(&CallFolder) -> io::Result<String> + Send + 'static,
    ) -> Result<String, WriterError> {
        let text = answers::clean_page(&self.ask(context, purpose, write_prompt).await?);
        if text.is_empty() {
            return Err(failure::failure(Failure::Empty, self.provider.as_str(), "the answer was empty"));
        }
        Ok(text)
    }
}

fn launch(
    provider: Provider,
    spec: &CallSpec,
    dirs: &CallDirs,
    program: call::Program,
    environment: &Environment,
) -> Launch {
    match provider {
        Provider::Claude => claude::launch(spec, dirs, program, environment),
        Provider::Gemini => gemini::launch(spec, dirs, program, environment),
        Provider::Cursor => cursor::launch(spec, dirs, program, environment),
        Provider::Builtin => unreachable!("`open` refuses it"),
    }
}

fn parse(provider: Provider, exit: Exit, stdout: &[u8], stderr: &[u8]) -> Result<CallOk, CallFailed> {
    match provider {
        Provider::Claude => claude::parse(exit, stdout, stderr),
        Provider::Gemini => gemini::parse(exit, stdout, stderr),
        Provider::Cursor => cursor::parse(exit, stdout, stderr),
        Provider::Builtin => unreachable!("`open` refuses it"),
    }
}

/// What the prompt of a page refers to, as files.
struct PageData {
    slug: String,
    page: String,
    plan: String,
    wishes: Option<String>,
    index: Option<Arc<IndexFiles>>,
}

impl PageData {
    fn new(writer: &CliWriter, plan: &Plan, page: &PlannedPage) -> Self {
        let (wishes, index) = (writer.wishes.clone(), writer.index_files.get().cloned());
        Self { slug: page.slug.to_string(), page: pretty(page), plan: pretty(plan), wishes, index }
    }

    /// Writes the files.
    fn write(&self, folder: &CallFolder) -> io::Result<PagePaths> {
        Ok(PagePaths {
            page: shown(&folder.add_data("page.json", &self.page)?),
            plan: shown(&folder.add_shared("plan.json", &self.plan)?),
            wishes: add_wishes(folder, self.wishes.as_deref())?,
            index: self.index.as_ref().map(|index| index.write(folder)).transpose()?,
        })
    }
}

/// Writes the wishes beside the other data; a prompt never holds them itself.
fn add_wishes(folder: &CallFolder, wishes: Option<&str>) -> io::Result<Option<String>> {
    wishes.map(|text| folder.add_shared("wishes.json", text).map(|path| shown(&path))).transpose()
}

fn pretty(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).expect("plans and pages are made of texts, lists and maps with text keys")
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[expect(clippy::needless_pass_by_value, reason = "it is passed to `map_err`")]
fn no_folder(error: io::Error) -> WriterError {
    tracing::error!(%error, "the folder of an AI call could not be made");
    WriterError {
        failure: Failure::Host,
        message: format!("no folder for the call could be made on this host: {error}"),
    }
}

#[cfg(test)]
mod parse_tests;
#[cfg(test)]
mod real_tests;
#[cfg(test)]
mod tests;
