//! The only unsafe code of docmill: what must happen between fork and exec, and signals to processes we started.

use std::{
    fs::File,
    io,
    os::{fd::AsRawFd, unix::process::CommandExt},
    process::Command,
};

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
