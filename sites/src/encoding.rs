//! Compressed forms of a file: made once when a site is published, chosen for each reader by `Accept-Encoding`.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use serde::{Deserialize, Serialize};

/// Denser levels cost ten times the time for 1 % of the size.
const BROTLI_QUALITY: i32 = 5;
const GZIP_LEVEL: u32 = 6;

/// What an operating system is called in a gzip header that shall not tell.
const UNKNOWN_OS: u8 = 255;

/// A form that a file can be sent in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Encoding {
    /// RFC 7932.
    #[serde(rename = "br")]
    Brotli,
    /// RFC 1952.
    #[serde(rename = "gzip")]
    Gzip,
}

impl Encoding {
    /// All, the densest first.
    pub const ALL: [Self; 2] = [Self::Brotli, Self::Gzip];

    /// The name in `Content-Encoding`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// The same input gives the same bytes.
    pub(crate) fn compress(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut compressed = Vec::with_capacity(bytes.len() / 3);
        match self {
            Self::Brotli => {
                let parameters = brotli::enc::BrotliEncoderParams {
                    quality: BROTLI_QUALITY,
                    size_hint: bytes.len(),
                    ..Default::default()
                };
                brotli::BrotliCompress(&mut &*bytes, &mut compressed, &parameters)?;
            }
            Self::Gzip => {
                let mut encoder = gzip_encoder(compressed);
                encoder.write_all(bytes)?;
                compressed = encoder.finish()?;
            }
        }
        Ok(compressed)
    }

    /// The first of `offered` that the header accepts, else `None`: as it is. Readers that send no header get that too.
    pub fn choose(offered: impl IntoIterator<Item = Self>, accept_encoding: Option<&str>) -> Option<Self> {
        let header = accept_encoding?;
        offered.into_iter().find(|encoding| accepts(header, encoding.as_str()))
    }
}

/// A gzip stream without a time and a system in it.
pub(crate) fn gzip_encoder<W: Write>(target: W) -> flate2::write::GzEncoder<W> {
    GzBuilder::new().mtime(0).operating_system(UNKNOWN_OS).write(target, Compression::new(GZIP_LEVEL))
}

/// Whether `gzip, br;q=0.5, *;q=0` allows an encoding: what is named beats `*`, and a weight of zero forbids.
fn accepts(header: &str, name: &str) -> bool {
    let mut by_star = false;
    for item in header.split(',') {
        let (coding, parameters) = item.split_once(';').unwrap_or((item, ""));
        let weight = parameters.trim().strip_prefix("q=").map_or(Ok(1.0), |weight| weight.trim().parse::<f32>());
        let allowed = weight.is_ok_and(|weight| weight > 0.0);
        match coding.trim() {
            coding if coding.eq_ignore_ascii_case(name) => return allowed,
            "*" => by_star = allowed,
            _ => {}
        }
    }
    by_star
}
