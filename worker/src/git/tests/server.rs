//! A Git server on loopback: a few lines of HTTP in front of `git http-backend`, and the ways in which servers misbehave.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::Command,
    task::JoinHandle,
};

/// How a server answers.
#[derive(Debug, Clone)]
pub(super) enum Manner {
    /// As it should.
    Serve,
    /// Takes the request and says nothing.
    Silent,
    /// Sends everybody elsewhere, with this address in front of the path.
    Redirect(String),
    /// Sends paths without `.git` to those with it, as GitLab does.
    RedirectToSuffix,
    /// Wants the user `me` with the password `hunter2`.
    Password,
    /// Answers with this status.
    Status(u16),
}

/// A server that stops when it is dropped.
pub(super) struct Server {
    pub(super) port: u16,
    requests: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    pub(super) async fn start(root: &Path, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(AtomicUsize::new(0));
        let (root, counter) = (root.to_path_buf(), requests.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (root, manner, counter) = (root.clone(), manner.clone(), counter.clone());
                tokio::spawn(async move { answer(stream, root, manner, &counter).await });
            }
        });
        Self { port, requests, task }
    }

    /// Requests so far; a connection without one does not count.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Default)]
struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

/// Answers one request and closes the connection.
async fn answer(stream: TcpStream, root: PathBuf, manner: Manner, counter: &AtomicUsize) {
    let mut stream = BufReader::new(stream);
    let Some(request) = read_request(&mut stream).await else {
        return;
    };
    counter.fetch_add(1, Ordering::SeqCst);
    let uri = format!("{}?{}", request.path, request.query);
    let basic = "Basic bWU6aHVudGVyMg==";
    let response = match manner {
        Manner::Silent => std::future::pending().await,
        Manner::Redirect(base) => format!("HTTP/1.1 302 Found\r\nLocation: {base}{uri}\r\n\r\n").into(),
        Manner::RedirectToSuffix if !request.path.contains(".git/") => {
            let uri = uri.replacen("/info/", ".git/info/", 1);
            format!("HTTP/1.1 301 Moved\r\nLocation: {uri}\r\n\r\n").into()
        }
        Manner::Password if request.header("authorization") != basic => {
            b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n".into()
        }
        Manner::Status(status) => format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n").into(),
        Manner::Serve | Manner::RedirectToSuffix | Manner::Password => backend(&request, &root).await,
    };
    // the client may have left
    drop(stream.write_all(&response).await);
    drop(stream.shutdown().await);
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|count| *count > 0)?;
    let mut words = line.split_whitespace();
    let (method, uri) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (path, query) = uri.split_once('?').unwrap_or((&uri, ""));
    let mut request = Request { method, path: path.into(), query: query.into(), ..Request::default() };
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        request.headers.push((name.to_ascii_lowercase(), value.trim().into()));
    }
    request.body.resize(request.header("content-length").parse().unwrap_or(0), 0);
    stream.read_exact(&mut request.body).await.ok()?;
    Some(request)
}

async fn backend(request: &Request, root: &Path) -> Vec<u8> {
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "uploadpack.allowFilter")
        .env("GIT_CONFIG_VALUE_0", "true")
        .env("REQUEST_METHOD", &request.method)
        .env("PATH_INFO", &request.path)
        .env("QUERY_STRING", &request.query)
        .env("CONTENT_TYPE", request.header("content-type"))
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", request.header("content-encoding"))
        .env("GIT_PROTOCOL", request.header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&request.body).await.unwrap();
    let output = child.wait_with_output().await.unwrap().stdout;
    let status = output.strip_prefix(b"Status: ").map_or_else(
        || "200 OK".into(),
        |rest| String::from_utf8_lossy(&rest[..rest.iter().position(|b| *b == b'\r').unwrap()]).into_owned(),
    );
    [format!("HTTP/1.1 {status}\r\nConnection: close\r\n").as_bytes(), &output].concat()
}
