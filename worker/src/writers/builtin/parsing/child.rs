//! The child: restricts itself, reads files from stdin, parses each, writes what it found to stdout, ends when stdin does.

use std::{
    io::{self, BufReader, BufWriter, Write},
    ops::ControlFlow,
    time::{Duration, Instant},
};

use anyhow::Context;
use shared::os::{self, Resource, Signal};
use tree_sitter::{ParseOptions, Parser, Tree};

use super::frames::{Extract, Request, Wish, read_request, write_answer};
use crate::writers::builtin::languages;

/// Address space of this process, in bytes.
const MEMORY_BYTES: u64 = 1 << 30;
/// Longest that one file is parsed before it is given up.
const PARSE_TIME_LIMIT: Duration = Duration::from_secs(2);

/// Before anything foreign is read: limits, and an end with the parent, whose number is the second argument. Whoever starts it
/// through something else leaves the number out.
fn restrict() -> anyhow::Result<()> {
    os::limit_this(Resource::AddressSpaceBytes, MEMORY_BYTES).context("the memory cannot be limited")?;
    os::step_back().context("the priority cannot be lowered")?;
    if let Some(parent) = std::env::args_os().nth(2) {
        let parent = parent.to_str().and_then(|parent| parent.parse().ok()).context("no process has this number")?;
        os::end_with(parent, Signal::Kill.number()).context("the parent is gone")?;
    }
    Ok(())
}

/// Runs until stdin ends. Returns an error when the pipe breaks or carries something else than requests.
pub fn parse_source_child() -> anyhow::Result<()> {
    restrict()?;
    let mut input = BufReader::with_capacity(1 << 16, io::stdin().lock());
    let mut output = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut parser = Parser::new();
    while let Some(request) = read_request(&mut input).context("the request cannot be read")? {
        let text = String::from_utf8_lossy(&request.text);
        let language = request.language;
        let answer = parse(&mut parser, &request, &text).map(|tree| match request.wish {
            Wish::Reference => languages::extract(language, tree.root_node(), &text, &request.path).write(),
            Wish::Outline => languages::outline(language, tree.root_node(), &text, &request.path).write(),
        });
        write_answer(&mut output, &answer).context("the answer cannot be written")?;
        // the parent measures each file by itself
        output.flush()?;
    }
    Ok(())
}

/// The syntax tree, or why there is none.
fn parse(parser: &mut Parser, request: &Request, text: &str) -> Result<Tree, String> {
    if parser.set_language(&request.language.grammar()).is_err() {
        return Err("its grammar does not fit this parser".into());
    }
    let bytes = text.as_bytes();
    let started = Instant::now();
    let mut watch = |_: &tree_sitter::ParseState| {
        if started.elapsed() > PARSE_TIME_LIMIT { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let mut read = |at: usize, _| bytes.get(at..).unwrap_or_default();
    let tree = parser.parse_with_options(&mut read, None, Some(ParseOptions::new().progress_callback(&mut watch)));
    tree.ok_or_else(|| {
        // otherwise the next file would go on where this one stopped
        parser.reset();
        format!("it took longer than {} s", PARSE_TIME_LIMIT.as_secs())
    })
}
