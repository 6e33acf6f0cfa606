//! Which variant does this caller mean? Owner rules, 404 and 409 in one place.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::{Uri, request::Parts};
use serde::Deserialize;
use shared::{
    db::{self, aborts::ActiveGeneration, variants::VariantRow},
    ids::GenerationId,
    names::{BranchName, ModelId, ProjectName},
    provider::Provider,
};
use sqlx::PgConnection;

use crate::{auth::Caller, error::ApiError};

/// `?owner=`, which only admins may use; it is ignored from others. The empty text means rows without an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnerQuery(pub(crate) Option<String>);

impl<S: Sync> FromRequestParts<S> for OwnerQuery {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(query_value(&parts.uri, "owner")))
    }
}

/// A value of the query; the last one when there are several, as docsfy takes it.
pub(crate) fn query_value(uri: &Uri, name: &str) -> Option<String> {
    let pairs = url::form_urlencoded::parse(uri.query()?.as_bytes());
    pairs.filter(|(key, _)| key == name).last().map(|(_, value)| value.into_owned())
}

/// The query of the routes of one variant, for their description; [`OwnerQuery`] reads it.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `OwnerQuery` reads")]
pub(crate) struct OwnerParams {
    /// Whose variant; only admins are heard. The empty text means rows without an owner.
    owner: Option<String>,
}

/// The path of one variant, as it was spelled.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct VariantParams {
    /// Project name.
    pub(crate) name: String,
    /// Branch or tag; `/` is written `~2F`.
    branch: String,
    /// Who writes.
    provider: String,
    /// With which model.
    model: String,
}

impl VariantParams {
    /// The variant that is named; `missing` is said when nobody can have it.
    pub(crate) fn parse(&self, missing: &str) -> Result<VariantPath, ApiError> {
        VariantPath::parse(&self.name, &self.branch, &self.provider, &self.model, missing)
    }
}

/// What the paths of a variant name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VariantPath {
    pub(crate) name: ProjectName,
    pub(crate) branch: BranchName,
    pub(crate) provider: Provider,
    pub(crate) model: ModelId,
}

impl VariantPath {
    /// A project name that nobody can have is 400, as docsfy says; anything else that nobody can have does not exist.
    pub(crate) fn parse(
        name: &str,
        branch: &str,
        provider: &str,
        model: &str,
        missing: &str,
    ) -> Result<Self, ApiError> {
        let name = parse_project(name)?;
        let not_there = || ApiError::not_found(missing);
        Ok(Self {
            name,
            branch: BranchName::from_segment(branch).map_err(|_| not_there())?,
            provider: provider.parse().map_err(|_| not_there())?,
            model: model.parse().map_err(|_| not_there())?,
        })
    }

    fn fits(&self, active: &ActiveGeneration) -> bool {
        let key = &active.key;
        (&key.name, &key.branch, key.provider, &key.model) == (&self.name, &self.branch, self.provider, &self.model)
    }
}

/// The id of a generation from a path.
pub(crate) fn parse_generation(text: &str) -> Result<GenerationId, ApiError> {
    let parsed: Option<GenerationId> = text.parse().ok();
    parsed
        .filter(|parsed| parsed.to_string().eq_ignore_ascii_case(text))
        .ok_or_else(|| ApiError::bad_request("Invalid generation ID format"))
}

/// 404 for a generation that there is not, or not for this caller.
pub(crate) fn unknown_generation() -> ApiError {
    ApiError::not_found("Generation ID not found")
}

/// A project's name from a path.
pub(crate) fn parse_project(name: &str) -> Result<ProjectName, ApiError> {
    name.parse().map_err(|error: shared::names::InvalidName| ApiError::bad_request(error.0))
}

/// The variant that the caller means: the named owner's (admins only), else the caller's own, else the only one.
pub(crate) async fn get_variant(
    conn: &mut PgConnection,
    caller: &Caller,
    path: &VariantPath,
    owner: Option<&str>,
) -> Result<VariantRow, ApiError> {
    let scope = caller.reads();
    let rows = db::variants::list_matching(conn, scope, &path.name, &path.branch, path.provider, &path.model).await?;
    choose(rows, caller, owner, |row| &row.owner)?.ok_or_else(|| ApiError::not_found("Not found"))
}

