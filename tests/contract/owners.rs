//! Several owners of one name: whose is meant, for admins and for others.

use reqwest::Method;
use serde_json::json;

use super::asking::Cx;

const WHICH: &str = "Multiple owners found for this variant, please specify owner";

pub(super) async fn an_admin_means_the_own_variant_then_the_only_one_then_says_whose(cx: Cx) {
    let (a, b, name) = (cx.user("user").await, cx.user("user").await, cx.fresh("both"));
    let variant = format!("/api/projects/{name}/main/builtin/extract");
    let docs = format!("/docs/{name}/main/builtin/extract/");
    cx.ready(&a.name, &name, &[("index.html", "of a")]).await;
    cx.same("only one", &cx.answers(cx.get(&variant), 200).await.json()["owner"], &json!(a.name));
    cx.ready(&b.name, &name, &[("index.html", "of b")]).await;
    for path in [&variant, &docs, &format!("{variant}/download")] {
        cx.refused(cx.get(path), 409, WHICH).await;
        cx.answers(cx.get(&format!("{path}?owner={}", a.name)), 200).await;
        cx.refused(cx.get(&format!("{path}?owner=nobody")), 404, "Not found").await;
        cx.refused(cx.get(&format!("{path}?owner=")), 404, "Not found").await;
    }
    cx.says(cx.get(&format!("{docs}?owner={}", b.name)), 200, "of b").await;
    cx.ready("admin", &name, &[("index.html", "of admin")]).await;
    cx.same("own", &cx.answers(cx.get(&variant), 200).await.json()["owner"], &json!("admin"));
    // another admin has none of its own
    let admin = cx.user("admin").await;
    cx.refused(cx.by(&admin, Method::GET, &variant), 409, WHICH).await;
    let named = format!("{variant}?owner={}", b.name);
    cx.same("named", &cx.answers(cx.by(&admin, Method::GET, &named), 200).await.json()["owner"], &json!(b.name));
}

pub(super) async fn a_row_without_an_owner_is_named_by_nothing(cx: Cx) {
    let (a, name) = (cx.user("user").await, cx.fresh("legacy"));
    cx.ready("", &name, &[("index.html", "of nobody")]).await;
    cx.ready(&a.name, &name, &[("index.html", "of a")]).await;
    let variant = format!("/api/projects/{name}/main/builtin/extract");
    cx.refused(cx.get(&variant), 409, WHICH).await;
    cx.same("nobody's", &cx.answers(cx.get(&format!("{variant}?owner=")), 200).await.json()["owner"], &json!(""));
    cx.says(cx.get(&format!("/docs/{name}/main/builtin/extract/?owner=")), 200, "of nobody").await;
    cx.same("own", &cx.answers(cx.by(&a, Method::GET, &variant), 200).await.json()["owner"], &json!(a.name));
}

pub(super) async fn others_are_not_heard_when_they_name_an_owner(cx: Cx) {
    let (a, b, name) = (cx.user("user").await, cx.user("viewer").await, cx.fresh("named"));
    let variant = format!("/api/projects/{name}/main/builtin/extract");
    cx.ready(&a.name, &name, &[("index.html", "of a")]).await;
    cx.ready("admin", &name, &[("index.html", "of admin")]).await;
    let named = format!("{variant}?owner=admin");
    cx.same("own", &cx.answers(cx.by(&a, Method::GET, &named), 200).await.json()["owner"], &json!(a.name));
    cx.refused(cx.by(&b, Method::GET, &named), 404, "Not found").await;
    cx.refused(cx.by(&b, Method::GET, &format!("/docs/{name}/main/builtin/extract/?owner=admin")), 404, "Not found")
        .await;
}

pub(super) async fn a_reader_of_several_owners_must_ask_an_admin(cx: Cx) {
    let (a, b, reader) = (cx.user("user").await, cx.user("user").await, cx.user("user").await);
    let name = cx.fresh("ambiguous");
    let variant = format!("/api/projects/{name}/main/builtin/extract");
    for owner in [&a, &b] {
        cx.ready(&owner.name, &name, &[("index.html", "start")]).await;
        cx.grant(&owner.name, &name, &reader).await;
    }
    let mut owners = [a.name.clone(), b.name];
    owners.sort();
    let sentence = format!(
        "Multiple owners found for this variant ({}). Contact an admin to resolve the ambiguity.",
        owners.join(", ")
    );
    for path in [&variant, &format!("{variant}/download"), &format!("/docs/{name}/main/builtin/extract/")] {
        cx.refused(cx.by(&reader, Method::GET, path), 409, &sentence).await;
        cx.refused(cx.by(&reader, Method::GET, &format!("{path}?owner={}", a.name)), 409, &sentence).await;
    }
    // the own one is meant as soon as there is one
    cx.ready(&reader.name, &name, &[("index.html", "own")]).await;
    cx.same("own", &cx.answers(cx.by(&reader, Method::GET, &variant), 200).await.json()["owner"], &json!(reader.name));
}

pub(super) async fn the_newest_of_several_owners_is_served_and_a_tie_is_told(cx: Cx) {
    let (a, b, reader) = (cx.user("user").await, cx.user("user").await, cx.user("viewer").await);
    let name = cx.fresh("tie");
    for owner in [&a, &b] {
        cx.ready(&owner.name, &name, &[("index.html", &owner.name)]).await;
        cx.grant(&owner.name, &name, &reader).await;
    }
    let set = async |owner: &str, seconds: i32| {
        sqlx::query(
            "UPDATE variants SET last_generated = date_trunc('day', now()) + make_interval(secs => $3)
              WHERE owner = $1 AND name = $2",
        )
        .bind(owner)
        .bind(&name)
        .bind(f64::from(seconds))
        .execute(&cx.target.world.pool)
        .await
        .unwrap();
    };
    set(&a.name, 1).await;
    set(&b.name, 1).await;
    let tie = "Multiple owners have variants with the same timestamp, please specify owner";
    cx.refused(cx.by(&reader, Method::GET, &format!("/api/projects/{name}/download")), 409, tie).await;
    cx.refused(cx.by(&reader, Method::GET, &format!("/docs/{name}/")), 409, tie).await;
    set(&a.name, 2).await;
    cx.answers(cx.by(&reader, Method::GET, &format!("/api/projects/{name}/download?owner=ignored")), 200).await;
}
