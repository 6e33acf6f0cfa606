//! What the description says of every operation alike, added in one place: the answers of the gate and of the limits,
//! and what a name in a path may look like.

use utoipa::openapi::{
    Header, OpenApi as Document, PathItem, Ref, RefOr, Response, Type,
    content::ContentBuilder,
    path::{Operation, Parameter, ParameterIn},
    response::ResponseBuilder,
    schema::{ObjectBuilder, Schema},
};

/// Project names, as `shared::names::ProjectName` reads them.
const PROJECT: &str = "^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$";
/// Branches, as `BranchName::from_segment` reads them; not every text of this form is one.
const BRANCH: &str = "^[a-zA-Z0-9]([a-zA-Z0-9._-]|~2F){0,199}$";
/// Models, as `shared::names::ModelId` reads them.
const MODEL: &str = "^[a-zA-Z0-9][a-zA-Z0-9._:@+=,\\[\\]-]{0,127}$";

/// Any text; there is no place for the NUL character.
const ANY_TEXT: &str = "^[^\\x00]*$";
const SOME_TEXT: &str = "^[^\\x00]+$";

/// Adds to every operation what its handler does not say itself.
pub(super) fn complete(document: &mut Document) {
    for (path, item) in &mut document.paths.paths {
        for (changes, operation) in operations(item) {
            if let Some(RefOr::T(body)) = &mut operation.request_body
                && path.ends_with("/rotate-key")
            {
                // without one, a key is made
                body.required = Some(utoipa::openapi::Required::False);
            }
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter {
                    describe(parameter, path);
                }
            }
            add_answers(operation, path, changes);
        }
    }
}

/// The operations of a path, with whether they may change something.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (bool, &mut Operation)> {
    let PathItem { get, put, post, delete, .. } = item;
    [(false, get), (true, put), (true, post), (true, delete)]
        .into_iter()
        .filter_map(|(changes, operation)| operation.as_mut().map(|operation| (changes, operation)))
}

fn describe(parameter: &mut Parameter, path: &str) {
    let is_admins = path.starts_with("/api/admin/");
    let text = ObjectBuilder::new().schema_type(Type::String);
    let schema = match (&parameter.parameter_in, parameter.name.as_str()) {
        // these routes take any name and know no such project or user
        (ParameterIn::Path, _) if is_admins => text.pattern(Some(SOME_TEXT)),
        (ParameterIn::Path, "name" | "project") => text.pattern(Some(PROJECT)),
        (ParameterIn::Path, "branch") => text.pattern(Some(BRANCH)),
        (ParameterIn::Path, "model") => text.pattern(Some(MODEL)),
        (ParameterIn::Path, "provider") => {
            parameter.schema = Some(Ref::from_schema_name("Provider").into());
            return;
        }
        (ParameterIn::Query, "owner") if is_admins => text.pattern(Some(SOME_TEXT)),
        (ParameterIn::Query, "owner") => text.pattern(Some(ANY_TEXT)),
        _ => return,
    };
    parameter.schema = Some(RefOr::T(Schema::Object(schema.build())));
}

fn add_answers(operation: &mut Operation, path: &str, changes: bool) {
    let is_public = operation.security.as_ref().is_some_and(|security| {
        // an empty requirement: nobody needs to prove anything
        security.iter().any(|requirement| *requirement == utoipa::openapi::SecurityRequirement::default())
    });
    add(operation, "400", refusal("The address, or the body, is no text or does not fit"));
    if !is_public {
        add(operation, "401", refusal("Nobody is known by this key or cookie"));
    }
    if changes {
        add(operation, "403", refusal("The caller may not do this, or another site made a browser send it"));
    }
    if operation.request_body.is_some() {
        add(operation, "413", refusal("The body is larger than 64 KiB"));
    }
    if path.starts_with("/api/admin/") {
        add(operation, "403", refusal("Only admins may do this"));
    }
    let mut later = refusal("The database does not answer, or the server is busy");
    later.headers.insert("retry-after".into(), RefOr::T(seconds()));
    add(operation, "503", later);
    for (status, answer) in &mut operation.responses.responses {
        let RefOr::T(answer) = answer else { continue };
        if status == "429" {
            answer.headers.entry("retry-after".into()).or_insert_with(|| RefOr::T(seconds()));
        }
        answer.headers.insert("x-request-id".into(), RefOr::T(request_id()));
    }
}

/// Adds an answer unless the operation has its own of this status.
fn add(operation: &mut Operation, status: &str, answer: Response) {
    operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(answer));
}

fn refusal(description: &str) -> Response {
    let error = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorResponse"))).build();
    ResponseBuilder::new().description(description).content("application/json", error).build()
}

fn seconds() -> Header {
    let mut header = Header::new(ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).build());
    header.description = Some("Seconds after which to come back".into());
    header
}

fn request_id() -> Header {
    let mut header = Header::new(ObjectBuilder::new().schema_type(Type::String).build());
    header.description = Some("Stands in the server's log too".into());
    header
}
