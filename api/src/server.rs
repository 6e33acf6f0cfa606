//! Listening: HTTP/1.1 with limits for peers who are slow, greedy or gone, and an end that lets running requests finish.

use std::{future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use anyhow::Context;
use axum::Router;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::util::MapRequest;

use crate::{auth::client::Peer, linger::Lingering, router, stall::CutOffWhenStalled, state::ApiState};

/// Connections that are open at the same time; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 2048;
/// Longest time for sending a request's headers, also the longest that an idle connection is kept.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// Longest time that a peer may take nothing of what is sent.
const STALL_TIME: Duration = Duration::from_secs(30);
/// Longest time that the end of a connection waits for its peer to end too.
const LINGER_TIME: Duration = Duration::from_secs(1);
/// Headers of one request.
const MAX_HEADERS: usize = 64;
/// Bytes of one request's line and headers.
const MAX_HEADER_BYTES: usize = 32 * 1024;
/// Longest time that running requests have to finish at the end.
const LAST_REQUESTS_TIME: Duration = Duration::from_secs(10);

/// Answers requests until `shutdown`, then lets those that run finish, for 10 s at most.
pub async fn serve(listener: TcpListener, state: ApiState, shutdown: CancellationToken) -> anyhow::Result<()> {
    let address = listener.local_addr().context("the listening socket has no address")?;
    tracing::info!(%address, "listening");
    let routes = router(&state);
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let open = TaskTracker::new();
    while let Some(turn) = until(&shutdown, connections.clone().acquire_owned()).await {
        let turn = turn.context("the limit of connections was closed")?;
        let Some(accepted) = until(&shutdown, listener.accept()).await else {
            break;
        };
        match accepted {
            Ok((stream, peer)) => {
                drop(open.spawn(answer(stream, peer, turn, routes.clone(), shutdown.clone())));
            }
            Err(error) => pause_after(&error, &shutdown).await,
        }
    }
    drop(listener);
    // these would go on for ever
    state.closing().cancel();
    open.close();
    state.open_sockets().close();
    let ended = async { tokio::join!(open.wait(), state.open_sockets().wait()) };
    if tokio::time::timeout(LAST_REQUESTS_TIME, ended).await.is_err() {
        tracing::warn!(limit_s = LAST_REQUESTS_TIME.as_secs(), "some requests did not finish in time");
    }
    Ok(())
}

/// The result of `work`, or `None` when it is time to end.
async fn until<T>(shutdown: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    shutdown.run_until_cancelled(work).await
}

/// Serves one connection until its peer or the program ends; a request that runs is finished.
async fn answer(
    stream: TcpStream,
    peer: SocketAddr,
    turn: OwnedSemaphorePermit,
    routes: Router,
    shutdown: CancellationToken,
) {
    // without it, answers wait for the peer's delayed acknowledgement: 40 ms each
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
    }
    let routes = MapRequest::new(routes, move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer.ip()));
        request
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIME)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEADER_BYTES)
            .serve_connection(
                TokioIo::new(Lingering::new(CutOffWhenStalled::new(stream, STALL_TIME), LINGER_TIME)),
                TowerToHyperService::new(routes)
            )
            .with_upgrades()
    );
    let ended = if let Some(ended) = until(&shutdown, connection.as_mut()).await {
        ended
    } else {
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
    drop(turn);
}

/// A peer that is gone again costs nothing; a lack of file handles passes only with time.
async fn pause_after(error: &io::Error, shutdown: &CancellationToken) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        return;
    }
    tracing::error!(%error, "cannot accept connections, trying again in a second");
    until(shutdown, tokio::time::sleep(Duration::from_secs(1))).await;
}
