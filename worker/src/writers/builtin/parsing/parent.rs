//! The parent: shares the files out to two children, waits for their answers, replaces a child that dies or hangs.
//!
//! Files are dealt out by their position, so which files stay unparsed after too many deaths is the same every time.

use std::{
    io::{BufReader, BufWriter, ErrorKind, Write},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::frames::{Extract, Request, read_answer, write_request};
use crate::writers::builtin::{languages::Language, tree::FileReader};

/// Children that parse side by side.
const CHILDREN: usize = 2;
/// So many files are parsed by one child.
const FEW_FILES: usize = 16;
/// How soon a cancelled run is noticed.
const CANCEL_POLL: Duration = Duration::from_millis(100);
/// Largest source file that is parsed, in bytes.
pub(crate) const MAX_SOURCE_BYTES: u64 = 512 << 10;
/// The kernel's number of the signal that cannot be caught.
const SIGKILL: i32 = 9;

/// What a hostile repository can cost. Tests shorten the times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ParserLimits {
    /// Failures (deaths, files given up) in the share of one child after which the rest of its files stays unparsed.
    pub(crate) failures_per_child: usize,
    /// Longest wait for one answer before the child is killed: its own limit and room for a busy machine.
    pub(crate) answer_time: Duration,
    /// Longest time for all files together.
    pub(crate) total_time: Duration,
}

impl Default for ParserLimits {
    fn default() -> Self {
        Self { failures_per_child: 10, answer_time: Duration::from_secs(6), total_time: Duration::from_mins(3) }
    }
}

/// The files to parse, in order, and where their text is to be had.
pub(crate) trait Sources: Sync {
    /// How many there are.
    fn count(&self) -> usize;

    /// Path and language of one.
    fn file(&self, index: usize) -> (&str, Language);

    /// The text of one. Asked for once more when a child died over an earlier file.
    fn read(&self, reader: &FileReader, index: usize) -> Vec<u8>;
}

/// Parses files by `program parse-source`, and gives what was found in each, or why it was given up, to `keep`, which is
/// called from two threads. Returns a sentence for each share that was not finished. Blocks; ends early with an error when
/// `cancel` is cancelled.
pub(crate) fn parse_files<T: Extract>(
    program: &Path,
    limits: ParserLimits,
    git_dir: &Path,
    sources: &dyn Sources,
    keep: &(dyn Fn(usize, Result<T, String>) + Sync),
    cancel: &CancellationToken,
) -> anyhow::Result<Vec<String>> {
    let count = sources.count();
    // starting a child costs more than parsing a few files
    let children = if count > FEW_FILES { CHILDREN } else { 1 };
    let shares: Vec<Vec<usize>> = (0..children).map(|child| (child..count).step_by(children).collect()).collect();
    let work = Work { program, limits, deadline: Instant::now() + limits.total_time, git_dir, sources, keep, cancel };
    let unparsed = thread::scope(|scope| {
        let workers: Vec<_> = shares.iter().map(|share| scope.spawn(|| parse_share(&work, share))).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a parsing thread panicked"))))
            .collect::<anyhow::Result<Vec<_>>>()
    })?;
    Ok(unparsed.into_iter().flatten().collect())
}

struct Work<'a, T> {
    program: &'a Path,
    limits: ParserLimits,
    deadline: Instant,
    git_dir: &'a Path,
    sources: &'a dyn Sources,
    keep: &'a (dyn Fn(usize, Result<T, String>) + Sync),
    cancel: &'a CancellationToken,
}

/// How far one child's share is done.
struct Progress<'a> {
    share: &'a [usize],
    answered: usize,
    failures: usize,
}

impl Progress<'_> {
    fn note<T>(&mut self, work: &Work<'_, T>, answer: Result<T, String>) {
        self.failures += usize::from(answer.is_err());
        if let Some(index) = self.share.get(self.answered) {
            (work.keep)(*index, answer);
        }
        self.answered += 1;
    }

    fn left(&self) -> usize {
        self.share.len() - self.answered
    }
}

/// Why not all of it was parsed, if so.
fn parse_share<T: Extract>(work: &Work<'_, T>, share: &[usize]) -> anyhow::Result<Option<String>> {
    let mut progress = Progress { share, answered: 0, failures: 0 };
    while progress.left() > 0 {
        match parse_until_stop(work, &mut progress)? {
            Stop::Finished => {}
            Stop::Failed(reason) => progress.note(work, Err(reason)),
            Stop::OutOfTime => {
                let (rest, seconds) = (progress.left(), work.limits.total_time.as_secs());
                return Ok(Some(format!("{rest} files were not parsed because parsing took longer than {seconds} s")));
            }
        }
        let (rest, failures) = (progress.left(), progress.failures);
        if rest > 0 && failures >= work.limits.failures_per_child {
            return Ok(Some(format!("{rest} files were not parsed because parsing failed {failures} times")));
        }
    }
    Ok(None)
}

