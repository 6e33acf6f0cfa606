//! A page of the reference as Markdown.

use super::{DocItem, ModuleDoc, ReferencePage, paginate::MAX_BYTES_PER_PAGE};
use crate::writers::builtin::{
    languages::Language,
    markdown::{cell, code, fenced, first_sentence, place, plain_text, shift_headings, table},
    symbols::ItemKind,
};

/// Modules of at least this many items begin with a list of them.
const MIN_ITEMS_FOR_LIST: usize = 4;

/// Writes the page; what does not fit into [`MAX_BYTES_PER_PAGE`] is counted in a sentence at its end.
pub(crate) fn render_page(page: &ReferencePage) -> String {
    let mut text = format!("# {}\n\n", page.title);
    let alone = page.modules.len() == 1;
    let mut left_out = 0;
    if !alone {
        let rows = page
            .modules
            .iter()
            .map(|module| vec![cell(&code(&module.name)), cell(&module_summary(module)), place(&module.path, None)]);
        let header = ["Module", "What it is for", "Defined in"];
        text.push_str(&table(&header, &rows.collect::<Vec<_>>()).unwrap_or_default());
        text.push('\n');
    }
    for module in &page.modules {
        write_module(module, alone, &mut text, &mut left_out);
    }
    if left_out > 0 {
        put!(text, "{left_out} more items did not fit on this page; they are in the source.\n");
    }
    if page.left_out.0 > 0 {
        let (modules, items) = page.left_out;
        put!(
            text,
            "{modules} more modules with {items} items are not part of this site, to keep it readable; they are in the source.\n"
        );
    }
    text
}

/// What a module is for, in a sentence.
pub(crate) fn module_summary(module: &ModuleDoc) -> String {
    let sentence = first_sentence(&module.doc, 160);
    if !sentence.is_empty() {
        return sentence;
    }
    let names: Vec<&str> = module.items.iter().map(|item| item.name.as_str()).take(5).collect();
    let more = if module.items.len() > names.len() { " and more" } else { "" };
    if names.is_empty() { String::new() } else { format!("{}{more}", names.join(", ")) }
}

fn write_module(module: &ModuleDoc, alone: bool, text: &mut String, left_out: &mut usize) {
    if !alone {
        put!(text, "## {}\n\n", module.name);
    }
    if !module.doc.is_empty() {
        text.push_str(&shift_headings(&module.doc, if alone { 2 } else { 3 }));
        text.push_str("\n\n");
    }
    put!(text, "{} {}\n\n", defined(module), place(&module.path, None));
    let mut items: Vec<&DocItem> = module.items.iter().collect();
    items.sort_by_key(|item| item.kind);
    let told = items.iter().filter(|item| !item.doc.is_empty()).count();
    if items.len() >= MIN_ITEMS_FOR_LIST && told * 4 >= items.len() {
        write_list(&items, text);
    }
    write_passed_on(module, text);
    let mut kind = None;
    for item in items {
        if text.len() + item.bytes() + 200 > MAX_BYTES_PER_PAGE {
            *left_out += 1;
            continue;
        }
        if alone && kind != Some(item.kind) {
            kind = Some(item.kind);
            put!(text, "## {}\n\n", item.kind.heading());
        }
        write_item(module.language, item, 3, "", text);
    }
}

fn defined(module: &ModuleDoc) -> &'static str {
    match (module.language, module.internal) {
        (Language::Rust, true) => "Internal module of the program, defined in",
        (Language::Go, true) => "Internal package, defined in",
        (Language::Go | Language::Java, _) => "Package in",
        (Language::C | Language::Cpp, _) => "Header",
        _ => "Defined in",
    }
}

fn write_list(items: &[&DocItem], text: &mut String) {
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| {
            let summary = cell(&first_sentence(&item.doc, 120));
            vec![cell(&code(&item.name)), kind_name(item.kind), summary, place(&item.path, Some(item.lines))]
        })
        .collect();
    text.push_str(&table(&["Name", "Kind", "Summary", "Defined in"], &rows).unwrap_or_default());
    text.push('\n');
}

