//! The one program: `docmill serve | api | worker | migrate | try | import-docsfy | check`.

mod commands;
mod data_dir;
mod database;
mod signals;
mod instance;
mod first_site;
mod progress;

use std::process::ExitCode;

use anyhow::Context;
use clap::{
    CommandFactory, Parser, Subcommand,
    error::{ContextKind, ContextValue},
};
use shared::{settings::CommonSettings, telemetry};

/// Niceness of a worker process.
const NICENESS_OF_WORKERS: i32 = 5;

/// Turns any Git repository into a documentation site whose claims can be traced to the code.
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true, max_term_width = 110)]
struct Program {
    #[command(flatten)]
    common: CommonSettings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// API and worker in one process, with a Postgres of its own unless `DATABASE_URL` is set
    Serve(commands::serve::ServeSettings),
    /// The API alone; needs `DATABASE_URL`, `ADMIN_KEY` and `KEY_PEPPER_FILE`
    Api(commands::api::ApiOnlySettings),
    /// A worker alone; needs `DATABASE_URL`
    Worker(commands::worker::WorkerOnlySettings),
    /// Brings the database schema up to date and ends
    Migrate(commands::migrate::MigrateSettings),
    /// Makes the site of one repository and shows it, with nothing to set up
    Try(commands::try_repo::TrySettings),
    /// Brings over users, grants and sites of docsfy 1.2 to 1.9 from its data folder
    ImportDocsfy(commands::import_docsfy::ImportSettings),
    /// Checks any folder of documentation against its repository, without a model
    Check(commands::check::CheckSettings),
    /// Parses foreign source from standard input; workers start this, not people
    #[command(hide = true)]
    ParseSource,
}

fn main() -> ExitCode {
    // children that meet hostile input read neither `.env` nor settings
    let command = std::env::args_os().nth(1);
    match &command {
        Some(argument) if argument == "parse-source" => return finish(worker::parse_source_child()),
        Some(argument) if argument == worker::LAUNCH_COMMAND => {
            std::process::exit(worker::launch_child(std::env::args_os().skip(2)))
        }
        _ => {}
    }
    // docsfy's `.env` in the current folder works here too; real variables win. `check` has no settings, and its current folder
    // is often somebody's repository
    let is_check = command.is_some_and(|argument| argument == "check");
    if !is_check
        && let Err(error) = dotenvy::dotenv()
        && !error.not_found()
    {
        return finish(Err(anyhow::anyhow!("the file `.env` cannot be read: {error}")));
    }
    match Program::try_parse() {
        // its code says whether the grade is good enough, and it needs neither settings nor a runtime
        Ok(Program { command: Command::Check(settings), .. }) => commands::check::check(settings),
        Ok(program) => finish(start(program)),
        // code 2, as for everything that keeps it from checking
        Err(error) if is_check => error.exit(),
        Err(error) => match wrong_setting(&error) {
            Some(sentence) => finish(Err(anyhow::anyhow!(sentence))),
            None => error.exit(),
        },
    }
}

/// One sentence about a value that does not fit, under the name that people know: that of the environment variable.
fn wrong_setting(error: &clap::Error) -> Option<String> {
    use std::error::Error;
    let ContextValue::String(argument) = error.get(ContextKind::InvalidArg)? else { return None };
    let ContextValue::String(value) = error.get(ContextKind::InvalidValue)? else { return None };
    let flag = argument.trim_start_matches("--").split_whitespace().next()?;
    let program = Program::command();
    let declared = program.get_subcommands().flat_map(clap::Command::get_arguments).chain(program.get_arguments());
    let variable = declared.filter(|declared| declared.get_long() == Some(flag)).find_map(clap::Arg::get_env)?;
    let reason = match (error.source(), error.get(ContextKind::ValidValue)) {
        (_, Some(ContextValue::Strings(valid))) => format!("use one of {}", valid.join(", ")),
        (Some(source), _) => source.to_string(),
        _ => return None,
    };
    Some(format!("{} (--{flag}) `{}` is not valid: {reason}", variable.display(), value.escape_debug()))
}

fn start(program: Program) -> anyhow::Result<()> {
    let level = match program.command {
        // what it says of its progress is what people look at
        Command::Try(_) | Command::ImportDocsfy(_) if program.common.log_level == "info" => "warn",
        _ => &program.common.log_level,
    };
    telemetry::start(level)?;
    if let Command::Worker(_) = &program.command {
        // who answers people on the same host comes first
        shared::os::step_back_to(NICENESS_OF_WORKERS).context("cannot lower the priority")?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        match program.command {
            Command::Serve(settings) => commands::serve::serve(settings).await,
            Command::Api(settings) => commands::api::run_api(settings).await,
            Command::Worker(settings) => commands::worker::run_worker(settings).await,
            Command::Migrate(settings) => commands::migrate::migrate(settings).await,
            Command::Try(settings) => commands::try_repo::try_repository(settings).await,
            Command::ImportDocsfy(settings) => commands::import_docsfy::import(settings).await,
            Command::ParseSource => worker::parse_source_child(),
            // done before a runtime is made
            Command::Check(_) => Ok(()),
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    result
}

fn finish(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("docmill: {error:#}");
            ExitCode::FAILURE
        }
    }
}
