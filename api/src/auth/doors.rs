//! The doors that handlers name in their signatures. Each takes the caller whom the gate let in, then the body, then
//! looks at the role: 401 before 422 before 403, as docsfy does (decisions.md 15).

use std::convert::Infallible;

use axum::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;

use super::Caller;
use crate::error::ApiError;

/// Anybody who is known.
pub(crate) struct Reader(pub(crate) Caller);

/// Anybody at all: the caller, when somebody is known.
pub(crate) struct Guest(pub(crate) Option<Caller>);

/// Somebody who may do everything. The role is looked at before the body, as docsfy does on these routes.
pub(crate) struct Admin(pub(crate) Caller);

/// Somebody who may change things, with the body of the request.
pub(crate) struct Writer<Body> {
    pub(crate) caller: Caller,
    pub(crate) body: Body,
}

impl<S: Sync> FromRequestParts<S> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        caller_of(parts).map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for Guest {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<Caller>().cloned()))
    }
}

impl<S: Sync> FromRequestParts<S> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let caller = caller_of(parts)?;
        if !caller.is_admin() {
            return Err(ApiError::forbidden("Admin access required"));
        }
        Ok(Self(caller))
    }
}

impl<S: Sync, Body: FromRequest<S, Rejection = ApiError>> FromRequest<S> for Writer<Body> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let caller = caller_of(&mut parts)?;
        let body = Body::from_request(Request::from_parts(parts, body), state).await?;
        if !caller.role.may_write() {
            return Err(ApiError::forbidden("Write access required."));
        }
        Ok(Self { caller, body })
    }
}

fn caller_of(parts: &mut Parts) -> Result<Caller, ApiError> {
    parts.extensions.get::<Caller>().cloned().ok_or_else(ApiError::unauthorized)
}

/// No body is asked for; whatever comes is left alone.
pub(crate) struct NoBody;

impl<S: Sync> FromRequest<S> for NoBody {
    type Rejection = ApiError;

    async fn from_request(_: Request, _: &S) -> Result<Self, ApiError> {
        Ok(Self)
    }
}
