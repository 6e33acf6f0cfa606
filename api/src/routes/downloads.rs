//! Sites as archives.

use axum::{
    body::Body,
    extract::{Path, State},
    response::Response,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use shared::{
    db::{
        self,
        variants::{Scope, VariantRow},
    },
    wire::ErrorResponse,
};
use sites::{archive::archive_site, key::SitePrefix};

use super::file_answer::{ETag, is_known};
use crate::{
    access::{self, OwnerParams, OwnerQuery, VariantParams},
    auth::doors::Reader,
    error::ApiError,
    served,
    state::ApiState,
};

/// Downloads the newest site of a project name.
#[utoipa::path(
    get,
    path = "/api/projects/{name}/download",
    tag = "sites",
    params(("name" = String, Path)),
    responses(
        (status = 200, content_type = "application/gzip", description = "A `.tar.gz` with one folder"),
        (status = 304, description = "`If-None-Match` names it"),
        (status = 400, body = ErrorResponse, description = "Nobody can have this name"),
        (status = 401, body = ErrorResponse),
        (status = 404, body = ErrorResponse),
        (status = 409, body = ErrorResponse, description = "Several owners have one that is as new"),
    )
)]
pub(super) async fn download_project(
    State(state): State<ApiState>,
    Reader(caller): Reader,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut conn = state.pool().acquire().await?;
    let missing = format!("No ready variant for '{name}'");
    let row = served::get_latest(&mut conn, &caller, &name, &missing).await?;
    drop(conn);
    let archive = Archive { folder: name.clone(), missing: format!("Site directory not found for '{name}'") };
    archive.send(&state, &row, &headers).await
}

/// Downloads the site of one variant.
#[utoipa::path(
    get,
    path = "/api/projects/{name}/{branch}/{provider}/{model}/download",
    tag = "sites",
    params(VariantParams, OwnerParams),
    responses(
        (status = 200, content_type = "application/gzip", description = "A `.tar.gz` with one folder"),
        (status = 304, description = "`If-None-Match` names it"),
        (status = 400, body = ErrorResponse, description = "Nobody can have this name, or there is no site yet"),
        (status = 401, body = ErrorResponse),
        (status = 404, body = ErrorResponse),
        (status = 409, body = ErrorResponse, description = "Several owners have it"),
    )
)]
pub(super) async fn download_variant(
    State(state): State<ApiState>,
    Reader(caller): Reader,
    Path(params): Path<VariantParams>,
    OwnerQuery(owner): OwnerQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let path = params.parse("Not found")?;
    let mut conn = state.pool().acquire().await?;
    let row = access::get_variant(&mut conn, &caller, &path, owner.as_deref()).await?;
    drop(conn);
    let folder = format!("{}-{}-{}-{}", path.name, path.branch.to_segment(), path.provider, path.model);
    Archive { folder, missing: "Site not found".into() }.send(&state, &row, &headers).await
}

struct Archive {
    /// The archive's one folder, also the beginning of its file name: letters, digits and `._-~:@+[]=,` only.
    folder: String,
    /// What is said when the site's files are gone.
    missing: String,
}

impl Archive {
    async fn send(&self, state: &ApiState, row: &VariantRow, headers: &HeaderMap) -> Result<Response, ApiError> {
        let prefix = row.site_prefix.as_deref().ok_or_else(|| ApiError::bad_request("Variant not ready"))?;
        let prefix = served::parse_prefix(prefix)?;
        // the same site always packs to the same bytes
        let etag = ETag::new(&format!("\"{prefix}\""))?;
        let mut response = if is_known(headers, &etag) {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            let packed = archive_site(state.sites(), prefix, &self.folder, time_of(prefix)).await?;
            let mut packed = packed.ok_or_else(|| ApiError::not_found(self.missing.clone()))?.boxed();
            // read before the answer begins: a site that is being deleted is 404 and not a connection that breaks off
            let first = match packed.try_next().await {
                Ok(first) => first,
                Err(error) => return Err(self.explain(state, row, error).await),
            };
            let mut response = Response::new(Body::from_stream(stream::iter(first.map(Ok)).chain(packed)));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/gzip"));
            response.headers_mut().insert(header::CONTENT_DISPOSITION, self.disposition()?);
            response
        };
        response.headers_mut().insert(header::ETAG, etag.into_value());
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        Ok(response)
    }

    /// Why a site could not be read to its end: because it was deleted, or by our fault.
    async fn explain(&self, state: &ApiState, row: &VariantRow, error: std::io::Error) -> ApiError {
        let look = async { db::variants::find(&mut *state.pool().acquire().await?, Scope::All, row.id).await };
        match look.await {
            Ok(None) => ApiError::not_found(self.missing.clone()),
            Ok(Some(_)) => ApiError::Internal(error.into()),
            Err(error) => error.into(),
        }
    }

    fn disposition(&self) -> Result<HeaderValue, ApiError> {
        let text = format!("attachment; filename=\"{}-docs.tar.gz\"", self.folder);
        HeaderValue::from_str(&text).map_err(|error| ApiError::Internal(error.into()))
    }
}

/// When the generation of a site was asked for, in seconds since 1970, as its id says; 0 for ids without a time.
fn time_of(prefix: SitePrefix) -> u64 {
    prefix.generation().0.get_timestamp().map_or(0, |time| time.to_unix().0)
}