/// The variant that the caller means and may change, by the same rules.
pub(crate) async fn get_own_variant(
    conn: &mut PgConnection,
    caller: &Caller,
    path: &VariantPath,
    owner: Option<&str>,
) -> Result<VariantRow, ApiError> {
    let scope = caller.owns();
    let rows = db::variants::list_matching(conn, scope, &path.name, &path.branch, path.provider, &path.model).await?;
    choose(rows, caller, owner, |row| &row.owner)?.ok_or_else(|| ApiError::not_found("Not found"))
}

/// The active generation of a variant, by the same rules.
pub(crate) async fn get_active(
    conn: &mut PgConnection,
    caller: &Caller,
    path: &VariantPath,
    owner: Option<&str>,
) -> Result<ActiveGeneration, ApiError> {
    let mut active = db::aborts::list_active(conn, caller.owns(), &path.name).await?;
    active.retain(|active| path.fits(active));
    choose(active, caller, owner, |active| &active.key.owner)?
        .ok_or_else(|| ApiError::not_found("No active generation for this variant"))
}

fn choose<T>(
    mut found: Vec<T>,
    caller: &Caller,
    owner: Option<&str>,
    owner_of: impl Fn(&T) -> &String,
) -> Result<Option<T>, ApiError> {
    if let Some(owner) = owner.filter(|_| caller.is_admin()) {
        found.retain(|one| owner_of(one) == owner);
    } else if let Some(own) = found.iter().position(|one| owner_of(one).as_str() == &*caller.username) {
        return Ok(Some(found.swap_remove(own)));
    }
    if found.len() > 1 {
        return Err(ApiError::conflict(several_owners(&found, caller, owner_of)));
    }
    Ok(found.pop())
}

/// An admin can say which owner is meant; others cannot, and are told whom they depend on.
fn several_owners<T>(found: &[T], caller: &Caller, owner_of: impl Fn(&T) -> &String) -> String {
    if caller.is_admin() {
        return "Multiple owners found for this variant, please specify owner".into();
    }
    let mut owners: Vec<&str> = found.iter().map(|one| owner_of(one).as_str()).collect();
    owners.sort_unstable();
    let owners = owners.join(", ");
    format!("Multiple owners found for this variant ({owners}). Contact an admin to resolve the ambiguity.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(owners: &[&str], owner: Option<&str>) -> Result<Option<String>, ApiError> {
        choose(owners.iter().map(ToString::to_string).collect(), &Caller::admin(), owner, |text| text)
    }

    #[test]
    fn an_admin_means_the_named_owner_then_the_own_variant_then_the_only_one() {
        assert_eq!(chosen(&["alice", "admin"], None).unwrap().as_deref(), Some("admin"));
        assert_eq!(chosen(&["alice", "admin"], Some("alice")).unwrap().as_deref(), Some("alice"));
        assert_eq!(chosen(&["alice"], None).unwrap().as_deref(), Some("alice"));
        assert_eq!(chosen(&["alice", ""], Some("")).unwrap().as_deref(), Some(""));
        assert_eq!(chosen(&["alice"], Some("bob")).unwrap(), None);
        assert!(chosen(&["alice", "bob"], None).is_err());
    }

    #[test]
    fn the_last_of_several_values_counts_and_an_empty_one_is_one() {
        let owner = |query: &str| query_value(&format!("/x{query}").parse().unwrap(), "owner");
        assert_eq!(owner(""), None);
        assert_eq!(owner("?a=b"), None);
        assert_eq!(owner("?owner="), Some(String::new()));
        assert_eq!(owner("?owner=a&owner=b%20c"), Some("b c".into()));
    }

    #[test]
    fn a_bad_project_name_is_400_and_other_bad_parts_are_404() {
        let parse = |name, branch, provider, model| VariantPath::parse(name, branch, provider, model, "Not found");
        assert!(matches!(parse("-x", "main", "claude", "opus"), Err(ApiError::Refused(status, _)) if status == 400));
        for (branch, provider, model) in [("..", "claude", "opus"), ("main", "gpt", "x"), ("main", "claude", "..")] {
            let refused = parse("demo", branch, provider, model);
            assert!(matches!(refused, Err(ApiError::Refused(status, _)) if status == 404), "{branch} {provider}");
        }
        assert_eq!(parse("demo", "feat~2Fx", "claude", "opus").unwrap().branch.as_str(), "feat/x");
    }
}
