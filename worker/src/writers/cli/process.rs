//! Runs any launch: in its own session, under limits and a sandbox, watched, and ended with everything it started.
//! The only place that starts AI command lines.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::process::ExitStatusExt,
    process::{Command, ExitStatus},
    sync::{OnceLock, mpsc},
    thread,
    time::Duration,
};

use shared::os::{self, Signal};
use tokio::{
    process::Child,
    runtime::Handle,
    sync::oneshot,
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout},
};

use super::{
    call::{Exit, Launch},
    folder::{CallFolder, Streams},
    marks::Mark,
    sandbox::{self, Isolation},
};
use crate::{
    launch,
    writers::{CallContext, Failure, WriterError},
};

/// Most bytes that a command may write to stdout, and to stderr.
pub(super) const MAX_OUTPUT_BYTES: u64 = 10 << 20;

/// How often the size of the output is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a command that was asked to end gets before it is killed.
const GRACE: Duration = Duration::from_secs(5);
/// The same when the run was cancelled: all must be dead within a second.
const GRACE_WHEN_CANCELLED: Duration = Duration::from_millis(300);
/// How long a command whose answer is complete gets to end by itself.
const GRACE_WHEN_COMPLETE: Duration = Duration::from_secs(2);
/// A call so short that the numbers of processes cannot have gone round since it began.
const SHORT: Duration = Duration::from_secs(3);
/// How long a killed command is waited for.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// What a command left behind.
#[derive(Debug)]
pub(super) struct Output {
    /// How it ended.
    pub(super) exit: Exit,
    /// At most [`MAX_OUTPUT_BYTES`].
    pub(super) stdout: Vec<u8>,
    /// At most [`MAX_OUTPUT_BYTES`].
    pub(super) stderr: Vec<u8>,
}

/// Runs a launch to its end. The errors are those of running: time, output, cancellation, this host; what the command
/// itself says is for `parse()`. When this returns, or is dropped, no process of the call goes on and its folder goes.
pub(super) async fn run(
    launch: Launch,
    folder: CallFolder,
    isolation: &Isolation,
    ports: Vec<u16>,
    context: &CallContext,
) -> Result<Output, WriterError> {
    let mark = Mark::next();
    let mut call = RunningCall { mark, group: None, folder: None };
    let isolation = isolation.clone();
    let prepared = tokio::task::spawn_blocking(move || {
        let streams = folder.prepare(&launch)?;
        let mut command = sandbox::command(&isolation, &launch, folder.dirs(), &ports, mark)?;
        command.stdin(streams.stdin.try_clone()?);
        command.stdout(streams.stdout.try_clone()?).stderr(streams.stderr.try_clone()?);
        Ok((command, streams, folder, launch.is_complete))
    });
    let (command, streams, folder, is_complete) = prepared.await.map_err(io::Error::other).flatten().map_err(host)?;
    call.folder = Some(folder);
    let mut child = spawn(command).await.map_err(host)?;
    call.group = child.id();
    let begun = Instant::now();

    let ended = watch(&mut child, &streams, is_complete, context).await.map_err(host)?;
    end(&mut child, call.group, ended, context).await;
    let first = call.group.filter(|_| begun.elapsed() < SHORT);
    let folder = call.disarm();
    let swept = tokio::task::spawn_blocking(move || {
        mark.kill_all(first);
        let outputs = read_output(streams.stdout).and_then(|stdout| Ok((stdout, read_output(streams.stderr)?)));
        drop(folder);
        outputs
    });
    let (stdout, stderr) = swept.await.map_err(io::Error::other).flatten().map_err(host)?;
    let exit = exit_of(ended, stdout.len().max(stderr.len()), context)?;
    if let Some(reason) = launch_failure(exit, &stderr) {
        return Err(host(io::Error::other(reason)));
    }
    Ok(Output { exit, stdout, stderr })
}

/// A call whose processes must not outlive it, also when its future is dropped.
struct RunningCall {
    mark: Mark,
    group: Option<u32>,
    folder: Option<CallFolder>,
}

impl RunningCall {
    /// Hands over the duty of sweeping and deleting.
    fn disarm(mut self) -> Option<CallFolder> {
        self.group = None;
        self.folder.take()
    }
}

impl Drop for RunningCall {
    fn drop(&mut self) {
        let Some(folder) = self.folder.take() else { return };
        if let Some(group) = self.group {
            os::signal_group(group, Signal::Kill);
        }
        let mark = self.mark;
        // scanning processes and deleting files block, and a drop may happen on an async thread
        let sweeper = thread::Builder::new().name("call-sweeper".into()).spawn(move || {
            mark.kill_all(None);
            drop(folder);
        });
        if let Err(error) = sweeper {
            tracing::error!(%error, "no thread to sweep an AI call; the next start sweeps it");
        }
    }
}

/// Why a command is no longer waited for.
#[derive(Debug, Clone, Copy)]
enum Ended {
    ByItself(ExitStatus),
    Complete,
    TimedOut,
    Cancelled,
    TooMuchOutput,
}

async fn watch(
    child: &mut Child,
    streams: &Streams,
    is_complete: Option<fn(&[u8]) -> bool>,
    context: &CallContext,
) -> io::Result<Ended> {
    let deadline = Instant::now() + context.call_timeout;
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut completion = Completion::default();
    loop {
        tokio::select! {
            biased;
            () = context.cancel.cancelled() => return Ok(Ended::Cancelled),
            status = child.wait() => return status.map(Ended::ByItself),
            () = sleep_until(deadline) => return Ok(Ended::TimedOut),
            _ = look.tick() => {
                // the sizes of open files: answered from memory
                let size = streams.stdout.metadata()?.len();
                if size.max(streams.stderr.metadata()?.len()) > MAX_OUTPUT_BYTES {
                    return Ok(Ended::TooMuchOutput);
                }
                if let Some(is_complete) = is_complete
                    && completion.is_due(&streams.stdout, size, is_complete).await?
                {
                    return Ok(Ended::Complete);
                }
            }
        }
    }
}

