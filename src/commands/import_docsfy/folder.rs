//! docsfy's project trees: files are read by parts of a path that were checked, without following a link.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Longest page that is read, in bytes.
pub(super) const MAX_PAGE_BYTES: u64 = 1 << 20;

/// What was found at a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Missing,
    /// A text; says whether bytes that are not UTF-8 were replaced.
    Text { text: String, replaced: bool },
    /// Something that is not read, and why.
    Refused(String),
}

/// The folder `projects`, below which everything is looked up.
#[derive(Debug, Clone)]
pub(super) struct Projects(PathBuf);

impl Projects {
    /// The trees of a data folder. The folder itself may stand on another disk behind a link of the operator's.
    pub(super) fn of(data_dir: &Path) -> Self {
        let folder = data_dir.join("projects");
        Self(folder.canonicalize().unwrap_or(folder))
    }

    /// Reads a file as text.
    pub(super) fn read(&self, parts: &[&str]) -> Found {
        let path = match self.locate(parts) {
            Ok(Some(path)) => path,
            Ok(None) => return Found::Missing,
            Err(reason) => return Found::Refused(reason),
        };
        match read_file(&path) {
            Ok(bytes) if bytes.len() as u64 > MAX_PAGE_BYTES => {
                Found::Refused(format!("the file has more than {} KiB", MAX_PAGE_BYTES >> 10))
            }
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                let replaced = matches!(text, std::borrow::Cow::Owned(_));
                Found::Text { text: text.replace('\0', ""), replaced }
            }
            Err(reason) => Found::Refused(reason),
        }
    }

    /// The names in a folder, sorted; nothing when there is no such folder.
    pub(super) fn list(&self, parts: &[&str]) -> Vec<String> {
        let Ok(Some(folder)) = self.locate(parts) else { return Vec::new() };
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// Whether a folder is there.
    pub(super) fn has_folder(&self, parts: &[&str]) -> bool {
        matches!(self.locate(parts), Ok(Some(path)) if path.is_dir())
    }

    /// The path of something that exists and is reached without a link.
    fn locate(&self, parts: &[&str]) -> Result<Option<PathBuf>, String> {
        let mut path = self.0.clone();
        for part in parts {
            if !is_one_part(part) {
                return Err("its path would leave the folder".into());
            }
            path.push(part);
            match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_symlink() => return Err("it is behind a symbolic link".into()),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    return Ok(None);
                }
                Err(error) => return Err(format!("it cannot be read: {error}")),
            }
        }
        Ok(Some(path))
    }
}

/// Whether a text is the name of one file or folder.
pub(super) fn is_one_part(text: &str) -> bool {
    !matches!(text, "" | "." | "..") && text.len() <= 255 && !text.contains(['/', '\\', '\0'])
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("it cannot be read: {error}");
    // neither a link nor something that blocks, even if it took the file's place just now
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err("it is no file".into());
    }
    let mut bytes = Vec::new();
    file.take(MAX_PAGE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_outside_of_the_folder_is_read() {
        let data_dir = tempfile::tempdir().unwrap();
        let folder = data_dir.path().join("projects/a");
        fs::create_dir_all(&folder).unwrap();
        fs::write(data_dir.path().join("secret.md"), "secret").unwrap();
        fs::write(folder.join("page.md"), b"ok \xff\0").unwrap();
        symlink(data_dir.path().join("secret.md"), folder.join("link.md")).unwrap();
        symlink(data_dir.path(), folder.join("folder")).unwrap();
        fs::write(folder.join("large.md"), vec![b'x'; 1 + usize::try_from(MAX_PAGE_BYTES).unwrap()]).unwrap();
        let projects = Projects::of(data_dir.path());
        assert_eq!(projects.read(&["a", "page.md"]), Found::Text { text: "ok \u{fffd}".into(), replaced: true });
        assert_eq!(projects.read(&["a", "gone.md"]), Found::Missing);
        assert_eq!(projects.read(&["a", "page.md", "below"]), Found::Missing);
        for refused in [
            &["a", "link.md"][..],
            &["a", "folder", "secret.md"],
            &["..", "secret.md"],
            &["a", "../../secret.md"],
            &["a", "large.md"],
            &["a"],
        ] {
            let found = projects.read(refused);
            assert!(matches!(found, Found::Refused(_)), "{refused:?}: {found:?}");
        }
    }
}
