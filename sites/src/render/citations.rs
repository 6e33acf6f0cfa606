//! How a page shows a place of the repository: its address on the host, a link in the `.md` copy, and, where nobody
//! checked the page, a small link in the text.

use std::fmt::Write as _;

use shared::{
    citation::WrittenCitation,
    source::{LineStyle, SourceLinks},
};

use super::escape::{encode_path, is_turn, push_escaped};

/// A place as readers see it.
pub(crate) fn label(citation: &WrittenCitation) -> String {
    citation.label().replace(is_turn, "\u{FFFD}")
}

/// The same, with the first folders left out when it is long.
pub(crate) fn short_label(citation: &WrittenCitation) -> String {
    citation.short_label().replace(is_turn, "\u{FFFD}")
}

/// The address of a file, and of the lines, on the repository's host.
pub(crate) fn url(citation: &WrittenCitation, source: &SourceLinks) -> String {
    let fragment = match (citation.lines, source.style) {
        (None, _) => String::new(),
        (Some((first, last)), LineStyle::HashLDashL | LineStyle::HashLDash) if first == last => {
            format!("#L{first}")
        }
        (Some((first, last)), LineStyle::HashLDashL) => format!("#L{first}-L{last}"),
        (Some((first, last)), LineStyle::HashLDash) => format!("#L{first}-{last}"),
        (Some((first, last)), LineStyle::Bitbucket) if first == last => format!("#lines-{first}"),
        (Some((first, last)), LineStyle::Bitbucket) => format!("#lines-{first}:{last}"),
    };
    format!("{}{}{fragment}", source.blob_base, encode_path(&citation.path))
}

/// The citation in a `.md` copy.
pub(crate) fn to_markdown(citation: &WrittenCitation, source: Option<&SourceLinks>) -> String {
    match source {
        Some(source) => {
            let label = label(citation).replace('[', "\\[").replace(']', "\\]").replace('_', "\\_").replace('*', "\\*");
            let url = url(citation, source).replace('(', "%28").replace(')', "%29");
            format!("[{label}]({url})")
        }
        None => code(&label(citation)),
    }
}

/// A text as code in Markdown.
pub(crate) fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'"))
}

fn to_html(citation: &WrittenCitation, source: Option<&SourceLinks>) -> String {
    let mut out = String::new();
    let (label, short) = (label(citation), short_label(citation));
    match source {
        Some(source) => {
            out.push_str("<a class=\"cite\" href=\"");
            push_escaped(&mut out, &url(citation, source));
            out.push('"');
        }
        None => out.push_str("<code class=\"cite\""),
    }
    if label != short {
        out.push_str(" title=\"");
        push_escaped(&mut out, &label);
        out.push('"');
    }
    out.push('>');
    push_escaped(&mut out, &short);
    out.push_str(if source.is_some() { "</a>" } else { "</code>" });
    out
}

/// Citations that stand side by side, as one group.
pub(crate) fn group_html(citations: &[WrittenCitation], source: Option<&SourceLinks>) -> String {
    let mut out = String::from("<span class=\"cites\">");
    for (at, citation) in citations.iter().enumerate() {
        let space = if at > 0 { " " } else { "" };
        write!(out, "{space}{}", to_html(citation, source)).expect("writing to a String cannot fail");
    }
    out + "</span>"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn github(style: LineStyle) -> SourceLinks {
        SourceLinks { blob_base: "https://h/o/r/blob/abc/".into(), repository: "https://h/o/r".into(), style }
    }

    #[test]
    fn each_host_writes_lines_its_own_way() {
        let citation = WrittenCitation::parse("src/a b.rs:10-24").unwrap();
        let url = |style| url(&citation, &github(style));
        assert_eq!(url(LineStyle::HashLDashL), "https://h/o/r/blob/abc/src/a%20b.rs#L10-L24");
        assert_eq!(url(LineStyle::HashLDash), "https://h/o/r/blob/abc/src/a%20b.rs#L10-24");
        assert_eq!(url(LineStyle::Bitbucket), "https://h/o/r/blob/abc/src/a%20b.rs#lines-10:24");
    }

    #[test]
    fn a_long_path_loses_its_first_folders_only_on_the_label() {
        let citation = WrittenCitation::parse("crates/very/deeply/nested/module/with/names/file.rs:1").unwrap();
        let html = to_html(&citation, Some(&github(LineStyle::HashLDashL)));
        assert!(html.contains(">…/nested/module/with/names/file.rs:1<"), "{html}");
        assert!(html.contains("title=\"crates/very/deeply/nested/module/with/names/file.rs:1\""), "{html}");
    }
}
