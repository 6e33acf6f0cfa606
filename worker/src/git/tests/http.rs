//! Rules about repositories that are fetched over the network.

use std::{fs, time::Duration};

use tokio::net::TcpListener;

use super::{
    super::{GitFailure, list_files, remote_head},
    FILE, World, eventually, is_in_use, noise,
    server::{Manner, Server},
};
use shared::source::RepoSource;

#[tokio::test]
async fn a_nested_repository_is_fetched_without_its_large_files() {
    let mut world = World::new();
    world.limits.max_blob_bytes = 1000;
    let files: [(&str, u32, &[u8]); 3] =
        [("README.md", FILE, b"# Demo\n"), ("fits", FILE, &[b'x'; 1000]), ("large", FILE, &noise(1001))];
    world.repository("srv/group/sub/demo.git", &files);
    let server = Server::start(&world.path("srv"), Manner::Serve).await;

    let url = format!("http://127.0.0.1:{}/group/sub/demo.git", server.port);
    let checkout = world.clone_url(&url, "main").await.unwrap();

    assert_eq!(checkout.commit_time.timestamp(), 1_700_000_000);
    let list = list_files(&checkout, 100).unwrap();
    let sizes: Vec<_> = list.files.iter().map(|file| (file.path.as_str(), file.size)).collect();
    assert_eq!(sizes, [("README.md", Some(7)), ("fits", Some(1000)), ("large", None)]);
    let config = fs::read_to_string(checkout.git_dir.join("config")).unwrap();
    assert!(!config.contains("127.0.0.1"), "the clone still knows its remote: {config}");
}

#[tokio::test]
async fn git_connects_to_the_pinned_address_and_asks_no_name_service() {
    let world = World::new();
    world.repository("srv/demo", &[("a", FILE, b"a")]);
    let server = Server::start(&world.path("srv"), Manner::Serve).await;
    let url = format!("http://git.example.invalid:{}/demo", server.port);
    world.clone_pinned(&url, "127.0.0.1").await.unwrap();
    assert!(server.requests() > 0);
}

#[tokio::test]
async fn ssh_connects_to_the_pinned_address() {
    let mut world = World::new();
    fs::write(world.path("known_hosts"), "").unwrap();
    world.settings.git_known_hosts_file = Some(world.path("known_hosts"));
    world.limits.timeout = Duration::from_secs(10);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ssh://git@git.example.invalid:{}/demo", listener.local_addr().unwrap().port());
    let accept = async {
        // the first connection only asks whether anybody is there, the second is ssh
        drop(listener.accept().await.unwrap());
        drop(listener.accept().await.unwrap());
    };
    let (result, ()) = tokio::join!(world.clone_pinned(&url, "127.0.0.1"), accept);
    assert_eq!(result.unwrap_err().failure, GitFailure::ServerFailed);
}

#[tokio::test]
async fn redirects_are_refused_also_to_another_port_of_the_same_host() {
    let world = World::new();
    world.repository("srv/demo.git", &[("a", FILE, b"a")]);
    let target = Server::start(&world.path("srv"), Manner::Serve).await;
    let elsewhere = format!("http://127.0.0.1:{}", target.port);
    let server = Server::start(&world.path("srv"), Manner::Redirect(elsewhere)).await;
    for path in ["demo", "demo.git"] {
        let url = format!("http://127.0.0.1:{}/{path}", server.port);
        let error = world.clone_url(&url, "main").await.unwrap_err();
        assert_eq!(error.failure, GitFailure::Refused, "{error}");
        assert!(error.message.contains("redirects to another address"), "{error}");
        assert!(!error.is_retryable());
    }
    assert_eq!(target.requests(), 0);
}

#[tokio::test]
async fn an_address_without_git_suffix_works_on_hosts_that_redirect_to_it() {
    let world = World::new();
    let repository = world.repository("srv/group/demo.git", &[("a", FILE, b"a")]);
    let server = Server::start(&world.path("srv"), Manner::RedirectToSuffix).await;
    let url = format!("http://127.0.0.1:{}/group/demo", server.port);
    let checkout = world.clone_url(&url, "main").await.unwrap();

    let head = repository.refname_to_id("refs/heads/main").unwrap().to_string();
    assert_eq!(checkout.commit.as_str(), head);
    let source = RepoSource::parse_url(&url).unwrap();
    let asked = remote_head(&source, &checkout.branch, &world.settings, &world.limits, &world.cancel).await;
    assert_eq!(asked.unwrap().as_str(), head);
}

