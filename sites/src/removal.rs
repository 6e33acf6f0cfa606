//! Removing the files of sites whose rows are gone: by the API behind a deletion, and by workers what is left.

use futures_util::{FutureExt, StreamExt, stream};

use crate::store::SiteStore;

/// Removes the sites with these prefixes, so many at a time; gives those that are gone. One that cannot be removed does not keep the
/// others; whoever looks next tries it again.
pub async fn remove_sites(store: &SiteStore, prefixes: Vec<String>, at_a_time: usize) -> Vec<String> {
    let removals = stream::iter(prefixes).map(|prefix| remove_site(store.clone(), prefix).boxed());
    removals.buffer_unordered(at_a_time).filter_map(std::future::ready).collect().await
}

async fn remove_site(store: SiteStore, prefix: String) -> Option<String> {
    // where no site can have been, nothing can lie
    let Ok(parsed) = prefix.parse() else { return Some(prefix) };
    match store.remove_site(&parsed).await {
        Ok(()) => Some(prefix),
        Err(error) => {
            tracing::warn!(site.prefix = %prefix, %error, "cannot remove a deleted site");
            None
        }
    }
}
