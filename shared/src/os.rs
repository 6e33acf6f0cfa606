//! The only unsafe code of docmill: what must happen between fork and exec, and signals to processes we started.

use std::{io, os::unix::process::CommandExt, process::Command};

/// Whether this process runs as root.
#[expect(unsafe_code, reason = "geteuid has no safe form in std")]
pub fn is_root() -> bool {
    // SAFETY: geteuid takes nothing, touches no memory and cannot fail
    unsafe { libc::geteuid() == 0 }
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

/// Limits the address space of the child to this many bytes: what asks for more gets an error, and a process that cannot
/// live with it ends by itself. Inherited by the child's own children.
#[expect(unsafe_code, reason = "a limit for the child alone can only be set between fork and exec")]
pub fn limit_memory(command: &mut Command, bytes: u64) {
    // SAFETY: the closure calls only setrlimit, which is async-signal-safe, and does not allocate
    unsafe {
        command.pre_exec(move || {
            let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
            if libc::setrlimit(libc::RLIMIT_AS, &raw const limit) != 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_told_its_memory_limit_and_keeps_it() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "ulimit -v"]);
        limit_memory(&mut command, 512 << 20);
        let output = command.output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), (512 << 10).to_string());
    }
}
