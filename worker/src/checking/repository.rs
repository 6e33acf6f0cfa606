//! The repository that documentation is held against: found, opened, and indexed at a commit.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail};
use chrono::DateTime;
use git2::{ErrorCode, Oid, Repository};
use shared::names::BranchName;
use tokio_util::sync::CancellationToken;

use super::{DocsCheck, reading::Folder};
use crate::{
    git::{Checkout, TreeFile, list_files, open_bare},
    grounding::index::{Build, Index},
    steering::PathFilter,
    writers::builtin::{ParserLimits, tree::MAX_FILES},
};

/// A repository at a commit.
pub(super) struct Source {
    pub(super) checkout: Checkout,
    /// Its files, in order of path.
    pub(super) files: Vec<String>,
    /// Where the documentation lies in it, when it does.
    pub(super) base: Option<String>,
    /// The names of its remotes, and of its folder.
    names: BTreeSet<String>,
}

impl Source {
    /// Opens the repository that was named, else the one around the documentation, else none.
    pub(super) fn open(check: &DocsCheck, folder: &Folder) -> anyhow::Result<Option<Self>> {
        let Some(git_dir) = find_git_dir(check)? else { return Ok(None) };
        let unreadable = |error: &dyn std::fmt::Display| anyhow!("`{}` cannot be read: {error}", git_dir.display());
        let repository = open_bare(&git_dir).map_err(|error| unreadable(&error.message))?;
        let wanted = check.commit.as_deref().unwrap_or("HEAD");
        let commit = repository.revparse_single(wanted).and_then(|object| object.peel_to_commit()).map_err(|_| {
            anyhow!("the repository `{}` has no commit `{}`", repository.path().display(), wanted.escape_debug())
        })?;
        let branch: BranchName = "main".parse().context("a constant is a branch")?;
        let checkout = Checkout {
            git_dir: repository.commondir().to_owned(),
            commit: commit.id().to_string().parse().context("an id is a commit")?,
            commit_time: DateTime::from_timestamp(commit.time().seconds(), 0).unwrap_or_default(),
            branch,
        };
        let list =
            list_files(&checkout, MAX_FILES).map_err(|error| anyhow!("the repository cannot be read: {error}"))?;
        let work_tree = work_tree_of(&repository);
        let base = work_tree.as_deref().and_then(|root| base_of(root, &check.docs));
        let base = base.or_else(|| base_by_content(&list.files, folder));
        let files = list.files.into_iter().map(|file| file.path).collect();
        let names = names_of(&repository, work_tree.as_deref().unwrap_or(&git_dir));
        Ok(Some(Self { checkout, files, base, names }))
    }

    /// The pages of the folder, their copies and translations as paths of the repository: what documentation says is no
    /// evidence for itself.
    pub(super) fn own_pages(&self, folder: &Folder) -> BTreeSet<String> {
        let Some(base) = &self.base else { return BTreeSet::new() };
        let inside = |path: &str| if base.is_empty() { path.to_owned() } else { format!("{base}/{path}") };
        let mut pages: BTreeSet<String> = folder.pages.iter().map(|page| inside(&page.path)).collect();
        // `docs/en` lies beside `docs/de`
        let first = base.split('/').next().unwrap_or_default();
        let is_beside =
            |path: &str| !first.is_empty() && path.strip_prefix(first).is_some_and(|rest| rest.starts_with('/'));
        pages.extend(self.files.iter().filter(|path| is_beside(path) && is_prose(path)).cloned());
        pages
    }

    /// Whether there is such a file.
    pub(super) fn has_file(&self, path: &str) -> bool {
        self.files.binary_search_by(|file| file.as_str().cmp(path)).is_ok()
    }

    /// Whether a link to a repository of this name means this one.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.names.contains(&name.trim_end_matches(".git").to_lowercase())
    }

    /// The index of the commit without the pages themselves.
    pub(super) fn index(&self, program: &Path, own_pages: BTreeSet<String>) -> anyhow::Result<Index> {
        let name = self.names.iter().next().map_or("repository", String::as_str);
        let build = Build {
            checkout: &self.checkout,
            filter: &PathFilter::without(own_pages),
            name,
            parser: (program, ParserLimits::default()),
            known: None,
            keep: None,
            cancel: &CancellationToken::new(),
        };
        Ok(Index::of_checkout(&build)?.0)
    }
}

