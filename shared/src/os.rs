//! The only unsafe code of docmill: what must happen between fork and exec, and signals to processes we started.

use std::{io, os::unix::process::CommandExt, process::Command};

/// Whether this process runs as root.
#[expect(unsafe_code, reason = "geteuid has no safe form in std")]
pub fn is_root() -> bool {
    // SAFETY: geteuid takes nothing, touches no memory and cannot fail
    unsafe { libc::geteuid() == 0 }
}

/// Ends every process of a group at once. That the group is gone is not an error.
#[expect(unsafe_code, reason = "std can signal only a direct child, not a group")]
pub fn kill_group(group: u32) {
    let Some(group) = i32::try_from(group).ok().filter(|group| *group > 1) else {
        return;
    };
    // SAFETY: kill takes two numbers; the group is above 1, so it is neither our own nor every process
    unsafe {
        libc::kill(-group, libc::SIGKILL);
    }
}

/// No file that the child or its children write may grow above `file_bytes`: writing more fails with "File too large",
/// and the signal that would end the writer without a word is ignored. None of them may take more than `memory_bytes`
/// of memory of its own; files mapped for reading do not count.
#[expect(unsafe_code, reason = "limits of a child can only be set between fork and exec")]
pub fn limit_files_and_memory(command: &mut Command, file_bytes: u64, memory_bytes: u64) {
    // SAFETY: getrlimit and setrlimit touch only the local variable, signal sets no handler, and none allocates
    unsafe {
        command.pre_exec(move || {
            for (resource, bytes) in [(libc::RLIMIT_FSIZE, file_bytes), (libc::RLIMIT_DATA, memory_bytes)] {
                let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
                if libc::getrlimit(resource, &raw mut limit) != 0 {
                    return Err(io::Error::last_os_error());
                }
                // an ordinary user cannot raise a limit again
                limit.rlim_max = limit.rlim_max.min(bytes);
                limit.rlim_cur = limit.rlim_max;
                if libc::setrlimit(resource, &raw const limit) != 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            if libc::signal(libc::SIGXFSZ, libc::SIG_IGN) == libc::SIG_ERR {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        });
    }
}

/// The child gets `signal` when the thread that starts it ends, so start it from a thread that lives as long as this
/// process. Safe with `uid`/`gid` on the same command: the hook runs after they changed, as the kernel wants it.
#[expect(unsafe_code, reason = "a death signal can only be asked for between fork and exec")]
pub fn die_with_parent(command: &mut Command, signal: i32) {
    let parent = std::process::id();
    // SAFETY: the closure calls only async-signal-safe functions and does not allocate
    unsafe {
        command.pre_exec(move || {
            let kernel_signal = libc::c_ulong::from(signal.unsigned_abs());
            if libc::prctl(libc::PR_SET_PDEATHSIG, kernel_signal) != 0 {
                return Err(io::Error::last_os_error());
            }
            // the parent may have died before the line above
            if libc::getppid().unsigned_abs() != parent {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            Ok(())
        });
    }
}
