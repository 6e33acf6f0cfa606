//! An index is kept by content: what is known is not read again, and a file that cannot be trusted is as good as none.

use super::*;

const LIB: &[u8] = b"pub fn add() {}\n";
const MANIFEST: &[u8] = b"[package]\nname = \"demo\"\nversion = \"1.0.0\"\n";

fn files(count: usize) -> Vec<(String, Vec<u8>)> {
    (0..count).map(|n| (format!("src/m{n}.rs"), format!("pub fn f{n}() {{ word{n}(); }}\n").into_bytes())).collect()
}

fn borrowed(files: &[(String, Vec<u8>)]) -> Vec<(&str, &[u8])> {
    files.iter().map(|(path, content)| (path.as_str(), content.as_slice())).collect()
}

/// Everything that can be asked for, as text.
fn describe(index: &Index) -> String {
    let definitions: Vec<_> = index.definitions.all(&index.files).iter().collect();
    let mut uses = Vec::new();
    for definition in &definitions {
        uses.push((definition.name, index.references(definition.name).map(|file| &file.path).collect::<Vec<_>>()));
    }
    format!("{:?}\n{definitions:?}\n{uses:?}\n{:?}\n{:?}", index.files, index.offers, index.project)
}

#[test]
fn after_a_change_of_one_file_one_blob_is_read() {
    let mut all = files(30);
    let mut fixture = Fixture::new(&borrowed(&all));
    let first = fixture.path("first.index");
    let (_, done) = fixture.build_with(|build| Build { keep: Some(&first), ..build });
    assert_eq!((done.known, done.read, done.parsed), (0, 30, 30));

    all[7].1 = b"pub fn changed() { fresh(); }\n".to_vec();
    // another path of a known content
    all.push(("src/copy.rs".into(), all[3].1.clone()));
    fixture.commit(&borrowed(&all));
    let second = fixture.path("second.index");
    let (index, done) = fixture.build_with(|build| Build { known: Some(&first), keep: Some(&second), ..build });
    assert_eq!((done.known, done.read, done.parsed), (29, 1, 1), "{done:?}");
    let (anew, _) = fixture.build();
    assert_eq!(describe(&index), describe(&anew));
    assert_eq!(index.definitions("f3").len(), 2);
    assert!(index.definitions("f7").is_empty() && index.definitions("changed").len() == 1);
    assert!(index.has_word("fresh") && !index.has_word("word7") && index.has_word("word8"));

    let (again, done) = fixture.build_with(|build| Build { known: Some(&second), ..build });
    assert_eq!((done.known, done.read, done.parsed), (30, 0, 0));
    assert_eq!(describe(&again), describe(&anew));
    assert!(again.has_word("fresh") && !again.has_word("word7") && again.has_word("word8"));
}

#[test]
fn a_kept_index_that_is_damaged_cut_or_newer_is_built_anew() {
    let fixture = Fixture::new(&[("src/lib.rs", LIB), ("Cargo.toml", MANIFEST)]);
    let kept = fixture.path("kept.index");
    fixture.build_with(|build| Build { keep: Some(&kept), ..build });
    let whole = std::fs::read(&kept).unwrap();
    let bad = fixture.path("bad.index");
    let mut wrong: Vec<Vec<u8>> = (0..whole.len()).step_by(7).map(|length| whole[..length].to_vec()).collect();
    wrong.extend((0..whole.len()).step_by(5).map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        bytes
    }));
    assert!(wrong.len() > 40);
    let mut cases = wrong.into_iter().peekable();
    while let Some(bytes) = cases.next() {
        std::fs::write(&bad, &bytes).unwrap();
        assert!(super::super::kept::Kept::open(&bad).unwrap().is_none(), "{} bytes", bytes.len());
        if cases.peek().is_none() {
            let (index, done) = fixture.build_with(|build| Build { known: Some(&bad), ..build });
            assert_eq!((done.known, done.read), (0, 2));
            assert_eq!(index.definitions("add").len(), 1);
        }
    }
    // one that is not there at all
    let gone = fixture.path("gone");
    let (_, done) = fixture.build_with(|build| Build { known: Some(&gone), ..build });
    assert_eq!((done.known, done.read), (0, 2));
}

#[test]
fn a_changed_manifest_is_read_again() {
    let mut fixture = Fixture::new(&[("src/lib.rs", LIB), ("Cargo.toml", MANIFEST)]);
    let kept = fixture.path("kept.index");
    fixture.build_with(|build| Build { keep: Some(&kept), ..build });
    fixture.commit(&[("src/lib.rs", LIB), ("Cargo.toml", b"[package]\nname = \"demo\"\nversion = \"2.0.0\"\n")]);
    let (index, done) = fixture.build_with(|build| Build { known: Some(&kept), ..build });
    assert_eq!((done.known, done.read), (1, 1));
    assert_eq!(index.packages()[0].version.as_deref(), Some("2.0.0"));
}
