//! Reading sites: `/docs/{project}/{path}` and `/docs/{project}/{branch}/{provider}/{model}/{path}`.
//!
//! Both are one route that splits the path itself (decisions.md 16). The path was decoded once already; from here on it is
//! plain text. The row of the variant says which build is read, so a reader never sees half of one.

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use http::{HeaderMap, Uri};
use sha2::{Digest, Sha256};
use shared::wire::ErrorResponse;
use sites::{
    banner::{self, Behind},
    read::{PathRefused, SiteFile, SitePath},
};

use super::file_answer;
use crate::{
    access::{OwnerQuery, VariantPath},
    auth::{Caller, doors::Reader},
    error::ApiError,
    middleware::decoded,
    served::{self, Wanted},
    state::ApiState,
};

pub(super) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/docs/{project}", get(get_page))
        .route("/docs/{project}/", get(get_page))
        .route("/docs/{project}/{*path}", get(get_page))
}

/// Reads a file of the newest site of a project name. Nothing, or `/`, is `index.html`.
#[utoipa::path(
    get,
    path = "/docs/{project}/{path}",
    tag = "sites",
    params(("project" = String, Path), ("path" = String, Path)),
    responses(
        (status = 200, description = "The file, compressed when the reader takes that"),
        (status = 206, description = "The part that `Range` names"),
        (status = 302, description = "To the login form, for readers with a browser who are not known"),
        (status = 304, description = "`If-None-Match` names it"),
        (status = 400, body = ErrorResponse, description = "Nobody can have this name"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse, description = "The path leads out of the site"),
        (status = 404, body = ErrorResponse),
        (status = 409, body = ErrorResponse, description = "Several owners have one that is as new"),
        (status = 416, body = ErrorResponse, description = "`Range` lies behind the end"),
    )
)]
#[expect(dead_code, reason = "describes one half of `get_page`")]
pub(crate) fn get_latest_page() {}

/// Reads a file of the site of one variant. Nothing, or `/`, is `index.html`.
#[utoipa::path(
    get,
    path = "/docs/{project}/{branch}/{provider}/{model}/{path}",
    tag = "sites",
    params(
        ("project" = String, Path),
        ("branch" = String, Path, description = "`/` is written `~2F`"),
        ("provider" = String, Path),
        ("model" = String, Path),
        ("path" = String, Path),
        ("owner" = Option<String>, Query, description = "Whose variant; only admins are heard"),
    ),
    responses(
        (status = 200, description = "The file, compressed when the reader takes that"),
        (status = 206, description = "The part that `Range` names"),
        (status = 302, description = "To the login form, for readers with a browser who are not known"),
        (status = 304, description = "`If-None-Match` names it"),
        (status = 308, description = "To the same address with a slash at its end"),
        (status = 400, body = ErrorResponse, description = "Nobody can have this name"),
        (status = 401, body = ErrorResponse),
        (status = 403, body = ErrorResponse, description = "The path leads out of the site"),
        (status = 404, body = ErrorResponse),
        (status = 409, body = ErrorResponse, description = "Several owners have it"),
        (status = 416, body = ErrorResponse, description = "`Range` lies behind the end"),
    )
)]
#[expect(dead_code, reason = "describes one half of `get_page`")]
pub(crate) fn get_variant_page() {}

async fn get_page(
    State(state): State<ApiState>,
    Reader(caller): Reader,
    OwnerQuery(owner): OwnerQuery,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let path = decoded(&uri);
    if path.contains(char::is_control) {
        return Err(ApiError::not_found("Not found"));
    }
    let address = Address::split(&path).ok_or_else(|| ApiError::not_found("Not found"))?;
    let wanted = match address.variant {
        Some([branch, provider, model]) => {
            Wanted::Variant { parts: [address.project, branch, provider, model], owner: owner.as_deref() }
        }
        None => Wanted::Latest { project: address.project },
    };
    if let Some(redirect) = redirect_to_folder(&state, &caller, &address, owner.as_deref(), &uri).await? {
        return Ok(redirect);
    }
    let site = served::get_builds(&state, &caller, wanted).await?;
    let file = SitePath::parse(address.file.unwrap_or_default()).map_err(|refused| match refused {
        PathRefused::Escapes => ApiError::forbidden("Access denied"),
        PathRefused::Invalid => ApiError::not_found("File not found"),
    })?;
    // a line is put into a page as it was rendered
    let behind =
        site.behind.as_deref().filter(|_| file.as_str().rsplit_once('.').is_some_and(|(_, ending)| ending == "html"));
    let accepted = file_answer::accepted_encodings(&headers).filter(|_| behind.is_none());
    let found = state.reader().open(&site.builds, &file, accepted).await?;
    let mut found = found.ok_or_else(|| ApiError::not_found("File not found"))?;
    if let Some(behind) = behind {
        add_banner(&mut found, behind);
    }
    Ok(file_answer::answer(&headers, &found))
}