fn kind_name(kind: ItemKind) -> String {
    let heading = kind.heading().to_lowercase();
    match kind {
        ItemKind::Class => "class".into(),
        _ => heading.trim_end_matches('s').to_owned(),
    }
}

fn write_passed_on(module: &ModuleDoc, text: &mut String) {
    if module.passed_on.is_empty() {
        return;
    }
    let rows: Vec<Vec<String>> =
        module.passed_on.iter().take(300).map(|(name, from)| vec![cell(&code(name)), cell(&code(from))]).collect();
    text.push_str("Also available from here:\n\n");
    text.push_str(&table(&["Name", "Comes from"], &rows).unwrap_or_default());
    put!(text, "\n{}\n\n", place(&module.path, None));
}

fn write_item(language: Language, item: &DocItem, level: usize, owner: &str, text: &mut String) {
    let title =
        if owner.is_empty() { item.name.clone() } else { format!("{owner}{}{}", separator(language), item.name) };
    put!(text, "{} {}\n\n", "#".repeat(level), code(&title));
    text.push_str(&fenced(language.fence(), &item.signature));
    put!(text, "\n{}\n\n", place(&item.path, Some(item.lines)));
    if !item.doc.is_empty() {
        text.push_str(&item.doc);
        text.push_str("\n\n");
    }
    for (kind, heading) in [(ItemKind::Field, "Fields"), (ItemKind::Variant, "Variants")] {
        let documented: Vec<&DocItem> =
            item.members.iter().filter(|member| member.kind == kind && !member.doc.is_empty()).collect();
        if !documented.is_empty() {
            put!(text, "**{heading}**\n\n");
            for member in documented {
                let words = member.doc.replace('\n', "\n  ");
                put!(text, "- {}: {}\n", code(&member.name), words.trim());
            }
            text.push('\n');
        }
    }
    if !item.implements.is_empty() {
        let names: Vec<String> = item.implements.iter().take(40).map(|name| code(name)).collect();
        put!(text, "Implements {}. {}\n\n", names.join(", "), place(&item.path, None));
    }
    let entries: Vec<&DocItem> = item.members.iter().filter(|member| !member.kind.is_listed()).collect();
    let (told, mute): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|member| !member.doc.is_empty() || level >= 5 || member.kind == ItemKind::Class);
    for member in told {
        write_item(language, member, (level + 1).min(6), &item.name, text);
    }
    write_mute_members(language, &mute, text);
}

/// Members without a word of documentation share one block: their signatures are all there is to say.
fn write_mute_members(language: Language, members: &[&DocItem], text: &mut String) {
    if members.is_empty() {
        return;
    }
    let only_values = members.iter().all(|member| matches!(member.kind, ItemKind::Constant | ItemKind::Variable));
    text.push_str(if only_values { "Values:\n\n" } else { "More members:\n\n" });
    let signatures: Vec<&str> = members.iter().map(|member| member.signature.as_str()).collect();
    text.push_str(&fenced(language.fence(), &signatures.join("\n")));
    let mut places: Vec<String> = Vec::new();
    for member in members.iter().take(30) {
        places.push(format!("{} {}", code(&member.name), place(&member.path, Some(member.lines))));
    }
    put!(text, "\n{}\n\n", places.join(", "));
}

fn separator(language: Language) -> &'static str {
    match language {
        Language::Rust | Language::Cpp => "::",
        _ => ".",
    }
}

/// A sentence about a page of several modules, for the navigation.
pub(crate) fn page_description(page: &ReferencePage) -> String {
    match page.modules.as_slice() {
        [module] => {
            let summary = module_summary(module);
            if summary.is_empty() { format!("Reference of {}", module.name) } else { plain_text(&summary) }
        }
        modules => {
            let names: Vec<&str> = modules.iter().map(|module| module.name.as_str()).take(4).collect();
            format!("Reference of {}{}", names.join(", "), if modules.len() > names.len() { " and more" } else { "" })
        }
    }
}
