//! The tree of a page becomes HTML: comrak's own, except where we want other elements, classes, labels or ids.

use std::fmt::{self, Write as _};

use comrak::{
    html::{ChildRendering, Context, format_document_with_formatter, format_node_default},
    nodes::{AlertType, Node, NodeValue, TableAlignment},
    options::Plugins,
};

use super::{
    escape::push_escaped,
    headings::Heading,
    markdown,
    sanitize::{HeldOut, sanitize},
    site::Site,
    text::text_of,
};

/// Ids of footnotes begin with this; ids of headings never do.
pub(crate) const FOOTNOTE_PREFIX: &str = "_fn-";

/// What the formatter counts while it goes through a page.
struct Progress<'p> {
    headings: std::slice::Iter<'p, Heading>,
    open_heading: Option<&'p Heading>,
    tables: usize,
    column: usize,
    footnotes: usize,
    held: Option<HeldOut>,
}

/// The HTML of a page; sanitised when `held` is there to hold our own parts out.
pub(crate) fn page_html(site: &Site<'_>, root: Node<'_>, headings: &[Heading], held: Option<HeldOut>) -> String {
    let mut options = markdown::markdown_options();
    options.render.r#unsafe = held.is_some();
    let progress = Progress { headings: headings.iter(), open_heading: None, tables: 0, column: 0, footnotes: 0, held };
    let mut html = String::new();
    let plugins = Plugins::default();
    let progress = format_document_with_formatter(root, &options, &mut html, &plugins, format_node, progress)
        .expect("writing to a String cannot fail");
    match progress.held {
        Some(held) => sanitize(site, &html, &held),
        None => html,
    }
}

fn format_node(
    context: &mut Context<Progress<'_>>,
    node: Node<'_>,
    entering: bool,
) -> Result<ChildRendering, fmt::Error> {
    match &node.data().value {
        NodeValue::Document if !entering && context.user.footnotes > 0 => context.write_str("</ol>\n</section>\n")?,
        NodeValue::Raw(html) if entering => {
            let held = context.user.held.as_mut().map(|held| held.hold(html));
            context.write_str(held.as_deref().unwrap_or(html))?;
        }
        NodeValue::Heading(_) => format_heading(context, entering)?,
        NodeValue::Table(_) => return format_table(context, node, entering),
        NodeValue::TableRow(_) => {
            context.user.column = 0;
            return format_node_default(context, node, entering);
        }
        NodeValue::TableCell => format_cell(context, node, entering)?,
        NodeValue::Link(link) => {
            if entering {
                let mut tag = String::from("<a href=\"");
                push_escaped(&mut tag, &link.url);
                if !link.title.is_empty() {
                    tag.push_str("\" title=\"");
                    push_escaped(&mut tag, &link.title);
                }
                context.write_str(&tag)?;
                context.write_str("\">")?;
            } else {
                context.write_str("</a>")?;
            }
        }
        NodeValue::Alert(alert) => {
            if entering {
                let class = callout_class(alert.alert_type);
                let title = alert.title.as_deref().unwrap_or_else(|| alert.alert_type.default_title());
                write!(context, "<div class=\"callout {class}\" role=\"note\"><p class=\"callout-title\">")?;
                context.escape(title)?;
                context.write_str("</p>\n")?;
            } else {
                context.write_str("</div>\n")?;
            }
        }
        NodeValue::FootnoteReference(reference) => {
            if entering {
                let again = if reference.ref_num > 1 { format!("-{}", reference.ref_num) } else { String::new() };
                let number = reference.ix;
                write!(
                    context,
                    "<sup class=\"footnote-ref\"><a href=\"#{FOOTNOTE_PREFIX}{number}\" \
                     id=\"{FOOTNOTE_PREFIX}ref-{number}{again}\" aria-label=\"Footnote {number}\">{number}</a></sup>"
                )?;
            }
        }
        NodeValue::FootnoteDefinition(_) => format_footnote(context, entering)?,
        NodeValue::TaskItem(item)
            if node.parent().is_some_and(|list| matches!(list.data().value, NodeValue::List(_))) =>
        {
            if entering {
                let (class, label) = if item.symbol.is_some() { ("box done", "Done") } else { ("box", "Open") };
                write!(
                    context,
                    "<li class=\"task\"><span class=\"{class}\" role=\"img\" aria-label=\"{label}\"></span>"
                )?;
            } else {
                context.write_str("</li>\n")?;
            }
        }
        _ => return format_node_default(context, node, entering),
    }
    Ok(ChildRendering::HTML)
}