/// The folder of Git of the repository that was named, else of the one around the documentation, else none. It may belong to
/// somebody else, as in a container.
fn find_git_dir(check: &DocsCheck) -> anyhow::Result<Option<PathBuf>> {
    let start = check.repository.as_ref().unwrap_or(&check.docs);
    let start = start.canonicalize().with_context(|| format!("`{}` cannot be read", start.display()))?;
    // a folder that was named is the repository itself
    let ceiling = check.repository.as_ref().and(start.parent());
    match (Repository::discover_path(&start, ceiling), &check.repository, &check.commit) {
        (Ok(git_dir), _, _) => Ok(Some(git_dir)),
        (Err(error), Some(path), _) => {
            bail!("`{}` is not a Git repository that can be opened: {}", path.display(), error.message())
        }
        (Err(error), None, _) if error.code() != ErrorCode::NotFound => {
            bail!("the repository around `{}` cannot be opened: {}", check.docs.display(), error.message())
        }
        (Err(_), None, None) => Ok(None),
        (Err(_), None, Some(_)) => {
            bail!("`--commit` needs a repository: `{}` lies in none; name one by `--repo`", check.docs.display())
        }
    }
}

/// Where the files of a repository lie; none when it has only its history.
fn work_tree_of(repository: &Repository) -> Option<PathBuf> {
    let git_dir = repository.path();
    // one of several work trees names the file `.git` that it has
    if let Ok(place) = fs::read_to_string(git_dir.join("gitdir")) {
        return Path::new(place.trim()).parent().map(Path::to_owned);
    }
    let named = repository.config().and_then(|config| config.get_path("core.worktree"));
    match named {
        Ok(place) => Some(git_dir.join(place)),
        Err(_) => git_dir.parent().filter(|_| git_dir.file_name() == Some(".git".as_ref())).map(Path::to_owned),
    }
}

/// Whether a file is text for readers, or made of it.
fn is_prose(path: &str) -> bool {
    const ENDINGS: [&str; 7] = ["md", "mdx", "markdown", "html", "htm", "rst", "txt"];
    let name = path.rsplit('/').next().unwrap_or_default();
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    ENDINGS.contains(&ending) || name.starts_with("search") && ending == "json"
}

/// Where the documentation lies below the root of a work tree.
fn base_of(root: &Path, docs: &Path) -> Option<String> {
    let (root, docs) = (root.canonicalize().ok()?, docs.canonicalize().ok()?);
    let below: PathBuf = docs.strip_prefix(root).ok()?.to_owned();
    Some(below.to_str()?.replace('\\', "/"))
}

/// Where copies of the pages lie in the repository, when the folder lies elsewhere: another clone of it, what a build took out
/// of it.
fn base_by_content(files: &[TreeFile], folder: &Folder) -> Option<String> {
    let pages: HashMap<Oid, &str> = folder.pages.iter().map(|page| (page.blob, page.path.as_str())).collect();
    let mut bases: BTreeMap<&str, usize> = BTreeMap::new();
    for file in files {
        let base = pages.get(&file.blob).and_then(|page| file.path.strip_suffix(page));
        if let Some(base) = base.filter(|base| base.is_empty() || base.ends_with('/')) {
            *bases.entry(base.trim_end_matches('/')).or_default() += 1;
        }
    }
    let most = bases.into_iter().max_by_key(|(base, count)| (*count, Reverse(*base)));
    most.map(|(base, _)| base.to_owned())
}

fn names_of(repository: &Repository, folder: &Path) -> BTreeSet<String> {
    let last = |text: &str| {
        let name = text.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
        name.trim_end_matches(".git").to_lowercase()
    };
    let mut names = BTreeSet::new();
    if let Ok(remotes) = repository.remotes() {
        for remote in remotes.iter().flatten().flatten() {
            if let Ok(remote) = repository.find_remote(remote)
                && let Ok(url) = remote.url()
            {
                names.insert(last(url));
            }
        }
    }
    names.extend(folder.file_name().and_then(|name| name.to_str()).map(last));
    names.remove("");
    names
}
