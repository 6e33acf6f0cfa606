//! Callouts: `> [!NOTE]` is read by the parser; `> **Note:** text`, as docsfy's writers put it, is turned into one here.

use comrak::nodes::{AlertType, Node, NodeAlert, NodeValue};

use super::text::text_of;

/// Turns every quotation that begins with a strong `Note`, `Warning` or the like into a callout.
pub(crate) fn convert_quotations(root: Node<'_>) {
    // collected first, because the tree must not change while it is walked
    let quotations: Vec<Node<'_>> =
        root.descendants().filter(|node| matches!(node.data().value, NodeValue::BlockQuote)).collect();
    for quotation in quotations {
        let Some(paragraph) =
            quotation.first_child().filter(|first| matches!(first.data().value, NodeValue::Paragraph))
        else {
            continue;
        };
        let Some(strong) = paragraph.first_child().filter(|first| matches!(first.data().value, NodeValue::Strong))
        else {
            continue;
        };
        let word = text_of(strong);
        let title = word.trim_end_matches([':', '.', '!']).trim();
        let Some(kind) = kind_of(title) else { continue };
        let own_title = (title != kind.default_title()).then(|| title.to_owned());
        trim_separator(strong);
        strong.detach();
        if paragraph.first_child().is_none() {
            paragraph.detach();
        }
        quotation.data_mut().value = NodeValue::Alert(Box::new(NodeAlert {
            alert_type: kind,
            title: own_title,
            multiline: false,
            fence_length: 0,
            fence_offset: 0,
        }));
    }
}

/// Takes the colon, dash or line end away that divided the word from the text.
fn trim_separator(strong: Node<'_>) {
    let Some(next) = strong.next_sibling() else { return };
    let is_break = matches!(next.data().value, NodeValue::SoftBreak | NodeValue::LineBreak);
    if is_break {
        next.detach();
    } else if let NodeValue::Text(text) = &mut next.data_mut().value {
        *text = text.trim_start_matches([':', ' ', '—', '–', '-']).to_owned().into();
    }
}

fn kind_of(word: &str) -> Option<AlertType> {
    Some(match word.to_ascii_lowercase().as_str() {
        "note" | "info" | "information" | "see also" => AlertType::Note,
        "tip" | "hint" | "example" => AlertType::Tip,
        "important" | "prerequisite" | "prerequisites" => AlertType::Important,
        "warning" | "caution" | "attention" | "deprecated" => AlertType::Warning,
        "danger" | "error" | "security" => AlertType::Caution,
        _ => return None,
    })
}
