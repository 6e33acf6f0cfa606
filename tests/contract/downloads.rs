//! Sites as archives.

use std::io::Read;

use reqwest::Method;

use super::asking::Cx;
use crate::routes::publish_site;

fn unpack(bytes: &[u8]) -> Vec<(String, String)> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes));
    let Ok(entries) = archive.entries() else { return Vec::new() };
    let read = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let mut entry = entry.ok()?;
        let mut text = String::new();
        entry.read_to_string(&mut text).ok()?;
        Some((entry.path().ok()?.display().to_string(), text))
    };
    entries.filter_map(read).collect()
}

pub(super) async fn an_archive_is_named_and_packed_as_docsfy_does(cx: Cx) {
    let (user, name) = (cx.user("viewer").await, cx.fresh("archive"));
    cx.ready("admin", &name, &[(".nojekyll", ""), ("index.html", "start")]).await;
    cx.grant("admin", &name, &user).await;
    let whole = format!("/api/projects/{name}/download");
    let variant = format!("/api/projects/{name}/main/builtin/extract/download");
    for (path, folder) in [(whole, name.clone()), (variant, format!("{name}-main-builtin-extract"))] {
        let answer = cx.answers(cx.by(&user, Method::GET, &path), 200).await;
        cx.same(&path, answer.header("content-type"), "application/gzip");
        let disposition = format!("attachment; filename=\"{folder}-docs.tar.gz\"");
        cx.same(&path, answer.header("content-disposition"), disposition);
        let files =
            vec![(format!("{folder}/.nojekyll"), String::new()), (format!("{folder}/index.html"), "start".into())];
        cx.same(&path, unpack(&answer.bytes), files);
        let known = cx.by(&user, Method::GET, &path).header("if-none-match", answer.header("etag"));
        cx.answers(known, 304).await;
    }
}

pub(super) async fn what_cannot_be_downloaded_is_told(cx: Cx) {
    let (user, name) = (cx.user("user").await, cx.fresh("none"));
    let whole = format!("/api/projects/{name}/download");
    let variant = format!("/api/projects/{name}/main/builtin/extract/download");
    let none = format!("No ready variant for '{name}'");
    cx.refused(cx.get(&whole), 404, &none).await;
    cx.refused(cx.get(&variant), 404, "Not found").await;
    cx.generating("admin", &name).await;
    cx.refused(cx.get(&whole), 404, &none).await;
    cx.refused(cx.get(&variant), 400, "Variant not ready").await;
    // for others there is nothing at all
    cx.refused(cx.by(&user, Method::GET, &whole), 404, &none).await;
    cx.refused(cx.by(&user, Method::GET, &variant), 404, "Not found").await;
    cx.refused(cx.get("/api/projects/-x/download"), 400, "Invalid project name: '-x'").await;
    let path = "/api/projects/-x/main/builtin/extract/download";
    cx.refused(cx.get(path), 400, "Invalid project name: '-x'").await;
}

pub(super) async fn a_site_whose_files_are_gone_is_told(cx: Cx) {
    let name = cx.fresh("lost");
    let world = &cx.target.world;
    let prefix = publish_site(world, &crate::routes::variant_of("admin", &name), &[("index.html", "start")]).await;
    std::fs::remove_dir_all(world.sites_dir().join(prefix.to_string())).unwrap();
    let whole = format!("/api/projects/{name}/download");
    cx.refused(cx.get(&whole), 404, &format!("Site directory not found for '{name}'")).await;
    let variant = format!("/api/projects/{name}/main/builtin/extract/download");
    cx.refused(cx.get(&variant), 404, "Site not found").await;
}

pub(super) async fn the_newest_site_is_downloaded_and_an_older_run_does_not_take_it_away(cx: Cx) {
    let name = cx.fresh("newest");
    let mut key = cx.ready("admin", &name, &[("index.html", "old")]).await;
    key.branch = "dev".parse().unwrap();
    publish_site(&cx.target.world, &key, &[("index.html", "new")]).await;
    // times have whole seconds for nobody but clients
    let whole = format!("/api/projects/{name}/download");
    let answer = cx.answers(cx.get(&whole), 200).await;
    cx.same("newest", unpack(&answer.bytes), vec![(format!("{name}/index.html"), "new".into())]);
    crate::routes::occupy(&cx.target.world, &key).await;
    let answer = cx.answers(cx.get(&whole), 200).await;
    cx.same("busy", unpack(&answer.bytes), vec![(format!("{name}/index.html"), "new".into())]);
}
