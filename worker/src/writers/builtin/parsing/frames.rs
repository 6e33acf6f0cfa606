//! The pipe between parent and child: length-prefixed requests one way, length-prefixed answers the other way.
//!
//! A request is the wish's number (1 byte), the language's number (1 byte), the path's length (4 bytes, little endian), the
//! path, the text's length (4 bytes) and the text. An answer is 0 for what was parsed and 1 for what was given up (1 byte), a
//! length (4 bytes), and what was found or the reason, which completes the sentence "`path` was not parsed: ". Answers come
//! in the order of the requests.

use std::io::{self, ErrorKind, Read, Write};

use crate::writers::builtin::{
    languages::{Language, Outline, packing},
    symbols::ParsedFile,
};

/// Longest path that is passed on, in bytes.
const MAX_PATH_BYTES: u32 = 16_384;
/// Largest text that a child accepts, in bytes; the parent's own limit is smaller.
const MAX_TEXT_BYTES: u32 = 8 << 20;
/// Largest answer that the parent reads; the limits of `symbols` keep real ones far below.
const MAX_ANSWER_BYTES: u32 = 64 << 20;

/// What is wanted of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// What the built-in writer makes a reference of: [`ParsedFile`].
    Reference,
    /// What the index keeps: [`Outline`].
    Outline,
}

/// What a child makes of a file.
pub(crate) trait Extract: Sized + Send {
    /// The wish that brings it.
    const WISH: Wish;

    /// As it is sent.
    fn write(&self) -> Vec<u8>;

    /// What was sent; nothing when the bytes make no sense.
    fn read(bytes: &[u8]) -> Option<Self>;
}

impl Extract for ParsedFile {
    const WISH: Wish = Wish::Reference;

    fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and numbers can be written as JSON")
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

impl Extract for Outline {
    const WISH: Wish = Wish::Outline;

    fn write(&self) -> Vec<u8> {
        packing::pack(self)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        packing::unpack(bytes)
    }
}

/// One file to parse.
#[derive(Debug, PartialEq)]
pub(crate) struct Request {
    /// What is wanted of it.
    pub(crate) wish: Wish,
    /// Its language.
    pub(crate) language: Language,
    /// Its path in the repository.
    pub(crate) path: String,
    /// Its bytes.
    pub(crate) text: Vec<u8>,
}

/// Writes a request.
pub(crate) fn write_request(out: &mut impl Write, request: &Request) -> io::Result<()> {
    let number = Language::ALL.iter().position(|language| *language == request.language).unwrap_or_default();
    let wish = u8::from(request.wish == Wish::Outline);
    out.write_all(&[wish, u8::try_from(number).unwrap_or_default()])?;
    write_counted(out, request.path.as_bytes())?;
    write_counted(out, &request.text)
}

/// Reads a request; `None` at the end of the input.
pub(crate) fn read_request(input: &mut impl Read) -> io::Result<Option<Request>> {
    let mut number = [0];
    if input.read(&mut number)? == 0 {
        return Ok(None);
    }
    let wish = match number[0] {
        0 => Wish::Reference,
        1 => Wish::Outline,
        _ => return Err(io::Error::new(ErrorKind::InvalidData, "unknown wish")),
    };
    input.read_exact(&mut number)?;
    let language = Language::ALL.get(usize::from(number[0])).copied();
    let language = language.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "unknown language number"))?;
    let path = String::from_utf8_lossy(&read_counted(input, MAX_PATH_BYTES)?).into_owned();
    let text = read_counted(input, MAX_TEXT_BYTES)?;
    Ok(Some(Request { wish, language, path, text }))
}

const PARSED: u8 = 0;
const GIVEN_UP: u8 = 1;

/// Writes what was found in a file, as [`Extract::write`] made it, or why it was given up.
pub(crate) fn write_answer(out: &mut impl Write, answer: &Result<Vec<u8>, String>) -> io::Result<()> {
    let (status, content) = match answer {
        Ok(found) => (PARSED, found.as_slice()),
        Err(reason) => (GIVEN_UP, reason.as_bytes()),
    };
    out.write_all(&[status])?;
    write_counted(out, content)
}

/// Reads an answer. An error of the kind `InvalidData` is an answer that makes no sense, any other one a child that died.
pub(crate) fn read_answer<T: Extract>(input: &mut impl Read) -> io::Result<Result<T, String>> {
    let invalid = |reason: &str| io::Error::new(ErrorKind::InvalidData, reason);
    let mut status = [0];
    input.read_exact(&mut status)?;
    if !matches!(status[0], PARSED | GIVEN_UP) {
        return Err(invalid("unknown status"));
    }
    let content = read_counted(input, MAX_ANSWER_BYTES)?;
    if status[0] == GIVEN_UP {
        return Ok(Err(String::from_utf8_lossy(&content).into_owned()));
    }
    T::read(&content).map(Ok).ok_or_else(|| invalid("what was found makes no sense"))
}

fn write_counted(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::Error::from(ErrorKind::InvalidInput))?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(bytes)
}

fn read_counted(input: &mut impl Read, max: u32) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > max {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            format!("a frame of {length} bytes, at most {max} are taken"),
        ));
    }
    let mut bytes = vec![0; length as usize];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_survives_the_pipe_and_a_cut_one_is_an_error() {
        let (path, text) = ("a/b.go".to_owned(), b"package b\n".to_vec());
        let request = Request { wish: Wish::Outline, language: Language::Go, path, text };
        let mut bytes = Vec::new();
        write_request(&mut bytes, &request).unwrap();
        assert_eq!(read_request(&mut bytes.as_slice()).unwrap(), Some(request));
        assert!(read_request(&mut &bytes[..bytes.len() - 1]).is_err());
        assert_eq!(read_request(&mut [].as_slice()).unwrap(), None);
    }

    #[test]
    fn an_answer_survives_the_pipe_and_nonsense_is_told_from_an_early_end() {
        let found = Outline { uses: vec![7, 8], ..Outline::default() };
        let mut bytes = Vec::new();
        write_answer(&mut bytes, &Ok(found.write())).unwrap();
        write_answer(&mut bytes, &Err("no reason".into())).unwrap();
        let mut input = bytes.as_slice();
        assert_eq!(read_answer::<Outline>(&mut input).unwrap(), Ok(found));
        assert_eq!(read_answer::<Outline>(&mut input).unwrap(), Err("no reason".into()));
        let kind = |mut bytes: &[u8]| read_answer::<Outline>(&mut bytes).unwrap_err().kind();
        assert_eq!(kind(&bytes[..6]), ErrorKind::UnexpectedEof);
        assert_eq!(kind(b""), ErrorKind::UnexpectedEof);
        assert_eq!(kind(b"hello"), ErrorKind::InvalidData);
        assert_eq!(kind(b"\0\xff\xff\xff\xff"), ErrorKind::InvalidData);
        assert_eq!(kind(b"\0\x01\0\0\0\x01"), ErrorKind::InvalidData);
    }
}