/// What is known about an answer that may be complete although its command goes on.
#[derive(Default)]
struct Completion {
    size: u64,
    read_at: u64,
    since: Option<Instant>,
}

impl Completion {
    /// Whether the answer has been complete for [`GRACE_WHEN_COMPLETE`]. The output is read only once it stands still.
    async fn is_due(&mut self, stdout: &File, size: u64, is_complete: fn(&[u8]) -> bool) -> io::Result<bool> {
        let stands_still = size == self.size && size > 0;
        self.size = size;
        if stands_still && size != self.read_at {
            self.read_at = size;
            let stdout = stdout.try_clone()?;
            let read = tokio::task::spawn_blocking(move || read_output(stdout).map(|output| is_complete(&output)));
            self.since = read.await.map_err(io::Error::other)??.then(Instant::now);
        }
        Ok(self.since.is_some_and(|since| since.elapsed() >= GRACE_WHEN_COMPLETE))
    }
}

/// Ends a command that has not ended by itself: asks its group, waits, kills it.
async fn end(child: &mut Child, group: Option<u32>, ended: Ended, context: &CallContext) {
    let Some(group) = group else { return };
    let grace = match ended {
        Ended::ByItself(_) => return,
        Ended::TooMuchOutput => Duration::ZERO,
        Ended::Cancelled => GRACE_WHEN_CANCELLED,
        Ended::TimedOut | Ended::Complete => GRACE,
    };
    if !grace.is_zero() {
        os::signal_group(group, Signal::Terminate);
        let cancelled = async {
            context.cancel.cancelled().await;
            sleep(GRACE_WHEN_CANCELLED).await;
        };
        tokio::select! {
            _ = child.wait() => {}
            () = sleep(grace) => {}
            () = cancelled => {}
        }
    }
    os::signal_group(group, Signal::Kill);
    if timeout(KILL_PATIENCE, child.wait()).await.is_err() {
        tracing::warn!(process.id = group, "an AI command line does not end although it was killed");
    }
}

fn exit_of(ended: Ended, output_bytes: usize, context: &CallContext) -> Result<Exit, WriterError> {
    const SIGXFSZ: i32 = 25;
    let refused = |failure, message: String| Err(WriterError { failure, message });
    let too_much = || {
        let limit = MAX_OUTPUT_BYTES >> 20;
        refused(Failure::Killed, format!("the command printed more than {limit} MB and was ended"))
    };
    match ended {
        Ended::TooMuchOutput => too_much(),
        Ended::Cancelled => refused(Failure::Cancelled, "the run was cancelled".into()),
        Ended::TimedOut => {
            let seconds = context.call_timeout.as_secs();
            let limit = if seconds >= 60 { format!("{} min", seconds / 60) } else { format!("{seconds} s") };
            refused(Failure::Timeout, format!("no answer within {limit} (AI_CLI_TIMEOUT)"))
        }
        Ended::Complete => Ok(Exit::Complete),
        Ended::ByItself(_) if u64::try_from(output_bytes).is_ok_and(|bytes| bytes > MAX_OUTPUT_BYTES) => too_much(),
        Ended::ByItself(status) => match (status.code(), status.signal()) {
            (Some(code), _) => Ok(Exit::Code(code)),
            (None, Some(SIGXFSZ)) => too_much(),
            (None, signal) => Ok(Exit::Signal(signal.unwrap_or_default())),
        },
    }
}

/// Why the command was not even started.
fn launch_failure(exit: Exit, stderr: &[u8]) -> Option<String> {
    let Exit::Code(code) = exit else { return None };
    launch::failure(Some(code), str::from_utf8(stderr).ok()?)
}

/// One byte more than allowed tells that there was more.
fn read_output(mut file: File) -> io::Result<Vec<u8>> {
    let mut output = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(MAX_OUTPUT_BYTES + 1).read_to_end(&mut output)?;
    Ok(output)
}

#[expect(clippy::needless_pass_by_value, reason = "it is passed to `map_err`")]
fn host(error: io::Error) -> WriterError {
    tracing::error!(%error, "an AI command line could not be run");
    WriterError { failure: Failure::Host, message: format!("the command could not be run on this host: {error}") }
}

struct SpawnRequest {
    command: Command,
    runtime: Handle,
    answer: oneshot::Sender<io::Result<Child>>,
}

/// Starts a command from the one thread that lives as long as this process: the death signal of a child comes when the
/// thread that started it ends, and threads of the runtime come and go.
async fn spawn(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<mpsc::Sender<SpawnRequest>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, requests) = mpsc::channel();
        let started = thread::Builder::new().name("call-spawner".into()).spawn(move || spawn_all(&requests));
        if let Err(error) = started {
            tracing::error!(%error, "no thread to start AI command lines from");
        }
        sender
    });
    let (answer, child) = oneshot::channel();
    let gone = || io::Error::other("the thread that starts commands is gone");
    spawner.send(SpawnRequest { command, runtime: Handle::current(), answer }).map_err(|_| gone())?;
    child.await.map_err(|_| gone())?
}

fn spawn_all(requests: &mpsc::Receiver<SpawnRequest>) {
    for request in requests {
        if request.answer.is_closed() {
            continue;
        }
        let _runtime = request.runtime.enter();
        let child = tokio::process::Command::from(request.command).kill_on_drop(true).spawn();
        // nobody waits any more: the child is dropped, which kills it
        drop(request.answer.send(child));
    }
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
