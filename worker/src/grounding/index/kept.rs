//! The file in which an index is kept, next to the commit that it is about: one entry for each blob, compressed.
//!
//! ```text
//! "docmill index", version      16 bytes
//! records, compressed           kind (1 byte), length (4 bytes, little endian), content
//! SHA-256 of all before         32 bytes
//! ```
//!
//! A file that is damaged, cut or of another version is as good as none.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::Path,
};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use sha2::{Digest, Sha256};

use super::entries::{Entry, Key, decode};

/// First bytes of the file. The last one is the version, raised whenever the same blob would give another entry.
const HEAD: [u8; 16] = *b"docmill index\0\0\x03";
/// Bytes of the digest.
const DIGEST_BYTES: u64 = 32;
/// Longest record, in bytes.
const MAX_RECORD_BYTES: u32 = 64 << 20;

const ENTRY: u8 = 1;
const PROJECT: u8 = 2;
const END: u8 = 0;

/// Writes an index file.
pub(super) struct Keeper {
    out: ZlibEncoder<Hashed<BufWriter<File>>>,
}

/// Passes bytes on and hashes them.
struct Hashed<W> {
    inner: W,
    digest: Sha256,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl Keeper {
    /// Begins a file, in place of one that is there.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let mut out = Hashed { inner: BufWriter::new(File::create(path)?), digest: Sha256::new() };
        out.write_all(&HEAD)?;
        Ok(Self { out: ZlibEncoder::new(out, Compression::fast()) })
    }

    /// Adds an entry, as [`encode`](super::entries::encode) wrote it.
    pub(super) fn put(&mut self, entry: &[u8]) -> io::Result<()> {
        self.record(ENTRY, entry)
    }

    /// Adds what is known of the project as a whole.
    pub(super) fn put_project(&mut self, project: &[u8]) -> io::Result<()> {
        self.record(PROJECT, project)
    }

    /// Ends the file.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.record(END, &[])?;
        let Hashed { mut inner, digest } = self.out.finish()?;
        inner.write_all(&digest.finalize())?;
        inner.flush()
    }

    fn record(&mut self, kind: u8, content: &[u8]) -> io::Result<()> {
        let length = u32::try_from(content.len()).ok().filter(|length| *length <= MAX_RECORD_BYTES);
        let length = length.ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?;
        self.out.write_all(&[kind])?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(content)
    }
}

/// A record of an index file.
pub(super) enum Record {
    /// About a blob.
    Entry(Key, Entry),
    /// About the project as a whole.
    Project(Vec<u8>),
}

/// Reads an index file that was found whole.
pub(super) struct Kept {
    input: ZlibDecoder<BufReader<io::Take<File>>>,
    words: Vec<u64>,
}

impl Kept {
    /// Opens a file; nothing when it is damaged, cut or of another version.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        let mut file = File::open(path)?;
        let Some(length) = file.metadata()?.len().checked_sub(DIGEST_BYTES) else { return Ok(None) };
        let mut head = [0; HEAD.len()];
        if length < HEAD.len() as u64 || file.read_exact(&mut head).is_err() || head != HEAD {
            return Ok(None);
        }
        let mut digest = Sha256::new();
        digest.update(head);
        let mut content = file.take(length - HEAD.len() as u64);
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = content.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            digest.update(&buffer[..read]);
        }
        let mut file = content.into_inner();
        let mut said = Vec::new();
        file.read_to_end(&mut said)?;
        if said != digest.finalize().as_slice() {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(HEAD.len() as u64))?;
        let content = BufReader::with_capacity(1 << 16, file.take(length - HEAD.len() as u64));
        Ok(Some(Self { input: ZlibDecoder::new(content), words: Vec::new() }))
    }

    /// The next record; nothing at the end, and at what makes no sense.
    pub(super) fn next(&mut self) -> io::Result<Option<Record>> {
        let mut head = [0; 5];
        self.input.read_exact(&mut head)?;
        let [kind, length @ ..] = head;
        let length = u32::from_le_bytes(length);
        if kind == END || length > MAX_RECORD_BYTES {
            return Ok(None);
        }
        let mut content = vec![0; length as usize];
        self.input.read_exact(&mut content)?;
        Ok(match kind {
            ENTRY => decode(&content, &mut self.words).map(|(key, entry)| Record::Entry(key, entry)),
            PROJECT => Some(Record::Project(content)),
            _ => None,
        })
    }
}
