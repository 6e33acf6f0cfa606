//! Rule (g): a page is in the language that was asked for.

use shared::evidence::Severity;
use whatlang::Lang;

use super::{
    document::{BlockKind, Document},
    structure::Report,
};

/// Fewest letters of prose in a section whose language is guessed.
const MIN_LETTERS: usize = 200;

/// Compares the language of each section's prose with the one that was asked for.
pub(super) fn check(document: &Document<'_>, wanted: &str, report: &mut Report<'_>) {
    let base = wanted.split(['-', '_']).next().unwrap_or_default().to_lowercase();
    let Some(wanted_language) = language_of(&base) else { return };
    for (place, section) in (0_u32..).zip(&document.sections) {
        let mut prose = String::new();
        for block in document.blocks.iter().filter(|block| block.section == place && block.kind != BlockKind::Heading) {
            let mut at = 0;
            for span in &block.spans {
                prose.push_str(block.text.get(at..span.at).unwrap_or_default());
                at = (span.at + span.text.len()).min(block.text.len());
            }
            prose.push_str(block.text.get(at..).unwrap_or_default());
            prose.push(' ');
        }
        if prose.chars().filter(|c| c.is_alphabetic()).count() < MIN_LETTERS {
            continue;
        }
        let Some(found) = whatlang::detect(&prose).filter(whatlang::Info::is_reliable) else { continue };
        if found.lang() != wanted_language && found.confidence() > 0.9 {
            let message = format!("the section is written in {}, not in `{base}`", found.lang().eng_name());
            let evidence =
                if section.heading.is_empty() { prose.chars().take(80).collect() } else { section.heading.clone() };
            report(Some(place), Severity::Error, message, &evidence, "write it in the language that was asked for");
        }
    }
}

/// The language of a code of two letters.
fn language_of(code: &str) -> Option<Lang> {
    const CODES: [(&str, Lang); 30] = [
        ("en", Lang::Eng),
        ("de", Lang::Deu),
        ("fr", Lang::Fra),
        ("es", Lang::Spa),
        ("it", Lang::Ita),
        ("pt", Lang::Por),
        ("nl", Lang::Nld),
        ("pl", Lang::Pol),
        ("ru", Lang::Rus),
        ("uk", Lang::Ukr),
        ("cs", Lang::Ces),
        ("sv", Lang::Swe),
        ("da", Lang::Dan),
        ("fi", Lang::Fin),
        ("hu", Lang::Hun),
        ("ro", Lang::Ron),
        ("tr", Lang::Tur),
        ("el", Lang::Ell),
        ("he", Lang::Heb),
        ("ar", Lang::Ara),
        ("hi", Lang::Hin),
        ("zh", Lang::Cmn),
        ("ja", Lang::Jpn),
        ("ko", Lang::Kor),
        ("vi", Lang::Vie),
        ("th", Lang::Tha),
        ("id", Lang::Ind),
        ("bg", Lang::Bul),
        ("hr", Lang::Hrv),
        ("sk", Lang::Slk),
    ];
    CODES.iter().find(|(known, _)| *known == code).map(|(_, language)| *language)
}
