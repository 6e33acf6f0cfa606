//! The only unsafe code of docmill: what must happen between fork and exec, and signals to processes we started.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::Command,
};

/// Whether this process runs as root.
#[expect(unsafe_code, reason = "geteuid has no safe form in std")]
pub fn is_root() -> bool {
    // SAFETY: geteuid takes nothing, touches no memory and cannot fail
    unsafe { libc::geteuid() == 0 }
}

/// Gives memory that is free inside this process back to the system. After a site was rendered that is most of it, and
/// every later fork would copy its page tables.
#[expect(unsafe_code, reason = "malloc_trim has no safe form in std")]
pub fn return_free_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim takes a number and only touches memory that is not in use; it may run beside any other thread
    unsafe {
        libc::malloc_trim(0);
    }
}

/// The child gets `signal` when the thread that starts it ends, so start it from a thread that lives as long as this
/// process. Safe with `uid`/`gid` on the same command: the hook runs after they changed, as the kernel wants it.
pub fn die_with_parent(command: &mut Command, signal: i32) {
    die_with(command, std::process::id(), signal);
}

/// The same for a command that this process is to become by `exec`, and whose parent is `parent`.
#[expect(unsafe_code, reason = "a death signal can only be asked for between fork and exec")]
pub fn die_with(command: &mut Command, parent: u32, signal: i32) {
    // SAFETY: the closure calls only async-signal-safe functions and does not allocate
    unsafe {
        command.pre_exec(move || end_with(parent, signal));
    }
}

