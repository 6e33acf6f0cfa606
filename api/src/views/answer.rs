//! A view as an HTTP answer: the body in one of two forms, or the word that the caller has it.

use std::{convert::Infallible, sync::Arc};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sites::encoding::Encoding;

use super::View;
use crate::{
    error::ApiError,
    routes::file_answer::{ETag, is_known},
};

/// Answers with a view.
pub(crate) async fn answer(view: &Arc<View>, headers: &HeaderMap) -> Result<Response, ApiError> {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let encoding = Encoding::choose([Encoding::Gzip], accepted);
    let hash = format!("{:032x}", view.tag());
    let (plain, packed) = (ETag::new(&format!("\"{hash}\""))?, ETag::new(&format!("\"{hash}-gzip\""))?);
    // the content is what is asked about, whichever form the caller has of it
    let mut response = if is_known(headers, &plain) || is_known(headers, &packed) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        send(view, encoding).await?
    };
    let fields = response.headers_mut();
    fields.insert(header::ETAG, if encoding.is_some() { packed } else { plain }.into_value());
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    fields.insert(header::VARY, HeaderValue::from_static("Accept-Encoding, Authorization, Cookie"));
    Ok(response)
}

async fn send(view: &Arc<View>, encoding: Option<Encoding>) -> Result<Response, ApiError> {
    let parts = match encoding {
        Some(_) => vec![view.compressed().await.map_err(ApiError::Internal)?],
        None => view.body().to_vec(),
    };
    let length: usize = parts.iter().map(Bytes::len).sum();
    let mut response = Response::new(Body::from_stream(stream::iter(parts.into_iter().map(Ok::<_, Infallible>))));
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if let Some(encoding) = encoding {
        fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.as_str()));
    }
    Ok(response)
}
