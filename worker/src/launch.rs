//! Starting foreign programs under restrictions. A fork of this process would copy its page tables for every call of git or
//! of an AI command line, which costs more than most of these calls; so a launcher is started (`docmill-launch PARENT
//! RESTRICTIONS PROGRAM ARGUMENT...`, by `posix_spawn`, which copies nothing), restricts itself and becomes the program.
//! `docmill launch` does the same where there is no `docmill-launch` beside it: until a program as large as this one is
//! ready to run it takes ten times as long.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::{fd::AsRawFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::Context;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, Scope, path_beneath_rules,
};
use serde::{Deserialize, Serialize};
use shared::os::{self, Resource, Signal};

/// The command of this program that launches.
pub const COMMAND: &str = "launch";
/// The program that does the same and nothing else.
const LAUNCHER: &str = "docmill-launch";
/// What [`LAUNCHER`] says to `--version`. One of another version may know other restrictions and is not used.
const VERSION: &str = concat!("docmill-launch ", env!("CARGO_PKG_VERSION"));
/// Exit code of a launcher that could not start the program. What it says on stderr then begins with [`FAILED_PREFIX`].
const FAILED: i32 = 125;
/// See [`FAILED`].
const FAILED_PREFIX: &str = "docmill launch: ";

/// The newest version of Landlock that [`Rules`] know; an older kernel enforces what it can of them.
const RULES: ABI = ABI::V6;

static LAUNCH: OnceLock<Launcher> = OnceLock::new();

/// How a launcher is started.
struct Launcher {
    program: PathBuf,
    command: Option<&'static str>,
    /// Kept open: an update while this process runs does not change what it starts.
    _file: Option<File>,
}

impl Launcher {
    /// [`LAUNCHER`] beside a program.
    fn beside(program: &Path) -> Option<Self> {
        let file = File::open(program.canonicalize().ok()?.with_file_name(LAUNCHER)).ok()?;
        let program = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let said = Command::new(&program).arg("--version").env_clear().output().ok()?;
        let is_ours = said.stdout.trim_ascii_end() == VERSION.as_bytes();
        is_ours.then_some(Self { program, command: None, _file: Some(file) })
    }
}

/// Says where this program is, once per process; before that, and in tests of this crate, children are forked. Blocks for a
/// few milliseconds.
pub(crate) fn use_program(program: &Path) {
    let launcher = Launcher::beside(program).unwrap_or_else(|| {
        tracing::info!("there is no `{LAUNCHER}` of this version beside this program, which starts programs itself");
        Launcher { program: program.to_owned(), command: Some(COMMAND), _file: None }
    });
    // a second worker in the same process is of the same program
    let _ = LAUNCH.set(launcher);
}

/// What binds a program and everything it starts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Restrictions {
    /// It leads a session of its own.
    pub(crate) own_session: bool,
    /// What it may take.
    pub(crate) limits: Vec<(Resource, u64)>,
    /// A file that grows above its limit is an error and not the end.
    pub(crate) ignores_large_files: bool,
    /// It has no capability, also when it runs as root.
    pub(crate) unprivileged: bool,
    /// What Landlock lets it do.
    pub(crate) rules: Option<Rules>,
}

/// What Landlock lets a program do; all else is refused.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    /// Files and folders, or everything.
    pub(crate) files: Option<FileRules>,
    /// Ports of other hosts that it may connect to by TCP.
    pub(crate) ports: Vec<u16>,
}

/// Files and folders, with all that is below them. What does not exist is left out.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileRules {
    /// To be read and executed.
    pub(crate) programs: Vec<PathBuf>,
    /// To be read.
    pub(crate) readable: Vec<PathBuf>,
    /// To be read and changed, and not executed.
    pub(crate) writable: Vec<PathBuf>,
    /// Devices to be read and written.
    pub(crate) devices: Vec<PathBuf>,
}

/// A program that starts restricted, with an empty environment and lower priority than this process, and ends with it.
/// Arguments, environment, folder and streams are for the caller to add.
pub(crate) fn command(program: &OsStr, restrictions: &Restrictions) -> io::Result<Command> {
    let written = serde_json::to_string(restrictions);
    let mut command = if let (Some(launcher), Ok(written)) = (LAUNCH.get(), written) {
        let mut command = Command::new(&launcher.program);
        command.args(launcher.command).args([&std::process::id().to_string(), &written]).arg(program);
        command
    } else {
        // a path that is not UTF-8 cannot be written
        let mut command = Command::new(program);
        restrict(&mut command, restrictions, std::process::id())?;
        command
    };
    command.env_clear();
    Ok(command)
}