/// A heading and, beside it so that its name stays its own, a link to itself.
fn format_heading(context: &mut Context<Progress<'_>>, entering: bool) -> fmt::Result {
    if entering {
        let Some(heading) = context.user.headings.next() else { return Ok(()) };
        let wrapper = if heading.level > 1 { "<div class=\"heading\">" } else { "" };
        let mut tag = format!("\n{wrapper}<h{} id=\"", heading.level);
        push_escaped(&mut tag, &heading.id);
        context.write_str(&tag)?;
        context.write_str("\">")?;
        context.user.open_heading = Some(heading);
        return Ok(());
    }
    let Some(heading) = context.user.open_heading.take() else { return Ok(()) };
    let mut end = format!("</h{}>", heading.level);
    if heading.level > 1 {
        end.push_str("<a class=\"permalink\" href=\"#");
        push_escaped(&mut end, &super::escape::encode_url(&heading.id));
        end.push_str("\" aria-label=\"Link to this section: ");
        push_escaped(&mut end, &heading.text);
        end.push_str("\"></a>");
        if let Some(mark) = &heading.mark {
            match context.user.held.as_mut() {
                Some(held) => end.push_str(&held.hold(mark)),
                None => end.push_str(mark),
            }
        }
        end.push_str("</div>");
    }
    context.write_str(&end)?;
    context.write_str("\n")
}

/// A table scrolls in a box of its own that the keyboard reaches and that has a name.
fn format_table(
    context: &mut Context<Progress<'_>>,
    node: Node<'_>,
    entering: bool,
) -> Result<ChildRendering, fmt::Error> {
    if entering {
        context.user.tables += 1;
        let number = context.user.tables;
        let first = node
            .first_child()
            .and_then(comrak::arena_tree::Node::first_child)
            .map(text_of)
            .filter(|text| !text.is_empty());
        let mut tag = format!("<div class=\"table-scroll\" role=\"region\" tabindex=\"0\" aria-label=\"Table {number}");
        if let Some(first) = first {
            tag.push_str(": ");
            push_escaped(&mut tag, &first);
        }
        context.write_str(&tag)?;
        context.write_str("\">")?;
        return format_node_default(context, node, true);
    }
    format_node_default(context, node, false)?;
    context.write_str("</div>\n")?;
    Ok(ChildRendering::HTML)
}

/// A cell with its alignment as a class; a header without text is an ordinary cell.
fn format_cell(context: &mut Context<Progress<'_>>, node: Node<'_>, entering: bool) -> fmt::Result {
    let row = node.parent();
    let in_header = row.is_some_and(|row| matches!(row.data().value, NodeValue::TableRow(true)));
    let name = if in_header && node.first_child().is_some() { "th" } else { "td" };
    if !entering {
        return write!(context, "</{name}>");
    }
    let column = context.user.column;
    context.user.column += 1;
    let alignment = row.and_then(comrak::arena_tree::Node::parent).and_then(|table| match &table.data().value {
        NodeValue::Table(table) => table.alignments.get(column).copied(),
        _ => None,
    });
    let scope = if name == "th" { " scope=\"col\"" } else { "" };
    let class = match alignment {
        Some(TableAlignment::Center) => " class=\"center\"",
        Some(TableAlignment::Right) => " class=\"right\"",
        _ => "",
    };
    write!(context, "\n<{name}{scope}{class}>")
}

/// Footnotes are collected at the end of the page; each links back to where it is first mentioned.
fn format_footnote(context: &mut Context<Progress<'_>>, entering: bool) -> fmt::Result {
    if entering {
        if context.user.footnotes == 0 {
            context.write_str("<section class=\"footnotes\" aria-label=\"Footnotes\">\n<ol>\n")?;
        }
        context.user.footnotes += 1;
        let number = context.user.footnotes;
        return write!(context, "<li id=\"{FOOTNOTE_PREFIX}{number}\">");
    }
    let number = context.user.footnotes;
    writeln!(
        context,
        "<a class=\"footnote-back\" href=\"#{FOOTNOTE_PREFIX}ref-{number}\" aria-label=\"Back to mention {number}\">↩</a></li>"
    )
}

fn callout_class(kind: AlertType) -> &'static str {
    match kind {
        AlertType::Note => "note",
        AlertType::Tip => "tip",
        AlertType::Important => "important",
        AlertType::Warning => "warning",
        AlertType::Caution => "danger",
    }
}