#[tokio::test]
async fn a_silent_server_costs_no_more_than_the_time_limit() {
    let mut world = World::new();
    world.limits.timeout = Duration::from_millis(400);
    let server = Server::start(&world.path("srv"), Manner::Silent).await;
    let error = world.clone_url(&format!("http://127.0.0.1:{}/a/b", server.port), "main").await.unwrap_err();
    assert_eq!(error.failure, GitFailure::TimedOut);
    assert!(error.message.ends_with("took longer than 400ms, the limit of one clone"), "{error}");
    assert!(error.is_retryable());
    eventually("git is dead", || !is_in_use(&world.run_folder())).await;
}

#[tokio::test]
async fn cancelling_or_dropping_a_clone_kills_git_at_once() {
    let world = World::new();
    let server = Server::start(&world.path("srv"), Manner::Silent).await;
    let url = format!("http://127.0.0.1:{}/a/b", server.port);

    let clone = world.clone_url(&url, "main");
    let cancel = async {
        eventually("git has asked", || server.requests() == 1).await;
        assert!(is_in_use(&world.run_folder()));
        world.cancel.cancel();
    };
    let (result, ()) = tokio::join!(clone, cancel);
    assert_eq!(result.unwrap_err().failure, GitFailure::Cancelled);
    eventually("git is dead", || !is_in_use(&world.run_folder())).await;

    let world = World::new();
    tokio::select! {
        result = world.clone_url(&url, "main") => panic!("{result:?}"),
        () = eventually("git has asked", || server.requests() == 2) => {}
    }
    eventually("git is dead", || !is_in_use(&world.run_folder())).await;
}

#[tokio::test]
async fn credentials_come_from_the_setting_and_its_file_is_only_read() {
    let mut world = World::new();
    world.repository("srv/demo", &[("a", FILE, b"a")]);
    let server = Server::start(&world.path("srv"), Manner::Password).await;
    let url = format!("http://127.0.0.1:{}/demo", server.port);

    let error = world.clone_url(&url, "main").await.unwrap_err();
    assert_eq!(error.failure, GitFailure::NotTrusted);
    assert!(error.message.contains("is private") && error.message.contains("GIT_CREDENTIALS_FILE"), "{error}");

    let file = world.path("it's the credentials");
    world.settings.git_credentials_file = Some(file.clone());
    let wrong = format!("http://me:wrong@127.0.0.1%3a{}\n", server.port);
    fs::write(&file, &wrong).unwrap();
    let error = world.clone_url(&url, "main").await.unwrap_err();
    assert!(error.message.contains("GIT_CREDENTIALS_FILE") && !error.message.contains("wrong"), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), wrong);

    fs::write(&file, wrong.replace("wrong", "hunter2")).unwrap();
    world.clone_url(&url, "main").await.unwrap();
}

#[tokio::test]
async fn what_a_server_answers_becomes_a_sentence_and_a_decision_to_retry() {
    let world = World::new();
    for (status, failure, is_retryable) in [
        (404, GitFailure::NotARepository, false),
        (403, GitFailure::NotTrusted, false),
        (429, GitFailure::ServerFailed, true),
        (503, GitFailure::ServerFailed, true),
    ] {
        let server = Server::start(&world.path("srv"), Manner::Status(status)).await;
        let url = format!("http://127.0.0.1:{}/a/b.git", server.port);
        let error = world.clone_url(&url, "main").await.unwrap_err();
        assert_eq!((error.failure, error.is_retryable()), (failure, is_retryable), "{status}: {error}");
    }
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_named() {
    let world = World::new();
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let error = world.clone_url(&format!("http://127.0.0.1:{port}/a/b"), "main").await.unwrap_err();
    assert_eq!(error.message, format!("host `127.0.0.1` (port {port}) cannot be reached"));
    assert!(error.is_retryable());

    let error = world.clone_url("https://no-such-host.invalid/a/b", "main").await.unwrap_err();
    assert_eq!(error.message, "host `no-such-host.invalid` cannot be resolved");
}

#[tokio::test]
async fn a_private_address_is_refused_before_anything_connects() {
    let mut world = World::new();
    world.settings.repo_host_allowlist = "".parse().unwrap();
    let server = Server::start(&world.path("srv"), Manner::Serve).await;
    for host in ["127.0.0.1", "2130706433", "[::ffff:127.0.0.1]", "localhost"] {
        let error = world.clone_url(&format!("https://{host}:{}/a/b", server.port), "main").await.unwrap_err();
        assert_eq!(error.message, "Repository URL must not target localhost or private networks");
        assert!(!error.is_retryable());
    }
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn ssh_without_known_hosts_says_what_is_missing() {
    let mut world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    world.settings.git_known_hosts_file = None;
    let error = world.clone_url(&format!("ssh://git@127.0.0.1:{port}/a/b"), "main").await.unwrap_err();
    assert_eq!(error.failure, GitFailure::NotTrusted);
    assert!(error.message.contains("GIT_KNOWN_HOSTS_FILE") && error.message.contains("ssh-keyscan"), "{error}");
}
