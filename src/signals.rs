//! SIGTERM and Ctrl-C: the first asks for an orderly end, the second does not wait for it.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancels the returned token at the first signal; ends the process at the second.
pub(crate) fn shutdown_token() -> anyhow::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn({
        let token = token.clone();
        async move {
            for ask in 0.. {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if ask > 0 {
                    eprintln!("docmill: ended at once; a later start goes on where this one stopped");
                    std::process::exit(130);
                }
                tracing::info!("stopping; a second signal ends at once");
                token.cancel();
            }
        }
    });
    Ok(token)
}