/// The same for this process.
#[expect(unsafe_code, reason = "neither prctl nor getppid has a safe form in std")]
pub fn end_with(parent: u32, signal: i32) -> io::Result<()> {
    let kernel_signal = libc::c_ulong::from(signal.unsigned_abs());
    // SAFETY: prctl with this option and getppid take numbers and touch no memory
    let now = unsafe {
        check(libc::prctl(libc::PR_SET_PDEATHSIG, kernel_signal))?;
        libc::getppid()
    };
    // the parent may have died before
    if now.unsigned_abs() == parent { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
}

/// Sends a signal to one process.
#[expect(unsafe_code, reason = "kill has no safe form in std")]
pub fn send_signal(pid: u32, signal: i32) -> io::Result<()> {
    // zero and what does not fit would be whole groups of processes
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0).ok_or(io::ErrorKind::InvalidInput)?;
    // SAFETY: kill touches no memory of ours
    match unsafe { libc::kill(pid, signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Waits until everything written to the file system that holds `file` survives a power cut.
#[expect(unsafe_code, reason = "syncfs has no safe form in std")]
pub fn sync_filesystem(file: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open for as long as `file` is borrowed
    match unsafe { libc::syncfs(file.as_raw_fd()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The child leads a session and a process group of its own: signals to our terminal do not reach it, and one signal to
/// its group reaches what it started.
#[expect(unsafe_code, reason = "a session can only be opened between fork and exec")]
pub fn own_session(command: &mut Command) {
    // SAFETY: setsid is async-signal-safe and touches no memory
    unsafe {
        command.pre_exec(|| check(libc::setsid()).map(drop));
    }
}

/// Niceness of the programs that a worker starts.
const NICENESS_OF_CHILDREN: i32 = 10;

/// The child and what it starts get the processor only when nobody of usual priority wants it: those who answer people come
/// first.
#[expect(unsafe_code, reason = "the priority of a child can only be set between fork and exec")]
pub fn lower_priority(command: &mut Command) {
    // SAFETY: the closure calls only an async-signal-safe function and does not allocate
    unsafe {
        command.pre_exec(step_back);
    }
}

/// The same for this process; to be called before it starts a thread.
pub fn step_back() -> io::Result<()> {
    step_back_to(NICENESS_OF_CHILDREN)
}

/// Lowers the priority of this process to a niceness from 0 to 19, unless it is lower already. To be called before it starts a
/// thread.
#[expect(unsafe_code, reason = "getpriority and setpriority have no safe form in std")]
pub fn step_back_to(niceness: i32) -> io::Result<()> {
    // SAFETY: both take numbers and touch no memory
    unsafe {
        // only a privileged process may come forward again
        let niceness = niceness.max(libc::getpriority(libc::PRIO_PROCESS, 0));
        check(libc::setpriority(libc::PRIO_PROCESS, 0, niceness)).map(drop)
    }
}

/// What a child may take; everything it starts is bound, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Resource {
    /// Files open at the same time.
    OpenFiles,
    /// Bytes of the largest file it may write; who writes more is ended by `SIGXFSZ`, see [`ignore_large_file_signal`].
    FileBytes,
    /// Bytes of address space, files mapped for reading included: what asks for more gets an error.
    AddressSpaceBytes,
    /// Bytes of memory of its own; files mapped for reading do not count.
    DataBytes,
    /// Bytes of a core file.
    CoreBytes,
    /// No limit but a mark, a number that nobody but its author would choose. It is kept as the limit of "file locks",
    /// which Linux has ignored since 2.4.25: descendants inherit it whatever session, environment or parent they have, and
    /// anyone may read it in `/proc/PID/limits`.
    Mark,
}

impl Resource {
    fn number(self) -> libc::__rlimit_resource_t {
        const FILE_LOCKS: libc::__rlimit_resource_t = 10;
        match self {
            Self::OpenFiles => libc::RLIMIT_NOFILE,
            Self::FileBytes => libc::RLIMIT_FSIZE,
            Self::AddressSpaceBytes => libc::RLIMIT_AS,
            Self::DataBytes => libc::RLIMIT_DATA,
            Self::CoreBytes => libc::RLIMIT_CORE,
            Self::Mark => FILE_LOCKS,
        }
    }
}

/// Limits a child.
#[expect(unsafe_code, reason = "limits of a child can only be set between fork and exec")]
pub fn limit(command: &mut Command, limits: Vec<(Resource, u64)>) {
    // SAFETY: the closure calls only async-signal-safe functions and does not allocate
    unsafe {
        command.pre_exec(move || limits.iter().try_for_each(|(resource, value)| limit_this(*resource, *value)));
    }
}

/// Limits this process and everything that it starts from now on.
#[expect(unsafe_code, reason = "limits have no safe form in std")]
pub fn limit_this(resource: Resource, value: u64) -> io::Result<()> {
    let mut current = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: getrlimit and setrlimit read and write only the local variables
    unsafe {
        check(libc::getrlimit(resource.number(), &raw mut current))?;
        // an ordinary user cannot raise a limit again
        let value = value.min(current.rlim_max);
        let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
        check(libc::setrlimit(resource.number(), &raw const limit)).map(drop)
    }
}

/// A child that writes more than [`Resource::FileBytes`] gets the error "File too large" instead of a signal that would end
/// it without a word.
#[expect(unsafe_code, reason = "a signal of a child can only be ignored between fork and exec")]
pub fn ignore_large_file_signal(command: &mut Command) {
    // SAFETY: signal sets no handler and touches no memory
    unsafe {
        command.pre_exec(|| match libc::signal(libc::SIGXFSZ, libc::SIG_IGN) {
            libc::SIG_ERR => Err(io::Error::last_os_error()),
            _ => Ok(()),
        });
    }
}

/// Takes every capability from the child for good, also when it runs as root, and any way to win one by executing a
/// set-user-id file.
#[expect(unsafe_code, reason = "a child's capabilities can only be dropped between fork and exec")]
pub fn drop_privileges(command: &mut Command) {
    // version 3 of the header, this process; three sets of 64 bits in two halves
    let header = [0x2008_0522_u32, 0];
    let no_capabilities = [0_u32; 6];
    // SAFETY: prctl and capset read only the arrays moved into the closure, which are of the sizes the kernel expects
    unsafe {
        command.pre_exec(move || {
            let (yes, unused): (libc::c_ulong, libc::c_ulong) = (1, 0);
            check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, yes, unused, unused, unused))?;
            // ends with EINVAL behind the last capability of this kernel, with EPERM for those who have none to drop
            for capability in 0..64 {
                let capability: libc::c_ulong = capability;
                if libc::prctl(libc::PR_CAPBSET_DROP, capability, unused, unused, unused) != 0 {
                    break;
                }
            }
            if libc::syscall(libc::SYS_capset, header.as_ptr(), no_capabilities.as_ptr()) != 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        });
    }
}

/// Puts the child under a Landlock ruleset that was built before. Comes after [`drop_privileges`], without which the
/// kernel refuses.
#[expect(unsafe_code, reason = "a child can only be restricted between fork and exec")]
pub fn restrict_by_landlock(command: &mut Command, ruleset: OwnedFd) {
    // SAFETY: the system call takes two numbers; the closure owns the descriptor, so that it is open when it runs
    unsafe {
        command.pre_exec(move || {
            if libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0_u32) != 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        });
    }
}

/// The version of Landlock that this kernel enforces; `None` where it has none or it is switched off.
#[expect(unsafe_code, reason = "neither std nor the landlock crate tells the version")]
pub fn landlock_version() -> Option<u32> {
    const CREATE_RULESET_VERSION: u32 = 1;
    // SAFETY: with this flag the kernel reads no memory and returns a number or an error
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, CREATE_RULESET_VERSION)
    };
    u32::try_from(version).ok().filter(|version| *version > 0)
}