/// Says above a page how far its site is behind; what the tag names is what is sent.
fn add_banner(page: &mut SiteFile, behind: &Behind) {
    let Some(with) = banner::insert(&page.bytes, behind) else { return };
    let digest = Sha256::digest(behind.sentence());
    let mark = hex::encode(&digest[..6]);
    page.etag = format!("{}-{mark}\"", page.etag.trim_end_matches('"'));
    page.size = with.len() as u64;
    page.bytes = with.into();
}

/// Links of a site are relative, so its address must end with a slash. Without one, `/docs/n/b/p/m` reads like a file of
/// the newest site, and `/docs/n` like nothing: both lead on when there is such a site.
async fn redirect_to_folder(
    state: &ApiState,
    caller: &Caller,
    address: &Address<'_>,
    owner: Option<&str>,
    uri: &Uri,
) -> Result<Option<Response>, ApiError> {
    let wanted = match (address.variant, address.file) {
        (None, None) => Wanted::Latest { project: address.project },
        (None, Some(file)) => {
            let mut parts = file.split('/');
            let (Some(branch), Some(provider), Some(model), None) =
                (parts.next(), parts.next(), parts.next(), parts.next())
            else {
                return Ok(None);
            };
            let parts = [address.project, branch, provider, model];
            // most files in a folder within a folder are just that
            if VariantPath::parse(parts[0], branch, provider, model, "").is_err() {
                return Ok(None);
            }
            Wanted::Variant { parts, owner }
        }
        (Some(_), _) => return Ok(None),
    };
    match served::get_builds(state, caller, wanted).await {
        Ok(_) => {
            let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
            Ok(Some(Redirect::permanent(&format!("{}/{query}", uri.path())).into_response()))
        }
        Err(ApiError::Refused(..)) if address.file.is_none() => Err(ApiError::not_found("Not found")),
        Err(ApiError::Refused(..)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The parts of a path under `/docs/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Address<'a> {
    project: &'a str,
    /// Branch, provider and model, when the path has these and a slash behind them.
    variant: Option<[&'a str; 3]>,
    /// What stands behind the last slash that belongs to the site's own address; `None` without that slash.
    file: Option<&'a str>,
}

impl<'a> Address<'a> {
    fn split(path: &'a str) -> Option<Self> {
        let rest = path.strip_prefix("/docs/")?;
        let Some((project, file)) = rest.split_once('/') else {
            return Some(Self { project: rest, variant: None, file: None });
        };
        let mut parts = file.splitn(4, '/');
        let variant = (parts.next()?, parts.next(), parts.next(), parts.next());
        if let (branch, Some(provider), Some(model), Some(file)) = variant
            && ![branch, provider, model].contains(&"")
        {
            return Some(Self { project, variant: Some([branch, provider, model]), file: Some(file) });
        }
        Some(Self { project, variant: None, file: Some(file) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(path: &str) -> (&str, Option<[&str; 3]>, Option<&str>) {
        let address = Address::split(path).unwrap();
        (address.project, address.variant, address.file)
    }

    #[test]
    fn four_parts_with_a_slash_behind_them_are_a_variant_and_less_is_a_file_of_the_newest_site() {
        assert_eq!(split("/docs/n"), ("n", None, None));
        assert_eq!(split("/docs/n/"), ("n", None, Some("")));
        assert_eq!(split("/docs/n/index.html"), ("n", None, Some("index.html")));
        assert_eq!(split("/docs/n/assets/a.css"), ("n", None, Some("assets/a.css")));
        assert_eq!(split("/docs/n/b/p/m"), ("n", None, Some("b/p/m")));
        assert_eq!(split("/docs/n/b/p/m/"), ("n", Some(["b", "p", "m"]), Some("")));
        assert_eq!(split("/docs/n/b/p/m/assets/a.css"), ("n", Some(["b", "p", "m"]), Some("assets/a.css")));
        assert_eq!(split("/docs/n/b/p/m/../../x"), ("n", Some(["b", "p", "m"]), Some("../../x")));
        assert_eq!(split("/docs/n/../x"), ("n", None, Some("../x")));
        assert_eq!(split("/docs/n//etc/passwd/x"), ("n", None, Some("/etc/passwd/x")));
    }
}
