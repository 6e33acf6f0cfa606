//! Sites as archives.

use std::io::Read;

use reqwest::{Method, Response};

use super::{ADMIN_KEY, Api, publish_site, queue, refusal, variant_of};
use crate::support::world::World;

const DOWNLOAD: &str = "/api/projects/demo/main/builtin/extract/download";

fn header(answer: &Response, name: &str) -> String {
    answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

fn unpack(bytes: &[u8]) -> Vec<(String, String)> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes));
    let read = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let mut entry = entry.unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        (entry.path().unwrap().display().to_string(), text)
    };
    archive.entries().unwrap().map(read).collect()
}

#[tokio::test]
async fn an_archive_holds_the_site_in_one_folder_and_is_always_the_same() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    publish_site(&world, &variant_of("admin", "demo"), &[(".nojekyll", ""), ("index.html", "start")]).await;
    let answer = api.get(DOWNLOAD).send().await.unwrap();
    assert_eq!(header(&answer, "content-type"), "application/gzip");
    let disposition = "attachment; filename=\"demo-main-builtin-extract-docs.tar.gz\"";
    assert_eq!(header(&answer, "content-disposition"), disposition);
    let etag = header(&answer, "etag");
    let bytes = answer.bytes().await.unwrap();
    let folder = "demo-main-builtin-extract";
    let expected = [(format!("{folder}/.nojekyll"), String::new()), (format!("{folder}/index.html"), "start".into())];
    assert_eq!(unpack(&bytes), expected);
    assert_eq!(api.get(DOWNLOAD).send().await.unwrap().bytes().await.unwrap(), bytes);

    let known = api.get(DOWNLOAD).header("if-none-match", &etag).send().await.unwrap();
    assert_eq!((known.status().as_u16(), header(&known, "etag")), (304, etag));
    let head = api.ask(Method::HEAD, DOWNLOAD).bearer_auth(ADMIN_KEY).send().await.unwrap();
    assert_eq!((head.status().as_u16(), header(&head, "content-disposition").as_str()), (200, disposition));

    let latest = api.get("/api/projects/demo/download").send().await.unwrap();
    assert_eq!(header(&latest, "content-disposition"), "attachment; filename=\"demo-docs.tar.gz\"");
    assert_eq!(unpack(&latest.bytes().await.unwrap())[1], ("demo/index.html".into(), "start".into()));
}

#[tokio::test]
async fn what_is_not_there_is_told_as_docsfy_does() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    assert_eq!(refusal(api.get(DOWNLOAD)).await, (404, "Not found".into()));
    queue(&world, &variant_of("admin", "demo")).await;
    assert_eq!(refusal(api.get(DOWNLOAD)).await, (400, "Variant not ready".into()));
    let latest = || api.get("/api/projects/demo/download");
    assert_eq!(refusal(latest()).await, (404, "No ready variant for 'demo'".into()));
    assert_eq!(refusal(api.get("/api/projects/-x/download")).await.0, 400);
    let gone = publish_site(&world, &variant_of("admin", "gone"), &[("index.html", "x")]).await;
    world.store.remove_site(&gone).await.unwrap();
    let variant = "/api/projects/gone/main/builtin/extract/download";
    assert_eq!(refusal(api.get(variant)).await, (404, "Site not found".into()));
    let latest = refusal(api.get("/api/projects/gone/download")).await;
    assert_eq!(latest, (404, "Site directory not found for 'gone'".into()));
}

#[tokio::test]
async fn the_site_that_is_served_can_be_downloaded_while_a_newer_run_is_on_its_way() {
    let world = World::without_worker().await;
    let api = Api::start(&world).await;
    publish_site(&world, &variant_of("admin", "demo"), &[("index.html", "start")]).await;
    queue(&world, &variant_of("admin", "demo")).await;
    assert_eq!(api.get(DOWNLOAD).send().await.unwrap().status(), 200);
}
