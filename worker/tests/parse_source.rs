//! The parsing child as a program: how it lives and dies. (Being here also makes cargo build it for the unit tests.)

#![expect(clippy::unwrap_used, reason = "a test that cannot start its child has failed")]

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

fn run(input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_parse-source"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn the_child_ends_in_peace_when_its_input_ends() {
    let output = run(b"");
    assert!(output.status.success() && output.stdout.is_empty());
}

#[test]
fn one_file_gives_one_answer() {
    let (path, text) = (b"a.rs", b"/// A.\npub fn a() {}\n");
    // wish 0, language 0
    let mut request = vec![0, 0];
    request.extend(4_u32.to_le_bytes());
    request.extend(path);
    request.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
    request.extend(text);
    let output = run(&request);
    let (head, json) = output.stdout.split_at_checked(5).unwrap();
    assert_eq!((head[0], &head[1..]), (0, u32::try_from(json.len()).unwrap().to_le_bytes().as_slice()));
    let json = std::str::from_utf8(json).unwrap();
    assert!(json.contains("pub fn a()"), "{json}");
}

#[test]
fn what_is_no_request_ends_the_child_with_an_error() {
    assert!(!run(b"hello, this is not a frame").status.success());
}
