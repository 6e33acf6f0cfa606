//! How an AI command line is kept from the rest of this host: Landlock, bubblewrap, or limits alone.

use std::{
    io,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use shared::{
    os::{self, Resource},
    settings::Sandbox,
};

use super::{
    call::{CallDirs, Launch},
    marks::Mark,
};
use crate::launch::{self, FileRules, Restrictions, Rules};

/// Largest file that a command may write. Output is ended far below it by `process`; this holds between two looks, for what
/// it writes to its streams as well, which stands in memory.
const FILE_BYTES: u64 = 64 << 20;
const OPEN_FILES: u64 = 4096;

/// What programs are made of, and what they need to speak TLS: read and execute.
const SYSTEM_PROGRAMS: [&str; 6] = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32"];
/// What programs want to know about the host: read only. A process outside of the sandbox cannot be looked into through
/// `/proc`: that asks for the right to trace it, which Landlock refuses.
const SYSTEM_FACTS: [&str; 17] = [
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/nsswitch.conf",
    "/etc/localtime",
    "/etc/passwd",
    "/etc/group",
    "/etc/ld.so.cache",
    "/proc",
    "/sys/fs/cgroup",
    "/sys/devices/system/cpu",
    "/dev/urandom",
    "/dev/random",
];
/// Devices that are written to.
const SYSTEM_DEVICES: [&str; 2] = ["/dev/null", "/dev/zero"];

const FIRST_VERSION_WITH_TCP: u32 = 4;

/// The isolation in force on this host, found once at start.
#[derive(Debug, Clone)]
pub(crate) struct Isolation {
    kind: Kind,
    landlock: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Landlock,
    Bubblewrap(PathBuf),
    LimitsAlone,
}

impl Isolation {
    /// One line for the log and `/ready`.
    pub(crate) fn describe(&self) -> String {
        let tcp = match self.landlock {
            Some(version) if version >= FIRST_VERSION_WITH_TCP => "TCP to the provider's ports only",
            _ => "network not limited",
        };
        match (&self.kind, self.landlock) {
            (Kind::Landlock, version) => format!("landlock {}, {tcp}", version.unwrap_or_default()),
            (Kind::Bubblewrap(_), _) => format!("bubblewrap, {tcp}"),
            (Kind::LimitsAlone, _) => "resource limits alone".into(),
        }
    }

    /// Whether files outside of a call's folders can be read, so that a warning is due.
    pub(crate) fn is_weak(&self) -> bool {
        self.kind == Kind::LimitsAlone
    }
}

/// Finds what isolation is in force. The error is one sentence, for a start that must not go on. Blocks.
pub(crate) fn probe(wanted: Sandbox) -> Result<Isolation, String> {
    let landlock = os::landlock_version();
    let with = |kind| Ok(Isolation { kind, landlock });
    let bubblewrap = || usable_bubblewrap(landlock);
    match wanted {
        Sandbox::Off => with(Kind::LimitsAlone),
        Sandbox::Auto if landlock.is_none() => with(Kind::LimitsAlone),
        Sandbox::Auto => with(Kind::Landlock),
        Sandbox::Landlock | Sandbox::Required if landlock.is_some() => with(Kind::Landlock),
        Sandbox::Landlock => Err("SANDBOX is `landlock`, and this kernel has no Landlock or it is switched off".into()),
        Sandbox::Bwrap => with(Kind::Bubblewrap(bubblewrap().map_err(|why| format!("SANDBOX is `bwrap`, and {why}"))?)),
        Sandbox::Required => with(Kind::Bubblewrap(
            bubblewrap().map_err(|why| format!("SANDBOX is `required`, this kernel has no Landlock, and {why}"))?,
        )),
    }
}

/// The command that starts a launch under this isolation: limits and own session always, files and network as far as the
/// host can.
pub(super) fn command(
    isolation: &Isolation,
    launch: &Launch,
    dirs: &CallDirs,
    ports: &[u16],
    mark: Mark,
) -> io::Result<Command> {
    let program = &launch.program;
    let restrictions = Restrictions {
        own_session: true,
        limits: vec![
            (Resource::OpenFiles, OPEN_FILES),
            (Resource::FileBytes, FILE_BYTES),
            (Resource::CoreBytes, 0),
            (Resource::Mark, mark.number()),
        ],
        unprivileged: true,
        rules: match isolation.kind {
            Kind::Landlock => Some(Rules { files: Some(file_rules(&program.readable, dirs)), ports: ports.to_vec() }),
            Kind::Bubblewrap(_) => network_rules(isolation.landlock, ports),
            Kind::LimitsAlone => None,
        },
        ..Restrictions::default()
    };
    let mut command = match &isolation.kind {
        Kind::Bubblewrap(bubblewrap) => {
            let mut command = launch::command(bubblewrap.as_os_str(), &restrictions)?;
            command.args(bubblewrap_system()).args(bubblewrap_folders(&program.readable, dirs));
            command.arg("--chdir").arg(&dirs.tree).arg("--").arg(&program.executable);
            command
        }
        Kind::Landlock | Kind::LimitsAlone => launch::command(program.executable.as_os_str(), &restrictions)?,
    };
    command.args(&program.first_arguments).args(&launch.arguments).current_dir(&dirs.tree);
    command.envs(launch.environment.iter().map(|(name, value)| (name, value)));
    Ok(command)
}

fn file_rules(program_files: &[PathBuf], dirs: &CallDirs) -> FileRules {
    let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
    let mut rules = FileRules {
        programs: paths(&SYSTEM_PROGRAMS),
        readable: paths(&SYSTEM_FACTS),
        writable: vec![dirs.home.clone(), dirs.temporary.clone()],
        devices: paths(&SYSTEM_DEVICES),
    };
    rules.programs.extend_from_slice(program_files);
    rules.readable.extend([dirs.tree.clone(), dirs.data.clone()]);
    rules
}

/// Bubblewrap hides files, and leaves the network as it is: the ports are Landlock's, where the kernel has it.
fn network_rules(landlock: Option<u32>, ports: &[u16]) -> Option<Rules> {
    landlock.filter(|version| *version >= FIRST_VERSION_WITH_TCP)?;
    Some(Rules { files: None, ports: ports.to_vec() })
}

fn bubblewrap_system() -> Vec<String> {
    let namespaces = ["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"];
    let mut arguments: Vec<String> = ["--die-with-parent", "--new-session", "--cap-drop", "ALL"]
        .into_iter()
        .chain(namespaces)
        .map(Into::into)
        .collect();
    let bind = |path: &&str| !["/proc", "/dev"].iter().any(|mounted| path.starts_with(mounted));
    for path in SYSTEM_PROGRAMS.iter().chain(&SYSTEM_FACTS).filter(|path| bind(path)) {
        match std::fs::read_link(path) {
            // `/bin` is a link into `/usr` on most systems
            Ok(target) if SYSTEM_PROGRAMS.contains(path) => {
                arguments.extend(["--symlink".into(), target.display().to_string(), (*path).into()]);
            }
            _ => arguments.extend(["--ro-bind-try".into(), (*path).into(), (*path).into()]),
        }
    }
    arguments.extend(["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"].map(Into::into));
    arguments
}

/// Folders keep their paths inside, so that a prompt names a file by one path whatever the isolation.
fn bubblewrap_folders<'a>(program_files: &'a [PathBuf], dirs: &'a CallDirs) -> Vec<&'a std::ffi::OsStr> {
    let read = program_files.iter().filter(|folder| !folder.starts_with("/usr")).chain([&dirs.tree, &dirs.data]);
    let read = read.flat_map(|folder| ["--ro-bind".as_ref(), folder.as_os_str(), folder.as_os_str()]);
    let write = [&dirs.home, &dirs.temporary];
    let write = write.into_iter().flat_map(|folder| ["--bind".as_ref(), folder.as_os_str(), folder.as_os_str()]);
    read.chain(write).collect()
}

/// Finds bubblewrap and starts it once as a call would, since containers and some distributions forbid what it needs.
fn usable_bubblewrap(landlock: Option<u32>) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    let bubblewrap = folders.map(|folder| folder.join("bwrap")).find(|candidate| candidate.is_file());
    let bubblewrap = bubblewrap.ok_or("`bwrap` is not on the PATH: install the package `bubblewrap`")?;
    let restrictions =
        Restrictions { unprivileged: true, rules: network_rules(landlock, &[443]), ..Restrictions::default() };
    let command = launch::command(bubblewrap.as_os_str(), &restrictions);
    let mut command = command.map_err(|error| format!("Landlock failed: {error}"))?;
    command.args(bubblewrap_system()).args(["--", "/bin/sh", "-c", "exit 0"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let works = ends_well(&mut command, Duration::from_secs(10));
    works.then_some(bubblewrap).ok_or_else(|| {
        "`bwrap` cannot open its namespaces here (a container's seccomp profile or AppArmor forbids it)".to_owned()
    })
}

fn ends_well(command: &mut Command, patience: Duration) -> bool {
    let Ok(mut child) = command.spawn() else { return false };
    let deadline = Instant::now() + patience;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            _ => {
                // it is ours and of no use any more; that it ends is all there is to know
                drop(child.kill().and_then(|()| child.wait()));
                return false;
            }
        }
    }
}
