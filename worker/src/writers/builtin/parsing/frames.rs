//! The pipe between parent and child: length-prefixed requests one way, one line of JSON per file the other way.
//!
//! A request is the language's number (1 byte), the path's length (4 bytes, little endian), the path, the text's length
//! (4 bytes) and the text. Answers come in the order of the requests.

use std::io::{self, ErrorKind, Read, Write};

use serde::{Deserialize, Serialize};

use crate::writers::builtin::{languages::Language, symbols::ParsedFile};

/// Longest path that is passed on, in bytes.
const MAX_PATH_BYTES: u32 = 16_384;
/// Largest text that a child accepts, in bytes; the parent's own limit is smaller.
const MAX_TEXT_BYTES: u32 = 8 << 20;

/// One file to parse.
#[derive(Debug, PartialEq)]
pub(crate) struct Request {
    /// Its language.
    pub(crate) language: Language,
    /// Its path in the repository.
    pub(crate) path: String,
    /// Its bytes.
    pub(crate) text: Vec<u8>,
}

/// What became of one file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    /// It was parsed.
    Parsed(Box<ParsedFile>),
    /// It was given up; the reason completes the sentence "`path` was not parsed: ".
    GivenUp(String),
}

/// Writes a request.
pub(crate) fn write_request(out: &mut impl Write, request: &Request) -> io::Result<()> {
    let number = Language::ALL.iter().position(|language| *language == request.language).unwrap_or_default();
    out.write_all(&[u8::try_from(number).unwrap_or_default()])?;
    write_counted(out, request.path.as_bytes())?;
    write_counted(out, &request.text)
}

/// Reads a request; `None` at the end of the input.
pub(crate) fn read_request(input: &mut impl Read) -> io::Result<Option<Request>> {
    let mut number = [0];
    if input.read(&mut number)? == 0 {
        return Ok(None);
    }
    let language = Language::ALL.get(usize::from(number[0])).copied();
    let language = language.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "unknown language number"))?;
    let path = String::from_utf8_lossy(&read_counted(input, MAX_PATH_BYTES)?).into_owned();
    let text = read_counted(input, MAX_TEXT_BYTES)?;
    Ok(Some(Request { language, path, text }))
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
        let request = Request { language: Language::Go, path: "a/b.go".into(), text: b"package b\n".to_vec() };
        let mut bytes = Vec::new();
        write_request(&mut bytes, &request).unwrap();
        assert_eq!(read_request(&mut bytes.as_slice()).unwrap(), Some(request));
        assert!(read_request(&mut &bytes[..bytes.len() - 1]).is_err());
        assert_eq!(read_request(&mut [].as_slice()).unwrap(), None);
    }
}
