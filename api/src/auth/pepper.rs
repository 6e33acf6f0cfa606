//! The key pepper: a secret file under which keys are hashed, the same in every process of an installation.

use std::{fs, io, path::Path};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};
use shared::db;
use sqlx::PgPool;

/// Bytes of a pepper.
const PEPPER_BYTES: usize = 32;

/// Under which name the database keeps the fingerprint.
const FINGERPRINT_KEY: &str = "key_pepper_fingerprint";

/// The secret itself. Never printed.
#[derive(Clone)]
pub struct Pepper([u8; PEPPER_BYTES]);

impl Pepper {
    pub(crate) fn random() -> Self {
        Self(rand::random())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Identifies the pepper without telling it.
    fn fingerprint(&self) -> String {
        let digest = Sha256::digest([b"docmill key pepper ".as_slice(), &self.0].concat());
        hex::encode(&digest[..16])
    }
}

/// Reads the pepper. A missing file is made, readable by its owner only, when `may_create`; else that is an error, because
/// a secret that several hosts share must not be made on one of them (decisions.md 13). Blocks; small.
pub fn load_or_create(file: &Path, may_create: bool) -> anyhow::Result<Pepper> {
    let shown = file.display();
    match fs::read_to_string(file) {
        Ok(text) => parse(&text).with_context(|| {
            format!("KEY_PEPPER_FILE `{shown}` does not hold {} hexadecimal digits", PEPPER_BYTES * 2)
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound && may_create => match create(file) {
            // another process was faster: its pepper is the one
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => load_or_create(file, false),
            made => made.with_context(|| format!("cannot make KEY_PEPPER_FILE `{shown}`")),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
            "KEY_PEPPER_FILE `{shown}` does not exist; copy it from the first host, or make one with \
             `openssl rand -hex 32`"
        ),
        Err(error) => Err(error).with_context(|| format!("cannot read KEY_PEPPER_FILE `{shown}`")),
    }
}

/// Makes sure that every process of this installation has the same pepper: the first one's fingerprint is kept in the
/// database, and any other is an error.
pub async fn agree(pool: &PgPool, pepper: &Pepper) -> anyhow::Result<()> {
    let mut conn = pool.acquire().await?;
    let ours = pepper.fingerprint();
    let agreed = db::access::agree_on(&mut conn, FINGERPRINT_KEY, &ours).await?;
    if agreed != ours {
        bail!(
            "KEY_PEPPER_FILE holds another secret than the one this database was set up with (fingerprint {ours}, \
             expected {agreed}); use the file of the first host, every stored key depends on it"
        );
    }
    Ok(())
}

fn create(file: &Path) -> io::Result<Pepper> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let pepper = Pepper::random();
    // written whole before it has its name, so that a crash leaves no half of a secret
    let unfinished = file.with_extension(format!("new-{}", std::process::id()));
    let write = || {
        let mut target =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        target.write_all(format!("{}\n", hex::encode(pepper.0)).as_bytes())?;
        target.sync_all()?;
        fs::hard_link(&unfinished, file)
    };
    let written = write();
    let removed = fs::remove_file(&unfinished);
    written.and(removed).map(|()| pepper)
}

fn parse(text: &str) -> Option<Pepper> {
    let digits = text.trim().as_bytes();
    let mut bytes = [0; PEPPER_BYTES];
    if digits.len() != PEPPER_BYTES * 2 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let [high, low] = [char::from(pair[0]).to_digit(16)?, char::from(pair[1]).to_digit(16)?];
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(Pepper(bytes))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_pepper_is_made_once_and_only_where_that_is_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pepper");
        assert!(load_or_create(&file, false).is_err());
        let made = load_or_create(&file, true).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(load_or_create(&file, true).unwrap().bytes(), made.bytes());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_pepper_is_an_error_and_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pepper");
        fs::write(&file, "too short").unwrap();
        assert!(load_or_create(&file, true).is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "too short");
    }
}
