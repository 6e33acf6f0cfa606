//! A TCP proxy before Postgres that can fall silent without closing anything, as a cut cable or a dead router does.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, UnixStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
        unix,
    },
    sync::watch,
};

/// What the proxy lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lets {
    Everything,
    /// Nothing in either direction; what came meanwhile is delivered when it thaws.
    Nothing,
    /// Questions, and no answer from the first COMMIT on: whoever asked does not learn that it happened.
    NoAnswerToCommit,
}

/// A proxy in the test's process; gone with it.
pub(crate) struct FreezingProxy {
    url: String,
    lets: watch::Sender<Lets>,
}

impl FreezingProxy {
    /// Listens before the server of this address, which is that of a Unix socket.
    pub(crate) async fn before(database_url: &str) -> Self {
        let server = url::Url::parse(database_url).unwrap();
        let folder = server.query_pairs().find(|(name, _)| name == "host").expect("a Unix socket").1.into_owned();
        let socket = format!("{folder}/.s.PGSQL.{}", server.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (user, database, address) = (server.username(), server.path(), listener.local_addr().unwrap());
        let url = format!("postgres://{user}@{address}{database}?sslmode=disable");
        let (lets, seen) = watch::channel(Lets::Everything);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = UnixStream::connect(&socket).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                let committed = watch::channel(false);
                tokio::spawn(pass_questions(from_client, to_server, seen.clone(), committed.0));
                tokio::spawn(pass_answers(from_server, to_client, seen.clone(), committed.1));
            }
        });
        Self { url, lets }
    }

    /// The address for those that are to speak through it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Falls silent, for connections to come as well.
    pub(crate) fn freeze(&self) {
        self.lets.send_replace(Lets::Nothing);
    }

    /// Delivers what was held and goes on.
    pub(crate) fn thaw(&self) {
        self.lets.send_replace(Lets::Everything);
    }

    /// Lets the next COMMIT of each connection happen and keeps the answers from then on.
    pub(crate) fn swallow_answers_to_commits(&self) {
        self.lets.send_replace(Lets::NoAnswerToCommit);
    }
}

async fn pass_questions(
    mut from: OwnedReadHalf,
    mut to: unix::OwnedWriteHalf,
    mut lets: watch::Receiver<Lets>,
    committed: watch::Sender<bool>,
) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        lets.wait_for(|lets| *lets != Lets::Nothing).await.ok();
        if *lets.borrow() == Lets::NoAnswerToCommit && buffer[..length].windows(6).any(|word| word == b"COMMIT") {
            committed.send_replace(true);
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

async fn pass_answers(
    mut from: unix::OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut lets: watch::Receiver<Lets>,
    mut committed: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        lets.wait_for(|lets| *lets != Lets::Nothing).await.ok();
        if *committed.borrow_and_update() {
            // until the test ends
            std::future::pending::<()>().await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
