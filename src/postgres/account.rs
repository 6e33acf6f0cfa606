//! Who runs the server: ourselves, or, because Postgres refuses to run as root, an account without rights.

use std::{
    fs, io,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

use super::{PostgresError, system};

/// An account that root hands the server to.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) name: String,
    uid: u32,
    gid: u32,
}

/// `None` when we are not root and run the server ourselves. For root the owner of an existing `cluster` folder,
/// else `postgres`, else `nobody`.
pub(super) fn for_cluster(cluster: &Path) -> Result<Option<Account>, PostgresError> {
    if !shared::os::is_root() {
        return Ok(None);
    }
    let passwd = fs::read_to_string("/etc/passwd")
        .map_err(|source| system("read the accounts in `/etc/passwd`".into(), source))?;
    let accounts: Vec<Account> = passwd.lines().filter_map(parse_passwd_line).collect();
    if let Ok(metadata) = fs::metadata(cluster)
        && metadata.uid() != 0
    {
        let uid = metadata.uid();
        let name = accounts.iter().find(|account| account.uid == uid).map(|account| account.name.clone());
        return Ok(Some(Account { name: name.unwrap_or_else(|| uid.to_string()), uid, gid: metadata.gid() }));
    }
    let named = |name: &str| accounts.iter().find(|account| account.name == name && account.uid != 0).cloned();
    named("postgres").or_else(|| named("nobody")).map(Some).ok_or(PostgresError::NoAccount)
}

/// `name:password:uid:gid:...`
fn parse_passwd_line(line: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some(Account { name, uid, gid })
}

impl Account {
    /// Makes `command` run as this account, without any further group of ours.
    pub(super) fn run(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Gives a folder to this account.
    pub(super) fn own(&self, folder: &Path) -> io::Result<()> {
        chown(folder, Some(self.uid), Some(self.gid))
    }

    /// The first folder on the way to and including `folder` that this account may not enter. Looks at modes only: what
    /// an access control list says more is found out by the server.
    pub(super) fn barrier(&self, folder: &Path) -> io::Result<Option<PathBuf>> {
        let mut way: Vec<&Path> = folder.ancestors().collect();
        way.reverse();
        for step in way {
            let metadata = fs::metadata(step)?;
            let may_enter = match metadata.mode() {
                mode if metadata.uid() == self.uid => mode & 0o100,
                mode if metadata.gid() == self.gid => mode & 0o010,
                mode => mode & 0o001,
            };
            if may_enter == 0 {
                return Ok(Some(step.to_path_buf()));
            }
        }
        Ok(None)
    }
}
