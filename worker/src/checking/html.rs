//! HTML as Markdown, as far as the rules look: headings, paragraphs, lists, tables, code, links and their targets. Menus,
//! headers and footers are left out.

use std::fmt::Write as _;

use scraper::{ElementRef, Html, Node, Selector};

/// Writing to a text in memory.
const INFALLIBLE: &str = "writing to a String cannot fail";
/// Deepest nesting that is followed; what is deeper has no text for readers.
const MAX_DEPTH: usize = 200;
/// Where the text of a page stands, the first that is there.
const MAIN: [&str; 6] = ["main article", "article", "main", "[role=main]", "div.body", "body"];
/// What is no text.
const SKIPPED: [&str; 12] =
    ["nav", "header", "footer", "script", "style", "aside", "template", "noscript", "svg", "button", "form", "head"];

/// The main part of a page as Markdown.
pub(super) fn to_markdown(html: &str) -> String {
    let document = Html::parse_document(html);
    let main = MAIN.iter().find_map(|selector| {
        let selector = Selector::parse(selector).ok()?;
        document.select(&selector).next()
    });
    let mut writer = Writer::default();
    if let Some(main) = main {
        writer.children(main, 0);
    }
    writer.end_block();
    writer.out
}

#[derive(Default)]
struct Writer {
    out: String,
    /// Text of the block that is being written.
    line: String,
    /// What stands in front of the block: `- `, `## `.
    prefix: String,
}

impl Writer {
    fn end_block(&mut self) {
        let text = self.line.split_whitespace().collect::<Vec<_>>().join(" ");
        self.line.clear();
        if !text.is_empty() {
            self.out.push_str(&self.prefix);
            self.out.push_str(&text);
            self.out.push_str("\n\n");
            self.prefix.clear();
        }
    }

    fn children(&mut self, element: ElementRef<'_>, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        for child in element.children() {
            match child.value() {
                Node::Text(text) => self.line.push_str(&escape(text)),
                Node::Element(_) => {
                    if let Some(child) = ElementRef::wrap(child) {
                        self.element(child, depth + 1);
                    }
                }
                _ => {}
            }
        }
    }

    fn element(&mut self, element: ElementRef<'_>, depth: usize) {
        let name = element.value().name();
        if SKIPPED.contains(&name) || element.value().attr("aria-hidden") == Some("true") {
            return;
        }
        match name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.end_block();
                self.mark(element);
                self.end_block();
                let level = name[1..].parse().unwrap_or(1);
                self.prefix = format!("{} ", "#".repeat(level));
                let text = heading_text(element);
                self.line.push_str(&text);
                self.end_block();
                self.prefix.clear();
            }
            "pre" => self.code_block(element),
            "code" | "kbd" | "samp" | "tt" => {
                let code = element.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
                if !code.is_empty() {
                    let ticks = if code.contains('`') { "``" } else { "`" };
                    write!(self.line, "{ticks}{code}{ticks}").expect(INFALLIBLE);
                }
            }
            "a" => {
                self.mark(element);
                let target = element.value().attr("href").unwrap_or_default();
                // a mark beside a heading that links to itself is no text
                if target.is_empty()
                    || element.text().all(|text| text.trim().chars().all(|c| matches!(c, '¶' | '#' | '§' | '🔗')))
                {
                    if target.is_empty() {
                        self.children(element, depth);
                    }
                    return;
                }
                self.line.push('[');
                self.children(element, depth);
                let target: String = target.chars().filter(|c| !c.is_control()).collect();
                write!(self.line, "](<{}>)", target.replace(['<', '>', ' '], "")).expect(INFALLIBLE);
            }
            "br" => self.line.push(' '),
            "li" => {
                self.end_block();
                "- ".clone_into(&mut self.prefix);
                self.children(element, depth);
                self.end_block();
                self.prefix.clear();
            }
            "table" => self.table(element),
            "p" | "div" | "section" | "ul" | "ol" | "dl" | "dt" | "dd" | "blockquote" | "figure" | "figcaption"
            | "article" | "main" | "details" | "summary" => {
                self.end_block();
                self.mark(element);
                self.children(element, depth);
                self.end_block();
            }
            _ => {
                self.mark(element);
                self.children(element, depth);
            }
        }
    }

    /// A place that can be linked to.
    fn mark(&mut self, element: ElementRef<'_>) {
        let id = element
            .value()
            .attr("id")
            .or_else(|| element.value().attr("name").filter(|_| element.value().name() == "a"));
        if let Some(id) = id.filter(|id| !id.is_empty() && !id.contains(['"', '<', '>', '\n'])) {
            write!(self.line, "<a id=\"{id}\"></a>").expect(INFALLIBLE);
        }
    }

    fn code_block(&mut self, element: ElementRef<'_>) {
        self.end_block();
        let text: String = element.text().collect();
        let inner = Selector::parse("code").ok().and_then(|code| element.select(&code).next());
        let around = element.parent().and_then(ElementRef::wrap);
        let classes =
            [Some(element), inner, around, around.and_then(|around| around.parent()).and_then(ElementRef::wrap)];
        let language = classes.into_iter().flatten().find_map(|element| {
            let mut classes = element.value().classes();
            classes.find_map(|class| {
                ["language-", "lang-", "highlight-"].iter().find_map(|prefix| class.strip_prefix(prefix))
            })
        });
        let language: String = language.unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).collect();
        let longest = text.lines().map(|line| line.trim_start().chars().take_while(|c| *c == '`').count()).max();
        let fence = "`".repeat(longest.unwrap_or_default().max(2) + 1);
        write!(self.out, "{fence}{language}\n{}\n{fence}\n\n", text.trim_matches('\n')).expect(INFALLIBLE);
    }

    fn table(&mut self, table: ElementRef<'_>) {
        self.end_block();
        let (Ok(rows), Ok(cells)) = (Selector::parse("tr"), Selector::parse("th, td")) else { return };
        for (at, row) in table.select(&rows).take(5_000).enumerate() {
            let mut count = 0;
            self.out.push('|');
            for cell in row.select(&cells) {
                let mut inner = Self::default();
                inner.children(cell, 0);
                inner.end_block();
                let text = inner.out.split_whitespace().collect::<Vec<_>>().join(" ");
                write!(self.out, " {} |", text.replace('|', "\\|")).expect(INFALLIBLE);
                count += 1;
            }
            self.out.push('\n');
            if at == 0 {
                writeln!(self.out, "|{}", "---|".repeat(count.max(1))).expect(INFALLIBLE);
            }
        }
        self.out.push('\n');
    }
}

/// The words of a heading, marks for linking left out.
fn heading_text(element: ElementRef<'_>) -> String {
    let text: String = element.text().collect();
    escape(text.trim().trim_end_matches(['¶', '#', '§', '🔗']).trim())
}

/// Plain words as Markdown: what could begin markup is escaped, citations stay.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '_' | '`' | '<' | '\\' | '~') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