/// `docmill launch` with what comes after it: restricts this process and becomes the program. Comes back, with an exit
/// code, only when that fails.
pub fn launch_child(arguments: impl Iterator<Item = OsString>) -> i32 {
    let error = become_program(arguments);
    eprintln!("{FAILED_PREFIX}{error:#}");
    FAILED
}

/// The whole of `docmill-launch`.
pub fn run_launcher() -> i32 {
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.peek().is_some_and(|first| first == "--version") {
        println!("{VERSION}");
        return 0;
    }
    launch_child(arguments)
}

/// Why the program was not even started, read off how this one ended instead of it.
pub(crate) fn failure(code: Option<i32>, stderr: &str) -> Option<String> {
    let reason = stderr.strip_prefix(FAILED_PREFIX).filter(|_| code == Some(FAILED))?;
    Some(reason.trim().to_owned())
}

fn become_program(mut arguments: impl Iterator<Item = OsString>) -> anyhow::Error {
    let prepared = (|| {
        let mut next = || arguments.next().context("an argument is missing");
        let parent = next()?.to_str().and_then(|parent| parent.parse().ok()).context("no process has this number")?;
        let restrictions: Restrictions = serde_json::from_str(&next()?.to_string_lossy())?;
        let mut command = Command::new(next()?);
        command.args(arguments);
        restrict(&mut command, &restrictions, parent)?;
        anyhow::Ok(command)
    })();
    match prepared {
        Ok(mut command) => command.exec().into(),
        Err(error) => error,
    }
}

/// Everything that allocates happens here, before a fork.
fn restrict(command: &mut Command, restrictions: &Restrictions, parent: u32) -> io::Result<()> {
    os::lower_priority(command);
    if restrictions.own_session {
        os::own_session(command);
    }
    os::limit(command, restrictions.limits.clone());
    if restrictions.ignores_large_files {
        os::ignore_large_file_signal(command);
    }
    if restrictions.unprivileged {
        os::drop_privileges(command);
    }
    let ruleset = restrictions.rules.as_ref().map(Rules::build).transpose().map_err(io::Error::other)?;
    if let Some(ruleset) = ruleset.and_then(Option::from) {
        os::restrict_by_landlock(command, ruleset);
    }
    os::die_with(command, parent, Signal::Kill.number());
    Ok(())
}

impl Rules {
    fn build(&self) -> Result<RulesetCreated, RulesetError> {
        let ruleset = Ruleset::default().set_compatibility(CompatLevel::BestEffort);
        let ruleset = ruleset.handle_access(AccessNet::from_all(RULES))?;
        let created = match &self.files {
            None => ruleset.create()?,
            Some(files) => files.build(ruleset)?,
        };
        created
            .add_rules(self.ports.iter().map(|port| Ok::<_, RulesetError>(NetPort::new(*port, AccessNet::ConnectTcp))))
    }
}

impl FileRules {
    fn build(&self, ruleset: Ruleset) -> Result<RulesetCreated, RulesetError> {
        let look = AccessFs::ReadFile | AccessFs::ReadDir;
        let change: BitFlags<AccessFs> = AccessFs::from_all(RULES) & !AccessFs::Execute;
        ruleset
            .handle_access(AccessFs::from_all(RULES))?
            .scope(Scope::from_all(RULES))?
            .create()?
            .add_rules(path_beneath_rules(&self.programs, look | AccessFs::Execute))?
            .add_rules(path_beneath_rules(&self.readable, look))?
            .add_rules(path_beneath_rules(&self.devices, AccessFs::ReadFile | AccessFs::WriteFile))?
            .add_rules(path_beneath_rules(&self.writable, change))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failure_of_this_program_itself_is_taken_for_one() {
        let said = format!("{FAILED_PREFIX}Permission denied (os error 13)\n");
        assert_eq!(failure(Some(FAILED), &said).as_deref(), Some("Permission denied (os error 13)"));
        assert_eq!(failure(Some(128), &said), None);
        assert_eq!(failure(Some(FAILED), "fatal: Permission denied\n"), None);
        assert_eq!(failure(None, &said), None);
    }
}
