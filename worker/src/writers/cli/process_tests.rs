//! What the runner promises: nothing outlives a call, nothing is lost, nothing leaks.

use std::{
    fs,
    path::{Path, PathBuf},
};

use shared::settings::Sandbox;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::writers::cli::call::Program;

/// A place for calls of shell scripts.
struct Place {
    folder: TempDir,
    isolation: Isolation,
}

impl Place {
    fn new(sandbox: Sandbox) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tree")).unwrap();
        fs::create_dir(folder.path().join("work")).unwrap();
        Self { folder, isolation: sandbox::probe(sandbox).unwrap() }
    }

    fn call_folder(&self) -> CallFolder {
        CallFolder::create(&self.folder.path().join("work"), &self.folder.path().join("tree"), "system", None).unwrap()
    }

    async fn run(&self, script: &str, context: &CallContext) -> Result<Output, WriterError> {
        self.launch(launch(script), context).await
    }

    async fn launch(&self, launch: Launch, context: &CallContext) -> Result<Output, WriterError> {
        run(launch, self.call_folder(), &self.isolation, vec![443], context).await
    }

    fn calls_left(&self) -> usize {
        fs::read_dir(self.folder.path().join("work")).unwrap().count()
    }

    async fn wait_until_clean(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.calls_left() > 0 {
            assert!(Instant::now() < deadline, "the folder of a call is left");
            sleep(Duration::from_millis(2)).await;
        }
    }
}

fn launch(script: &str) -> Launch {
    Launch {
        program: Program {
            executable: PathBuf::from("/bin/sh"),
            first_arguments: Vec::new(),
            readable: vec![PathBuf::from("/bin")],
        },
        arguments: vec!["-c".into(), script.into()],
        environment: vec![("PATH".into(), "/usr/bin:/bin".into()), ("DOCMILL_TEST".into(), "yes".into())],
        home_files: vec![(".config/settings.json", "{}".into())],
        stdin: "the prompt".into(),
        is_complete: None,
    }
}

fn context(timeout: Duration) -> CallContext {
    CallContext { cancel: CancellationToken::new(), call_timeout: timeout, account: None }
}

fn patient() -> CallContext {
    context(Duration::from_mins(1))
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// How many processes sleep for so many seconds; each test has a number of its own.
fn sleepers(seconds: &str) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.filter(|line| line.starts_with(format!("sleep\0{seconds}\0").as_bytes())).count()
}

async fn wait_for_sleepers(seconds: &str, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while sleepers(seconds) != count {
        assert!(Instant::now() < deadline, "{} sleepers of {seconds}, not {count}", sleepers(seconds));
        sleep(Duration::from_millis(2)).await;
    }
}

/// Three processes that a signal to the group does not reach: another session, no parent, no environment.
fn with_daemons(seconds: &str) -> String {
    format!(
        "trap '' TERM; sleep {seconds} & setsid sleep {seconds} & (env -i setsid sleep {seconds} >/dev/null 2>&1 &); "
    )
}

#[tokio::test]
async fn the_prompt_is_on_stdin_and_the_answer_complete() {
    let place = Place::new(Sandbox::Auto);
    let output = place.run("cat; printf '%300000s' x; printf e >&2; exit 3", &patient()).await.unwrap();
    assert_eq!(output.exit, Exit::Code(3));
    assert_eq!(output.stdout.len(), "the prompt".len() + 300_000);
    assert!(text(&output).starts_with("the prompt"));
    assert_eq!(output.stderr, b"e");
    assert_eq!(place.calls_left(), 0);
}

#[tokio::test]
async fn the_environment_is_that_of_the_launch_and_nothing_else() {
    let place = Place::new(Sandbox::Auto);
    let output = place.run("exec env", &patient()).await.unwrap();
    let mut names: Vec<String> = text(&output).lines().map(|line| line.split('=').next().unwrap().to_owned()).collect();
    names.sort();
    // the shell sets PWD by itself
    assert_eq!(names, ["DOCMILL_TEST", "PATH", "PWD"]);
}

#[tokio::test]
async fn what_a_command_leaves_running_is_dead_when_the_call_returns() {
    let place = Place::new(Sandbox::Auto);
    let script = with_daemons("90001") + "echo done";
    let output = place.run(&script, &patient()).await.unwrap();
    assert_eq!(text(&output), "done\n");
    assert_eq!(sleepers("90001"), 0);
}

