//! The handshake of the WebSocket. The gate lets everybody come here, so who it is is found out here: 403 for nobody, as
//! docsfy answers, and for a page of another site that uses the cookie of its reader.

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::{
    access::query_value,
    auth::{
        Proof,
        client::{self, ClientAddress},
        same_origin,
    },
    error::{refusal, try_again},
    state::ApiState,
    watch::{places::Place, socket, watcher::Watcher},
};

pub(super) fn routes() -> Router<ApiState> {
    Router::new().route("/api/ws", get(open_socket))
}

async fn open_socket(State(state): State<ApiState>, from: ClientAddress, mut request: Request) -> Response {
    let is_foreign = same_origin::is_foreign(request.headers(), &client::hosts_of(&request, state.trusted_proxies()));
    let headers = request.headers();
    if !names(headers, &header::UPGRADE, "websocket") {
        // for everything else there is nothing here
        return refusal(StatusCode::NOT_FOUND, "Not found");
    }
    let watcher = match Watcher::find(&state, from, query_value(request.uri(), "token"), headers).await {
        Ok(Some((_, Proof::Cookie))) if is_foreign => {
            return refusal(StatusCode::FORBIDDEN, "Request comes from another site");
        }
        Ok(Some((watcher, _))) => watcher,
        Ok(None) => return refusal(StatusCode::FORBIDDEN, "Forbidden"),
        Err(error) => return error.into_response(),
    };
    let accept = match accept_key(headers) {
        Ok(accept) => accept,
        Err(refused) => return *refused,
    };
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return refusal(StatusCode::BAD_REQUEST, "Connection cannot be upgraded");
    };
    let place = match state.sockets().take(&watcher.caller.username) {
        Ok(place) => place,
        Err(full) => return full.answer("WebSockets"),
    };
    if state.closing().is_cancelled() {
        return try_again("Server is going away, try again shortly");
    }
    let serving = serve(state.clone(), upgrade, watcher, place);
    drop(state.open_sockets().spawn(serving));
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let fields = response.headers_mut();
    fields.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    fields.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    fields.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    response
}

async fn serve(state: ApiState, upgrade: OnUpgrade, watcher: Watcher, place: Place) {
    match upgrade.await {
        Ok(upgraded) => socket::run(TokioIo::new(upgraded), state, watcher).await,
        Err(error) => tracing::debug!(%error, "a WebSocket did not begin"),
    }
    drop(place);
}

/// What proves to the client that it talks to a WebSocket; the answer for those who do not speak the protocol.
fn accept_key(headers: &HeaderMap) -> Result<HeaderValue, Box<Response>> {
    if !names(headers, &header::CONNECTION, "upgrade") {
        return Err(Box::new(refusal(StatusCode::BAD_REQUEST, "`Connection` must be `Upgrade`")));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        let mut refused = refusal(StatusCode::UPGRADE_REQUIRED, "`Sec-WebSocket-Version` must be 13");
        refused.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return Err(Box::new(refused));
    }
    let accept = headers.get(header::SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    accept
        .and_then(|accept| HeaderValue::from_str(&accept).ok())
        .ok_or_else(|| Box::new(refusal(StatusCode::BAD_REQUEST, "`Sec-WebSocket-Key` is missing")))
}

/// Whether a header has this word in its list.
fn names(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
}
