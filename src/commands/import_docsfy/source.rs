//! docsfy's database, read without changing a byte of its folder. Every row of its tables, whatever stands in it.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context, bail};
use rusqlite::{Connection, OpenFlags, types::ValueRef};
use tempfile::TempDir;

/// Longest value that is read, in bytes. docsfy's own largest, the plan, has about 10 KiB.
const MAX_VALUE_BYTES: usize = 4 << 20;

/// Files that `SQLite` leaves beside a database whose last write was cut off.
const UNFINISHED: [&str; 2] = ["docsfy.db-journal", "docsfy.db-wal"];

/// What docsfy's database holds. Tables that this version of docsfy did not have are empty.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) users: Vec<Row>,
    pub(super) grants: Vec<Row>,
    pub(super) settings: Vec<Row>,
    pub(super) projects: Vec<Row>,
}

/// A row by column; columns that this version of docsfy did not have are missing.
#[derive(Debug, Default)]
pub(super) struct Row(HashMap<String, Cell>);

#[derive(Debug)]
enum Cell {
    Text(String),
    Number(f64),
    /// Why it is of no use.
    Unusable(String),
}

impl Row {
    /// The text of a column; `None` when there is none. A value of another kind is an error that says so.
    pub(super) fn text(&self, column: &str) -> Result<Option<String>, String> {
        match self.0.get(column) {
            None => Ok(None),
            Some(Cell::Text(text)) => Ok(Some(text.clone())),
            Some(Cell::Number(number)) => Ok(Some(number.to_string())),
            Some(Cell::Unusable(reason)) => Err(format!("its {column} {reason}")),
        }
    }

    /// The text of a column, or nothing when it is missing or of no use.
    pub(super) fn text_or_empty(&self, column: &str) -> String {
        self.text(column).ok().flatten().unwrap_or_default()
    }

    /// The number of a column, if one stands there.
    pub(super) fn number(&self, column: &str) -> Option<f64> {
        match self.0.get(column)? {
            Cell::Number(number) => Some(*number).filter(|number| number.is_finite()),
            Cell::Text(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            Cell::Unusable(_) => None,
        }
    }
}

/// Reads the database of a data folder. Blocks.
pub(super) fn read(folder: &Path) -> anyhow::Result<Source> {
    let file = folder.join("docsfy.db");
    if !file.is_file() {
        bail!("`{}` holds no docsfy.db; name the DATA_DIR of docsfy", folder.display());
    }
    let before = state_of(&file)?;
    let opened = Opened::open(folder, &file)?;
    let source = read_tables(&opened.connection)
        .with_context(|| format!("`{}` cannot be read; if docsfy is still running, stop it first", file.display()))?;
    if state_of(&file)? != before {
        bail!("`{}` changed while it was read: stop docsfy first", file.display());
    }
    Ok(source)
}

/// Length and time of the last change, by which a writer shows itself.
fn state_of(file: &Path) -> anyhow::Result<(u64, Option<SystemTime>)> {
    let metadata = fs::metadata(file).with_context(|| format!("cannot look at `{}`", file.display()))?;
    Ok((metadata.len(), metadata.modified().ok()))
}

struct Opened {
    connection: Connection,
    /// Lives as long as the connection, when a copy was needed.
    _copy: Option<TempDir>,
}

impl Opened {
    /// Opens the file as one that nobody changes, so that `SQLite` writes nothing beside it. When docsfy was killed while it
    /// wrote, `SQLite` has to put the database in order first; it does so with a copy.
    fn open(folder: &Path, file: &Path) -> anyhow::Result<Self> {
        let unfinished: Vec<PathBuf> = UNFINISHED
            .iter()
            .map(|name| folder.join(name))
            .filter(|path| fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0))
            .collect();
        if unfinished.is_empty() {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let mut address = url::Url::from_file_path(file).map_err(|()| anyhow::anyhow!("not an absolute path"))?;
            address.set_query(Some("immutable=1"));
            let connection = Connection::open_with_flags(address.as_str(), flags)
                .with_context(|| format!("cannot open `{}`", file.display()))?;
            return Ok(Self { connection, _copy: None });
        }
        let copy = tempfile::tempdir().context("cannot make a temporary folder")?;
        for path in unfinished.iter().map(PathBuf::as_path).chain([file]) {
            let name = path.file_name().unwrap_or_default();
            fs::copy(path, copy.path().join(name)).with_context(|| format!("cannot copy `{}`", path.display()))?;
        }
        let connection = Connection::open(copy.path().join("docsfy.db")).context("cannot open a copy of docsfy.db")?;
        Ok(Self { connection, _copy: Some(copy) })
    }
}

fn read_tables(connection: &Connection) -> anyhow::Result<Source> {
    if !has_table(connection, "projects")? || !has_table(connection, "users")? {
        bail!("it is no database of docsfy: the tables `projects` and `users` are missing");
    }
    Ok(Source {
        users: read_table(connection, "users")?,
        grants: read_table(connection, "project_access")?,
        settings: read_table(connection, "settings")?,
        projects: read_table(connection, "projects")?,
    })
}

fn has_table(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1)",
        [table],
        |row| row.get(0),
    )
}

/// Every row in the order in which they were made; nothing for a table that does not exist.
fn read_table(connection: &Connection, table: &str) -> anyhow::Result<Vec<Row>> {
    if !has_table(connection, table)? {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare(&format!("SELECT * FROM {table} ORDER BY rowid"))?;
    let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let mut found = statement.query([])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let mut cells = HashMap::new();
        for (index, column) in columns.iter().enumerate() {
            if let Some(cell) = read_cell(row.get_ref(index)?) {
                cells.insert(column.clone(), cell);
            }
        }
        rows.push(Row(cells));
    }
    Ok(rows)
}

/// `SQLite` holds anything in any column. Postgres keeps no NUL in a text, and nobody misses one.
fn read_cell(value: ValueRef<'_>) -> Option<Cell> {
    match value {
        ValueRef::Null => None,
        #[expect(clippy::cast_precision_loss, reason = "docsfy's numbers are counts and seconds")]
        ValueRef::Integer(number) => Some(Cell::Number(number as f64)),
        ValueRef::Real(number) => Some(Cell::Number(number)),
        ValueRef::Text(bytes) if bytes.len() > MAX_VALUE_BYTES => {
            Some(Cell::Unusable(format!("has {} bytes, at most {MAX_VALUE_BYTES} are taken", bytes.len())))
        }
        ValueRef::Text(bytes) => Some(Cell::Text(String::from_utf8_lossy(bytes).replace('\0', ""))),
        ValueRef::Blob(_) => Some(Cell::Unusable("is no text".into())),
    }
}
