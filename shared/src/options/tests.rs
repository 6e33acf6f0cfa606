//! Options: what fits, what does not, and who wins.

use serde_json::{Value, json};

use super::*;

fn read(value: &Value) -> (RunOptions, Vec<(String, String)>) {
    let (options, problems) = read_options(value.as_object().unwrap());
    (options, problems.into_iter().map(|problem| (problem.path(), problem.message)).collect())
}

#[test]
fn what_fits_is_read_and_normalised() {
    let (options, problems) = read(&json!({
        "title": " Füllhorn ", "language": "PT-br", "instructions": "a\r\nb\n", "include": ["src/**"], "exclude": [],
        "subdirectory": "./packages/a/", "pages": [{"title": "Über uns"}], "pages_only": true, "anything": 5,
        "repo_type": "x",
    }));
    assert_eq!(problems, []);
    let kept = serde_json::to_value(&options).unwrap();
    assert_eq!(
        kept,
        json!({
            "title": "Füllhorn", "language": "pt-BR", "instructions": "a\nb", "include": ["src/**"], "exclude": [],
            "subdirectory": "packages/a", "pages": [{"slug": "ber-uns", "title": "Über uns"}], "pages_only": true,
        })
    );
    assert_eq!(serde_json::from_value::<RunOptions>(kept).unwrap(), options);
    assert_eq!(read(&json!({"title": null, "pages": null})), (RunOptions::default(), vec![]));
    assert_eq!(serde_json::to_value(RunOptions::default()).unwrap(), json!({}));
}

#[test]
fn what_does_not_fit_is_named_with_its_place_and_the_rest_is_kept() {
    let (options, problems) = read(&json!({
        "title": "a\u{202e}b", "language": "german!", "instructions": "x".repeat(8193), "include": ["src/**", "[", 7],
        "exclude": vec!["a"; 101], "subdirectory": 5, "pages_only": "yes",
        "pages": [{"slug": "index", "title": "A"}, {"title": "B"}, {"slug": "b", "title": "C"}, 1, {"slug": "c"},
                  {"title": "D", "type": "novel"}],
    }));
    let places: Vec<&str> = problems.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(
        places,
        [
            "title",
            "language",
            "instructions",
            "include[1]",
            "include[2]",
            "exclude",
            "subdirectory",
            "pages[0].slug",
            "pages[2]",
            "pages[3]",
            "pages[4].title",
            "pages[5].type",
            "pages_only",
        ]
    );
    assert!(problems[2].1.contains("at most 8192 bytes, not 8193"), "{}", problems[2].1);
    assert!(problems[5].1.contains("at most 100 items, not 101"), "{}", problems[5].1);
    assert!(problems[7].1.contains("reserved"), "{}", problems[7].1);
    let kept = serde_json::to_value(options).unwrap();
    assert_eq!(kept, json!({"include": ["src/**"], "pages": [{"slug": "b", "title": "B"}]}));
}

#[test]
fn a_subdirectory_stays_in_the_repository() {
    for bad in ["../x", "a/../b", "/etc", "a//b", "a/./b", "a\0b", "a\nb", "..", "a\\b", "C:\\x", &"a".repeat(257)] {
        assert!(bad.parse::<Subdirectory>().is_err(), "{bad:?}");
    }
    for (text, read) in [("", ""), (".", ""), ("./", ""), ("a/b/", "a/b"), ("././a", "a"), ("...", "...")] {
        assert_eq!(text.parse::<Subdirectory>().unwrap().as_str(), read, "{text:?}");
    }
}

#[test]
fn a_glob_is_small_and_can_be_read() {
    let many = "**/".repeat(40);
    let deep = "{".repeat(100);
    let long = "a".repeat(257);
    for bad in ["", "!", "/", "a/../b", "../a", "[", "{a", "a\0", &many, &deep, &long, "a\\"] {
        assert!(bad.parse::<PathGlob>().is_err(), "{bad:?}");
    }
    for good in ["*.md", "!docs/", "/a", "**", "a/{b,c}/[0-9]?", "ü/*"] {
        assert!(good.parse::<PathGlob>().is_ok(), "{good:?}");
    }
}

#[test]
fn a_language_is_a_tag() {
    for bad in ["", "e", "de_DE", "de-", "-de", "de DE", "d3", "en\" onload=\"x", "abcdefghi", &"en-abcdefgh".repeat(5)]
    {
        assert!(bad.parse::<LanguageTag>().is_err(), "{bad:?}");
    }
    for (text, tag) in [("EN", "en"), ("zh-hant-tw", "zh-Hant-TW"), ("de-1996", "de-1996"), ("es-419", "es-419")] {
        assert_eq!(text.parse::<LanguageTag>().unwrap().as_str(), tag);
    }
}

#[test]
fn the_first_to_speak_wins_field_by_field_and_a_list_replaces_a_list() {
    let (request, _) = read(&json!({"title": "R", "exclude": [], "pages_only": false}));
    let (file, _) =
        read(&json!({"title": "F", "language": "de", "exclude": ["a"], "include": ["b"], "pages_only": true}));
    assert_eq!(
        serde_json::to_value(request.or(file)).unwrap(),
        json!({"title": "R", "language": "de", "exclude": [], "include": ["b"], "pages_only": false})
    );
}
