//! What may stand behind a site's address.

use sites::read::{PathRefused, SitePath};

#[test]
fn nothing_and_a_slash_mean_the_first_page() {
    for text in ["", "/", "index.html", "guide/../index.html"] {
        assert_eq!(SitePath::parse(text).unwrap().as_str(), "index.html", "{text}");
    }
    assert_eq!(SitePath::parse(".nojekyll").unwrap().as_str(), ".nojekyll");
    assert_eq!(SitePath::parse("assets/x..y.css").unwrap().as_str(), "assets/x..y.css");
}

#[test]
fn a_path_that_leads_out_of_the_site_is_told_apart() {
    for text in ["..", "../plan.json", "a/../../b", "../../../etc/passwd", "/etc/passwd", "//", "assets/../.."] {
        assert_eq!(SitePath::parse(text), Err(PathRefused::Escapes), "{text}");
    }
}

#[test]
fn a_path_that_no_file_has_is_not_looked_up() {
    let long = "a".repeat(2000);
    for text in [
        "guide/",
        "a//b",
        ".",
        "./index.html",
        ".git/config",
        "a/.hidden",
        "a\\b",
        "..\\b",
        "a\0.html",
        "a\nb",
        "a/..",
        long.as_str(),
    ] {
        assert_eq!(SitePath::parse(text), Err(PathRefused::Invalid), "{text:?}");
    }
}