/// Signals of this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Asks a process to end.
    Terminate,
    /// Ends a process.
    Kill,
}

impl Signal {
    /// The number that the kernel knows it by.
    pub fn number(self) -> i32 {
        match self {
            Self::Terminate => libc::SIGTERM,
            Self::Kill => libc::SIGKILL,
        }
    }
}

/// Sends a signal to every process of a group. That the group is gone is not an error.
#[expect(unsafe_code, reason = "std can signal only a direct child, not a group")]
pub fn signal_group(group: u32, signal: Signal) {
    let Some(group) = i32::try_from(group).ok().filter(|group| *group > 1) else {
        return;
    };
    // SAFETY: kill takes two numbers; the group is above 1, so it is neither our own nor every process
    unsafe {
        libc::kill(-group, signal.number());
    }
}

/// A process that keeps meaning the same process even if its number is given to another one.
#[derive(Debug)]
pub struct ProcessHandle(OwnedFd);

impl ProcessHandle {
    /// Opens the process that has this number now; `None` when there is none.
    #[expect(unsafe_code, reason = "std has no pidfd_open")]
    pub fn open(pid: u32) -> Option<Self> {
        // SAFETY: pidfd_open takes two numbers and returns a new descriptor or an error
        let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0_u32) };
        let descriptor = i32::try_from(descriptor).ok().filter(|descriptor| *descriptor >= 0)?;
        // SAFETY: the kernel has just given us this descriptor and nobody else knows it
        Some(Self(unsafe { OwnedFd::from_raw_fd(descriptor) }))
    }

    /// Sends a signal; that the process has ended is not an error.
    #[expect(unsafe_code, reason = "std has no pidfd_send_signal")]
    pub fn signal(&self, signal: Signal) {
        let no_details = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: the descriptor is open for as long as `self`, and a null pointer stands for ordinary details
        unsafe {
            libc::syscall(libc::SYS_pidfd_send_signal, self.0.as_raw_fd(), signal.number(), no_details, 0_u32);
        }
    }
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_told_its_memory_limit_and_keeps_it() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "ulimit -v"]);
        limit(&mut command, vec![(Resource::AddressSpaceBytes, 512 << 20)]);
        let output = command.output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), (512 << 10).to_string());
    }
}
