//! One view: the frame that the WebSocket sends and, cut from the same bytes, the body that HTTP answers with.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
    ops::Range,
    sync::Arc,
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures_util::TryStreamExt;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use shared::{
    db::{self, variants::VariantRow, views::Digest},
    variant::Status,
    wire::{ModelsResponse, Project},
};
use sqlx::PgPool;
use tokio::sync::OnceCell;

use super::Seen;

/// What stands before the first key that both forms have.
const FRAME_HEAD: &[u8] = br#"{"type":"sync","#;
/// Denser levels cost several times the time for a tenth of the size.
const GZIP_LEVEL: u32 = 2;

/// What somebody sees, as bytes.
pub(crate) struct View {
    pub(super) digest: Digest,
    frame: Bytes,
    /// Where in the frame the keys stand that come before `available_models` in the body.
    before_models: Range<usize>,
    available_models: Bytes,
    tag: u128,
    compressed: OnceCell<Bytes>,
}

impl View {
    /// The `sync` of the WebSocket.
    pub(crate) fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// Stands for the rows that it was made from.
    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Stands for the content: the same after changes that the reader does not see.
    pub(crate) fn tag(&self) -> u128 {
        self.tag
    }

    /// The body of the HTTP answer, in parts that follow each other.
    pub(super) fn body(&self) -> [Bytes; 4] {
        [
            Bytes::from_static(b"{"),
            self.frame.slice(self.before_models.clone()),
            self.available_models.clone(),
            self.frame.slice(self.before_models.end..),
        ]
    }

    /// The same compressed, made when it is first asked for.
    pub(super) async fn compressed(self: &Arc<Self>) -> anyhow::Result<Bytes> {
        let compress = || async {
            let view = Arc::clone(self);
            tokio::task::spawn_blocking(move || compress(&view.body())).await?.map_err(anyhow::Error::from)
        };
        self.compressed.get_or_try_init(compress).await.cloned()
    }

    /// Bytes of memory, with what the compressed form takes at most.
    pub(super) fn weight(&self) -> usize {
        self.frame.len() + self.frame.len() / 2 + self.available_models.len()
    }
}

fn compress(parts: &[Bytes]) -> io::Result<Bytes> {
    let length: usize = parts.iter().map(Bytes::len).sum();
    let mut encoder = GzEncoder::new(Vec::with_capacity(length / 6), Compression::new(GZIP_LEVEL));
    for part in parts {
        encoder.write_all(part)?;
    }
    let compressed = encoder.finish()?;
    // an exact copy: what a vector keeps for growing would be kept as long as the view
    Ok(Bytes::copy_from_slice(&compressed))
}

/// Reads and writes a view as of one moment.
pub(super) async fn build(pool: &PgPool, seen: &Seen, expected_bytes: usize) -> sqlx::Result<View> {
    let mut snapshot = db::views::begin_snapshot(pool).await?;
    let digest = db::views::digest(&mut snapshot, seen.scope()).await?;
    let mut writing = Writing::begin(seen, expected_bytes + expected_bytes / 16 + 1024);
    let mut rows = db::variants::stream_all(&mut snapshot, seen.scope());
    while let Some(row) = rows.try_next().await? {
        writing.add(row).map_err(encoding)?;
    }
    drop(rows);
    snapshot.commit().await?;
    writing.finish(digest).map_err(encoding)
}

fn encoding(error: serde_json::Error) -> sqlx::Error {
    sqlx::Error::Encode(error.into())
}

/// A view that is being written.
struct Writing<'a> {
    seen: &'a Seen,
    frame: Vec<u8>,
    is_first: bool,
    branches: BTreeMap<String, BTreeSet<String>>,
    total_cost_usd: f64,
}

impl<'a> Writing<'a> {
    fn begin(seen: &'a Seen, capacity: usize) -> Self {
        let mut frame = Vec::with_capacity(capacity);
        frame.extend_from_slice(FRAME_HEAD);
        frame.extend_from_slice(br#""projects":["#);
        Self { seen, frame, is_first: true, branches: BTreeMap::new(), total_cost_usd: 0.0 }
    }

    /// Branches and costs are those of everything for admins, else of the reader's own and not of shared projects.
    fn add(&mut self, row: VariantRow) -> serde_json::Result<()> {
        let counts = match self.seen {
            Seen::All => true,
            Seen::By(user) => row.owner == **user,
        };
        if counts {
            self.total_cost_usd += row.total_cost_usd.unwrap_or_default();
        }
        if counts && row.status == Status::Ready {
            let (name, branch) = (row.name.to_string(), row.branch.to_string());
            self.branches.entry(name).or_default().insert(branch);
        }
        if !std::mem::take(&mut self.is_first) {
            self.frame.push(b',');
        }
        serde_json::to_writer(&mut self.frame, &Project::from(row))
    }

    fn finish(mut self, digest: Digest) -> serde_json::Result<View> {
        let models = ModelsResponse::new(&digest.defaults(), &digest.models());
        self.frame.push(b']');
        add_key(&mut self.frame, "known_models", &models.known_models)?;
        let before_models = FRAME_HEAD.len()..self.frame.len();
        add_key(&mut self.frame, "known_branches", &self.branches)?;
        add_key(&mut self.frame, "total_cost_usd", &self.total_cost_usd)?;
        self.frame.push(b'}');
        let mut available_models = Vec::new();
        add_key(&mut available_models, "available_models", &models.available_models)?;
        let mut hash = Sha256::new();
        hash.update(&self.frame);
        hash.update(&available_models);
        let hash: [u8; 32] = hash.finalize().into();
        self.frame.shrink_to_fit();
        Ok(View {
            digest,
            frame: self.frame.into(),
            before_models,
            available_models: available_models.into(),
            tag: u128::from_be_bytes(*hash.first_chunk().expect("32 bytes begin with 16")),
            compressed: OnceCell::new(),
        })
    }
}

fn add_key(target: &mut Vec<u8>, key: &str, value: &impl Serialize) -> serde_json::Result<()> {
    target.extend_from_slice(b",\"");
    target.extend_from_slice(key.as_bytes());
    target.extend_from_slice(b"\":");
    serde_json::to_writer(target, value)
}
