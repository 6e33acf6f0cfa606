//! Reads options out of an object, whether it came as JSON or as TOML. What does not fit is told with its place, its limit
//! and what to do; the rest is kept, and the caller decides what that means.

use std::str::FromStr;

use serde_json::{Map, Value};

use super::{MAX_GLOBS, MAX_WISHED_PAGES, PathGlob, RunOptions, SiteTitle, WishedPage};
use crate::{
    evidence::Grade,
    names::{InvalidName, PageSlug},
    plan::PageType,
    wire::Place,
};

/// Something that does not fit.
#[derive(Debug, Clone, PartialEq)]
pub struct OptionProblem {
    /// The field, then a position in its list, then a field of the entry.
    pub place: Vec<Place>,
    /// Kind of problem, by pydantic's names.
    pub kind: &'static str,
    /// A sentence with the limit and what to do.
    pub message: String,
    /// What stood there.
    pub input: Value,
}

impl OptionProblem {
    /// The place as people write it: `pages[2].slug`.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for part in &self.place {
            match part {
                Place::Name(name) if path.is_empty() => path.push_str(name),
                Place::Name(name) => path.extend([".", name]),
                Place::Position(position) => path.extend(["[", &position.to_string(), "]"]),
            }
        }
        path
    }
}

/// Reads what fits; `null` counts as missing, and keys that are no options are not looked at.
pub fn read_options(object: &Map<String, Value>) -> (RunOptions, Vec<OptionProblem>) {
    let mut reader = Reader { problems: Vec::new() };
    let options = RunOptions {
        title: reader.text(object, &[], "title"),
        language: reader.text(object, &[], "language"),
        instructions: reader.text(object, &[], "instructions"),
        include: reader.globs(object, "include"),
        exclude: reader.globs(object, "exclude"),
        subdirectory: reader.text(object, &[], "subdirectory"),
        pages: reader.pages(object),
        pages_only: reader.flag(object, "pages_only"),
        min_grade: reader.grade(object, "min_grade"),
    };
    (options, reader.problems)
}

struct Reader {
    problems: Vec<OptionProblem>,
}

impl Reader {
    fn refuse(&mut self, place: Vec<Place>, kind: &'static str, message: impl Into<String>, input: &Value) {
        self.problems.push(OptionProblem { place, kind, message: message.into(), input: input.clone() });
    }

    fn text<T: FromStr<Err = InvalidName>>(
        &mut self,
        object: &Map<String, Value>,
        within: &[Place],
        name: &str,
    ) -> Option<T> {
        let value = object.get(name).filter(|value| !value.is_null())?;
        let mut place = within.to_vec();
        place.push(Place::Name(name.to_owned()));
        self.parsed(value, place)
    }

    fn parsed<T: FromStr<Err = InvalidName>>(&mut self, value: &Value, place: Vec<Place>) -> Option<T> {
        let Some(text) = value.as_str() else {
            self.refuse(place, "string_type", "Input should be a valid string", value);
            return None;
        };
        match text.parse() {
            Ok(parsed) => Some(parsed),
            Err(InvalidName(sentence)) => {
                self.refuse(place, "value_error", format!("Value error, {sentence}"), value);
                None
            }
        }
    }

    fn flag(&mut self, object: &Map<String, Value>, name: &str) -> Option<bool> {
        let value = object.get(name).filter(|value| !value.is_null())?;
        if value.as_bool().is_none() {
            let message = "Input should be a valid boolean: `true` or `false`";
            self.refuse(vec![Place::Name(name.to_owned())], "bool_type", message, value);
        }
        value.as_bool()
    }

    fn grade(&mut self, object: &Map<String, Value>, name: &str) -> Option<Grade> {
        let value = object.get(name).filter(|value| !value.is_null())?;
        let read = value.as_str().and_then(|text| text.parse().ok());
        if read.is_none() {
            let message = "Value error, a grade is one of `A`, `B`, `C`, `D` and `F`";
            self.refuse(vec![Place::Name(name.to_owned())], "value_error", message, value);
        }
        read
    }

    /// A list of at most `max` entries.
    fn list<'a>(&mut self, object: &'a Map<String, Value>, name: &str, max: usize) -> Option<&'a Vec<Value>> {
        let value = object.get(name).filter(|value| !value.is_null())?;
        let place = vec![Place::Name(name.to_owned())];
        let Some(entries) = value.as_array() else {
            self.refuse(place, "list_type", "Input should be a valid list", value);
            return None;
        };
        if entries.len() > max {
            let message = format!("List should have at most {max} items, not {}", entries.len());
            // the input is not repeated: it is long
            self.refuse(place, "too_long", message, &Value::from(entries.len()));
            return None;
        }
        Some(entries)
    }

    fn globs(&mut self, object: &Map<String, Value>, name: &str) -> Option<Vec<PathGlob>> {
        let entries = self.list(object, name, MAX_GLOBS)?;
        let place = |position| vec![Place::Name(name.to_owned()), Place::Position(position)];
        let globs = entries.iter().enumerate();
        Some(globs.filter_map(|(position, entry)| self.parsed(entry, place(position))).collect())
    }

    fn pages(&mut self, object: &Map<String, Value>) -> Option<Vec<WishedPage>> {
        let entries = self.list(object, "pages", MAX_WISHED_PAGES)?;
        let mut pages: Vec<WishedPage> = Vec::new();
        for (position, entry) in entries.iter().enumerate() {
            let place = vec![Place::Name("pages".to_owned()), Place::Position(position)];
            let Some(page) = self.page(entry, &place) else { continue };
            if pages.iter().any(|known| known.slug == page.slug) {
                let message = format!("Value error, the page `{}` is there already; give it another slug", page.slug);
                self.refuse(place, "value_error", message, entry);
                continue;
            }
            pages.push(page);
        }
        Some(pages)
    }

    fn page(&mut self, entry: &Value, place: &[Place]) -> Option<WishedPage> {
        let Some(object) = entry.as_object() else {
            let message = "Input should be a valid dictionary with `title` and, if you like, `slug`, `description`, \
                           `type` and `group`";
            self.refuse(place.to_vec(), "dict_type", message, entry);
            return None;
        };
        let field = |name: &str| [place, &[Place::Name(name.to_owned())]].concat();
        let before = self.problems.len();
        if object.get("title").is_none_or(Value::is_null) {
            self.refuse(field("title"), "missing", "Field required", entry);
        }
        let title: Option<SiteTitle> = self.text(object, place, "title");
        let slug: Option<PageSlug> = self.text(object, place, "slug");
        let page_type = match object.get("type").filter(|value| !value.is_null()) {
            None => None,
            Some(value) => {
                let read = serde_json::from_value::<PageType>(value.clone()).ok();
                if read.is_none() {
                    let message = "Input should be 'guide', 'reference', 'recipe' or 'concept'";
                    self.refuse(field("type"), "literal_error", message, value);
                }
                read
            }
        };
        let description = self.text(object, place, "description");
        let group = self.text(object, place, "group");
        let title = title.filter(|_| self.problems.len() == before)?;
        let slug = slug.unwrap_or_else(|| PageSlug::slugify(title.as_str()));
        Some(WishedPage { slug, title, description, page_type, group })
    }
}
