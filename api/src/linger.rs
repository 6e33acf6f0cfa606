//! A connection that ends gently: what the peer still sends is taken and thrown away for a moment, so that it can read the
//! answer. A socket that is closed over unread bytes resets the connection, and a refusal of a large body is lost with it.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// Most bytes that are thrown away.
const MAX_BYTES: usize = 1024 * 1024;

/// A stream whose end waits for the end of its peer, for a limited time.
pub(crate) struct Lingering<Stream> {
    stream: Stream,
    limit: Duration,
    /// Bytes that are still thrown away; 0 once the peer has ended.
    left: usize,
    /// Runs since our own side was closed.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<Stream> Lingering<Stream> {
    pub(crate) fn new(stream: Stream, limit: Duration) -> Self {
        Self { stream, limit, left: MAX_BYTES, waiting: None }
    }
}

impl<Stream: AsyncRead + Unpin> AsyncRead for Lingering<Stream> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.remaining();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        if before > 0 && buffer.remaining() == before {
            // an end, or an error after which nothing comes either
            self.left = 0;
        }
        Poll::Ready(read)
    }
}

impl<Stream: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<Stream> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.waiting.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
        }
        let limit = this.limit;
        let waiting = this.waiting.get_or_insert_with(|| Box::pin(sleep(limit)));
        let mut thrown_away = [0; 4096];
        while this.left > 0 && waiting.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut thrown_away);
            match ready!(Pin::new(&mut this.stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => this.left = this.left.saturating_sub(buffer.filled().len()),
                // the peer has ended too, or is gone
                _ => this.left = 0,
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        time::Instant,
    };

    use super::*;

    const LIMIT: Duration = Duration::from_millis(200);

    #[tokio::test]
    async fn what_a_peer_still_sends_is_taken_until_it_ends() {
        let (near, mut far) = duplex(8);
        let mut stream = Lingering::new(near, Duration::from_mins(1));
        let peer = tokio::spawn(async move {
            let mut answer = Vec::new();
            far.write_all(&[0; 1000]).await.unwrap();
            far.read_to_end(&mut answer).await.unwrap();
            answer
        });
        stream.write_all(b"no").await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(peer.await.unwrap(), b"no");
    }

    #[tokio::test]
    async fn a_peer_that_never_ends_is_not_waited_for() {
        let (near, _far) = duplex(8);
        let begun = Instant::now();
        Lingering::new(near, LIMIT).shutdown().await.unwrap();
        assert!(begun.elapsed() >= LIMIT && begun.elapsed() < 20 * LIMIT, "{:?}", begun.elapsed());
        // nor one that sends for ever
        let (near, mut far) = duplex(8);
        let sending = tokio::spawn(async move { while far.write_all(&[0; 8]).await.is_ok() {} });
        Lingering::new(near, Duration::from_mins(10)).shutdown().await.unwrap();
        sending.await.unwrap();
    }
}