#[tokio::test]
async fn a_timeout_ends_the_whole_tree() {
    let place = Place::new(Sandbox::Auto);
    // not deaf, so that it ends before the five seconds are over
    let script = "setsid sleep 90002 & (env -i setsid sleep 90002 &); sleep 90002";
    let error = place.run(script, &context(Duration::from_millis(500))).await.unwrap_err();
    assert_eq!(error.failure, Failure::Timeout);
    assert!(error.message.contains("AI_CLI_TIMEOUT"), "{error}");
    assert_eq!((sleepers("90002"), place.calls_left()), (0, 0));
}

#[tokio::test]
async fn a_cancelled_call_is_dead_within_a_second() {
    let place = Place::new(Sandbox::Auto);
    let script = with_daemons("90003") + "while :; do sleep 1; done";
    let context = patient();
    let cancel = async {
        wait_for_sleepers("90003", 3).await;
        context.cancel.cancel();
        Instant::now()
    };
    let (error, cancelled) = tokio::join!(place.run(&script, &context), cancel);
    let took = cancelled.elapsed();
    assert_eq!(error.unwrap_err().failure, Failure::Cancelled);
    assert_eq!((sleepers("90003"), place.calls_left()), (0, 0));
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_dropped_call_is_killed_and_its_folder_deleted() {
    let place = Place::new(Sandbox::Auto);
    let script = with_daemons("90004") + "while :; do sleep 1; done";
    let context = patient();
    tokio::select! {
        output = place.run(&script, &context) => panic!("{output:?}"),
        () = wait_for_sleepers("90004", 3) => {}
    }
    wait_for_sleepers("90004", 0).await;
    place.wait_until_clean().await;
}

/// The worker that the next test kills; by itself it does nothing.
#[tokio::test]
#[ignore = "started by another test"]
async fn a_worker_with_a_call() {
    let script = "setsid sleep 90006 & exec sleep 90006";
    let output = Place::new(Sandbox::Auto).run(script, &patient()).await;
    panic!("the call was to last until this process is killed: {output:?}");
}

#[tokio::test]
async fn a_killed_worker_takes_its_command_along_and_the_next_start_sweeps_the_rest() {
    let mut worker = Command::new(std::env::current_exe().unwrap());
    worker.args(["--ignored", "--exact", "writers::cli::process::tests::a_worker_with_a_call"]);
    let mut worker = worker.stdout(std::process::Stdio::null()).spawn().unwrap();
    wait_for_sleepers("90006", 2).await;
    worker.kill().unwrap();
    worker.wait().unwrap();
    wait_for_sleepers("90006", 1).await;
    crate::writers::cli::sweep_leftovers();
    wait_for_sleepers("90006", 0).await;
}

#[tokio::test]
async fn endless_output_is_ended_and_bounded() {
    let place = Place::new(Sandbox::Auto);
    for script in ["exec cat /dev/zero", "trap '' TERM; exec cat /dev/zero >&2"] {
        let started = Instant::now();
        let error = place.run(script, &patient()).await.unwrap_err();
        assert_eq!(error.failure, Failure::Killed);
        assert!(error.message.contains("10 MB"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}

#[tokio::test]
async fn a_command_that_stays_after_its_answer_is_not_waited_for() {
    let place = Place::new(Sandbox::Auto);
    let launch = Launch { is_complete: Some(|output| output == b"all\n"), ..launch("echo all; sleep 90005") };
    let output = place.launch(launch, &patient()).await.unwrap();
    assert_eq!((output.exit, output.stdout.as_slice()), (Exit::Complete, b"all\n".as_slice()));
    assert_eq!(sleepers("90005"), 0);
}

#[tokio::test]
async fn a_signal_is_told_from_a_code() {
    let place = Place::new(Sandbox::Auto);
    assert_eq!(place.run("kill -9 $$", &patient()).await.unwrap().exit, Exit::Signal(9));
    assert_eq!(place.run("exit 137", &patient()).await.unwrap().exit, Exit::Code(137));
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_a_failure_of_the_host() {
    let place = Place::new(Sandbox::Auto);
    let mut launch = launch("");
    launch.program.executable = "/nonexistent/claude".into();
    let error = place.launch(launch, &patient()).await.unwrap_err();
    assert_eq!(error.failure, Failure::Host);
    place.wait_until_clean().await;
}

/// What a command could do to the host, one script each; every one prints `DONE` where nothing stops it.
fn hostile_scripts(outside: &Path) -> Vec<String> {
    let (own, outside) = (std::process::id(), outside.display());
    vec![
        format!("cat {outside}/id_rsa && echo DONE"),
        format!("ls {outside} && echo DONE"),
        format!("echo x > {outside}/new && echo DONE"),
        "echo x > new-in-the-tree && echo DONE".into(),
        "echo x > \"$HOME/../data/new\" && echo DONE".into(),
        format!("tr '\\0' '\\n' < /proc/{own}/environ | grep -q . && echo DONE"),
        format!("kill -0 {own} && echo DONE"),
        "grep -E '^Cap(Prm|Eff):' /proc/self/status | grep -qv 0000000000000000 && echo DONE".into(),
        "printf '#!/bin/sh\\necho DONE' > \"$HOME/x\" && chmod +x \"$HOME/x\" && \"$HOME/x\"".into(),
    ]
}

async fn refused(place: &Place, script: &str) -> bool {
    let mut launch = launch(&format!("HOME={}; {script}", "$DOCMILL_HOME"));
    let folder = place.call_folder();
    launch.environment.push(("DOCMILL_HOME".into(), folder.dirs().home.clone().into()));
    let output = run(launch, folder, &place.isolation, vec![443], &patient()).await.unwrap();
    !text(&output).contains("DONE")
}

#[tokio::test]
async fn landlock_keeps_a_command_in_its_folders() {
    if os::landlock_version().is_none() {
        println!("skipped: this kernel has no Landlock");
        return;
    }
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("id_rsa"), "secret").unwrap();
    let (confined, free) = (Place::new(Sandbox::Landlock), Place::new(Sandbox::Off));
    for script in hostile_scripts(outside.path()) {
        assert!(refused(&confined, &script).await, "{script}");
        // the check itself can fail: without the sandbox all goes through but what the dropped capabilities prevent,
        // for root also looking into a process that still has them
        let needs_no_sandbox = script.contains("Cap") || (os::is_root() && script.contains("environ"));
        assert_eq!(refused(&free, &script).await, needs_no_sandbox, "{script}");
    }
    assert!(!refused(&confined, "echo x > \"$HOME/x\" && cat \"$HOME/x\" && echo DONE").await);
}

#[tokio::test]
async fn bubblewrap_keeps_a_command_in_its_folders() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("id_rsa"), "secret").unwrap();
    let Ok(isolation) = sandbox::probe(Sandbox::Bwrap) else {
        println!("skipped: {}", sandbox::probe(Sandbox::Bwrap).unwrap_err());
        return;
    };
    let place = Place { isolation, ..Place::new(Sandbox::Off) };
    for script in hostile_scripts(outside.path()) {
        // a home is a folder like others there: what lies in it can be executed
        assert_eq!(refused(&place, &script).await, !script.contains("chmod"), "{script}");
    }
    assert!(!refused(&place, "echo x > \"$HOME/x\" && cat \"$HOME/x\" && echo DONE").await);
    assert_eq!(place.calls_left(), 0);
}

#[tokio::test]
async fn a_command_reaches_only_the_ports_of_its_provider() {
    if os::landlock_version().is_none_or(|version| version < 4) {
        println!("skipped: Landlock of this kernel does not know TCP");
        return;
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut launch = launch(&format!("exec 3<>/dev/tcp/127.0.0.1/{port} && echo DONE"));
    launch.program.executable = "/bin/bash".into();
    for sandbox in [Sandbox::Landlock, Sandbox::Bwrap] {
        let Ok(isolation) = sandbox::probe(sandbox) else { continue };
        let place = Place { isolation, ..Place::new(Sandbox::Off) };
        for (ports, connects) in [(vec![443], false), (vec![443, port], true)] {
            let ran = run(launch.clone(), place.call_folder(), &place.isolation, ports, &patient()).await.unwrap();
            assert_eq!(text(&ran).contains("DONE"), connects, "{sandbox:?}");
        }
    }
}
