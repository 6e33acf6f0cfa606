//! The stand-ins for AI command lines: installs copies for one test and sets their controls, which
//! `stand_ins/stand_in.sh` explains.

use std::{
    collections::HashMap,
    fs::{self, File},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    time::{Duration, Instant},
};

const O_NONBLOCK: i32 = 0o4000;

/// Copies of the stand-ins in a folder of their own.
pub struct StandIns {
    folder: tempfile::TempDir,
    /// Our ends of the FIFOs that somebody waits at.
    held: Mutex<HashMap<String, File>>,
}

impl StandIns {
    /// Copies `claude`, `gemini` and `agent`. By a child process: were the copies written by this one, a fork of another
    /// thread could hold them open for writing when they are executed, and that fails with "text file busy".
    pub fn install() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|root| root.join("tests/support/stand_ins"));
        let source = source.into_iter().find(|source| source.is_dir()).unwrap();
        let copied = Command::new("cp").arg("-r").arg(source.join(".")).arg(folder.path()).status().unwrap();
        assert!(copied.success());
        fs::create_dir(folder.path().join("controls")).unwrap();
        Self { folder, held: Mutex::default() }
    }

    /// The path of a stand-in, for `DOCMILL_CLAUDE_BIN` and its like.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `DOCMILL_CLAUDE_BIN`, `DOCMILL_GEMINI_BIN` and `DOCMILL_CURSOR_BIN` for the environment of a worker.
    pub fn variables(&self) -> [(String, String); 3] {
        [("CLAUDE", "claude"), ("GEMINI", "gemini"), ("CURSOR", "agent")]
            .map(|(name, program)| (format!("DOCMILL_{name}_BIN"), self.program(program).display().to_string()))
    }

    /// Sets a control, for example `mode.page-2` to `garbage` or `pages` to `50`. Replaced in one step, so that a
    /// stand-in never reads half of it.
    pub fn set(&self, control: &str, value: &str) {
        let path = self.control(control);
        let half = path.with_extension("half");
        fs::write(&half, format!("{value}\n")).unwrap();
        fs::rename(half, path).unwrap();
    }

    /// Removes a control.
    pub fn clear(&self, control: &str) {
        fs::remove_file(self.control(control)).unwrap();
    }

    /// Sets the text that is answered instead of the usual.
    pub fn set_text(&self, key: &str, text: &str) {
        let quoted = serde_json::to_string(text).unwrap();
        self.set(&format!("text.{key}"), quoted.trim_matches('"'));
    }

    /// Lets calls of this key wait until [`Self::release`].
    pub fn block(&self, key: &str) {
        let made = Command::new("mkfifo").arg(self.control(&format!("block.{key}"))).status().unwrap();
        assert!(made.success());
    }

    /// Whether a call stands at the block of this key. It goes on standing there: the other end of the FIFO is kept.
    pub fn is_blocked(&self, key: &str) -> bool {
        let mut held = self.held.lock().unwrap();
        if held.contains_key(key) {
            return true;
        }
        // fails as long as nobody reads
        let mut options = File::options();
        let opened = options.write(true).custom_flags(O_NONBLOCK).open(self.control(&format!("block.{key}")));
        opened.is_ok_and(|file| held.insert(key.to_owned(), file).is_none())
    }

    /// Waits until a call stands at the block of this key.
    pub fn wait_until_blocked(&self, key: &str) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while !self.is_blocked(key) {
            assert!(Instant::now() < deadline, "no call came to the block of `{key}`");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Lets the calls go on that stand at the block of this key, and removes it for those to come.
    pub fn release(&self, key: &str) {
        self.is_blocked(key);
        fs::remove_file(self.control(&format!("block.{key}"))).unwrap();
        self.held.lock().unwrap().remove(key);
    }

    /// The keys of the calls so far, in order; empty where the sandbox keeps stand-ins from writing them down.
    pub fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.control("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    fn control(&self, name: &str) -> PathBuf {
        self.folder.path().join("controls").join(name)
    }
}