/// Why a child's work ended.
enum Stop {
    /// It answered all files, or gave up so many that it is not worth while to go on.
    Finished,
    /// It died or hung; the reason is blamed on the first file without an answer.
    Failed(String),
    /// The time for all files is over.
    OutOfTime,
}

/// Runs one child over the files until all are answered or something stops it.
fn parse_until_stop<T: Extract>(work: &Work<'_, T>, progress: &mut Progress<'_>) -> anyhow::Result<Stop> {
    // this thread waits for the child, so the death signal that the child asks for, which is bound to the thread, cannot
    // come too early
    let mut child = spawn(work.program)?;
    let pipes = child.stdin.take().zip(child.stdout.take());
    let (stdin, stdout) = pipes.context("the parser has no pipes")?;
    let rest = progress.share.get(progress.answered..).unwrap_or_default();
    thread::scope(|scope| {
        let (sender, answers) = mpsc::sync_channel(4);
        scope.spawn(move || send_requests(work, rest, stdin));
        scope.spawn(move || read_answers(stdout, &sender));
        let ended = collect_answers(work, progress, &answers);
        // ends the other two threads: their pipes break
        child.kill().ok();
        drop(answers);
        let status = child.wait().context("the parser cannot be waited for")?;
        Ok(match ended? {
            Ended::AllAnswered => Stop::Finished,
            Ended::OutOfTime => Stop::OutOfTime,
            Ended::Hung => Stop::Failed(format!("no answer within {} s", work.limits.answer_time.as_secs_f32())),
            Ended::Unreadable => Stop::Failed("the parser's answer cannot be read".into()),
            Ended::Died => Stop::Failed(match status.signal() {
                // what is killed after its pipe closed may have been on its way out with an error
                Some(signal) if signal != SIGKILL => format!("the parser was ended by signal {signal}"),
                _ => "the parser ended early".into(),
            }),
        })
    })
}

fn spawn(program: &Path) -> anyhow::Result<Child> {
    let mut command = Command::new(program);
    // without a hook between fork and exec nothing is forked: the page tables of a large process are not copied
    command.args(["parse-source", &std::process::id().to_string()]).env_clear().current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().with_context(|| format!("the parser `{}` cannot be started", program.display()))
}

/// Sends files as fast as the child takes them; a broken pipe ends it, the reader will know why.
fn send_requests<T: Extract>(work: &Work<'_, T>, rest: &[usize], stdin: ChildStdin) {
    let Ok(reader) = FileReader::open(work.git_dir) else { return };
    let mut out = BufWriter::with_capacity(1 << 16, stdin);
    for index in rest {
        let text = work.sources.read(&reader, *index);
        let (path, language) = work.sources.file(*index);
        let request = Request { wish: T::WISH, language, path: path.to_owned(), text };
        if write_request(&mut out, &request).is_err() {
            return;
        }
    }
    // a failure here is a dead child; dropping closes the pipe
    out.flush().ok();
}

/// What was found or why it was given up; an error is an answer that cannot be read.
type Answer<T> = Result<Result<T, String>, ()>;

fn read_answers<T: Extract>(stdout: ChildStdout, answers: &mpsc::SyncSender<Answer<T>>) {
    let mut input = BufReader::with_capacity(1 << 16, stdout);
    loop {
        let answer = match read_answer(&mut input) {
            Ok(answer) => Ok(answer),
            Err(error) if error.kind() == ErrorKind::InvalidData => Err(()),
            // the child died
            Err(_) => return,
        };
        let is_last = answer.is_err();
        if answers.send(answer).is_err() || is_last {
            return;
        }
    }
}

enum Ended {
    AllAnswered,
    Died,
    Hung,
    OutOfTime,
    Unreadable,
}

fn collect_answers<T: Extract>(
    work: &Work<'_, T>,
    progress: &mut Progress<'_>,
    answers: &Receiver<Answer<T>>,
) -> anyhow::Result<Ended> {
    let mut waiting_since = Instant::now();
    let mut given_up = 0;
    while progress.left() > 0 && given_up < work.limits.failures_per_child {
        if Instant::now() > work.deadline {
            return Ok(Ended::OutOfTime);
        }
        match answers.recv_timeout(CANCEL_POLL) {
            Ok(Ok(answer)) => {
                given_up += usize::from(answer.is_err());
                progress.note(work, answer);
                waiting_since = Instant::now();
            }
            Ok(Err(())) => return Ok(Ended::Unreadable),
            Err(RecvTimeoutError::Disconnected) => return Ok(Ended::Died),
            Err(RecvTimeoutError::Timeout) if waiting_since.elapsed() > work.limits.answer_time => {
                return Ok(Ended::Hung);
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        anyhow::ensure!(!work.cancel.is_cancelled(), "the run was cancelled");
    }
    Ok(Ended::AllAnswered)
}
